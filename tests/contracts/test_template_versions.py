"""Versions and aliases of the functions: who has them, who calls them, what makes a new one."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localaws.deployer import transform
from signalbox import naming
from tests.contracts import repository

FUNCTIONS = repository.resources("AWS::Serverless::Function")
CALLED_BY_THE_PIPELINE = {"CreateSchemaFunction", "UpdateSchemaFunction"}
SHIFTED = sorted(set(FUNCTIONS) - CALLED_BY_THE_PIPELINE)
CONDITIONAL = ("ReceiveVersionFunction", "WebhookSenderFunction")

Document = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps what was expanded: a second of work each."""
    return tmp_path_factory.mktemp("versions")


def expanded(folder: Path, change: Callable[[Document], object] = lambda document: None) -> Any:
    """Resources as CloudFormation gets them, after one change of the packaged template."""
    document = repository.packaged()
    change(document)
    answer = transform.expanded(document, {}, region=repository.REGION, cache=folder)
    return answer["Resources"]


def versions(resources: Document) -> dict[str, str]:
    """Logical id of the version by its function's."""
    return {
        r["Properties"]["FunctionName"]["Ref"]: name
        for name, r in resources.items()
        if r["Type"] == "AWS::Lambda::Version"
    }


def renewed(folder: Path, change: Callable[[Document], object]) -> list[str]:
    """The functions that get a new version by a change."""
    before, after = versions(expanded(folder)), versions(expanded(folder, change))
    return sorted(name for name in before if before[name] != after[name])


def test_all_functions_but_those_that_the_pipeline_calls_have_an_alias() -> None:
    """An action of CodePipeline names a function and, as far as its reference says, no alias."""
    for name, properties in FUNCTIONS.items():
        assert properties.get("AutoPublishAlias") == (naming.LIVE if name in SHIFTED else None)
    configured = {
        action["Configuration"]["FunctionName"]["Ref"]
        for pipeline in repository.resources("AWS::CodePipeline::Pipeline").values()
        for stage in pipeline["Stages"]
        for action in stage["Actions"]
        if action.get("ActionTypeId", {}).get("Provider") == "Lambda"
    }
    assert configured == CALLED_BY_THE_PIPELINE


@pytest.mark.parametrize("name", SHIFTED)
def test_the_alarm_of_a_shift_counts_the_errors_of_the_new_version_alone(name: str) -> None:
    """Else a version that raises could not be replaced: its alarm would stop each deployment."""
    stem = name.removesuffix("Function")
    alarm = repository.template()["Resources"][f"{stem}ErrorsAlarm"]
    found = alarm["Properties"]

    assert FUNCTIONS[name]["DeploymentPreference"]["Alarms"] == [{"Ref": f"{stem}ErrorsAlarm"}]
    assert (found["Namespace"], found["MetricName"]) == ("AWS/Lambda", "Errors")
    assert {d["Name"]: d["Value"] for d in found["Dimensions"]} == {
        "FunctionName": {"Ref": name},
        "Resource": {"Fn::Sub": f"${{{name}}}:live"},
        "ExecutedVersion": {"Fn::GetAtt": [name, "Version.Version"]},
    }
    assert (found["Statistic"], found["Threshold"], found["Period"]) == ("Sum", 0, 60)
    assert found["TreatMissingData"] == "notBreaching"
    assert alarm.get("Condition") == repository.template()["Resources"][name].get("Condition")


def test_nobody_calls_a_shifted_function_past_its_alias() -> None:
    text = json.dumps(repository.template()["Resources"])

    for name in SHIFTED:
        assert f'{{"Fn::GetAtt": ["{name}", "Arn"]}}' not in text
        # A bare name stands in the dimensions of its own alarm only.
        assert text.count(f'{{"Ref": "{name}"}}') == 1


def test_all_functions_are_shifted_side_by_side(folder: Path) -> None:
    """An alias that needs another one is shifted when that one is: five minutes more."""
    resources = expanded(folder)
    texts = {name: json.dumps(r) for name, r in resources.items()}
    named = {
        name: set(re.findall(r"\w+", text)) & set(resources) - {name}
        for name, text in texts.items()
    }

    def needs(name: str) -> set[str]:
        found, left = set(), [name]
        while left:
            new = named[left.pop()] - found
            found |= new
            left += new
        return found

    aliases = {name for name, r in resources.items() if r["Type"] == "AWS::Lambda::Alias"}
    waiting = {name: sorted(needs(name) & aliases - {name}) for name in aliases}
    assert {name: others for name, others in waiting.items() if others} == {}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_what_shifts_a_function_is_there_when_the_function_is(name: str, folder: Path) -> None:
    resources = expanded(folder)
    condition = repository.template()["Resources"][name]["Condition"]
    stem = name.removesuffix("Function")

    made = [key for key in resources if key.startswith((name, f"{stem}ErrorsAlarm"))]
    assert len(made) >= 5  # function, version, alias, group and alarm
    assert {key: resources[key].get("Condition") for key in made} == dict.fromkeys(made, condition)


def test_a_version_goes_with_the_update_that_made_it(folder: Path) -> None:
    """One that a rollback keeps stops the next try: Lambda publishes nothing that is there."""
    kept = {
        name: r.get("DeletionPolicy")
        for name, r in expanded(folder).items()
        if r["Type"] == "AWS::Lambda::Version"
    }
    assert len(kept) == len(SHIFTED)
    assert set(kept.values()) == {"Delete"}


def test_a_layer_that_changes_makes_new_versions(folder: Path) -> None:
    """aws/serverless-application-model#3610: only with PublishLambdaVersion."""

    def change(document: Document) -> None:
        document["Resources"]["SignalboxLayer"]["Properties"]["ContentUri"]["Key"] = "other.zip"

    def change_data(document: Document) -> None:
        document["Resources"]["DataLayer"]["Properties"]["ContentUri"]["Key"] = "other.zip"

    assert renewed(folder, change) == SHIFTED
    assert renewed(folder, change_data) == ["DataIntakeFunction"]


def test_settings_and_code_that_change_make_new_versions(folder: Path) -> None:
    def digest(document: Document) -> None:
        document["Globals"]["Function"]["Environment"]["Variables"]["SETTINGS_DIGEST"] = "1f3a"

    def code(document: Document) -> None:
        document["Resources"]["ReconcilerFunction"]["Properties"]["CodeUri"]["Key"] = "other.zip"

    assert renewed(folder, digest) == SHIFTED
    assert renewed(folder, code) == ["ReconcilerFunction"]


def test_a_queue_that_changes_makes_no_new_version(folder: Path) -> None:
    def change(document: Document) -> None:
        document["Resources"]["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] = 60

    assert renewed(folder, change) == []
