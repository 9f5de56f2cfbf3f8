"""An environment with subnets and isolated containers, from release to predictions."""

import json
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from signalbox_cli import laptop
from signalbox_cli.demo import read_lines
from signalbox_cli.runs import RunView, find_run, read_manifest
from signalbox_cli.sample_data import SampleData
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

VPC = {
    "Subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-1b2c3d4e5f607182"],
    "SecurityGroupIds": ["sg-0a1b2c3d4e5f60718"],
}
PARAMETERS = {
    "JobSubnets": ",".join(VPC["Subnets"]),
    "JobSecurityGroups": ",".join(VPC["SecurityGroupIds"]),
    "JobNetworkIsolation": "true",
}


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A laptop of its own, whose template has other defaults for the network."""
    folder = tmp_path_factory.mktemp("deployed")
    for name in ("functions", "layers", "statemachines"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / "template.yaml").write_text(_with_network((REPOSITORY / "template.yaml").read_text()))
    options = laptop.LaptopOptions(
        port=0, warm_ahead=False, time_scale=600, template=folder / "template.yaml"
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        yield Laptop(up, up.target(options))


def _with_network(template: str) -> str:
    for name, value in PARAMETERS.items():
        head, declared, rest = template.partition(f"\n  {name}:\n")
        before, default, after = rest.partition("    Default: ")
        assert declared
        assert default
        template = f'{head}{declared}{before}{default}"{value}"\n{after.partition(chr(10))[2]}'
    return template


@pytest.fixture(scope="module")
def run(isolated: Laptop, sample: Callable[[str], SampleData]) -> RunView:
    """A run of the diabetes workload whose batch has predicted."""
    files = sample("diabetes")
    chosen = ["--set", "approvals.approveModel=automatic"]
    released = isolated.signalbox(
        "release", str(REPOSITORY / "workloads" / "diabetes"), *chosen, "--json"
    )
    execution_id = json.loads(released.stdout)["executionId"]
    isolated.signalbox("watch", execution_id, "--until-gate")
    isolated.signalbox("upload", str(files.source), "--run", execution_id)
    isolated.signalbox("watch", execution_id, "--until-gate")
    isolated.signalbox("upload", str(files.inference), "--inference", "--run", execution_id)
    isolated.signalbox("watch", execution_id)
    return find_run(isolated.target, execution_id)


def _described(served: Laptop, kind: str, listed: str) -> list[dict[str, Any]]:
    client = served.target.client("sagemaker")
    summaries = getattr(client, f"list_{listed}")()
    (entries,) = [value for key, value in summaries.items() if key != "ResponseMetadata"]
    name = f"{kind}Name"
    word = listed.removesuffix("s")
    return [getattr(client, f"describe_{word}")(**{name: one[name]}) for one in entries]


@pytest.mark.slow
def test_the_batch_predicts_every_row(
    isolated: Laptop, run: RunView, sample: Callable[[str], SampleData]
) -> None:
    history = read_manifest(isolated.target, run)["history"]
    outcome = next(e for e in history if (e["phase"], e["status"]) == ("inference", "succeeded"))
    predicted = read_lines(isolated.target, outcome["detail"]["predictionsUri"])
    assert len(predicted) == len(sample("diabetes").inference.read_text().splitlines())


@pytest.mark.slow
def test_every_job_and_the_model_are_in_the_subnets_and_isolated(
    isolated: Laptop, run: RunView
) -> None:
    processing = _described(isolated, "ProcessingJob", "processing_jobs")
    training = _described(isolated, "TrainingJob", "training_jobs")
    models = _described(isolated, "Model", "models")
    assert (len(processing), len(training), len(models)) == (2, 1, 1)
    for network in [*(one["NetworkConfig"] for one in processing), *training, *models]:
        assert network["EnableNetworkIsolation"] is True
        assert network["VpcConfig"] == VPC


@pytest.mark.slow
def test_the_code_comes_as_a_channel_and_goes_on_in_the_archive(
    isolated: Laptop, run: RunView, tmp_path: Path
) -> None:
    (training,) = _described(isolated, "TrainingJob", "training_jobs")
    assert training["InputDataConfig"][-1]["ChannelName"] == "code"
    bucket, _, key = (
        training["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    )
    isolated.target.client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        names = set(archive.getnames())
    assert {"code/inference.py", "code/features.py"} <= names
    assert "code/signalbox_training.py" not in names


@pytest.mark.slow
def test_the_job_role_may_do_in_the_network_what_was_asked_for_and_no_more(
    isolated: Laptop, run: RunView
) -> None:
    """And the hosting role the same: it is a copy."""
    iam, suffix = isolated.target.client("iam"), f"-{isolated.up.region}"
    granted: dict[str, set[str]] = {}
    for kind in ("job", "hosting"):
        role = f"{isolated.target.prefix}-{kind}{suffix}"
        policy = iam.get_role_policy(RoleName=role, PolicyName=kind)["PolicyDocument"]
        granted[kind] = {
            action
            for statement in policy["Statement"]
            for action in _listed(statement["Action"])
            if action.startswith("ec2:")
        }
    with urllib.request.urlopen(f"{isolated.up.url}/_localaws/decisions") as answer:
        records = [json.loads(line) for line in answer]
    asked = {
        one["action"]
        for one in records
        if one["action"].startswith("ec2:") and f"{isolated.target.prefix}-job" in one["principal"]
    }
    assert len(asked) == 9
    assert granted == {"job": asked, "hosting": asked}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _decision(served: Laptop, machine: str, action: str, kind: str, **network: Any) -> str:
    prefix = f"{served.target.prefix}-{machine}"
    role = f"arn:aws:iam::{served.up.account}:role/{prefix}-{served.up.region}"
    resource = f"arn:aws:sagemaker:{served.up.region}:{served.up.account}:{kind}/"
    entries = [
        {
            "ContextKeyName": f"sagemaker:{name}",
            "ContextKeyValues": values,
            "ContextKeyType": "boolean" if name == "NetworkIsolation" else "stringList",
        }
        for name, values in network.items()
    ]
    answer = served.target.client("iam").simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=[action],
        ResourceArns=[f"{resource}{served.target.prefix}-x"],
        ContextEntries=entries,
    )
    (result,) = answer["EvaluationResults"]
    decision: str = result["EvalDecision"]
    return decision


RIGHT: dict[str, list[str]] = {
    "VpcSubnets": VPC["Subnets"],
    "VpcSecurityGroupIds": VPC["SecurityGroupIds"],
    "NetworkIsolation": ["true"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "action", "kind"),
    [
        ("training", "sagemaker:CreateProcessingJob", "processing-job"),
        ("training", "sagemaker:CreateTrainingJob", "training-job"),
        ("inference", "sagemaker:CreateModel", "model"),
    ],
)
def test_a_machine_may_start_nothing_outside_of_the_network(
    isolated: Laptop, machine: str, action: str, kind: str
) -> None:
    def decided(**changes: list[str] | None) -> str:
        network = {name: one for name, one in {**RIGHT, **changes}.items() if one is not None}
        return _decision(isolated, machine, action, kind, **network)

    assert decided() == "allowed"
    assert decided(VpcSubnets=["subnet-22222222"]) == "explicitDeny"
    assert decided(VpcSubnets=[VPC["Subnets"][0], "subnet-22222222"]) == "explicitDeny"
    assert decided(VpcSecurityGroupIds=["sg-22222222"]) == "explicitDeny"
    assert decided(VpcSubnets=None, VpcSecurityGroupIds=None) == "explicitDeny"
    assert decided(NetworkIsolation=["false"]) == "explicitDeny"
    assert decided(NetworkIsolation=None) == "explicitDeny"


@pytest.mark.slow
def test_a_serverless_workload_is_refused_before_anything_is_trained(isolated: Laptop) -> None:
    stories.put_standing_data(isolated)
    packed = stories.with_manifest(inference={"mode": "serverless", "script": "inference.py"})
    ended = stories.run_to_end(isolated, packed)
    said = ended.error
    assert "NetworkRefused" in said
    assert "mode serverless" in said
