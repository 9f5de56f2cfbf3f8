"""Deploys the template to the laptop's AWS, as a process of its own.

Usage: python -m signalbox_cli.deploy_laptop TEMPLATE --app NAME --environments NAME,NAME. It does
what needs no server while the server starts (layers, the expanded template, descriptions of
services), then reads one JSON line with the server's address from standard input, and deploys one
stack after the other, each into the account of its environment. It writes JSON lines: {"message":
...} for what a person should know, {"error": ...} at a fault. Its memory goes with it: `signalbox
up` stays small.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3

from localaws.accounts import BY_ENVIRONMENT, Account
from localaws.context import REGION
from localaws.deploy import (
    Clients,
    DeploymentError,
    DeployRequest,
    ResourceEvent,
    aws_clients,
    declared_parameters,
    deploy,
    prepare,
)
from signalbox_cli.laptop_environments import in_order, promotion_parameters

# What went wrong, or was undone; the rest goes by without a line.
_WORTH_TELLING = ("failed", "rolled back", "left behind")

# Published on purpose: it signs what one process of this laptop posts to another.
WEBHOOK_SECRET = "laptop-webhook-secret"  # noqa: S105


@dataclass(frozen=True)
class Stack:
    """One environment's stack, and the account it goes into."""

    request: DeployRequest
    account: Account

    @property
    def credentials(self) -> dict[str, str]:
        """The key of the account's developer, as boto3 names it."""
        return {
            "aws_access_key_id": self.account.access_key_id,
            "aws_secret_access_key": self.account.secret_access_key,
        }


def main() -> int:
    """Deploy and report; the exit status is 0 when every stack stands."""
    parser = argparse.ArgumentParser(prog="python -m signalbox_cli.deploy_laptop")
    parser.add_argument("template", type=Path)
    parser.add_argument("--app", default="signalbox")
    parser.add_argument("--environments", default="dev")
    chosen = parser.parse_args()
    try:
        _deploy(stacks(chosen.template, chosen.app, chosen.environments.split(",")))
    except DeploymentError as fault:
        _say(error=str(fault))
        return 1
    return 0


def stacks(template: Path, app: str, environments: Sequence[str]) -> list[Stack]:
    """The stacks of the environments, in the order of promotion and wired for it."""
    declared = declared_parameters(template) if len(environments) > 1 else frozenset()
    return [
        Stack(_request(template, app, name, environments, declared), BY_ENVIRONMENT[name])
        for name in in_order(environments)
    ]


def _request(
    template: Path,
    app: str,
    environment: str,
    environments: Sequence[str],
    declared: frozenset[str],
) -> DeployRequest:
    wiring = {
        **promotion_parameters(environment, environments, app=app, region=REGION),
        # Events are not lost here, and time passes 60 times faster: a look every four minutes.
        "ReconcileEveryMinutes": "240",
    }
    return DeployRequest(
        template=template,
        stack_name=f"{app}-{environment}",
        parameters={
            "AppName": app,
            "EnvironmentName": environment,
            "NotificationEmail": "you@laptop.invalid",
            "WebhookKind": "generic",
            **{name: value for name, value in wiring.items() if name in declared},
        },
    )


def _deploy(planned: Sequence[Stack]) -> None:
    session = boto3.Session(region_name=REGION)
    for stack in planned:
        prepare(stack.request, session, account=stack.account.id, region=REGION)
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    _end_with_parent()
    url = json.loads(line)["url"]
    for stack in planned:
        clients = aws_clients(session, endpoint_url=url, **stack.credentials)
        result = deploy(stack.request, clients, _report)
        _point_webhook_home(clients, url, result.outputs)
        into = f" to {stack.account.environment}, account {stack.account.id}"
        where = into if len(planned) > 1 else ""
        _say(message=f"Deployed {stack.request.template}{where}: {len(result.changes)} resources")


def _point_webhook_home(clients: Clients, url: str, outputs: Mapping[str, str]) -> None:
    """Messages for the webhook come back to the laptop's inbox."""
    address = {"url": f"{url}/_localaws/webhook", "signingSecret": WEBHOOK_SECRET}
    clients("secretsmanager").put_secret_value(
        SecretId=outputs["WebhookSecretArn"], SecretString=json.dumps(address)
    )


def _report(event: ResourceEvent) -> None:
    if event.status in _WORTH_TELLING:
        reason = f": {event.reason}" if event.reason else ""
        kind = event.type_name.removeprefix("AWS::")
        _say(message=f"  {event.logical_id} ({kind}) {event.status}{reason}")


def _say(**message: str) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
