"""Three environments on one laptop, each in an account of its own: nothing passes between them.

A whole run, from release to an endpoint that answers, is made in staging while dev and prod stand
beside it; what staging has then must not be seen, used or changed from dev, and the other way.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from signalbox_cli import laptop
from signalbox_cli.runs import find_run, read_manifest
from signalbox_cli.sample_data import SampleData
from tests import inventory
from tests.inventory import LISTS, SAGEMAKER
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

ACCOUNTS = {"dev": "123456789012", "staging": "210987654321", "prod": "345678901234"}


@dataclass(frozen=True)
class World:
    """One laptop with three environments, and the run that was made in staging."""

    dev: Laptop
    staging: Laptop
    prod: Laptop
    execution_id: str

    @property
    def all(self) -> tuple[Laptop, ...]:
        """Every environment."""
        return self.dev, self.staging, self.prod


@pytest.fixture(scope="module")
def world(sample: Callable[[str], SampleData]) -> Iterator[World]:
    """Three environments, and a run in staging that ended behind an endpoint."""
    options = laptop.LaptopOptions(
        port=0,
        warm_ahead=False,
        time_scale=600,
        environments=("dev", "staging", "prod"),
        template=REPOSITORY / "template.yaml",
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        each = [Laptop(up, up.target(options, name)) for name in ACCOUNTS]
        yield World(*each, _run_to_endpoint(each[1], sample("diabetes")))


def _run_to_endpoint(served: Laptop, files: SampleData) -> str:
    modes = ["--set", "inference.mode=endpoint", "--set", "approvals.approveModel=automatic"]
    folder = str(REPOSITORY / "workloads" / "diabetes")
    execution_id: str = json.loads(served.signalbox("release", folder, *modes, "--json").stdout)[
        "executionId"
    ]
    served.signalbox("watch", execution_id, "--until-gate")
    served.signalbox("upload", str(files.source), "--run", execution_id)
    served.signalbox("watch", execution_id)
    return execution_id


@pytest.mark.slow
def test_a_run_in_staging_ends_with_an_endpoint_there_that_answers(
    world: World, sample: Callable[[str], SampleData]
) -> None:
    rows = sample("diabetes").inference

    answer = world.staging.signalbox("predict", str(rows), "--workload", "diabetes", "--json")

    run = find_run(world.staging.target, world.execution_id)
    assert run.status == "Succeeded"
    assert len(json.loads(answer.stdout)["predictions"]) == len(rows.read_text().splitlines())


@pytest.mark.slow
def test_everything_that_a_run_leaves_names_its_own_account(world: World) -> None:
    run = find_run(world.staging.target, world.execution_id)
    manifest = json.dumps(read_manifest(world.staging.target, run))

    assert f":{ACCOUNTS['staging']}:" in manifest
    for other in (ACCOUNTS["dev"], ACCOUNTS["prod"]):
        assert other not in manifest


@pytest.mark.slow
@pytest.mark.parametrize("service", sorted(LISTS))
def test_a_listing_shows_what_is_in_the_own_account_only(world: World, service: str) -> None:
    found = {
        each.target.environment: LISTS[service](each.target.client(service)) for each in world.all
    }

    for environment, names in found.items():
        assert any(f"signalbox-{environment}" in n or f"/{environment}/" in n for n in names), names
        foreign = [other for other in ACCOUNTS if other != environment]
        assert not [n for n in names for o in foreign if f"signalbox-{o}" in n or f"/{o}/" in n]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SAGEMAKER))
def test_what_the_run_made_is_in_staging_and_nowhere_else(world: World, kind: str) -> None:
    counts = [len(SAGEMAKER[kind](each.target.client("sagemaker"))) for each in world.all]

    assert counts[1] > 0
    assert (counts[0], counts[2]) == (0, 0)


@pytest.mark.slow
def test_executions_and_their_logs_stay_with_their_account(world: World) -> None:
    machine = world.staging.target.wiring().training_machine_arn
    own = world.staging.target.client("stepfunctions").list_executions(stateMachineArn=machine)

    assert [e["status"] for e in own["executions"]] == ["SUCCEEDED"]
    assert ACCOUNTS["staging"] in own["executions"][0]["executionArn"]
    groups = world.dev.target.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/sagemaker"
    )
    assert groups["logGroups"] == []


@pytest.mark.slow
def test_the_owner_of_one_account_can_touch_nothing_of_another(world: World) -> None:
    dev, theirs = world.dev.target, world.staging.target.wiring()
    key = world.staging.target.client("ssm").get_parameter(Name="/signalbox/staging/kms-key-arn")
    function = LISTS["lambda"](world.staging.target.client("lambda"))[0]
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        ("s3", "list_objects_v2", {"Bucket": theirs.workflow_bucket}),
        ("s3", "get_object", {"Bucket": theirs.source_bucket, "Key": theirs.source_key}),
        ("s3", "put_object", {"Bucket": theirs.workflow_bucket, "Key": "x", "Body": b"x"}),
        ("kms", "describe_key", {"KeyId": key["Parameter"]["Value"]}),
        ("kms", "encrypt", {"KeyId": key["Parameter"]["Value"], "Plaintext": b"x"}),
        ("ssm", "get_parameter", {"Name": key["Parameter"]["ARN"]}),
        ("stepfunctions", "start_execution", {"stateMachineArn": theirs.inference_machine_arn}),
        (
            "lambda",
            "invoke",
            {"FunctionName": f"arn:aws:lambda:us-east-1:{ACCOUNTS['staging']}:function:{function}"},
        ),
    ]

    for service, operation, arguments in attempts:
        with pytest.raises(ClientError, match="is not authorized to perform"):
            getattr(dev.client(service), operation)(**arguments)


@pytest.mark.slow
def test_the_doctor_finds_nothing_wrong_with_an_environment_that_has_worked(world: World) -> None:
    results = json.loads(world.staging.signalbox("doctor", "--json").stdout)

    assert {one["check"]: one["findings"] for one in results if one["findings"]} == {}
    assert {one["check"] for one in results if one["status"] == "skipped"} == {
        "federation",
        "connections",
        "network",
        "promotion",
    }


@pytest.mark.slow
def test_the_bill_of_a_run_and_of_its_environment(world: World) -> None:
    run = json.loads(world.staging.signalbox("cost", "--run", world.execution_id, "--json").stdout)
    month = json.loads(world.staging.signalbox("cost", "--json").stdout)

    steps = [item["what"] for item in run["run"]["items"]]
    assert {"Preprocess", "Train", "Evaluate", "pipeline", "state machines"} <= set(steps)
    assert run["run"]["usd"] > 0
    assert month["last30Days"]["items"][0]["what"] == "runs of diabetes"
    standing = {item["what"]: item["usd"] for item in month["perMonth"]["items"]}
    assert standing["endpoint signalbox-staging-diabetes"] == pytest.approx(0.115 * 730)
    assert standing["keys"] == 1.0


@pytest.mark.slow
def test_destroying_one_environment_leaves_the_others(world: World) -> None:
    prod_run = stories.run_to_end(world.prod, stories.smallest())
    assert prod_run.status == "Succeeded"

    world.prod.signalbox("destroy", "--yes", "--allow-prod")

    assert (
        world.prod.target.client("sagemaker").list_model_package_groups()[
            "ModelPackageGroupSummaryList"
        ]
        == []
    )
    assert len(SAGEMAKER["groups"](world.staging.target.client("sagemaker"))) == 1
    assert len(SAGEMAKER["endpoints"](world.staging.target.client("sagemaker"))) == 1


@pytest.mark.slow
def test_destroying_leaves_nothing_but_an_endpoint_that_somebody_made_by_hand(
    world: World,
) -> None:
    sagemaker = world.staging.target.client("sagemaker")
    orphan = make_by_hand(sagemaker)

    first = world.staging.signalbox("destroy", "--yes", "--verify", "--json", check=False)
    sagemaker.delete_endpoint(EndpointName=orphan)
    sagemaker.delete_endpoint_config(EndpointConfigName=orphan)
    sagemaker.delete_model(ModelName=orphan)
    second = world.staging.signalbox("destroy", "--yes", "--verify", "--json")

    assert first.returncode == 1
    told = json.loads(first.stdout)["left"]
    assert [(one["kind"], one["name"]) for one in told] == [
        ("endpoint", orphan),
        ("endpoint configuration", orphan),
        ("model", orphan),
    ]
    assert told[0]["usdPerMonth"] == pytest.approx(0.115 * 730)
    assert json.loads(second.stdout)["left"] == []
    # Not asked of the command: nothing of the name is listed by any service, whatever it found.
    there = inventory.names(world.staging.target.client)
    assert [one for one in there if "signalbox-staging" in one[1]] == []
    assert world.dev.target.wiring().pipeline == "signalbox-dev-workflow"


def make_by_hand(sagemaker: Any) -> str:
    """An endpoint under another name, from the model that serves in staging."""
    (model,) = sagemaker.list_models(NameContains="signalbox-staging-model")["Models"]
    found = sagemaker.describe_model(ModelName=model["ModelName"])
    sagemaker.create_model(
        ModelName="tryout",
        ExecutionRoleArn=found["ExecutionRoleArn"],
        Containers=found["Containers"],
    )
    variant = {
        "VariantName": "v",
        "ModelName": "tryout",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="tryout", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="tryout", EndpointConfigName="tryout")
    return "tryout"
