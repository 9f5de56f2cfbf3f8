"""New code comes to serve in prod: a tenth of the calls first, and back when it raises.

By the account set-up's own roles and CloudFormation. Two commits of the same stack, one of which
has a handler that raises; every function has the same package, so all of them are shifted.
"""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from delivery import package, settings, stack_calls
from delivery.model import Settings
from delivery.stack_calls import Package, Stack, StackError
from localaws import clock
from localaws.clients import developer_client
from localaws.deployer import packaging, template
from localaws.package import addressed
from localaws.server import Config, LaptopServer
from signalbox.naming import LIVE
from tests.contracts import repository
from tests.delivery.conftest import deploy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FUNCTION = "signalbox-prod-reconciler"
EVENT = (repository.ROOT / "events" / "reconciler.json").read_bytes()
RAISES = """
def handler(event: object, context: object) -> object:
    raise RuntimeError("a commit that nobody tried")
"""
ANSWERS = """
_before = handler
def handler(event: object, context: object) -> object:
    return {**_before(event, context), "commit": "mended"}
"""


@dataclass(frozen=True)
class Answer:
    """What one call of the function came to."""

    version: str
    said: Any
    is_error: bool


@dataclass
class Prod:
    """The account of prod, its set-up deployed, and what is delivered to it."""

    found: Settings
    folder: Path
    build: Path

    @property
    def account(self) -> str:
        """The account's number."""
        return self.found.environments["prod"].account

    def client(self, service: str) -> Any:
        """As the account's developer."""
        return developer_client(service, account=self.account)

    @property
    def stack(self) -> Stack:
        """Where commits go."""
        known = self.found.environments["prod"]
        role = self.found.role_arn("prod", "cloudformation", "us-east-1")
        return Stack(known.stack_name, "us-east-1", role, "", 0.1, self.client)

    def commit(self, more: str = "", **parameters: str) -> Package:
        """A package of what is committed here, with more code at the end of the reconciler."""
        source = self.folder / f"commit-{len(list(self.folder.iterdir()))}"
        source.mkdir()
        for name in ("functions", "statemachines", "layers"):
            shutil.copytree(repository.ROOT / name, source / name)
        with (source / "functions" / "reconciler.py").open("a", encoding="utf-8") as file:
            file.write(more)
        made = packaging.package(
            template.read(repository.TEMPLATE),
            base=source,
            bucket=self.found.artifact_bucket,
            build_dir=self.build,
            prefix=f"packages/{self.account}/",
        )
        store = developer_client("s3", account=self.found.operations.account)
        for artifact in made.artifacts:
            store.put_object(
                Bucket=self.found.artifact_bucket, Key=artifact.key, Body=artifact.content
            )
        given = {**settings.parameters(self.found, "prod"), **parameters}
        text = package.with_settings(yaml.safe_dump(addressed(made.template)), given)
        return Package(text.encode(), given, {})

    def deploy(self, what: Package) -> str:
        """Execute a change set; "" or what failed."""
        name = f"commit-{time.monotonic_ns()}"
        assert stack_calls.create(self.stack, name, what)
        try:
            stack_calls.execute(self.stack, name)
        except StackError as fault:
            return str(fault)
        return ""

    def status(self) -> str:
        """Where the stack stands."""
        found = self.client("cloudformation").describe_stacks(StackName=self.stack.name)
        return str(found["Stacks"][0]["StackStatus"])

    def call(self) -> Answer:
        """One call of the function, as everybody calls it."""
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Qualifier=LIVE, Payload=EVENT)
        said = json.loads(answer["Payload"].read())
        return Answer(answer["ExecutedVersion"], said, "FunctionError" in answer)

    def alias(self) -> tuple[str, dict[str, float]]:
        """The version that serves, and what share another one has."""
        found = self.client("lambda").get_alias(FunctionName=FUNCTION, Name=LIVE)
        routing = found.get("RoutingConfig") or {}
        return found["FunctionVersion"], routing.get("AdditionalVersionWeights") or {}

    def deployments(self) -> list[dict[str, Any]]:
        """All that CodeDeploy has done here."""
        client = self.client("codedeploy")
        return [
            client.get_deployment(deploymentId=one)["deploymentInfo"]
            for one in client.list_deployments()["deployments"]
        ]


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prod]:
    """The control plane stands in prod, at a first commit."""
    folder = tmp_path_factory.mktemp("rollout")
    build = repository.ROOT / ".signalbox" / "build"
    (folder / "laptop").mkdir()
    (folder / "laptop" / "build").symlink_to(build)
    (folder / "commits").mkdir()
    config = Config(port=0, state_dir=folder / "laptop", time_scale=600.0)
    with LaptopServer(config):
        found = settings.load(repository.SETTINGS)
        outputs: dict[str, dict[str, str]] = {}
        for deployment in settings.deployments(found):
            if deployment.name in ("operations", "prod"):
                outputs[deployment.name] = deploy(deployment, outputs)
        made = Prod(found, folder / "commits", build)
        assert made.deploy(made.commit()) == ""
        yield made


def while_called(prod: Prod, what: Package) -> tuple[str, list[Answer]]:
    """Deploy, with calls going on until the stack stands still; what failed, and the answers."""
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.append(prod.deploy(what)), daemon=True)
    thread.start()
    answers = []
    while thread.is_alive():
        answers.append(prod.call())
        _, shares = prod.alias()
        time.sleep(0.01 if shares else 0.2)
    return ended[0], answers


def test_a_commit_that_raises_is_taken_back_and_the_next_good_one_serves(prod: Prod) -> None:
    first, shares = prod.alias()
    assert (shares, prod.call().is_error) == ({}, False)

    # A canary of a quarter of a minute: enough calls for a tenth of them to meet the new version.
    clock.set_time_scale(20.0)
    failed, answers = while_called(prod, prod.commit(RAISES))

    assert prod.status() == "UPDATE_ROLLBACK_COMPLETE", failed
    assert "signalbox-prod-reconciler-errors" in str(prod.deployments())
    assert {one.version for one in answers if not one.is_error} == {first}
    assert {one.said["errorType"] for one in answers if one.is_error} == {"RuntimeError"}
    assert 0 < sum(one.is_error for one in answers) < len(answers) / 2
    assert prod.alias() == (first, {})
    assert [prod.call().is_error for _ in range(20)] == [False] * 20

    clock.set_time_scale(600.0)
    assert prod.deploy(prod.commit(ANSWERS)) == ""

    assert prod.status() == "UPDATE_COMPLETE"
    second, shares = prod.alias()
    assert (shares, second != first) == ({}, True)
    assert prod.call().said["commit"] == "mended"
    listed = prod.client("lambda").list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    assert sorted(one["Version"] for one in listed) == sorted(["$LATEST", second])


def test_settings_alone_come_to_serve_as_well(prod: Prod) -> None:
    clock.set_time_scale(600.0)
    before, _ = prod.alias()

    assert prod.deploy(prod.commit(ANSWERS, TwoPersonRule="true")) == ""

    serves = prod.client("lambda").get_function_configuration(FunctionName=FUNCTION, Qualifier=LIVE)
    assert serves["Version"] != before
    assert serves["Environment"]["Variables"]["TWO_PERSON_RULE"] == "true"
