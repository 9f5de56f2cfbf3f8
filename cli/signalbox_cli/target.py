"""Which AWS the command talks to, and what the environment's stack is made of.

The laptop is just another endpoint. The parts of the stack are found through the parameters that
the template writes under `/<app>/<environment>/` in SSM, so nothing has to be configured here.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signalbox_cli.errors import CommandError, NotFoundError, TargetUnreachableError

STATE_FOLDER = Path(".signalbox")
SETTINGS_FOLDER = Path("delivery") / "environments"
DEFAULT_APP = "signalbox"
UP_FILE = STATE_FOLDER / "up.json"
_SESSION = "session of all clients"


def app_here() -> str:
    """The AppName of the checkout that is the current folder, else the template's default.

    $SIGNALBOX_SETTINGS names another folder than delivery/environments. Raises CommandError when
    there is one that does not say.
    """
    from delivery import settings
    from delivery.toml_reading import SettingsError

    given = os.environ.get(settings.FOLDER_VARIABLE)
    folder = Path(given) if given else SETTINGS_FOLDER
    if not (folder / "shared.toml").is_file():
        return DEFAULT_APP
    try:
        return settings.app_of(folder)
    except SettingsError as fault:
        raise CommandError(str(fault)) from None


@dataclass(frozen=True)
class Wiring:
    """Names and ARNs of one deployed environment, from its SSM parameters."""

    pipeline: str
    source_bucket: str
    source_key: str
    workflow_bucket: str
    training_machine_arn: str
    inference_machine_arn: str
    prefix: str
    two_person_rule: bool = False
    promotion_machine_arn: str = ""
    promotion_path: str = "[]"


@dataclass(frozen=True)
class Target:
    """One environment of one AWS: the laptop's when `endpoint_url` is set."""

    app: str = DEFAULT_APP
    environment: str = "dev"
    region: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    is_announced: bool = False
    _memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def prefix(self) -> str:
        """What every name of this environment begins with."""
        return f"{self.app}-{self.environment}"

    @property
    def poll_s(self) -> float:
        """Seconds between two looks at a run: AWS's quotas ask for patience."""
        return 0.1 if self.endpoint_url else 5.0

    def describe(self) -> str:
        """The target in words, for messages."""
        where = self.endpoint_url or "AWS"
        return f"environment {self.environment} at {where}"

    def client(self, service: str) -> Any:
        """The client of a service, made once."""
        if service not in self._memo:
            if _SESSION not in self._memo:  # each session would read botocore's data anew
                self._memo[_SESSION] = self._session()
            self._memo[service] = self._memo[_SESSION].client(
                service, endpoint_url=self.endpoint_url, config=self._config()
            )
        return self._memo[service]

    def _config(self) -> Any:
        from botocore.config import Config

        attempts = 2 if self.endpoint_url else 6
        return Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, max_pool_connections=50
        )

    def _session(self) -> Any:
        import boto3

        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
        )

    def wiring(self) -> Wiring:
        """The stack's parameters, read once per command."""
        if "wiring" not in self._memo:
            self._memo["wiring"] = _read_wiring(self)
        wiring: Wiring = self._memo["wiring"]
        return wiring


def _read_wiring(target: Target) -> Wiring:
    path = f"/{target.app}/{target.environment}"
    pages = target.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    found = {
        p["Name"].removeprefix(f"{path}/"): p["Value"] for page in pages for p in page["Parameters"]
    }
    try:
        return Wiring(
            pipeline=found["pipeline-name"],
            source_bucket=found["source-bucket"],
            source_key=found["source-key"],
            workflow_bucket=found["workflow-bucket"],
            training_machine_arn=found["training-state-machine-arn"],
            inference_machine_arn=found["inference-state-machine-arn"],
            prefix=target.prefix,
            two_person_rule=found.get("two-person-rule") == "true",
            promotion_machine_arn=found.get("promotion-state-machine-arn", ""),
            promotion_path=found.get("promotion-path", "[]"),
        )
    except KeyError as missing:
        raise NotFoundError(
            f"there is no {target.describe()} (app '{target.app}'): SSM has no parameter "
            f"{path}/{missing.args[0]}. {_how_to_deploy(target)}, or choose another with "
            "--environment and --app"
        ) from None


def _how_to_deploy(target: Target) -> str:
    if target.endpoint_url:
        option = "" if target.environment == "dev" else f" --environments {target.environment}"
        return f"`signalbox up{option}` serves {target.environment} of the app {app_here()}"
    return f"Deploy it first (`sam deploy --config-env {target.environment}`)"


def announced_laptop() -> dict[str, Any] | None:
    """What `.signalbox/up.json` says, if the laptop it tells of still runs."""
    try:
        up: dict[str, Any] = json.loads(UP_FILE.read_text())
        os.kill(up["pid"], 0)
    except (FileNotFoundError, ValueError, KeyError, ProcessLookupError):
        return None
    except PermissionError:
        pass  # it runs, under another user
    return up


def laptop_target(environment: str, app: str) -> Target:
    """The laptop that `signalbox up` serves from this folder."""
    up = announced_laptop()
    if up is None:
        raise TargetUnreachableError(
            f"no laptop's AWS is up in {Path.cwd()}; start one there with `signalbox up`, or go to "
            "the folder where it runs"
        )
    keys = _keys_of(up, environment)
    return Target(
        app=app,
        environment=environment,
        region=up["region"],
        endpoint_url=up["url"],
        access_key_id=keys["accessKeyId"],
        secret_access_key=keys["secretAccessKey"],
        is_announced=True,
    )


def _keys_of(up: Mapping[str, Any], environment: str) -> Mapping[str, str]:
    """The developer's key in the account of an environment; raises if that is not served."""
    served: Mapping[str, Mapping[str, str]] = up.get("environments", {"dev": up})
    if environment not in served:
        raise TargetUnreachableError(
            f"the laptop that is up here serves {', '.join(served)}, not {environment}; start it "
            f"with `signalbox up --environments {','.join([*served, environment])}`, or choose "
            "another with --environment"
        )
    return served[environment]


def resolve_target(
    *, local: bool, endpoint_url: str | None, region: str | None, environment: str, app: str
) -> Target:
    """`--local` wins, then `--endpoint-url` / AWS_ENDPOINT_URL, then AWS itself."""
    if local:
        return laptop_target(environment, app)
    url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    return Target(app=app, environment=environment, region=region, endpoint_url=url)
