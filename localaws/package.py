"""Packages a template for the laptop's AWS, where `sam build` and `sam package` would need network.

    python -m localaws.package --template-file template.yaml --s3-bucket BUCKET \\
        [--s3-prefix PREFIX] [--kms-key-id KEY] [--region R] \\
        --output-template-file .aws-sam/packaged.yaml

Builds layers, uploads code, layers and state machines that are not in the bucket yet, and writes
the template with their addresses in S3, as `sam package` does. Credentials and the address of the
service come from the environment, as for every client of AWS. Imports the deployer only.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError

from localaws.deployer import packaging, template
from localaws.deployer.packaging import Artifact
from localaws.errors import LocalAwsError

BUILD_FOLDER = "SIGNALBOX_BUILD_DIR"
"""Where layers are built and stay: the laptop uses a built layer in place."""


class ArtifactForged(LocalAwsError):
    """An object in the bucket has the digest of other content for a name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Package; the exit status is 1 when something is wrong, which is said on standard error."""
    options = _options(arguments)
    try:
        sys.stdout.write(f"{_packaged(options)}\n")
    except (LocalAwsError, OSError, BotoCoreError, ClientError) as fault:
        sys.stderr.write(f"packaging {options.template_file} failed: {fault}\n")
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localaws.package", description=__doc__)
    parser.add_argument("--template-file", type=Path, default=Path("template.yaml"))
    parser.add_argument("--s3-bucket", required=True)
    parser.add_argument("--s3-prefix", default="")
    parser.add_argument("--kms-key-id", default="")
    parser.add_argument("--region", help="of the bucket; else what the environment says")
    parser.add_argument("--output-template-file", type=Path, required=True)
    built = Path(os.environ.get(BUILD_FOLDER, ".signalbox/build"))
    parser.add_argument("--build-dir", type=Path, default=built)
    return parser.parse_args(arguments)


def _packaged(options: argparse.Namespace) -> str:
    prefix = f"{options.s3_prefix.strip('/')}/" if options.s3_prefix.strip("/") else ""
    made = packaging.package(
        template.read(options.template_file),
        base=options.template_file.resolve().parent,
        bucket=options.s3_bucket,
        build_dir=options.build_dir,
        prefix=prefix,
    )
    s3 = boto3.Session().client("s3", region_name=options.region)
    key = options.kms_key_id
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    sent = [_upload(s3, options.s3_bucket, artifact, encrypted) for artifact in made.artifacts]
    options.output_template_file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(addressed(made.template), sort_keys=False, width=100)
    options.output_template_file.write_text(text, encoding="utf-8")
    return f"{options.output_template_file}: {sum(sent)} of {len(sent)} artifacts uploaded"


def _upload(s3: Any, bucket: str, artifact: Artifact, encrypted: Mapping[str, str]) -> bool:
    """Upload what is not there yet; its key is its content's digest, which is not taken on trust.

    Raises ArtifactForged for what somebody else has left there under that digest.
    """
    try:
        found = s3.get_object(Bucket=bucket, Key=artifact.key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("403", "AccessDenied", "NoSuchKey"):
            raise
        s3.put_object(Bucket=bucket, Key=artifact.key, Body=artifact.content, **encrypted)
        return True
    if found["Body"].read() != artifact.content:
        raise ArtifactForged(
            f"s3://{bucket}/{artifact.key} (version {found.get('VersionId', '?')}) is not what its "
            "name says; find out who wrote it, have it deleted, and package again"
        )
    return False


def addressed(packaged: Mapping[str, Any]) -> dict[str, Any]:
    """A packaged template with `s3://bucket/key` where a serverless type names an artifact."""
    # A round through JSON: what is shared would become anchors, which CloudFormation refuses.
    written: dict[str, Any] = json.loads(json.dumps(packaged))
    for resource in written["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            place = properties.get(name)
            if isinstance(place, Mapping) and set(place) == {"Bucket", "Key"}:
                properties[name] = f"s3://{place['Bucket']}/{place['Key']}"
    return written


if __name__ == "__main__":
    sys.exit(main())
