"""Promotion where containers have no network: into it only what was trained in such a place."""

import json
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from signalbox_cli import laptop
from signalbox_cli.runs import read_manifest
from tests.scenarios import promotion_stories as promoting
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENVIRONMENTS = ("dev", "staging")


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Laptop, Laptop]]:
    """dev and staging of one laptop, of which staging isolates its containers."""
    template = REPOSITORY / "template.yaml"
    options = laptop.LaptopOptions(
        port=0, warm_ahead=False, time_scale=600, template=template, environments=ENVIRONMENTS
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        dev, staging = (Laptop(up, up.target(options, name)) for name in ENVIRONMENTS)
        isolate(staging)
        yield dev, staging


@pytest.fixture(scope="module")
def rows(both: tuple[Laptop, Laptop], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows to predict; the data of every run is in place then."""
    return promoting.put_sample(both[0], tmp_path_factory.mktemp("diabetes"))


def isolate(served: Laptop) -> None:
    """Deploy an environment again with JobNetworkIsolation, as its settings would have it."""
    client, name = served.target.client("cloudformation"), served.target.prefix
    given = client.describe_stacks(StackName=name)["Stacks"][0]["Parameters"]
    others = [one["ParameterKey"] for one in given if one["ParameterKey"] != "JobNetworkIsolation"]
    client.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "JobNetworkIsolation", "ParameterValue": "true"},
            *({"ParameterKey": key, "UsePreviousValue": True} for key in others),
        ],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_update_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    let_serve(served)


def let_serve(served: Laptop) -> None:
    """Parameters alone make no version (docs/decisions/0020); a package's digest would."""
    functions = served.target.client("lambda")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
            made = functions.publish_version(FunctionName=name)["Version"]
            functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=made)


def test_a_version_that_fetches_its_code_is_refused_where_containers_have_no_network(
    both: tuple[Laptop, Laptop], rows: Path
) -> None:
    dev, staging = both
    run, arn = promoting.release(dev)

    promoting.decide(dev, arn, "Approved")
    refused = promoting.await_status(dev, arn, "staging", "failed")

    assert stories.await_end(dev, run.execution_id).status == "Succeeded"
    assert "NetworkRefused" in refused["cause"]
    assert (
        "the containers of this environment have no network (JobNetworkIsolation)"
        in (refused["cause"])
    )
    assert (
        "in an environment with JobNetworkIsolation, and promote that version" in refused["cause"]
    )
    assert staging.target.client("sagemaker").list_endpoints()["Endpoints"] == []


def test_a_version_of_an_isolated_environment_answers_in_the_next(
    both: tuple[Laptop, Laptop], rows: Path
) -> None:
    dev, staging = both
    isolate(dev)
    run, arn = promoting.release(dev)

    promoting.decide(dev, arn, "Approved")
    promoting.await_status(dev, arn, "staging", "promoted")

    assert stories.await_end(dev, run.execution_id).status == "Succeeded"
    steps = read_manifest(dev.target, run)["steps"]
    submitted = steps["inference"]["environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]
    assert submitted == "/opt/ml/model/code"
    answers = [
        json.loads(each.signalbox("predict", str(rows), "--workload", "diabetes", "--json").stdout)
        for each in both
    ]
    assert answers[0]["predictions"] == answers[1]["predictions"]
    assert len(answers[0]["predictions"]) == len(rows.read_text().splitlines())
    sagemaker = staging.target.client("sagemaker")
    (model,) = sagemaker.list_models()["Models"]
    assert sagemaker.describe_model(ModelName=model["ModelName"])["EnableNetworkIsolation"] is True
