"""Deploys the template to the laptop's AWS, as a process of its own.

Usage: python -m signalbox_cli.deploy_laptop TEMPLATE --app NAME --environment NAME. It does what
needs no server while the server starts (layers, the expanded template, descriptions of services),
then reads one JSON line with the server's address from standard input, and writes JSON lines:
{"message": ...} for what a person should know, {"error": ...} at a fault. Its memory goes with it:
`signalbox up` stays small.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import boto3

from localaws.deploy import (
    DeploymentError,
    DeployRequest,
    ResourceEvent,
    aws_clients,
    deploy,
    prepare,
)
from signalbox_cli import laptop

# What went wrong, or was undone; the rest goes by without a line.
_WORTH_TELLING = ("failed", "rolled back", "left behind")

# Published on purpose: it signs what one process of this laptop posts to another.
WEBHOOK_SECRET = "laptop-webhook-secret"  # noqa: S105


def main() -> int:
    """Deploy and report; the exit status is 0 when the stack stands."""
    parser = argparse.ArgumentParser(prog="python -m signalbox_cli.deploy_laptop")
    parser.add_argument("template", type=Path)
    parser.add_argument("--app", default="signalbox")
    parser.add_argument("--environment", default="dev")
    chosen = parser.parse_args()
    request = DeployRequest(
        template=chosen.template,
        stack_name=f"{chosen.app}-{chosen.environment}",
        parameters={
            "AppName": chosen.app,
            "EnvironmentName": chosen.environment,
            "NotificationEmail": "you@laptop.invalid",
            "WebhookKind": "generic",
            # Events are not lost here, and time passes 60 times faster: a look every four minutes.
            "ReconcileEveryMinutes": "240",
        },
    )
    try:
        _deploy(request)
    except DeploymentError as fault:
        _say(error=str(fault))
        return 1
    return 0


def _deploy(request: DeployRequest) -> None:
    session = boto3.Session(
        aws_access_key_id=laptop.ACCESS_KEY_ID,
        aws_secret_access_key=laptop.SECRET_ACCESS_KEY,
        region_name=laptop.REGION,
    )
    prepare(request, session, account=laptop.ACCOUNT, region=laptop.REGION)
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    _end_with_parent()
    url = json.loads(line)["url"]
    result = deploy(request, aws_clients(session, endpoint_url=url), _report)
    _point_webhook_home(session, url, result.outputs)
    _say(message=f"Deployed {request.template}: {len(result.changes)} resources")


def _point_webhook_home(session: boto3.Session, url: str, outputs: Mapping[str, str]) -> None:
    """Messages for the webhook come back to the laptop's inbox."""
    address = {"url": f"{url}/_localaws/webhook", "signingSecret": WEBHOOK_SECRET}
    session.client("secretsmanager", endpoint_url=url).put_secret_value(
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
