"""Turns a pipeline's declaration into a checked specification.

Pure. The rules are those of the CodePipeline user guide, "Pipeline structure reference" and
"Requirements for action structure" (read 2026-11-21); a broken one is InvalidStructureException or
InvalidStageDeclarationException / InvalidActionDeclarationException as on AWS.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.errors import UnsupportedByLocalAws
from localaws.pipelines import action_types as pipeline_action_types
from localaws.pipelines.model import ActionSpec, PipelineSpec, StageSpec, Store
from localaws.wire import AwsError


def read(declaration: Mapping[str, Any], region: str) -> PipelineSpec:
    """The specification; raises AwsError, or UnsupportedByLocalAws for what is not done here."""
    _refuse_unsupported(declaration, region)
    stages = tuple(_stage(stage) for stage in declaration["stages"])
    spec = PipelineSpec(
        name=declaration["name"],
        role_arn=declaration["roleArn"],
        stores=_stores(declaration, region),
        stages=stages,
        variables={v["name"]: v.get("defaultValue") for v in declaration.get("variables") or ()},
        mode=declaration.get("executionMode") or "SUPERSEDED",
    )
    _check_variables(declaration)
    _check_stages(spec)
    _check_wiring(spec)
    return spec


def _refuse_unsupported(declaration: Mapping[str, Any], region: str) -> None:
    for where in _unsupported(declaration, region):
        raise UnsupportedByLocalAws("codepipeline", "CreatePipeline", where)


def _unsupported(declaration: Mapping[str, Any], region: str) -> Iterator[str]:
    if declaration.get("triggers"):
        yield "triggers"
    if declaration.get("executionMode") == "PARALLEL":
        yield "executionMode PARALLEL"
    for stage in declaration["stages"]:
        for name in ("blockers", "onFailure", "onSuccess", "beforeEntry"):
            if stage.get(name):
                yield f"{name} of stage {stage['name']}"
        for action in stage["actions"]:
            yield from _unsupported_in(action, f"action {stage['name']}/{action['name']}", region)


def _unsupported_in(action: Mapping[str, Any], where: str, region: str) -> Iterator[str]:
    if action.get("region") not in (None, "", region) and not _may_go_abroad(action):
        yield f"{where} in another region, {action['region']}"
    for name in sorted(pipeline_action_types.NOT_DONE & set(action.get("configuration") or ())):
        yield f"{name} of {where}"


def _may_go_abroad(action: Mapping[str, Any]) -> bool:
    """Stacks go to other regions; whatever hands an artifact back does not."""
    kind = action["actionTypeId"]
    is_stack = (kind["category"], kind["provider"]) == pipeline_action_types.CLOUDFORMATION
    return is_stack and not action.get("outputArtifacts")


def _stores(declaration: Mapping[str, Any], region: str) -> dict[str, Store]:
    """User guide, "Add a cross-Region action": a store for each region that has an action."""
    one, several = declaration.get("artifactStore"), declaration.get("artifactStores")
    if bool(one) == bool(several):
        raise _invalid("Pipeline must have either artifactStore or artifactStores")
    stores: Mapping[str, Any] = {region: one} if one else several or {}
    actions = [action for stage in declaration["stages"] for action in stage["actions"]]
    for needed in [region, *(action.get("region") or region for action in actions)]:
        if needed not in stores:
            raise _invalid(
                f"artifactStores has none in {needed}, where an action or the pipeline is"
            )
    return {name: _store(stores[name]) for name in sorted(stores)}


def _store(store: Mapping[str, Any]) -> Store:
    return Store(store["location"], (store.get("encryptionKey") or {}).get("id", ""))


def _stage(stage: Mapping[str, Any]) -> StageSpec:
    if not stage["actions"]:
        raise AwsError(
            "InvalidStageDeclarationException", f"Stage {stage['name']} has no actions in it"
        )
    return StageSpec(stage["name"], tuple(_action(action) for action in stage["actions"]))


def _action(action: Mapping[str, Any]) -> ActionSpec:
    kind = action["actionTypeId"]
    return ActionSpec(
        name=action["name"],
        category=kind["category"],
        owner=kind["owner"],
        provider=kind["provider"],
        version=kind["version"],
        run_order=action.get("runOrder") or 1,
        configuration=dict(action.get("configuration") or {}),
        inputs=tuple(item["name"] for item in action.get("inputArtifacts") or ()),
        outputs=tuple(item["name"] for item in action.get("outputArtifacts") or ()),
        namespace=action.get("namespace") or "",
        role_arn=action.get("roleArn") or "",
        region=action.get("region") or "",
        timeout_minutes=action.get("timeoutInMinutes"),
    )


def _check_variables(declaration: Mapping[str, Any]) -> None:
    variables = declaration.get("variables") or ()
    if variables and declaration.get("pipelineType") != "V2":
        raise _invalid("Pipeline variables need pipelineType V2")
    if declaration.get("executionMode") == "QUEUED" and declaration.get("pipelineType") != "V2":
        raise _invalid("Execution mode QUEUED needs pipelineType V2")
    names = [variable["name"] for variable in variables]
    for name in _repeated(names):
        raise _invalid(f"Pipeline variable {name} is declared more than once")


def _check_stages(spec: PipelineSpec) -> None:
    if len(spec.stages) < 2:
        raise _invalid(
            f"Pipeline has only {len(spec.stages)} stage(s). "
            "There should be a minimum of 2 stages in a pipeline"
        )
    for name in _repeated([stage.name for stage in spec.stages]):
        raise _invalid(f"Stage name {name} is used more than once")
    for index, stage in enumerate(spec.stages):
        for name in _repeated([action.name for action in stage.actions]):
            raise _invalid(f"Action name {name} is used more than once in stage {stage.name}")
        _check_sources(index, stage)
        for action in stage.actions:
            _check_action(stage.name, action)


def _check_sources(index: int, stage: StageSpec) -> None:
    for action in stage.actions:
        if index == 0 and action.category != "Source":
            raise _invalid(
                f"Pipeline should start with a stage that only contains source actions; "
                f"{action.name} in {stage.name} is not one"
            )
        if index > 0 and action.category == "Source":
            raise _invalid(
                f"Source action {action.name} is in stage {stage.name}; "
                "source actions can only occur in the first stage"
            )


def _check_action(stage: str, action: ActionSpec) -> None:
    known = {**pipeline_action_types.TYPES, **pipeline_action_types.TOLD_ONLY}
    if action.owner == "AWS" and action.kind in known:
        for problem in pipeline_action_types.problems(action):
            raise AwsError(
                "InvalidActionDeclarationException", f"Action {action.name} in {stage}: {problem}"
            )
    if action.owner != "AWS" or action.kind not in pipeline_action_types.TYPES:
        type_name = f"{action.owner}/{action.category}/{action.provider}"
        raise UnsupportedByLocalAws(
            "codepipeline", "CreatePipeline", f"action {stage}/{action.name} of type {type_name}"
        )


def _check_wiring(spec: PipelineSpec) -> None:
    known: set[str] = set()
    spaces: set[str] = {"codepipeline", "variables"}
    for stage in spec.stages:
        for order in sorted({action.run_order for action in stage.actions}):
            group = [action for action in stage.actions if action.run_order == order]
            for action in group:
                _check_inputs(stage.name, action, known)
            for action in group:
                _add_new(known, action.outputs, f"Output artifact name {{}} ({action.name})")
                namespace = (action.namespace,) if action.namespace else ()
                _add_new(spaces, namespace, f"Namespace {{}} ({action.name})")


def _check_inputs(stage: str, action: ActionSpec, known: set[str]) -> None:
    for name in action.inputs:
        if name not in known:
            raise _invalid(
                f"Input Artifact Bundle {name} in action {action.name} of stage {stage} "
                "is declared as input but was not the output of an earlier action"
            )


def _add_new(known: set[str], names: tuple[str, ...], what: str) -> None:
    for name in names:
        if name in known:
            raise _invalid(f"{what.format(name)} must be unique within a pipeline")
        known.add(name)


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidStructureException", message)
