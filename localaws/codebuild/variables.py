"""The environment of a build's commands: CodeBuild's own variables, the project's and the role's.

CodeBuild user guide, "Environment variables in build environments" and "env" of the buildspec
reference (read 2026-11-21): a start's variables win over the project's, those over the buildspec's.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.codebuild.buildspec import Buildspec
from localaws.codebuild.log import courier_of
from localaws.codebuild.model import CODEBUILD, Build, environment_variables, project_arn
from localaws.iam import service as iam

_KEPT = (
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
_KEPT_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_SETTINGS = (
    ("NPM_CONFIG_USERCONFIG", ".npmrc"),
    ("NPM_CONFIG_CACHE", ".npm"),
    ("PIP_CONFIG_FILE", ".config/pip/pip.conf"),
    ("PIP_CACHE_DIR", ".cache/pip"),
    ("UV_CACHE_DIR", ".cache/uv"),
)
"""What this machine needs to reach its package registries; nothing else of the server's."""


class VariableMissing(Exception):
    """A variable's parameter or secret cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Variables:
    """The values for a build's commands; `secrets` are starred out in the log."""

    values: Mapping[str, str]
    secrets: tuple[str, ...] = ()


@dataclass
class _Wanted:
    """Variables by where their values are kept."""

    plain: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def put(self, kind: str, name: str, value: str) -> None:
        """Want `name`, and not what was wanted under it before."""
        for kept in (self.plain, self.parameters, self.secrets):
            kept.pop(name, None)
        stores = {"PARAMETER_STORE": self.parameters, "SECRETS_MANAGER": self.secrets}
        stores.get(kind, self.plain)[name] = value


def own(build: Build, buildspec: Buildspec) -> Variables:
    """What project, start and buildspec ask for; raises VariableMissing, ClientError."""
    wanted = _Wanted()
    for kind, given in (
        ("PLAINTEXT", buildspec.variables),
        ("PARAMETER_STORE", buildspec.parameters),
        ("SECRETS_MANAGER", buildspec.secrets),
    ):
        for name, value in given.items():
            wanted.put(kind, name, value)
    for item in environment_variables(build.settings):
        wanted.put(item["type"], item["name"], item["value"])
    kept = _parameters(build, wanted.parameters) | _secrets(build, wanted.secrets)
    return Variables({**wanted.plain, **kept}, tuple(value for value in kept.values() if value))


def _parameters(build: Build, wanted: Mapping[str, str]) -> dict[str, str]:
    names = sorted(set(wanted.values()))
    found: dict[str, str] = {}
    for start in range(0, len(names), 10):
        ssm: Any = courier_of(build).client("ssm")
        told = ssm.get_parameters(Names=names[start : start + 10], WithDecryption=True)
        if told.get("InvalidParameters"):
            missing = ", ".join(told["InvalidParameters"])
            raise VariableMissing(f"there is no parameter {missing} in Systems Manager")
        asked = names[start : start + 10]
        for parameter in told["Parameters"]:
            found |= {n: parameter["Value"] for n in asked if n in _names(parameter)}
    return {variable: found[name] for variable, name in wanted.items()}


def _names(parameter: Mapping[str, Any]) -> tuple[str, str]:
    return parameter["Name"], parameter.get("ARN", "")


def _secrets(build: Build, wanted: Mapping[str, str]) -> dict[str, str]:
    return {variable: _secret(build, reference) for variable, reference in wanted.items()}


def _secret(build: Build, reference: str) -> str:
    """`secret-id:json-key:version-stage:version-id`; the id may be an ARN, which has colons too."""
    parts = reference.split(":")
    identity, rest = (
        (":".join(parts[:7]), parts[7:]) if parts[0] == "arn" else (parts[0], parts[1:])
    )
    key, stage, version = [*rest, "", "", ""][:3]
    asked = {"SecretId": identity}
    asked |= {"VersionStage": stage} if stage else {}
    asked |= {"VersionId": version} if version else {}
    manager: Any = courier_of(build).client("secretsmanager")
    text = str(manager.get_secret_value(**asked)["SecretString"])
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise VariableMissing(f"the secret {identity} has no JSON key {key}") from error


def credentials(build: Build) -> dict[str, str]:
    """The service role's keys; raises AccessDeniedByLocalAws when it does not trust CodeBuild."""
    # parity: AWS serves fresh ones through the container's address; these last an hour.
    keys = iam.assume_service_role(
        build.role_arn,
        CODEBUILD,
        session_name=f"AWSCodeBuild-{build.uuid}",
        source_arn=project_arn(build.place, build.project),
    )
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


def platform(build: Build, url: str, home: Path) -> dict[str, str]:
    """What CodeBuild and its image set, before anything of the project's."""
    region = build.place.region
    interpreter = str(Path(sys.executable).parent)
    values = {
        "PATH": os.pathsep.join([interpreter, os.environ.get("PATH", "/usr/bin:/bin")]),
        "HOME": str(home),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": url,
        "CODEBUILD_CI": "true",
        "CODEBUILD_BUILD_ARN": build.arn,
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": build.settings["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_KMS_KEY_ID": build.key_id or "alias/aws/s3",
        "CODEBUILD_LOG_PATH": build.log_stream,
        "CODEBUILD_PROJECT_ARN": project_arn(build.place, build.project),
        "CODEBUILD_SOURCE_VERSION": build.source_version,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.resolved_version,
        "CODEBUILD_START_TIME": str(int(build.started.timestamp() * 1000)),
        # `make package` then packs with the laptop's packer: sam needs a network and Python 3.13.
        "SIGNALBOX_PACKAGER": "laptop",
    }
    return dict(_of_the_machine()) | {name: value for name, value in values.items() if value}


def _of_the_machine() -> Iterator[tuple[str, str]]:
    for variable, file in _SETTINGS:
        if (Path.home() / file).exists():
            yield variable, str(Path.home() / file)
    for name, value in os.environ.items():
        if name in _KEPT or name.upper().startswith(_KEPT_PREFIXES):
            yield name, value
