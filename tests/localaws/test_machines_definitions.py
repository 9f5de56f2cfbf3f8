"""What CreateStateMachine refuses, by AWS's rules, and ValidateStateMachineDefinition names."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.machines import definitions as machine_definitions
from localaws.machines import rules as machine_rules
from tests.localaws import machine_bench as bench

MACHINES = Path(__file__).parents[2] / "statemachines"
PASS = {"Type": "Pass", "End": True}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def task(resource: str, **parameters: Any) -> dict[str, Any]:
    return machine(Do={"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True})


CATCH = [{"ErrorEquals": ["States.ALL", "X"], "Next": "B"}]
DEFECTS = [
    (machine(A={"Type": "Pass", "Next": "Z"}), "MISSING_TRANSITION_TARGET", "/States/A/Next"),
    (machine(A=PASS, B=PASS), "MISSING_TRANSITION_TARGET", "/States/B"),
    ({"StartAt": "Z", "States": {"A": PASS}}, "MISSING_TRANSITION_TARGET", "/StartAt"),
    (machine(A={"Type": "Pass"}), "SCHEMA_VALIDATION_FAILED", "/States/A"),
    (
        machine(A={"Type": "Pass", "Next": "A", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A",
    ),
    (machine(A={"Type": "Jump", "End": True}), "SCHEMA_VALIDATION_FAILED", "/States/A"),
    (machine(A={"Type": "Fail", "End": True}), "SCHEMA_VALIDATION_FAILED", "/States/A/End"),
    (machine(A={"Type": "Choice"}), "SCHEMA_VALIDATION_FAILED", "/States/A"),
    (
        machine(A={"Type": "Choice", "Choices": [{"Next": "A"}], "Default": "Q"}),
        "MISSING_TRANSITION_TARGET",
        "/States/A/Default",
    ),
    (
        machine(
            A={"Type": "Parallel", "Branches": [machine(B={"Type": "Pass"})], "End": True},
        ),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/Branches[0]/States/B",
    ),
    (
        machine(
            A={"Type": "Parallel", "Branches": [machine(C=PASS)], "Catch": CATCH, "End": True},
            B=PASS,
        ),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/Catch[0]/ErrorEquals",
    ),
    ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED", "/"),
    (
        machine(A={"Type": "Task", "Resource": "f", "End": True}),
        "SCHEMA_VALIDATION_FAILED",
        "/States/A/Resource",
    ),
]


@pytest.mark.parametrize(("definition", "code", "location"), DEFECTS)
def test_defect_is_found_where_it_is(definition: dict[str, Any], code: str, location: str) -> None:
    findings = machine_definitions.check(json.dumps(definition))

    assert [(f.code, f.location) for f in findings] == [(code, location)]


def test_text_that_is_not_json_is_named_so() -> None:
    (finding,) = machine_definitions.check("{")

    assert finding.code == "INVALID_JSON_DESCRIPTION"


@pytest.mark.parametrize("name", ["training", "inference"])
def test_managed_rules_follow_from_the_synchronous_tasks(name: str) -> None:
    definition = (MACHINES / f"{name}.asl.json").read_text()

    kinds = {"training": {"Processing", "Training"}, "inference": {"Transform"}}[name]

    assert machine_rules.managed_rules(definition) == {
        f"StepFunctionsGetEventsForSageMaker{kind}JobsRule" for kind in kinds
    }


@pytest.mark.usefixtures("laptop")
class TestThroughTheApi:
    """Needs botocore's shapes, so a server."""

    def refusal(self, definition: dict[str, Any]) -> str:
        with pytest.raises(ClientError) as caught:
            bench.make_machine(definition)
        error = caught.value.response["Error"]
        assert error["Code"] == "InvalidDefinition"
        return str(error["Message"])

    def test_unknown_parameter_and_missing_ones_are_named(self) -> None:
        said = self.refusal(task("arn:aws:states:::sagemaker:createModel", ModelNam="m"))

        assert 'The field "ModelNam" is not supported by Step Functions at /States/Do/Param' in said
        assert 'The field "ModelName" is required but was missing' in said

    def test_an_optimised_integration_takes_less_than_its_api(self) -> None:
        request = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": {}}
        said = self.refusal(task("arn:aws:states:::sagemaker:updateEndpoint", **request))

        assert said.count('The field "DeploymentConfig" is not supported by Step Functions') == 1

    @pytest.mark.parametrize(
        ("call", "refused", "taken"),
        [
            ("createProcessingJob.sync", "ProcessingJobArn", "NetworkConfig"),
            ("createTrainingJob.sync", "RetryStrategy", "Environment"),
            ("createTrainingJob", "ProfilerConfig", "EnableManagedSpotTraining"),
            ("createTransformJob.sync", "DataProcessing", "ModelClientConfig"),
            ("createModel", "InferenceExecutionConfig", "VpcConfig"),
        ],
    )
    def test_the_jobs_take_less_than_their_apis_too(
        self, call: str, refused: str, taken: str
    ) -> None:
        said = self.refusal(
            task(f"arn:aws:states:::sagemaker:{call}", **{f"{refused}.$": "$", f"{taken}.$": "$"})
        )

        assert f'"{refused}' in said
        assert f'"{taken}' not in said

    def test_members_are_spelled_in_pascal_case_and_no_other(self) -> None:
        said = self.refusal(
            task("arn:aws:states:::aws-sdk:sfn:describeExecution", executionArn="a")
        )

        assert 'The field "executionArn" is not supported by Step Functions' in said
        assert 'The field "ExecutionArn" is required but was missing' in said

    @pytest.mark.parametrize(
        "resource",
        [
            "arn:aws:states:::aws-sdk:sagemaker:describeEndpont",
            "arn:aws:states:::aws-sdk:nosuchservice:get",
            "arn:aws:states:::sagemaker:describe",
        ],
    )
    def test_unknown_integration_is_refused(self, resource: str) -> None:
        assert f"The resource provided {resource} is not recognized" in self.refusal(task(resource))

    @pytest.mark.parametrize("name", ["training", "inference"])
    def test_the_projects_machines_have_no_defect(self, name: str) -> None:
        text = (MACHINES / f"{name}.asl.json").read_text()
        for substitution in ("RecordOutcomeFunctionArn", "JudgeModelFunctionArn"):
            function = f"arn:aws:lambda:{bench.REGION}:{bench.ACCOUNT}:function:f"
            text = text.replace("${" + substitution + "}", function)

        answer = bench.client("stepfunctions").validate_state_machine_definition(definition=text)

        assert (answer["result"], answer["diagnostics"]) == ("OK", [])

    def test_validation_names_every_finding_and_creates_nothing(self) -> None:
        answer = bench.client("stepfunctions").validate_state_machine_definition(
            definition=json.dumps(machine(A={"Type": "Pass", "Next": "Z"}))
        )

        assert answer["result"] == "FAIL"
        assert answer["diagnostics"][0]["location"] == "/States/A/Next"
