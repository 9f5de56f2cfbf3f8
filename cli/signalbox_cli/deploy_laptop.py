"""Deploys the template to the laptop's AWS, as a process of its own.

Usage: python -m signalbox_cli.deploy_laptop TEMPLATE --app NAME --environment NAME. It loads what
it needs while the server starts, reads one JSON line with the server's address from standard
input, and writes JSON lines: {"message": ...} for each step, {"error": ...} at a fault. Its memory
goes with it: `signalbox up` stays small.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path

import boto3

from localaws.deploy import DeploymentError, DeployRequest, ResourceEvent, aws_clients, deploy
from signalbox_cli.laptop import Up


def main() -> int:
    """Deploy and report; the exit status is 0 when the stack stands."""
    parser = argparse.ArgumentParser(prog="python -m signalbox_cli.deploy_laptop")
    parser.add_argument("template", type=Path)
    parser.add_argument("--app", default="signalbox")
    parser.add_argument("--environment", default="dev")
    chosen = parser.parse_args()
    line = sys.stdin.readline()
    if not line:
        return 1
    _end_with_parent()
    request = DeployRequest(
        template=chosen.template,
        stack_name=f"{chosen.app}-{chosen.environment}",
        parameters={"AppName": chosen.app, "EnvironmentName": chosen.environment},
    )
    return _deploy(request, Up(**json.loads(line)))


def _deploy(request: DeployRequest, up: Up) -> int:
    session = boto3.Session(
        aws_access_key_id=up.accessKeyId,
        aws_secret_access_key=up.secretAccessKey,
        region_name=up.region,
    )
    try:
        result = deploy(request, aws_clients(session, endpoint_url=up.url), _report)
    except DeploymentError as fault:
        _say(error=str(fault))
        return 1
    _say(message=f"Deployed {request.template}: {len(result.changes)} resources")
    return 0


def _report(event: ResourceEvent) -> None:
    if event.status.endswith("FAILED"):
        _say(message=f"  {event.logical_id} {event.status}: {event.reason}")


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
