"""delivery/pipeline.yaml and its builds: the order, the names, and who cannot start it."""

import re
from typing import Any

import pytest
import yaml

from delivery import settings
from delivery.model import Settings
from localaws.deployer import template as templates
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
        *("Source", "Build", "Staging", "StagingTrain", "StagingInferenceTest", "Prod"),
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
