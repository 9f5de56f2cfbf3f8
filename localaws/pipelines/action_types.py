"""The kinds of actions the laptop can run, and what each may be declared with. Pure.

Sources: CodePipeline user guide, "Integrations: action structure reference", one page per provider
(read 2026-11-21): required and allowed configuration keys, numbers of artifacts.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.pipelines.model import ActionSpec

S3_SOURCE = ("Source", "S3")
CONNECTION_SOURCE = ("Source", "CodeStarSourceConnection")
LAMBDA = ("Invoke", "Lambda")
STEP_FUNCTIONS = ("Invoke", "StepFunctions")
APPROVAL = ("Approval", "Manual")
BUILD = ("Build", "CodeBuild")
TEST = ("Test", "CodeBuild")
CLOUDFORMATION = ("Deploy", "CloudFormation")

_FORMATS = ("CODE_ZIP", "CODEBUILD_CLONE_REF")
STACK_MODES: Mapping[str, frozenset[str]] = {
    "CHANGE_SET_EXECUTE": frozenset({"ChangeSetName"}),
    "CHANGE_SET_REPLACE": frozenset({"ChangeSetName", "RoleArn", "TemplatePath"}),
    "CREATE_UPDATE": frozenset({"RoleArn", "TemplatePath"}),
    "DELETE_ONLY": frozenset({"RoleArn"}),
    "REPLACE_ON_FAILURE": frozenset({"RoleArn", "TemplatePath"}),
}
"""What each mode of the CloudFormation action needs beside the stack's name."""


@dataclass(frozen=True)
class ActionType:
    """How an action of one kind is declared."""

    inputs: range
    outputs: range
    known: frozenset[str]
    required: tuple[str, ...] = ()
    further: Callable[[ActionSpec], Iterator[str]] | None = None
    """Rules between values."""


def problems(action: ActionSpec) -> Iterator[str]:
    """What is wrong with an action's declaration."""
    kind, configuration = {**TYPES, **TOLD_ONLY}[action.kind], action.configuration
    for name in kind.required:
        if not configuration.get(name):
            yield f"configuration is missing the required key {name}"
    for name in sorted(configuration.keys() - kind.known):
        yield f"configuration has the unknown key {name}"
    for what, given, allowed in (
        ("input", action.inputs, kind.inputs),
        ("output", action.outputs, kind.outputs),
    ):
        if len(given) not in allowed:
            yield f"it has {len(given)} {what} artifacts; {allowed[0]} to {allowed[-1]} are allowed"
    if action.timeout_minutes is not None and action.kind != APPROVAL:
        yield "timeoutInMinutes is for manual approvals only"
    if kind.further is not None:
        yield from kind.further(action)


def _step_functions(action: ActionSpec) -> Iterator[str]:
    kind = action.configuration.get("InputType", "Literal")
    if kind not in {"Literal", "FilePath"}:
        yield f"InputType is {kind}; Literal and FilePath are allowed"
    if kind == "FilePath" and (not action.inputs or not action.configuration.get("Input")):
        yield "InputType FilePath needs an input artifact and Input"


def _connection(action: ActionSpec) -> Iterator[str]:
    allowed = {"OutputArtifactFormat": _FORMATS, "DetectChanges": ("true", "false")}
    for name, values in allowed.items():
        if action.configuration.get(name, values[0]) not in values:
            yield f"{name} is {action.configuration[name]}; {', '.join(values)} are allowed"
    repository = action.configuration.get("FullRepositoryId", "a/b")
    if not all(repository.partition("/")):
        yield f"FullRepositoryId is {repository}; it is OWNER/NAME"


def _codebuild(action: ActionSpec) -> Iterator[str]:
    primary = action.configuration.get("PrimarySource")
    if len(action.inputs) > 1 and not primary:
        yield "PrimarySource is required when there are several input artifacts"
    if primary and primary not in action.inputs:
        yield f"PrimarySource {primary} is none of the input artifacts"
    try:
        environment_of(action.configuration)
    except ValueError as error:
        yield str(error)


def environment_of(configuration: Mapping[str, str]) -> list[dict[str, Any]]:
    """`EnvironmentVariables` of a CodeBuild action; raises ValueError."""
    text = configuration.get("EnvironmentVariables") or "[]"
    wrong = f"EnvironmentVariables must be a JSON list of name, value and type, not {text[:200]}"
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(wrong) from error
    if not isinstance(given, list):
        raise ValueError(wrong)
    for item in given:
        if not isinstance(item, dict) or not {"name", "value"} <= item.keys():
            raise ValueError(wrong)
    return given


def _cloudformation(action: ActionSpec) -> Iterator[str]:
    configuration = action.configuration
    mode = configuration.get("ActionMode", "")
    if mode not in STACK_MODES:
        yield f"ActionMode is {mode}; {', '.join(sorted(STACK_MODES))} are allowed"
        return
    for name in sorted(STACK_MODES[mode]):
        if not configuration.get(name):
            yield f"configuration is missing the key {name}, which ActionMode {mode} requires"
    for name in ("TemplatePath", "TemplateConfiguration"):
        artifact, colons, path = configuration.get(name, "").partition("::")
        used = configuration.get(name) and not mode.startswith(("CHANGE_SET_EXECUTE", "DELETE"))
        if used and (not colons or not path or artifact not in action.inputs):
            yield f"{name} must be INPUT_ARTIFACT::FILE, not {configuration[name]}"
    if action.outputs and not configuration.get("OutputFileName"):
        yield "an output artifact needs OutputFileName"


TYPES: Mapping[tuple[str, str], ActionType] = {
    S3_SOURCE: ActionType(
        range(1),
        range(1, 2),
        frozenset(
            {"S3Bucket", "S3ObjectKey", "PollForSourceChanges", "AllowOverrideForS3ObjectKey"}
        ),
        ("S3Bucket", "S3ObjectKey"),
    ),
    LAMBDA: ActionType(
        range(6), range(6), frozenset({"FunctionName", "UserParameters"}), ("FunctionName",)
    ),
    STEP_FUNCTIONS: ActionType(
        range(2),
        range(2),
        frozenset({"StateMachineArn", "ExecutionNamePrefix", "InputType", "Input"}),
        ("StateMachineArn",),
        _step_functions,
    ),
    APPROVAL: ActionType(
        range(1), range(1), frozenset({"NotificationArn", "CustomData", "ExternalEntityLink"})
    ),
    CLOUDFORMATION: ActionType(
        range(11),
        range(2),
        frozenset(
            {
                "ActionMode",
                "StackName",
                "Capabilities",
                "ChangeSetName",
                "RoleArn",
                "TemplatePath",
                "TemplateConfiguration",
                "ParameterOverrides",
                "OutputFileName",
            }
        ),
        ("ActionMode", "StackName"),
        _cloudformation,
    ),
} | dict.fromkeys(
    (BUILD, TEST),
    ActionType(
        range(1, 6),
        range(6),
        frozenset({"ProjectName", "PrimarySource", "BuildspecOverride", "EnvironmentVariables"}),
        ("ProjectName",),
        _codebuild,
    ),
)
TOLD_ONLY: Mapping[tuple[str, str], ActionType] = {
    CONNECTION_SOURCE: ActionType(
        range(1),
        range(1, 2),
        frozenset(
            {
                "ConnectionArn",
                "FullRepositoryId",
                "BranchName",
                "OutputArtifactFormat",
                "DetectChanges",
            }
        ),
        ("ConnectionArn", "FullRepositoryId", "BranchName"),
        _connection,
    )
}
"""Kinds whose declaration is checked before they are refused: there is no Git host here."""
NOT_DONE = frozenset({"BatchEnabled", "CombineArtifacts"})
"""Keys that CodePipeline knows and the laptop does not."""
