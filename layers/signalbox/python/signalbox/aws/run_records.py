"""Everything that AWS knows of one run, for those who tell people about it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from signalbox import evaluations, json_documents, manifest_history, naming
from signalbox.aws import actions, runs, storage
from signalbox.aws.actions import ActionRun
from signalbox.errors import EvaluationInvalid, ObjectMissingError
from signalbox.evidence import ChampionMetrics
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest


@dataclass(frozen=True)
class RunRecord:
    """A run; `manifest` is None until create_schema has written one."""

    id: str
    execution_id: str
    pipeline: str
    bucket: str
    actions: tuple[ActionRun, ...]
    manifest: ResolvedManifest | None

    def action(self, action_execution_id: str) -> ActionRun | None:
        """The run of an action with an id."""
        return next((a for a in self.actions if a.id == action_execution_id), None)

    @property
    def last_failure(self) -> ActionRun | None:
        """The action that failed last."""
        return next((a for a in reversed(self.actions) if a.status == "Failed"), None)

    @property
    def started_at(self) -> datetime:
        """When the first action began."""
        return self.actions[0].started_at


def read(pipeline: str, execution_id: str, bucket: str) -> RunRecord:
    """The run of a pipeline execution; raises EventError when there is no such execution."""
    found = actions.of_execution(pipeline, execution_id)
    run_id = naming.run_id(execution_id, found[0].started_at)
    uri = naming.s3_uri(bucket, naming.manifest_key(run_id))
    return RunRecord(run_id, execution_id, pipeline, bucket, found, _manifest_if_any(uri))


def of_schedule(pipeline: str, run_id: str, bucket: str) -> RunRecord:
    """A run that a schedule has started: the pipeline knows nothing of it."""
    uri = naming.s3_uri(bucket, naming.manifest_key(run_id))
    return RunRecord(run_id, "", pipeline, bucket, (), _manifest_if_any(uri))


def _manifest_if_any(uri: str) -> ResolvedManifest | None:
    try:
        return runs.read(uri)
    except ObjectMissingError:
        return None


def previous(record: RunRecord) -> ResolvedManifest | None:
    """The manifest of the run of the same workload before this one, as far as it is known."""
    if record.manifest is None:
        return None
    name = record.manifest.workload.name
    earlier = (
        action.output["run_id"]
        for action in actions.newest_first(record.pipeline)
        if action.name == "CreateSchema"
        and action.output.get("workload") == name
        and action.output.get("run_id", record.id) < record.id
    )
    run_id = next(earlier, None)
    if run_id is None:
        return None
    return _manifest_if_any(naming.s3_uri(record.bucket, naming.manifest_key(run_id)))


def champion(manifest: ResolvedManifest, status: str) -> ChampionMetrics | None:
    """The champion that the verdict names, and what it measured on the rows of this run.

    The numbers of its own run are about other rows, and are not shown beside this one's.
    """
    entry = manifest_history.latest(manifest, "training", status)
    judged = entry.detail.get("verdict") if entry else None
    if not isinstance(judged, dict):
        return None
    named = judged.get("champion")
    arn = named.get("modelPackageArn") if isinstance(named, dict) else None
    return ChampionMetrics(arn, _on_the_same_rows(judged)) if isinstance(arn, str) else None


def _on_the_same_rows(verdict: JsonObject) -> dict[str, float]:
    """All that the champion's evaluation left; where that is gone, what was compared."""
    folder = str(verdict.get("evaluationUri", "")).rpartition("/")[0]
    uri = f"{folder}/champion/evaluation.json"
    try:
        content = storage.read(*naming.split_s3_uri(uri)).content
        return evaluations.shown_metrics(evaluations.read_evaluation(content, uri), [])
    except (ObjectMissingError, EvaluationInvalid):
        compared = verdict.get("comparisons")
        return _compared(compared if isinstance(compared, list) else [])


def _compared(comparisons: list[JsonValue]) -> dict[str, float]:
    told = [one for one in comparisons if isinstance(one, dict)]
    return {
        str(one["metric"]): float(value)
        for one in told
        if isinstance(value := one.get("champion"), int | float)
    }


def profile(record: RunRecord) -> JsonObject | None:
    """The profiles of the run's data (see `data_profiles`), where some was looked into."""
    key = naming.profile_key(record.id)
    try:
        found = json_documents.parse(storage.read(record.bucket, key).content)
    except ObjectMissingError:
        return None
    return found if isinstance(found, dict) else None
