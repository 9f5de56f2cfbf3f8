"""SageMaker projects: brings project.yaml and the seeds of its repositories to an environment.

    python -m delivery.projects publish ENV --workload FOLDER     upload, and print what follows
    python -m delivery.projects request ENV NAME --role ARN       CreateProject's request as JSON

Both print JSON. Uploads go to the environment's source bucket with the caller's own credentials.
"""

import argparse
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from delivery import settings
from delivery.model import Environment
from delivery.toml_reading import SettingsError

HERE = Path(__file__).parent
TEMPLATE = HERE / "project.yaml"
DEPLOY_SEED = HERE / "seeds" / "deploy"
PREFIX = "projects"
# Studio lists templates with the first; Service Catalog's launch roles ask for the second.
TAGS = {"sagemaker:studio-visibility": "true", "servicecatalog:provisioning": "true"}
_FIXED = (1980, 1, 1, 0, 0, 0)  # equal folders are equal archives


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip with the files at its top, equal for equal files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in sorted(files.items()):
            out.writestr(zipfile.ZipInfo(name, _FIXED), content)
    return packed.getvalue()


def seeds(workload: Path) -> dict[str, bytes]:
    """Everything to upload by key below the prefix; raises SettingsError without a manifest."""
    if not (workload / "manifest.json").is_file():
        raise SettingsError(f"{workload}: no manifest.json; name the folder of a workload")
    return {
        "project.yaml": TEMPLATE.read_bytes(),
        "build.zip": archive(_files(workload)),
        "deploy.zip": archive(_files(DEPLOY_SEED)),
    }


def _files(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def version(objects: Mapping[str, bytes]) -> str:
    """Twelve hexadecimal digits that change with any of the objects."""
    together = b"\0".join(name.encode() + content for name, content in sorted(objects.items()))
    return hashlib.sha256(together).hexdigest()[:12]


def source_bucket(environment: Environment) -> str:
    """The source bucket as template.yaml names it."""
    return f"{environment.stack_name}-source-{environment.account}-{environment.region}"


def template_url(environment: Environment) -> str:
    """Where project.yaml lies."""
    host = f"{source_bucket(environment)}.s3.{environment.region}.amazonaws.com"
    return f"https://{host}/{PREFIX}/project.yaml"


def publish(environment: Environment, workload: Path, s3: Any) -> dict[str, str]:
    """Upload all; what the product and Studio's domain need to know."""
    objects = seeds(workload)
    for name, content in objects.items():
        s3.put_object(
            Bucket=source_bucket(environment),
            Key=f"{PREFIX}/{name}",
            Body=content,
            Tagging=urlencode(TAGS),
        )
    return {
        "TemplateUrl": template_url(environment),
        "TemplateVersion": version(objects),
        "SourceBucketName": source_bucket(environment),
        # The tag of a Studio domain that makes it list the templates of a place.
        "sagemaker:projectS3TemplatesLocation": f"s3://{source_bucket(environment)}/{PREFIX}/",
    }


def request(environment: Environment, name: str, role_arn: str) -> dict[str, Any]:
    """CreateProject with the template in S3.

    SageMakerProjectName and SageMakerProjectId are not in it: SageMaker fills them in.
    """
    values = {
        "AppName": environment.app,
        "EnvironmentName": environment.name,
        "SourceBucketName": source_bucket(environment),
    }
    provider = {
        "TemplateName": "signalbox-project",
        "TemplateURL": template_url(environment),
        "RoleARN": role_arn,
        "Parameters": [{"Key": key, "Value": value} for key, value in values.items()],
    }
    return {
        "ProjectName": name,
        "ProjectDescription": f"Signalbox workload {name} in {environment.name}",
        "TemplateProviders": [{"CfnTemplateProvider": provider}],
        "Tags": [
            {"Key": "app", "Value": environment.app},
            {"Key": "environment", "Value": environment.name},
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 when the settings or the workload cannot be used."""
    chosen = _parser().parse_args(arguments)
    try:
        environment = settings.environment_named(settings.load(chosen.folder), chosen.environment)
        found = (
            request(environment, chosen.name, chosen.role)
            if chosen.command == "request"
            else publish(environment, chosen.workload, _s3(environment))
        )
    except SettingsError as fault:
        print(fault, file=sys.stderr)  # noqa: T201
        return 2
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _s3(environment: Environment) -> Any:
    import boto3  # only an upload needs it

    return boto3.client("s3", region_name=environment.region)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m delivery.projects")
    parser.add_argument("--folder", type=Path, help="instead of delivery/environments")
    commands = parser.add_subparsers(dest="command", required=True)
    upload = commands.add_parser("publish")
    upload.add_argument("environment", choices=("dev", "staging", "prod"))
    upload.add_argument(
        "--workload", type=Path, required=True, help="what the repository begins with"
    )
    ask = commands.add_parser("request")
    ask.add_argument("environment", choices=("dev", "staging", "prod"))
    ask.add_argument("name")
    ask.add_argument("--role", required=True, help="output LaunchRoleArn of delivery/product.yaml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
