"""The pipeline and the wiring that the command and the functions count on, name by name."""

import json
from typing import Any

import botocore.session

from tests.contracts import repository

STAGES = [
    ("Source", "Source"),
    ("Prepare", "CreateSchema"),
    ("UploadSourceData", "UploadSourceData"),
    ("Train", "Train"),
    ("ApproveModel", "ApproveModel"),
    ("PrepareInference", "UpdateSchema"),
    ("UploadInferenceData", "UploadInferenceData"),
    ("Inference", "Inference"),
]
PARAMETERS = {
    "pipeline-name", "source-bucket", "source-key", "workflow-bucket", "artifact-bucket",
    "training-state-machine-arn", "inference-state-machine-arn", "notification-topic-arn",
    "two-person-rule", "job-role-arn", "hosting-role-arn", "kms-key-arn",
    "promotion-state-machine-arn", "promotion-path", "image-uri",
}  # fmt: skip


def pipeline() -> dict[str, Any]:
    return repository.resources("AWS::CodePipeline::Pipeline")["Pipeline"]


def actions() -> dict[str, dict[str, Any]]:
    """Actions by name; of the source, the S3 form."""
    found = [stage["Actions"][0] for stage in pipeline()["Stages"]]
    chosen = [action["Fn::If"][1] if "Fn::If" in action else action for action in found]
    return {action["Name"]: action for action in chosen}


def test_stages_and_actions_have_their_names_and_order() -> None:
    stages = [stage["Name"] for stage in pipeline()["Stages"]]

    assert list(zip(stages, actions(), strict=True)) == STAGES


def test_a_newer_run_waits_for_the_one_before() -> None:
    assert (pipeline()["PipelineType"], pipeline()["ExecutionMode"]) == ("V2", "QUEUED")


def test_variables_have_defaults_that_change_nothing() -> None:
    defaults = {v["Name"]: v["DefaultValue"] for v in pipeline()["Variables"]}

    assert defaults == {"Workload": "auto", "Options": "{}"}


def test_every_input_artifact_was_made_by_an_earlier_action() -> None:
    made: set[str] = set()
    for action in actions().values():
        assert {a["Name"] for a in action.get("InputArtifacts", [])} <= made
        made |= {a["Name"] for a in action.get("OutputArtifacts", [])}


def test_lambda_actions_hand_over_the_execution_id_as_json() -> None:
    for name in ("CreateSchema", "UpdateSchema"):
        parameters = json.loads(actions()[name]["Configuration"]["UserParameters"])
        assert parameters == {"executionId": "#{codepipeline.PipelineExecutionId}"}


def test_machines_read_the_manifest_from_their_input_artifact() -> None:
    for name in ("Train", "Inference"):
        configuration = actions()[name]["Configuration"]
        assert (configuration["InputType"], configuration["Input"]) == ("FilePath", "manifest.json")


def test_the_wiring_has_every_parameter_that_the_command_looks_for() -> None:
    prefix = "/${AppName}/${EnvironmentName}/"
    names = {p["Name"]["Fn::Sub"] for p in repository.resources("AWS::SSM::Parameter").values()}

    assert names == {prefix + name for name in PARAMETERS}


def test_no_name_outgrows_its_service_at_the_longest_prefix() -> None:
    """Limits: IAM role 64, function 64, pipeline 100, bucket 63, queue 80 (API references)."""
    longest = {"AppName": "a" * 15, "EnvironmentName": "staging", "AWS::AccountId": "1" * 12}
    limits = {
        ("AWS::IAM::Role", "RoleName"): 64,
        ("AWS::Serverless::Function", "FunctionName"): 64,
        ("AWS::CodePipeline::Pipeline", "Name"): 100,
        ("AWS::S3::Bucket", "BucketName"): 63,
        ("AWS::SQS::Queue", "QueueName"): 80,
    }
    regions = repository.template()["Mappings"]["SklearnRegistry"]
    longest["AWS::Region"] = max(regions, key=len)

    for (kind, member), limit in limits.items():
        for properties in repository.resources(kind).values():
            name = properties[member]["Fn::Sub"]
            for variable, value in longest.items():
                name = name.replace(f"${{{variable}}}", value)
            assert "${" not in name
            assert len(name) <= limit, name


def test_regions_are_offered_only_where_the_machines_can_run() -> None:
    """The machines name `arn:aws:states:::...`, which other partitions refuse at the first run."""
    partition_of = botocore.session.get_session().get_partition_for_region
    regions = repository.template()["Mappings"]["SklearnRegistry"]

    assert "us-east-1" in regions
    assert {region: partition_of(region) for region in regions} == dict.fromkeys(regions, "aws")
