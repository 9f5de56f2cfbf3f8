"""The story of `signalbox demo-delivery`, and what its accounts say once it is told.

The Build stage runs `make lint` here, not the whole of `make check` and `make test`: what those
find is their own business, and this suite is one of them.
"""

import json
import re
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from typing import Any

import pytest

from signalbox_cli import aws_cli, laptop
from signalbox_cli.console import Output
from signalbox_cli.demo_delivery import DeliveryDemo
from signalbox_cli.target import Target
from tests.scenarios.conftest import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Told:
    """What the story returned, and where it happened."""

    document: dict[str, Any]
    targets: dict[str, Target]

    def aws(self, account: str, *arguments: str) -> Any:
        """One call of the stock AWS CLI, its answer read."""
        return json.loads(aws_cli.call(self.targets[account], *arguments, "--output", "json"))


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """The story, told once."""
    options = laptop.LaptopOptions(
        port=0,
        warm_ahead=False,
        time_scale=600,
        environments=(),
        delivery=True,
        template=REPOSITORY / "template.yaml",
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        demo = DeliveryDemo(REPOSITORY, "lint", Output(quiet=True))
        document = demo.run(up)
        yield Told(document, {name: up.target(options, name) for name in up.environments})


def test_five_accounts_are_set_up_in_the_order_of_bootstrap(told: Told) -> None:
    assert told.document["accounts"] == {
        "dev": "123456789012",
        "staging": "210987654321",
        "prod": "345678901234",
        "operations": "567890123456",
        "data": "678901234567",
    }
    assert told.document["stacks"] == [
        "signalbox-delivery",
        "signalbox-data",
        "signalbox-dev-account",
        "signalbox-staging-account",
        "signalbox-prod-account",
        "signalbox-delivery-pipeline",
    ]


def test_the_faulty_commit_stops_before_anybody_is_asked(told: Told) -> None:
    stopped = told.document["stopped"]
    runs = _runs(told)

    assert [run["status"] for run in runs] == ["Failed", "Succeeded", "Succeeded"]
    assert [stage for stage, _ in _way(told, runs[0])] == [
        "Source",
        "Build",
        "Staging",
        "Staging",
        "Staging",
        "Staging",
    ]
    assert (stopped["stage"], stopped["action"]) == ("Staging", "InferenceTest")


def test_the_inference_test_says_which_row_differs_and_how(told: Told) -> None:
    cause = told.document["stopped"]["cause"]

    assert f"commit {told.document['stopped']['commit']}" in cause
    assert "endpoint: run " in cause
    assert "row 1 of the probe: the endpoint answered 128.999" in cause
    assert "the evaluation predicted 129.183" in cause
    assert "batch transform: 50 of 50 rows are answered otherwise" in cause
    assert "stackTrace" not in cause


def test_the_approval_shows_the_evidence_of_exactly_that_commit(told: Told) -> None:
    delivered = told.document["delivered"]

    assert "passed in staging: diabetes-acceptance" in delivered["question"]
    assert f"commit {delivered['commit']}" in delivered["question"]
    assert delivered["question"].count("50 rows as the evaluation predicted them") == 2
    (run,) = re.findall(r"run (\d{6}-\d{6}-[0-9a-f]{6})", delivered["question"])
    console = "https://us-east-1.console.aws.amazon.com/s3/buckets"
    bucket = "signalbox-staging-workflow-210987654321-us-east-1?region=us-east-1"
    assert re.findall(r"https://\S+", delivered["question"]) == [
        f"{console}/{bucket}&prefix=runs/{run}/acceptance/"
    ]
    assert len(delivered["preview"]) > 90
    assert all(line.startswith("Add ") for line in delivered["preview"])
    assert f"{len(delivered['preview'])} Add; 0 replaced." in delivered["question"]


def test_prod_is_of_the_approved_commit_made_by_the_execution_role(told: Told) -> None:
    (stack,) = told.aws("prod", "cloudformation", "describe-stacks", "--stack-name",
                        "signalbox-prod")["Stacks"]  # fmt: skip
    tags = {one["Key"]: one["Value"] for one in stack["Tags"]}
    functions = told.aws("prod", "lambda", "list-functions")["Functions"]

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert tags == {"app": "signalbox", "environment": "prod"}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert outputs["Commit"] == told.document["delivered"]["commit"]
    assert stack["RoleARN"] == (
        "arn:aws:iam::345678901234:role/signalbox-prod-cloudformation-us-east-1"
    )
    assert sorted(f["FunctionName"] for f in functions) == sorted(
        told.document["delivered"]["prod"]["functions"]
    )
    assert {"signalbox-prod-judge-model", "signalbox-prod-receive-version"} <= {
        f["FunctionName"] for f in functions
    }


def test_every_role_in_prod_has_the_boundary(told: Told) -> None:
    roles = told.aws("prod", "iam", "list-roles")["Roles"]
    parts = ("-delivery-", "-cloudformation-", "-preview-", "-github-", "-acceptance-")
    made = [
        r["RoleName"]
        for r in roles
        if r["RoleName"].startswith("signalbox-prod-")
        and not any(part in r["RoleName"] for part in parts)
    ]
    bounds = {
        told.aws("prod", "iam", "get-role", "--role-name", name)["Role"]["PermissionsBoundary"][
            "PermissionsBoundaryArn"
        ]
        for name in made
    }

    assert len(made) > 10
    assert bounds == {"arn:aws:iam::345678901234:policy/signalbox-prod-boundary-us-east-1"}


def test_the_same_commit_once_more_changes_no_stack(told: Told) -> None:
    again = told.document["again"]

    assert again["status"] == "Succeeded"
    assert again["preview"] == ["signalbox-prod: nothing changes"]
    for name, ended in (("staging", "UPDATE_COMPLETE"), ("prod", "CREATE_COMPLETE")):
        events = told.aws(
            name, "cloudformation", "describe-stack-events", "--stack-name", f"signalbox-{name}"
        )["StackEvents"]
        assert events[0]["ResourceStatus"] == ended


def test_nothing_of_a_workload_serves_after_the_tests_in_staging(told: Told) -> None:
    for name in ("staging", "prod"):
        # SageMaker lists an endpoint that is being deleted until it is gone.
        listed = told.aws(name, "sagemaker", "list-endpoints")["Endpoints"]
        assert [one for one in listed if one["EndpointStatus"] != "Deleting"] == []


def _runs(told: Told) -> list[dict[str, Any]]:
    """The delivery pipeline's runs, oldest first."""
    call = ("codepipeline", "list-pipeline-executions", "--pipeline-name", "signalbox-delivery")
    listed: list[dict[str, Any]] = told.aws("operations", *call)["pipelineExecutionSummaries"]
    return listed[::-1]


def _way(told: Told, run: dict[str, Any]) -> list[tuple[str, str]]:
    """Stage and status of each action of a run, in order."""
    listed = told.aws(
        "operations",
        *("codepipeline", "list-action-executions", "--pipeline-name", "signalbox-delivery"),
        *("--filter", f"pipelineExecutionId={run['pipelineExecutionId']}"),
    )["actionExecutionDetails"]
    return [(one["stageName"], one["status"]) for one in listed[::-1]]
