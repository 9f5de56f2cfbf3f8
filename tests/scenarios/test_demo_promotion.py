"""The story of `signalbox demo-promotion`, and what its three accounts say once it is told."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from signalbox_cli import aws_cli
from signalbox_cli.console import Output
from signalbox_cli.demo_promotion import ENVIRONMENTS, PromotionDemo
from signalbox_cli.target import Target
from tests.scenarios import promotion_stories as three
from tests.scenarios.conftest import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TIME_SCALE = 600.0


@dataclass(frozen=True)
class Told:
    """What the story returned, and where it happened."""

    document: dict[str, Any]
    targets: dict[str, Target]

    def aws(self, environment: str, *arguments: str) -> Any:
        """One call of the stock AWS CLI, its answer read."""
        return json.loads(aws_cli.call(self.targets[environment], *arguments, "--output", "json"))

    def version(self, environment: str, arn: str) -> dict[str, Any]:
        """A version as the registry of an environment describes it."""
        found: dict[str, Any] = self.aws(
            environment, "sagemaker", "describe-model-package", "--model-package-name", arn
        )
        return found

    def approvals(self, environment: str) -> dict[int, str]:
        """The versions of an environment and their approvals."""
        group = f"signalbox-{environment}-diabetes"
        call = ("sagemaker", "list-model-packages", "--model-package-group-name", group)
        listed = self.aws(environment, *call)["ModelPackageSummaryList"]
        return {one["ModelPackageVersion"]: one["ModelApprovalStatus"] for one in listed}


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """The story, told once."""
    with three.three_environments() as served:
        targets = {
            name: one.target
            for name, one in zip(
                ENVIRONMENTS, (served.dev, served.staging, served.prod), strict=True
            )
        }
        demo = PromotionDemo(REPOSITORY / "workloads" / "diabetes", Output(quiet=True))
        yield Told(demo.run(targets, TIME_SCALE), targets)


def test_the_first_model_serves_in_three_accounts_as_it_was_evaluated(told: Told) -> None:
    promoted = told.document["promoted"]

    assert told.document["accounts"] == {
        "dev": "123456789012",
        "staging": "210987654321",
        "prod": "345678901234",
    }
    assert promoted["predictionsCompared"] == {"dev": 50, "staging": 50, "prod": 50}
    arns = promoted["modelPackageArns"]
    assert [arns[name].split(":")[4] for name in ENVIRONMENTS] == [
        "123456789012",
        "210987654321",
        "345678901234",
    ]
    for name in ("staging", "prod"):
        assert (
            told.version(name, arns[name])["CustomerMetadataProperties"]["source_arn"]
            == (arns["dev"])
        )
    assert told.version("prod", arns["prod"])["ApprovalDescription"] == "seen in staging"


def test_the_second_model_is_refused_and_registered_nowhere(told: Told) -> None:
    refused = told.document["refused"]

    assert refused["status"] == "Refused"
    assert any("rmse.value 61.5003 is worse than the champion's 56.5521" in why
               for why in refused["unmet"])  # fmt: skip
    assert told.approvals("dev") == {1: "Approved", 2: "Approved"}
    assert told.approvals("staging") == {1: "Approved", 2: "Approved"}
    assert told.approvals("prod") == {1: "Approved", 2: "Approved"}


def test_the_third_model_is_rolled_back_by_its_alarm_and_the_run_says_so(told: Told) -> None:
    rolled_back = told.document["rolledBack"]
    version = told.version("prod", rolled_back["modelPackageArn"])
    endpoint = told.aws(
        "prod", "sagemaker", "describe-endpoint", "--endpoint-name", "signalbox-prod-diabetes"
    )

    assert rolled_back["status"] == "rolled-back"
    assert rolled_back["execution"] == "FAILED: EndpointRolledBack"
    assert "signalbox-prod-diabetes-errors" in rolled_back["cause"]
    assert "signalbox-prod-diabetes-latency" not in rolled_back["cause"]
    assert rolled_back["serves"] == told.document["promoted"]["modelPackageArns"]["prod"]
    assert version["ModelLifeCycle"]["StageStatus"] == "RolledBack"
    assert version["CustomerMetadataProperties"]["rolled_back"]
    assert endpoint["EndpointStatus"] == "InService"


def test_not_one_request_was_lost_while_it_was_rolled_back(told: Told) -> None:
    load = told.document["rolledBack"]["load"]

    assert [load[when]["unanswered"] for when in ("before", "during", "after")] == [0, 0, 0]
    for when in ("before", "after"):
        assert load[when]["answeredByOldFleet"] == load[when]["sent"] >= 50
    assert load["during"]["answeredByOldFleet"] > 0
    assert load["during"]["failedInTheModel"] > 0
    assert all("could not convert string" in said for said in load["during"]["complaints"])
