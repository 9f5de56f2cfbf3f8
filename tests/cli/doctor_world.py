"""A deployed environment for the doctor to look at, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws import clients
from localaws.context import ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET, REGION
from localaws.deploy import DeployRequest, deploy
from localaws.deployer import template, transform
from localaws.deployer.state import DeploymentBucket
from localaws.deployer.template import Surroundings
from localaws.server import Config, LaptopServer
from signalbox_cli.doctor.offline import _without_local_paths
from signalbox_cli.doctor.patients import Patient, Stack, worked_out
from signalbox_cli.laptop_environments import promotion_parameters
from signalbox_cli.target import Target

ROOT = Path(__file__).parents[2]


@contextmanager
def environment(state_dir: Path) -> Iterator[Patient]:
    with LaptopServer(Config(port=0, state_dir=state_dir)) as laptop:
        wiring = promotion_parameters(
            "dev", ("dev", "staging", "prod"), app="signalbox", region=REGION
        )
        given = {"NotificationEmail": "you@laptop.invalid", "WebhookKind": "generic", **wiring}
        request = DeployRequest(
            ROOT / "template.yaml", "signalbox-dev", given, build_dir=ROOT / ".signalbox" / "build"
        )
        deploy(request, clients.developer_client)
        clients.developer_client("secretsmanager").put_secret_value(
            SecretId="signalbox-dev-webhook", SecretString="{}"
        )
        target = Target(
            region=REGION,
            endpoint_url=laptop.url,
            access_key_id=DEVELOPER_KEY_ID,
            secret_access_key=DEVELOPER_SECRET,
        )
        place = Surroundings("signalbox-dev", ACCOUNT_ID, REGION)
        state = DeploymentBucket(clients.developer_client, place).read_state()
        source = template.read(ROOT / "template.yaml")
        values = template.parameters(source, given)
        document = transform.expanded(
            _without_local_paths(source),
            values,
            region=REGION,
            cache=ROOT / ".signalbox/build/templates",
        )
        physical = {k: m.physical_id for k, m in state.members.items()}
        stack = Stack(
            "signalbox-dev",
            "CREATE_COMPLETE",
            "",
            given,
            worked_out(document, given, physical, place),
        )
        yield Patient(target, (stack,), (ROOT / "workloads" / "diabetes",))
