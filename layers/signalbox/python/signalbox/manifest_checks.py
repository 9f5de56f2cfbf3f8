"""What one section of a manifest demands of another, and what AWS demands of both.

Every check returns problems, pointer first, so that an author sees all of them at once. Rules
only: imports no AWS client.
"""

import json
from collections.abc import Callable, Iterable

from signalbox import prediction_metrics
from signalbox.errors import ManifestError
from signalbox.isolation import CODE_CHANNEL
from signalbox.json_documents import JsonObject, pointer
from signalbox.manifest import AuthorManifest, Workload
from signalbox.manifest_checks_rollout import ROLLOUT_CHECKS
from signalbox.manifest_sections import ColumnChecks, ColumnType, GateRule, InferenceMode

# CreateTrainingJob: HyperParameters values (API reference, read 2026-11-20).
HYPERPARAMETER_VALUE_LIMIT = 2500
# CreateTransformJob: MaxConcurrentTransforms x MaxPayloadInMB.
TRANSFORM_MEMORY_LIMIT_MB = 100
RESERVED_ENVIRONMENT = ("SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY")

Check = Callable[[Workload], Iterable[str]]


def check(manifest: AuthorManifest) -> None:
    """Raises ManifestError naming every contradiction in the manifest."""
    problems = tuple(problem for rule in CHECKS for problem in rule(manifest))
    if problems:
        raise ManifestError(problems)


def check_automatic_gates(author: JsonObject, patched: JsonObject, environment: str) -> None:
    """In prod a gate opens by itself only where the author wrote so, never by a run's Options."""
    if environment != "prod":
        return
    written = _approvals(author)
    problems = tuple(
        f"{pointer(('approvals', key))}: automatic in prod must be written in the manifest; "
        "Options cannot open a gate there"
        for key, rule in _approvals(patched).items()
        if rule == GateRule.AUTOMATIC and written.get(key) != GateRule.AUTOMATIC
    )
    if problems:
        raise ManifestError(problems, document="the pipeline variable Options")


def _approvals(document: JsonObject) -> JsonObject:
    section = document.get("approvals")
    return section if isinstance(section, dict) else {}


def _gates_bound_something(workload: Workload) -> Iterable[str]:
    for index, gate in enumerate(workload.evaluate.gates):
        where = pointer(("evaluate", "gates", index))
        if gate.min is None and gate.max is None:
            yield f"{where}: needs min, max or both; without them {gate.metric} is not judged"
        if gate.min is not None and gate.max is not None and gate.min > gate.max:
            yield f"{where}: min {gate.min} is above max {gate.max}; no model could pass"


def _slices_can_be_judged(workload: Workload) -> Iterable[str]:
    known = prediction_metrics.names(workload.problem)
    for index, rule in enumerate(workload.evaluate.slices):
        where = pointer(("evaluate", "slices", index))
        if rule.min is None and rule.max is None:
            yield f"{where}: needs min, max or both; without them {rule.metric} is not judged"
        if prediction_metrics.name_of(rule.metric) not in known:
            yield (
                f"{where}/metric: {rule.metric} is not computed from predictions; "
                f"for {workload.problem} there are: {', '.join(known)}"
            )


def _model_is_not_approved_by_an_upload(workload: Workload) -> Iterable[str]:
    if workload.approvals.approve_model is GateRule.ON_UPLOAD:
        yield '/approvals/approveModel: nothing is uploaded there; use "manual" or "automatic"'


def _automatic_gates_have_data(workload: Workload) -> Iterable[str]:
    approvals = workload.approvals
    hint = "automatic leaves nobody time to upload; name standing data in"
    if approvals.upload_source_data is GateRule.AUTOMATIC and workload.data.source is None:
        yield f'/approvals/uploadSourceData: {hint} /data/source or use "on-upload"'
    if (
        approvals.upload_inference_data is GateRule.AUTOMATIC
        and workload.inference.mode is InferenceMode.BATCH
        and workload.inference.source is None
    ):
        yield f'/approvals/uploadInferenceData: {hint} /inference/source or use "on-upload"'


def _hyperparameters_fit(workload: Workload) -> Iterable[str]:
    for key, value in workload.train.hyperparameters.items():
        where = pointer(("train", "hyperparameters", key))
        if key.startswith("sagemaker_"):
            yield f"{where}: names that begin with sagemaker_ are reserved for the platform"
        length = len(json.dumps(value))
        if length > HYPERPARAMETER_VALUE_LIMIT:
            yield (
                f"{where}: {length} characters as JSON; "
                f"SageMaker takes {HYPERPARAMETER_VALUE_LIMIT}; put it in a file of the workload"
            )


def _environment_is_free(workload: Workload) -> Iterable[str]:
    for key in RESERVED_ENVIRONMENT:
        if key in workload.inference.environment:
            yield f"{pointer(('inference', 'environment', key))}: set by the platform"


def _channels_differ(workload: Workload) -> Iterable[str]:
    channels = workload.train.channels
    for index, channel in enumerate(channels):
        if channel == CODE_CHANNEL:
            yield (
                f'{pointer(("train", "channels", index))}: "{channel}" is the platform\'s own, for '
                "the scripts of isolated containers; choose another name"
            )
        if channel in channels[:index]:
            yield f'{pointer(("train", "channels", index))}: "{channel}" is named twice'


def _transform_fits(workload: Workload) -> Iterable[str]:
    inference = workload.inference
    needed = inference.max_payload_mb * inference.max_concurrent_transforms
    if needed > TRANSFORM_MEMORY_LIMIT_MB:
        yield (
            f"/inference/maxConcurrentTransforms: times maxPayloadMb it is {needed} MB; "
            f"SageMaker takes {TRANSFORM_MEMORY_LIMIT_MB}"
        )


def _data_checks_fit(workload: Workload) -> Iterable[str]:
    data = workload.data
    known = {*data.columns, *([data.label] if data.label else [])}
    for name, limits in data.checks.columns.items():
        where = pointer(("data", "checks", "columns", name))
        if name not in known:
            yield f"{where}: no such column; declared are: {', '.join(sorted(known)) or 'none'}"
        if limits.min is not None and limits.max is not None and limits.min > limits.max:
            yield f"{where}: min {limits.min} is above max {limits.max}; no value could pass"
        yield from _limits_fit_the_type(where, name, limits, workload)


def _limits_fit_the_type(
    where: str, name: str, limits: ColumnChecks, workload: Workload
) -> Iterable[str]:
    kind = workload.data.columns.get(name)
    is_bounded = limits.min is not None or limits.max is not None
    if kind is not None and kind is not ColumnType.NUMBER and is_bounded:
        yield f"{where}: min and max are for numbers, the column holds {kind}"
    if kind is ColumnType.NUMBER and limits.categories is not None:
        yield f"{where}: categories are for a category column, this one holds numbers"


CHECKS: tuple[Check, ...] = (
    _gates_bound_something,
    _slices_can_be_judged,
    _model_is_not_approved_by_an_upload,
    _automatic_gates_have_data,
    _hyperparameters_fit,
    _environment_is_free,
    _channels_differ,
    _transform_fits,
    _data_checks_fit,
    *ROLLOUT_CHECKS,
)
