"""Put the code of a commit where CloudFormation finds it, and write what is deployed.

    python -m delivery.package ENVIRONMENT [--region REGION]

Uploads to the artifact bucket below packages/<the caller's account>/, encrypted with its key, and
leaves .aws-sam/packaged.yaml and .aws-sam/template-configuration.json. The work is done by `sam
package` on what `sam build` made, or by the laptop's packager (SIGNALBOX_PACKAGER=laptop), which
needs neither a network nor the functions' own Python.

What is deployed names each object by its version: objects that a later build writes under the same
keys are never what somebody has approved, and a rollback finds what it had. And what an earlier one
has left there is compared, byte by byte, with what this one has made (delivery.package_contents).
"""

import argparse
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery import commits, package_contents, settings
from delivery.toml_reading import SettingsError

OUTPUT = Path(".aws-sam")
PACKAGED, CONFIGURATION = OUTPUT / "packaged.yaml", OUTPUT / "template-configuration.json"
BUILT = OUTPUT / "build" / "template.yaml"
SAM = Path(".tools/sam/bin/sam")
PACKAGER = "SIGNALBOX_PACKAGER"


class PackageError(Exception):
    """The package cannot be made; the message says what to do."""


def command(bucket: str, prefix: str, region: str, packager: str, *, key: str) -> list[str]:
    """What does the work, with the ARN of a KMS key or its alias.

    Raises PackageError when it, or what it takes, is not there. Without a key `sam package` asks
    for S3's own encryption, whatever the bucket's is (samcli/lib/package/s3_uploader.py, 1.170).
    """
    if packager == "laptop":
        program, template = [sys.executable, "-m", "localaws.package"], Path("template.yaml")
    elif packager in ("", "sam"):
        program, template = [str(SAM), "package", "--no-progressbar", "--region", region], BUILT
        _check_built()
    else:
        raise PackageError(f'{PACKAGER} is {packager!r}; it is "sam" (or empty) or "laptop"')
    return [
        *program,
        *("--template-file", str(template)),
        *("--s3-bucket", bucket),
        *("--s3-prefix", prefix),
        *("--kms-key-id", key),
        *("--output-template-file", str(PACKAGED)),
    ]


def _check_built() -> None:
    if not BUILT.is_file():
        raise PackageError(
            f"{BUILT} does not exist: `make build` makes it, where the functions' own Python 3.13 "
            f"is. On the laptop's AWS set {PACKAGER}=laptop"
        )
    if not SAM.is_file():
        raise PackageError(f"{SAM} does not exist; `make build` installs it")


def package(environment: str, region: str = "") -> None:
    """Upload and write; raises PackageError and SettingsError."""
    import boto3

    found = settings.load()
    known = settings.environment_named(found, environment).regions
    where = region or known[0]
    if where not in known:
        raise PackageError(f"{environment} is not in {where}, only in {', '.join(known)}")
    account = boto3.client("sts", region_name=where).get_caller_identity()["Account"]
    bucket, prefix = found.artifact_bucket_in(where), f"packages/{account}"
    packager = os.environ.get(PACKAGER, "")
    run = command(bucket, prefix, where, packager, key=found.artifact_key_alias_in(where))
    OUTPUT.mkdir(exist_ok=True)
    variables = {**os.environ, "AWS_DEFAULT_REGION": where}
    if subprocess.run(run, env=variables, check=False).returncode != 0:
        raise PackageError(f"nothing was packaged to s3://{bucket}/{prefix}/")
    _pin(PACKAGED, where, None if packager == "laptop" else BUILT)
    _digest(PACKAGED, settings.parameters(found, environment, where))
    CONFIGURATION.write_text(
        settings.template_configuration(found, environment, where, commits.delivered(os.environ)),
        encoding="utf-8",
    )
    print(f"{PACKAGED}: code in s3://{bucket}/{prefix}/")  # noqa: T201
    print(f"{CONFIGURATION}: parameters of {environment} in {where}")  # noqa: T201


def _pin(packaged: Path, region: str, built: Path | None) -> None:
    """Note versions; `built` is the template before, None where the packager compares itself."""
    import boto3

    s3 = boto3.client("s3", region_name=region)
    text = packaged.read_text(encoding="utf-8")
    if built is None:
        versions = pinned(text, lambda b, k: str(s3.head_object(Bucket=b, Key=k)["VersionId"]))
    else:
        versions = pinned(text, compared(s3, text, built))
    if versions == text:
        raise PackageError(f"{packaged} names no object whose version could be noted")
    packaged.write_text(versions, encoding="utf-8")


def compared(s3: Any, packaged: str, built: Path) -> Callable[[str, str], str]:
    """The version of an object, once it is what this build made; raises PackageError.

    One request answers version and content, and takes no right that its version alone would not.
    """
    try:
        made = package_contents.sources(built.read_text(encoding="utf-8"), packaged)
    except ValueError as fault:
        raise PackageError(f"{PACKAGED} is not made of {built}: {fault}; build anew") from None

    @functools.cache
    def version_of(bucket: str, key: str) -> str:
        found = s3.get_object(Bucket=bucket, Key=key)
        content, version = found["Body"].read(), str(found["VersionId"])
        wrong = [
            difference
            for path in made.get((bucket, key), ())
            for difference in package_contents.differences(content, built.parent / path)
        ]
        if wrong or (bucket, key) not in made:
            raise PackageError(_planted(f"s3://{bucket}/{key}", version, wrong))
        return version

    return version_of


def _planted(uri: str, version: str, wrong: Sequence[str]) -> str:
    shown = "; ".join(wrong[:5]) or "nothing was built for it"
    return (
        f"{uri} (version {version}) is not what this build has made: {shown}. Somebody wrote it "
        "there before, under the digest of this code: nothing is to be deployed. Find out who "
        "(versions of the object, CloudTrail), have the version deleted, and package again"
    )


# As both packagers write them: one line, or a mapping of Bucket and Key in this order.
_ONE_LINE = re.compile(r"^( +)(\w+Uri): s3://([^/\s]+)/(\S+)$", re.MULTILINE)
_MAPPING = re.compile(r"^( +)(\w+Uri):\n +Bucket: (\S+)\n +Key: (\S+)$", re.MULTILINE)


def pinned(template: str, version_of: Callable[[str, str], str]) -> str:
    """A packaged template with the version of each object; `version_of` takes bucket and key.

    >>> print(pinned("  CodeUri: s3://packages/1/a.zip", lambda bucket, key: "v1"))
      CodeUri:
        Bucket: "packages"
        Key: "1/a.zip"
        Version: "v1"
    """

    def addressed(found: re.Match[str]) -> str:
        indent, name, bucket, key = found.groups()
        parts = {"Bucket": bucket, "Key": key, "Version": version_of(bucket, key)}
        lines = [f"{indent}  {part}: {json.dumps(value)}" for part, value in parts.items()]
        return "\n".join([f"{indent}{name}:", *lines])

    return _ONE_LINE.sub(addressed, _MAPPING.sub(addressed, template))


def _digest(packaged: Path, parameters: Mapping[str, str]) -> None:
    text = packaged.read_text(encoding="utf-8")
    packaged.write_text(with_settings(text, parameters), encoding="utf-8")


_SETTINGS = re.compile(r"^( +SETTINGS_DIGEST:) none$", re.MULTILINE)
_OF_NO_FUNCTION = ("Commit", "FunctionRollout")


def with_settings(template: str, parameters: Mapping[str, str]) -> str:
    """A packaged template whose functions differ from those before when their versions' names do.

    SAM names a version after the template alone (aws/serverless-application-model#3820): the alias
    would go on serving the settings before. And after its words (#3281): with others that mean the
    same, Lambda would publish nothing and the update fail. Raises PackageError.
    """
    seen = {name: value for name, value in parameters.items() if name not in _OF_NO_FUNCTION}
    basis = json.dumps([seen, *function_parts(template)], sort_keys=True)
    digest = hashlib.sha256(basis.encode()).hexdigest()[:16]
    written, count = _SETTINGS.subn(rf"\1 s{digest}", template)
    if count != 1:
        raise PackageError(
            f"{PACKAGED} has {count} lines `SETTINGS_DIGEST: none`, not the one of template.yaml's "
            "Globals; without it no function would hear of a parameter that changes"
        )
    return written


def function_parts(template: str) -> list[str]:
    """What makes versions, as it is written: functions, layers, and what all functions have."""
    kinds = ("AWS::Serverless::Function\n", "AWS::Serverless::LayerVersion\n")
    parts = re.split(r"^(?=(?:  )?\S)", template, flags=re.MULTILINE)
    return [p for p in parts if p.startswith("  Function:\n") or any(k in p for k in kinds)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m delivery.package")
    parser.add_argument("environment", choices=("dev", "staging", "prod"))
    parser.add_argument("--region", default="", help="one of the environment's, or its first")
    chosen = parser.parse_args(arguments)
    try:
        package(chosen.environment, chosen.region)
    except (PackageError, SettingsError) as fault:
        print(f"package: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
