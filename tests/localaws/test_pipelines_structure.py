"""Which declarations of pipelines are refused, and how the parts of references are read."""

import copy
from typing import Any

import pytest

from localaws.errors import UnsupportedByLocalAws
from localaws.pipelines import shapes as pipeline_shapes
from localaws.pipelines import structure as pipeline_structure
from localaws.pipelines import variables as pipeline_variables
from localaws.pipelines.variables import UnresolvedVariable
from localaws.wire import AwsError
from tests.localaws.pipeline_bench import REGION, action, approval, stage

SOURCE = {"S3Bucket": "bucket", "S3ObjectKey": "in.zip"}


def declaration(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    source = action("Source", "Source", "S3", configuration=SOURCE, outputArtifacts=["Zip"])
    return {
        "name": "p",
        "roleArn": "arn:aws:iam::123456789012:role/p",
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "store"},
        "stages": [stage("Source", source), *(stages or (stage("Gate", approval("Gate")),))],
        **more,
    }


def call(name: str = "Call", **more: Any) -> dict[str, Any]:
    return action(name, "Invoke", "Lambda", configuration={"FunctionName": "f"}, **more)


def run(**more: Any) -> dict[str, Any]:
    return action("Run", "Invoke", "StepFunctions", **more)


def build(**more: Any) -> dict[str, Any]:
    artifacts = {"inputArtifacts": more.pop("inputArtifacts", ["Zip"])}
    configuration = {"ProjectName": "p", **more}
    return action("Build", "Build", "CodeBuild", configuration=configuration, **artifacts)


def deploy(**more: Any) -> dict[str, Any]:
    artifacts = {"inputArtifacts": ["Zip"], "outputArtifacts": more.pop("outputArtifacts", [])}
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "s",
        "RoleArn": "arn:aws:iam::123456789012:role/c",
        "TemplatePath": "Zip::t.yaml",
        **more,
    }
    return action("Deploy", "Deploy", "CloudFormation", configuration=configuration, **artifacts)


def test_reads_a_whole_declaration():
    key = {"id": "arn:aws:kms:us-east-1:123456789012:key/k", "type": "KMS"}
    store = {"type": "S3", "location": "store", "encryptionKey": key}
    variables = [{"name": "Workload", "defaultValue": "auto"}, {"name": "Needed"}]
    made = call(inputArtifacts=["Zip"], outputArtifacts=["Made"], namespace="Call")

    spec = pipeline_structure.read(
        declaration(stage("Call", made), artifactStore=store, variables=variables), REGION
    )

    assert spec.stores[REGION].key_id == key["id"]
    assert spec.variables == {"Workload": "auto", "Needed": None}
    assert spec.stages[1].actions[0].inputs == ("Zip",)
    assert spec.stages[1].actions[0].namespace == "Call"


REFUSED = [
    (
        "one stage",
        {"stages": [stage("Source", declaration()["stages"][0]["actions"][0])]},
        "minimum",
    ),
    ("first stage", {"stages": [stage("A", approval("A")), stage("B", approval("B"))]}, "source"),
    ("no store", {"artifactStore": None}, "artifactStore"),
    ("V1", {"pipelineType": "V1"}, "V2"),
    (
        "variable twice",
        {"variables": [{"name": "a"}, {"name": "a"}]},
        "declared more than once",
    ),
]


@pytest.mark.parametrize(("name", "change", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refuses_a_structure(name: str, change: dict[str, Any], reason: str):
    with pytest.raises(AwsError, match=reason) as refused:
        pipeline_structure.read(declaration(**change), REGION)

    assert refused.value.code == "InvalidStructureException"


STAGES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("same stage name", [stage("A", approval("A")), stage("A", approval("B"))], "more than once"),
    ("same action name", [stage("A", approval("A"), approval("A"))], "more than once"),
    ("unknown input", [stage("A", call(inputArtifacts=["No"]))], "not the output of an earlier"),
    (
        "input of the same run order",
        [stage("A", call("X", outputArtifacts=["O"]), call("Y", inputArtifacts=["O"]))],
        "not the output of an earlier",
    ),
    ("output twice", [stage("A", call(outputArtifacts=["Zip"]))], "must be unique"),
    (
        "namespace twice",
        [stage("A", call("X", namespace="n"), call("Y", namespace="n"))],
        "must be unique",
    ),
    ("reserved namespace", [stage("A", call(namespace="variables"))], "must be unique"),
    ("source later", [declaration()["stages"][0] | {"name": "Later"}], "only occur in the first"),
    ("no function", [stage("A", action("A", "Invoke", "Lambda"))], "FunctionName"),
    ("unknown key", [stage("A", approval("A", configuration={"Nope": "x"}))], "unknown key Nope"),
    ("approval with input", [stage("A", approval("A", inputArtifacts=["Zip"]))], "input artifacts"),
    ("timeout on a function", [stage("A", call(timeoutInMinutes=5))], "manual approvals only"),
    (
        "file path without input",
        [
            stage(
                "A",
                run(configuration={"StateMachineArn": "a", "InputType": "FilePath", "Input": "f"}),
            )
        ],
        "needs an input artifact",
    ),
    ("empty stage", [stage("A")], "no actions"),
    ("no project", [stage("A", action("A", "Build", "CodeBuild", inputArtifacts=["Zip"]))], "Name"),
    ("no input", [stage("A", build(inputArtifacts=[]))], "0 input artifacts"),
    (
        "no primary of two",
        [
            stage("A", call(outputArtifacts=["Two"])),
            stage("B", build(inputArtifacts=["Zip", "Two"])),
        ],
        "PrimarySource is required",
    ),
    ("another primary", [stage("A", build(PrimarySource="No"))], "none of the input"),
    ("variables no JSON", [stage("A", build(EnvironmentVariables="a=b"))], "JSON list"),
    ("variable without value", [stage("A", build(EnvironmentVariables='[{"name": "a"}]'))], "JSON"),
    ("no mode", [stage("A", deploy(ActionMode="UPSERT"))], "ActionMode is UPSERT"),
    ("no change set", [stage("A", deploy(ActionMode="CHANGE_SET_EXECUTE"))], "ChangeSetName"),
    ("no role", [stage("A", deploy(RoleArn=""))], "RoleArn"),
    ("template elsewhere", [stage("A", deploy(TemplatePath="No::t.yaml"))], "INPUT_ARTIFACT::FILE"),
    ("no file of outputs", [stage("A", deploy(outputArtifacts=["O"]))], "needs OutputFileName"),
]


@pytest.mark.parametrize(("name", "stages", "reason"), STAGES, ids=[case[0] for case in STAGES])
def test_refuses_stages(name: str, stages: list[dict[str, Any]], reason: str):
    with pytest.raises(AwsError, match=reason):
        pipeline_structure.read(declaration(*stages), REGION)


GIT: dict[str, Any] = {
    "outputArtifacts": ["Zip"],
    "configuration": {
        "ConnectionArn": f"arn:aws:codeconnections:{REGION}:123456789012:connection/1",
        "FullRepositoryId": "example-org/signalbox",
        "BranchName": "main",
    },
}
UNSUPPORTED = [
    {"executionMode": "PARALLEL"},
    {"triggers": [{"providerType": "CodeStarSourceConnection"}]},
    {"stages": [declaration()["stages"][0], stage("B", approval("B", region="eu-west-1"))]},
    {
        "stages": [
            stage("Source", action("S", "Source", "CodeStarSourceConnection", **GIT)),
            stage("B", approval("B")),
        ]
    },
    {"stages": [declaration()["stages"][0], stage("B", build(BatchEnabled="true"))]},
]


@pytest.mark.parametrize("change", UNSUPPORTED)
def test_says_what_the_laptop_does_not_do(change: dict[str, Any]):
    given = declaration(stage("A", approval("A")), **copy.deepcopy(change))
    if len(given["stages"][-1]["actions"]) == 0:
        given["stages"][-1] = stage("B", approval("B"))

    with pytest.raises(UnsupportedByLocalAws):
        pipeline_structure.read(given, REGION)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"OutputArtifactFormat": "ZIP"}, "OutputArtifactFormat is ZIP; CODE_ZIP, CODEBUILD_CLONE"),
        ({"DetectChanges": "no"}, "DetectChanges is no; true, false"),
        ({"FullRepositoryId": "signalbox"}, "FullRepositoryId is signalbox; it is OWNER/NAME"),
        ({"BranchName": ""}, "missing the required key BranchName"),
        ({"Branch": "main"}, "unknown key Branch"),
    ],
)
def test_a_git_source_is_checked_before_it_is_refused(change: dict[str, str], reason: str):
    given = {**GIT, "configuration": {**GIT["configuration"], **change}}
    source = stage("Source", action("S", "Source", "CodeStarSourceConnection", **given))

    with pytest.raises(AwsError, match=reason):
        pipeline_structure.read(declaration(stages=[source, stage("B", approval("B"))]), REGION)


STORES = {
    REGION: {"type": "S3", "location": "one"},
    "eu-west-1": {"type": "S3", "location": "two"},
}


def test_a_stack_of_another_region_takes_its_artifacts_from_a_store_there():
    there = deploy()
    there["region"] = "eu-west-1"

    spec = pipeline_structure.read(
        declaration(stage("A", there), artifactStore=None, artifactStores=STORES), REGION
    )

    assert {region: store.bucket for region, store in spec.stores.items()} == {
        REGION: "one",
        "eu-west-1": "two",
    }


def test_an_action_of_a_region_without_a_store_is_refused():
    there = deploy()
    there["region"] = "eu-central-1"

    with pytest.raises(AwsError, match="artifactStores has none in eu-central-1"):
        pipeline_structure.read(
            declaration(stage("A", there), artifactStore=None, artifactStores=STORES), REGION
        )


def test_one_region_of_artifact_stores_is_that_store():
    stores = {REGION: {"type": "S3", "location": "only"}}

    spec = pipeline_structure.read(declaration(artifactStore=None, artifactStores=stores), REGION)

    assert spec.stores[REGION].bucket == "only"


def problems(pipeline: dict[str, Any]) -> str:
    with pytest.raises(AwsError) as refused:
        pipeline_shapes.check("CreatePipeline", {"pipeline": pipeline})
    return refused.value.message


@pytest.mark.parametrize(
    ("change", "where", "rule"),
    [
        ({"name": "has space"}, "pipeline.name", "regular expression"),
        ({"name": "x" * 101}, "pipeline.name", "less than or equal to 100"),
        ({"roleArn": "role"}, "pipeline.roleArn", "regular expression"),
        ({"executionMode": "FAST"}, "pipeline.executionMode", "enum"),
        ({"stages": None}, "pipeline.stages", "must not be null"),
        ({"colour": "red"}, "pipeline.colour", "not known"),
        ({"variables": [{"name": "a", "defaultValue": ""}]}, "defaultValue", "greater than"),
    ],
)
def test_values_are_checked_against_the_model_of_the_api(
    change: dict[str, Any], where: str, rule: str
):
    told = problems({**declaration(), **change})

    assert where in told
    assert rule in told


def test_a_configuration_value_has_at_most_1000_characters():
    gate = approval("Gate", configuration={"CustomData": "x" * 1001})

    assert "less than or equal to 1000" in problems(declaration(stage("Gate", gate)))


def test_a_good_declaration_breaks_no_rule_of_the_model():
    pipeline_shapes.check("CreatePipeline", {"pipeline": declaration()})


def test_variables_are_replaced_everywhere_in_a_value():
    resolved = pipeline_variables.resolve(
        {"a": "#{n.k}/#{n.k}-#{m.x}", "b": "plain #{not a reference}"},
        {"n": {"k": "1"}, "m": {"x": "#{n.k}"}},
    )

    assert resolved == {"a": "1/1-#{n.k}", "b": "plain #{not a reference}"}


def test_a_variable_that_is_not_there_is_named():
    with pytest.raises(UnresolvedVariable, match=r"#\{n.gone\}.* CustomData"):
        pipeline_variables.resolve({"CustomData": "#{n.gone}"}, {"n": {}})
