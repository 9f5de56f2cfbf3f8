"""What a decision is based on, as lines that people read: verdict, metrics, data, changes.

Rules only: imports no AWS client.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from signalbox import costs, data_profiles, manifest_diff, manifest_history
from signalbox.data_profiles import FileProfile
from signalbox.decisions import person
from signalbox.jobs import Job
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.messages import Section, section

_SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class ChampionMetrics:
    """The model version to compare with and what it measured, by the metrics' dotted paths."""

    arn: str
    metrics: Mapping[str, float]


def about(manifest: ResolvedManifest) -> list[Section]:
    """Which run this is, who started it, and from which source."""
    run = manifest.run
    author = person(run.released_by) if run.released_by else "an event (new archive or Git push)"
    source = run.source.revision_summary or run.source.revision_id or run.source.digest
    options = [f"Options       {_short(run.options)}"] if run.options else []
    return section(
        "The run",
        [
            f"Run           {run.id} of {manifest.workload.name} in {run.environment}",
            f"Released by   {author}",
            f"Source        {source.splitlines()[0]}",
            *options,
        ],
    )


def changed(before: ResolvedManifest | None, after: ResolvedManifest) -> list[Section]:
    """What is different from the workload's previous run."""
    if before is None:
        return section("What changed", ["This is the first run of this workload that is known."])
    lines = manifest_diff.changes(before, after) or [
        "Nothing: manifest, code and images are equal."
    ]
    return section(f"What changed since run {before.run.id}", lines)


def judged(
    manifest: ResolvedManifest, status: str, champion: ChampionMetrics | None
) -> list[Section]:
    """The verdict with every reason, and the metrics beside the champion's."""
    entry = manifest_history.latest(manifest, "training", status)
    verdict = entry.detail.get("verdict") if entry else None
    if not isinstance(verdict, dict):
        return []
    word = "accepted" if verdict.get("accepted") else "refused"
    reasons = verdict.get("reasons")
    lines = [str(reason) for reason in reasons] if isinstance(reasons, list) else []
    return [
        *section("The verdict", [f"The model is {word}.", *(f"- {line}" for line in lines)]),
        *section("Metrics", _table(_numbers(verdict.get("metrics")), champion)),
    ]


def _numbers(value: JsonValue) -> dict[str, float]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {k: float(v) for k, v in pairs if isinstance(v, int | float) and not isinstance(v, bool)}


def _table(metrics: Mapping[str, float], champion: ChampionMetrics | None) -> list[str]:
    if not metrics:
        return []
    names = {name: name.removesuffix(".value") for name in metrics}
    width = max(len("metric"), *(len(shown) for shown in names.values()))
    head = f"{'metric':<{width}}  {'this run':>12}"
    if champion is None:
        rows = [f"{names[n]:<{width}}  {value:>12.6g}" for n, value in metrics.items()]
        return [head, *rows, "There is no champion to compare with."]
    rows = [
        f"{names[n]:<{width}}  {value:>12.6g}  {_beside(champion.metrics.get(n)):>12}"
        for n, value in metrics.items()
    ]
    version = champion.arn.rpartition("/")[2]
    return [f"{head}  {'champion':>12}", *rows, f"The champion is version {version}."]


def _beside(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def data_read(manifest: ResolvedManifest, profiles: JsonObject | None) -> list[Section]:
    """What the data is: what the training read, and what was found in each file that arrived."""
    started = manifest_history.latest(manifest, "training", "started")
    found = started.detail.get("data") if started else None
    facts = {"Objects": "objects", "Bytes": "bytes", "Digest": "digest"}
    known = found if isinstance(found, dict) else {}
    read = [f"{name:<12}  {known[key]}" for name, key in facts.items() if key in known]
    looked_into = [line for file in data_profiles.files(profiles) for line in _file_lines(file)]
    return section("The data", [*read, *looked_into])


def _file_lines(profile: FileProfile) -> list[str]:
    if profile.rows is None:
        return [f"{profile.file}: not looked into"]
    head = f"{profile.file}: {profile.rows:,} rows, {profile.repeated_rows:,} of them repeated"
    shown = [_column(name, column) for name, column in profile.columns.items()]
    more = [f"  ... and {len(shown) - _SHOWN_COLUMNS} more columns"]
    return [head, *shown[:_SHOWN_COLUMNS], *(more if len(shown) > _SHOWN_COLUMNS else [])]


def _column(name: str, column: JsonObject) -> str:
    parts = [str(column.get("type", ""))]
    for key in ("missing", "distinct", "min", "max"):
        value = column.get(key)
        if isinstance(value, int | float):
            is_more = key == "distinct" and column.get("distinctIsExact") is False
            shown = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
            parts.append(f"{key} {'over ' if is_more else ''}{shown}")
    return f"  {name}: {', '.join(filter(None, parts))}"


def spent(jobs: Sequence[Job]) -> list[Section]:
    """What the run's jobs are estimated to have cost, where any has ended."""
    return section("Estimated cost so far", costs.statement(jobs))


def _short(value: JsonObject) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
