"""What a decision is based on, as lines that people read: verdict, metrics, data, changes.

Rules only: imports no AWS client.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from signalbox import costs, manifest_diff, manifest_history
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


def data_read(manifest: ResolvedManifest, profile: JsonObject | None) -> list[Section]:
    """What the data is: the profile where one was made, else what the training read."""
    if profile is not None:
        return section("The data", _profile_lines(profile))
    started = manifest_history.latest(manifest, "training", "started")
    found = started.detail.get("data") if started else None
    if not isinstance(found, dict):
        return []
    facts = {"Objects": "objects", "Bytes": "bytes", "Digest": "digest"}
    return section("The data", [f"{name:<12}  {found.get(key)}" for name, key in facts.items()])


def _profile_lines(profile: JsonObject) -> list[str]:
    """Lenient: the profile's own page says what it may hold; what is not there is not shown."""
    totals = [
        f"{name:<12}  {value}"
        for name, value in profile.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    ]
    columns = profile.get("columns")
    named = columns.items() if isinstance(columns, dict) else _named(columns)
    shown = [line for name, column in named if (line := _column(name, column))]
    more = [f"... and {len(shown) - _SHOWN_COLUMNS} more columns"]
    return [*totals[:10], *shown[:_SHOWN_COLUMNS], *(more if len(shown) > _SHOWN_COLUMNS else [])]


def _named(columns: JsonValue) -> list[tuple[str, JsonValue]]:
    listed = columns if isinstance(columns, list) else []
    return [(str(c.get("name", "")), c) for c in listed if isinstance(c, dict)]


def _column(name: str, column: JsonValue) -> str:
    if not isinstance(column, dict):
        return ""
    parts = [
        f"{key} {column[key]}"
        for key in ("type", "missing", "distinct", "min", "max")
        if isinstance(column.get(key), int | float | str)
    ]
    return f"{name}: {', '.join(parts)}" if parts else ""


def spent(jobs: Sequence[Job]) -> list[Section]:
    """What the run's jobs are estimated to have cost, where any has ended."""
    return section("Estimated cost so far", costs.statement(jobs))


def _short(value: JsonObject) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
