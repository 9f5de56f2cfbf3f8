"""delivery/pipeline.yaml and its builds: the order, the names, and who cannot start it."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from delivery import settings
from delivery.model import Settings
from localaws.deployer import intrinsics
from localaws.deployer import template as templates
from localaws.deployer.resources.pipeline import declaration_of
from localaws.errors import UnsupportedByLocalAws
from localaws.pipelines import shapes as pipeline_shapes
from localaws.pipelines import structure as pipeline_structure
from localaws.wire import AwsError
from tests.contracts import repository

FOLDER = repository.ROOT / "delivery"
DOCUMENT = templates.read(FOLDER / "pipeline.yaml")
(PIPELINE,) = repository.resources("AWS::CodePipeline::Pipeline", DOCUMENT).values()
PROJECTS = repository.resources("AWS::CodeBuild::Project", DOCUMENT)
BUILDSPECS = sorted((FOLDER / "buildspecs").glob("*.yml"))
MAKEFILE = (repository.ROOT / "Makefile").read_text(encoding="utf-8")


def actions(stage: str) -> list[dict[str, Any]]:
    """The actions of a stage, of a conditional one those of both branches."""
    (found,) = (s["Actions"] for s in PIPELINE["Stages"] if s["Name"] == stage)
    branches = [a["Fn::If"][1:] if "Fn::If" in a else [a] for a in found]
    return [action for branch in branches for action in branch if "Name" in action]


def filled(value: Any, found: Settings) -> str:
    """A name of the template with the committed settings in it."""
    text: str = value["Fn::Sub"]
    prod, staging = found.environments["prod"], found.environments["staging"]
    for name, real in {
        "AppName": found.app,
        "AWS::AccountId": found.operations.account,
        "AWS::Region": found.operations.region,
        "AWS::Partition": "aws",
        "StagingAccount": staging.account,
        "StagingRegion": staging.region,
        "ProdAccount": prod.account,
        "ProdRegion": prod.region,
    }.items():
        text = text.replace(f"${{{name}}}", real)
    return text


def test_nothing_reaches_prod_before_it_was_tried_out_and_approved() -> None:
    assert [stage["Name"] for stage in PIPELINE["Stages"]] == [
        *("Source", "Build", "Staging", "Prod"),
    ]
    assert PIPELINE["ExecutionMode"] == "QUEUED"


def test_what_is_executed_in_prod_is_what_was_reviewed_and_approved() -> None:
    """In one stage, which one run holds: no later commit puts another change set in its place."""
    orders: dict[str, set[int]] = {}
    for action in actions("Prod"):
        configuration = action["Configuration"]
        what = configuration.get("ActionMode", action["ActionTypeId"]["Category"])
        orders.setdefault(what, set()).add(action["RunOrder"])
    sets = [a["Configuration"] for a in actions("Prod") if "ActionMode" in a["Configuration"]]

    assert orders == {
        "CHANGE_SET_REPLACE": {1},
        "Build": {2},
        "Approval": {3},
        "CHANGE_SET_EXECUTE": {4, 5, 6},
    }
    assert {str(one["ChangeSetName"]) for one in sets} == {"{'Fn::Sub': '${AppName}-delivery'}"}


def test_the_approval_counts_what_changes() -> None:
    (approval,) = (a for a in actions("Prod") if a["Name"] == "ApproveForProd")
    texts = approval["Configuration"]["CustomData"]["Fn::If"][1:]

    assert ["#{Review.REVIEW_SUMMARY}" in text for text in texts] == [True, True]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_stack_is_changed_by_a_change_set_under_the_roles_of_its_account(
    environment: str,
) -> None:
    found = settings.load()
    stage = {action["Name"]: action for action in actions(environment.title())}
    prepare, deploy = stage["PrepareChanges"], stage["Deploy"]

    for action in (prepare, deploy):
        assert filled(action["RoleArn"], found) == found.role_arn(environment, "delivery")
        stack = filled(action["Configuration"]["StackName"], found)
        assert stack == found.environments[environment].stack_name
    modes = [action["Configuration"]["ActionMode"] for action in (prepare, deploy)]
    assert modes == ["CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"]
    assert prepare["RunOrder"] < deploy["RunOrder"]
    passed = filled(prepare["Configuration"]["RoleArn"], found)
    assert passed == found.role_arn(environment, "cloudformation")


def test_prod_is_deployed_region_after_region() -> None:
    deploying = [a for a in actions("Prod") if a["Name"].startswith("Deploy")]

    assert [action["RunOrder"] for action in deploying] == [4, 5, 6]
    regions = [action["Region"]["Ref"] for action in deploying]
    assert regions == [f"Prod{word}Region" for word in ("", "Second", "Third")]


def test_roles_of_builds_and_pipeline_are_those_of_the_account_set_up() -> None:
    found = settings.load()
    roles = {name: filled(project["ServiceRole"], found) for name, project in PROJECTS.items()}

    assert roles == {
        "BuildProject": found.role_arn("operations", "build"),
        "ReviewProject": found.role_arn("operations", "build"),
        "AcceptanceTrainProject": found.role_arn("operations", "acceptance"),
        "AcceptanceInferProject": found.role_arn("operations", "acceptance"),
    }
    assert filled(PIPELINE["RoleArn"], found) == found.role_arn("operations", "pipeline")
    rule = repository.resources("AWS::Events::Rule", DOCUMENT)["SourceArrivedRule"]
    assert filled(rule["Targets"][0]["RoleArn"], found) == found.role_arn("operations", "start")


def test_only_a_push_to_one_branch_starts_it() -> None:
    """A pull request would run a stranger's code under the build's role."""
    _, nothing, (trigger,) = PIPELINE["Triggers"]["Fn::If"]
    git = trigger["GitConfiguration"]

    assert nothing == {"Ref": "AWS::NoValue"}
    assert set(git) == {"SourceActionName", "Push"}
    assert git["Push"] == [{"Branches": {"Includes": [{"Ref": "BranchName"}]}}]
    pattern = DOCUMENT["Parameters"]["BranchName"]["AllowedPattern"]
    assert not re.match(pattern, "release/*")


@pytest.fixture(scope="module")
def from_git() -> dict[str, Any]:
    """The request that CloudFormation makes of the pipeline with a connection and three regions."""
    known = settings.load()
    arn = f"arn:aws:codeconnections:us-east-1:{known.operations.account}:connection/1"
    prod = replace(known.environments["prod"], regions=("us-east-1", "eu-west-1", "eu-central-1"))
    found = replace(
        known,
        repository=replace(known.repository, connection=arn),
        environments={**known.environments, "prod": prod},
    )
    (deployment,) = (d for d in settings.deployments(found) if d.name == "pipeline")
    keys = {one.parameter: "arn:aws:kms:x:1:key/k" for one in deployment.from_outputs}
    defaults = {n: str(p.get("Default", "")) for n, p in DOCUMENT["Parameters"].items()}
    scope = intrinsics.Scope(
        parameters={**defaults, **deployment.parameters, **keys, "ApprovalTimeoutMinutes": 10080},
        pseudo={
            "AWS::AccountId": found.operations.account,
            "AWS::Region": found.operations.region,
            "AWS::Partition": "aws",
        },
        mappings={},
        conditions=DOCUMENT["Conditions"],
        resource_ref=str,
        resource_attribute=lambda name, attribute: f"{name}.{attribute}",
        resources=frozenset(DOCUMENT["Resources"]),
    )
    return declaration_of("signalbox-delivery", intrinsics.resolve(PIPELINE, scope))


def test_a_git_source_is_declared_as_codepipeline_takes_it(from_git: dict[str, Any]) -> None:
    """botocore's model for all of it, trigger included; the user guide's rules for each action."""
    pipeline_shapes.check("CreatePipeline", {"pipeline": from_git})
    (trigger,) = from_git["triggers"]
    assert trigger == {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {
            "sourceActionName": "Source",
            "push": [{"branches": {"includes": ["main"]}}],
        },
    }
    source = from_git["stages"][0]["actions"][0]
    assert source["configuration"]["FullRepositoryId"] == "example-org/signalbox"
    with pytest.raises(UnsupportedByLocalAws, match="of type AWS/Source/CodeStarSourceConnection"):
        pipeline_structure.read({**from_git, "triggers": []}, "us-east-1")


def test_beside_its_source_a_pipeline_from_git_is_the_one_from_s3(from_git: dict[str, Any]) -> None:
    """So that everything after the source is what runs on the laptop."""
    source = {
        "name": "Source",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {"S3Bucket": "b", "S3ObjectKey": "k"},
        "outputArtifacts": [{"name": "Source"}],
        "namespace": "Source",
    }
    stages = [{"name": "Source", "actions": [source]}, *from_git["stages"][1:]]

    spec = pipeline_structure.read({**from_git, "triggers": [], "stages": stages}, "us-east-1")

    assert set(spec.stores) == {"us-east-1", "eu-west-1", "eu-central-1"}
    for name in ("PrepareChanges", "Deploy"):
        assert [a.region for a in spec.stages[-1].actions if a.name.startswith(name)] == [
            *("us-east-1", "eu-west-1", "eu-central-1"),
        ]


def test_a_trigger_that_codepipeline_does_not_know_is_refused(from_git: dict[str, Any]) -> None:
    (trigger,) = from_git["triggers"]
    wrong = {**trigger, "gitConfiguration": {"sourceActionName": "Source", "fork": []}}

    with pytest.raises(AwsError, match="fork"):
        pipeline_shapes.check("CreatePipeline", {"pipeline": {**from_git, "triggers": [wrong]}})


def test_every_build_has_its_buildspec_and_may_do_nothing_privileged() -> None:
    named = {repository.ROOT / project["Source"]["BuildSpec"] for project in PROJECTS.values()}

    assert named == set(BUILDSPECS)
    for project in PROJECTS.values():
        assert "PrivilegedMode" not in project["Environment"]
        assert project["EncryptionKey"] == {"Ref": "ArtifactKeyArn"}


@pytest.mark.parametrize("path", BUILDSPECS, ids=lambda p: p.stem)
def test_a_build_keeps_downloads_only(path: Any) -> None:
    """An environment knows its own place, and CodeBuild's source folder is a new one each time."""
    cached = yaml.safe_load(path.read_text(encoding="utf-8"))["cache"]["paths"]

    assert {"/root/.cache/uv/**/*", "/root/.cache/pip/**/*"} <= set(cached)
    assert [name for name in cached if not name.startswith(("/root/.cache/", "/root/.npm/"))] == []


@pytest.mark.parametrize("path", BUILDSPECS, ids=lambda p: p.stem)
def test_what_a_build_does_is_a_make_target(path: Any) -> None:
    """So that any other CI does the same."""
    phases = yaml.safe_load(path.read_text(encoding="utf-8"))["phases"]
    (*_, does) = [phases[name]["commands"] for name in ("pre_build", "build") if name in phases]
    targets = [line.split()[1] for line in does if line.startswith("make ")]

    assert targets
    assert [t for t in targets if not re.search(rf"^{t}:", MAKEFILE, re.M)] == []


def test_the_default_checks_are_make_targets() -> None:
    for target in DOCUMENT["Parameters"]["Checks"]["Default"].split():
        assert re.search(rf"^{target}:", MAKEFILE, re.M)


def test_an_archive_without_version_control_has_the_same_files() -> None:
    """`make check` also runs in a build, whose source is no clone."""
    known = set(repository.committed_files())
    found = set(repository.files_of_an_archive())

    assert known <= found
    assert {path.parts[0] for path in found - known} <= {".signalbox", ".aws-sam", ".venv"}
