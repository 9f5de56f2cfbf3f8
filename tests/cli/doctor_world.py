"""A deployed environment for the commands to look at, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET, REGION
from localaws.deploy import DeployRequest, deploy
from localaws.server import Config, LaptopServer
from signalbox_cli.doctor.patients import Patient, read_stack
from signalbox_cli.laptop_environments import promotion_parameters
from signalbox_cli.target import Target

ROOT = Path(__file__).parents[2]
STACK = "signalbox-dev"


@contextmanager
def environment(state_dir: Path) -> Iterator[Patient]:
    """dev as `up` deploys it beside staging and prod, with whoever it tells in place."""
    with LaptopServer(Config(port=0, state_dir=state_dir)) as laptop:
        path = promotion_parameters(
            "dev", ("dev", "staging", "prod"), app="signalbox", region=REGION
        )
        given = {"NotificationEmail": "you@laptop.invalid", "WebhookKind": "generic", **path}
        build = ROOT / ".signalbox" / "build"
        request = DeployRequest(ROOT / "template.yaml", STACK, given, build_dir=build)
        deploy(request, clients.developer_client)
        clients.developer_client("secretsmanager").put_secret_value(
            SecretId=f"{STACK}-webhook", SecretString="{}"
        )
        target = Target(
            region=REGION,
            endpoint_url=laptop.url,
            access_key_id=DEVELOPER_KEY_ID,
            secret_access_key=DEVELOPER_SECRET,
        )
        stack = read_stack(target, STACK)
        yield Patient(target, (stack,), (ROOT / "workloads" / "diabetes",))
