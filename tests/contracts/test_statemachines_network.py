"""Where the machines' jobs and models run: SageMaker's network, or the environment's subnets."""

import copy
from typing import Any

import pytest

from signalbox import job_network
from signalbox.job_network import JobNetwork
from tests.contracts.machine_harness import Ending, TaskError, definition, in_turn, run, states_of
from tests.contracts.machine_inputs import RUN_URI, obliging_aws, resolved_manifest
from tests.contracts.test_statemachines_training import faults

VPC = {"Subnets": ["subnet-0a1b2c3d", "subnet-1b2c3d4e"], "SecurityGroupIds": ["sg-0a1b2c3d"]}
IN_VPC = job_network.described(
    JobNetwork(tuple(VPC["Subnets"]), tuple(VPC["SecurityGroupIds"]), is_isolated=True)
)
TWINS = (
    ("training", "Train", "IsTrainingInVpc"),
    ("inference", "CreateBatchModel", "IsBatchModelInVpc"),
    ("inference", "CreateHostedModel", "IsHostedModelInVpc"),
)
# Members of CreateProcessingJob, CreateTrainingJob and CreateModel (botocore's service model).
NETWORK_MEMBERS = {
    "createProcessingJob": {"NetworkConfig"},
    "createTrainingJob": {"EnableNetworkIsolation", "VpcConfig"},
    "createModel": {"EnableNetworkIsolation", "VpcConfig"},
}


def isolated(machine: str, mode: str = "batch", **instead: Any) -> Ending:
    """An execution in subnets, with isolated containers."""
    manifest = resolved_manifest(mode=mode, is_isolated=True)
    return run(machine, manifest, obliging_aws(network=IN_VPC, **instead))


@pytest.mark.parametrize(("machine", "name", "choice"), TWINS)
def test_a_state_and_its_twin_differ_by_the_vpc_alone(machine: str, name: str, choice: str) -> None:
    states = definition(machine)["States"]
    twin = copy.deepcopy(states[f"{name}InVpc"])
    assert twin["Parameters"].pop("VpcConfig.$") == "$.begin.network.vpc"
    assert twin | {"Comment": ""} == states[name] | {"Comment": ""}
    assert states[choice]["Default"] == name


@pytest.mark.parametrize(("machine", "name", "choice"), TWINS)
def test_nothing_leads_to_a_state_past_the_choice_of_its_network(
    machine: str, name: str, choice: str
) -> None:
    others = {
        other: str({k: v for k, v in state.items() if k != "Comment"})
        for other, state in states_of(definition(machine))
        if other != choice
    }
    assert [other for other, text in others.items() if f"'Next': '{name}'" in text] == []
    assert [other for other, text in others.items() if f"'Next': '{name}InVpc'" in text] == []


def test_every_request_that_can_says_in_which_network_it_runs() -> None:
    asked: dict[str, list[set[str]]] = {}
    for machine in ("training", "inference", "promotion"):
        for name, state in states_of(definition(machine)):
            action = state.get("Resource", "").rpartition(":")[2].partition(".")[0]
            if action in NETWORK_MEMBERS:
                given = {key.removesuffix(".$") for key in state["Parameters"]}
                wanted = NETWORK_MEMBERS[action]
                is_plain = not name.endswith("InVpc") and "VpcConfig" in wanted
                assert wanted - ({"VpcConfig"} if is_plain else set()) <= given, name
                asked.setdefault(action, []).append(given)
    assert {action: len(found) for action, found in asked.items()} == {
        "createProcessingJob": 3,
        "createTrainingJob": 2,
        "createModel": 4,
    }


def test_outside_a_vpc_no_request_carries_one() -> None:
    training = run("training", resolved_manifest(), obliging_aws())
    batch = run("inference", resolved_manifest(), obliging_aws())
    (job,) = training.requests("sagemaker:createTrainingJob.sync")
    (model,) = batch.requests("sagemaker:createModel")
    configs = [
        one["NetworkConfig"] for one in training.requests("sagemaker:createProcessingJob.sync")
    ]
    assert configs == [{"EnableNetworkIsolation": False}] * 2
    for request in (job, model):
        assert request["EnableNetworkIsolation"] is False
        assert "VpcConfig" not in request


def test_jobs_of_an_isolated_environment_get_its_subnets_and_their_code_as_a_channel() -> None:
    ending = isolated("training")
    assert (ending.status, faults(ending.calls)) == ("SUCCEEDED", [])
    configs = [
        one["NetworkConfig"] for one in ending.requests("sagemaker:createProcessingJob.sync")
    ]
    assert configs == [{"EnableNetworkIsolation": True, "VpcConfig": VPC}] * 2
    (job,) = ending.requests("sagemaker:createTrainingJob.sync")
    assert (job["EnableNetworkIsolation"], job["VpcConfig"]) == (True, VPC)
    code = job["InputDataConfig"][-1]
    assert code["ChannelName"] == "code"
    assert code["DataSource"]["S3DataSource"]["S3Uri"] == f"{RUN_URI}/code/sourcedir.tar.gz"
    submitted = job["HyperParameters"]["sagemaker_submit_directory"]
    assert submitted == '"/opt/ml/input/data/code/sourcedir.tar.gz"'
    (package,) = ending.requests("aws-sdk:sagemaker:createModelPackage")
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"


@pytest.mark.parametrize("mode", ["batch", "endpoint", "async"])
def test_models_of_an_isolated_environment_get_its_subnets(mode: str) -> None:
    ending = isolated("inference", mode)
    assert (ending.status, faults(ending.calls)) == ("SUCCEEDED", [])
    (model,) = ending.requests("sagemaker:createModel")
    assert (model["EnableNetworkIsolation"], model["VpcConfig"]) == (True, VPC)


def test_a_training_whose_start_nobody_confirmed_is_repeated_in_the_same_subnets() -> None:
    lost = TaskError("SageMaker.AmazonSageMakerException", "HTTP 500")
    job = obliging_aws()["sagemaker:createTrainingJob.sync"]
    ending = isolated("training", createTrainingJob=in_turn(lost, job))
    assert ending.status == "SUCCEEDED"
    requests = ending.requests("sagemaker:createTrainingJob.sync")
    assert [one["VpcConfig"] for one in requests] == [VPC, VPC]
    assert ending.states.count("TrainInVpc") == 2
    assert "Train" not in ending.states
