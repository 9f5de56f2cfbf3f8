"""The report of one run: one HTML page that needs nothing else. Rules only: values in, text out.

Everything that comes from data, scripts or people is escaped: by jinja2 in the page, by markupsafe
in the drawings.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from signalbox import data_profiles, report_charts, report_plots
from signalbox.evaluations import Evaluation, shown_metrics
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.prediction_metrics import name_of
from signalbox.predictions import Predictions
from signalbox.report_charts import Pair, number

FILE_NAME = "index.html"
PROFILE_NAME = "data-profile.json"


@dataclass(frozen=True)
class Model:
    """What the evaluation of one model left."""

    evaluation: Evaluation
    predictions: Predictions | None


@dataclass(frozen=True)
class Evidence:
    """All that a report tells; `verdict` is the judge's answer, `jobs` are ARNs by step."""

    manifest: ResolvedManifest
    verdict: JsonObject
    challenger: Model
    champion: Model | None
    profiles: JsonObject | None
    data: JsonObject
    jobs: Mapping[str, str]
    attempt: str
    execution: str
    model_data_url: str
    built_at: str


def render(evidence: Evidence) -> str:
    """The page as UTF-8 text."""
    return _template().render(
        manifest=evidence.manifest,
        verdict=evidence.verdict,
        unmet=list(_texts(evidence.verdict.get("unmet"))),
        metrics=_metric_chart(evidence),
        comparisons=_objects(evidence.verdict.get("comparisons")),
        slices=_objects(evidence.verdict.get("slices")),
        plots=report_plots.plots(
            evidence.manifest.workload.problem,
            evidence.manifest.workload.data.label or "label",
            evidence.challenger.predictions,
            evidence.champion.predictions if evidence.champion else None,
        ),
        sampled=_sampled(evidence.challenger.predictions),
        profiles=_profiles(evidence.profiles),
        lineage=list(_lineage(evidence)),
        evidence=evidence,
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: "–" if value is None else number(value)
    environment.filters["metric"] = name_of
    return environment.get_template("report.html.j2")


def _texts(value: object) -> Iterator[str]:
    yield from (str(one) for one in value) if isinstance(value, list) else ()


def _objects(value: object) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _metric_chart(evidence: Evidence) -> Markup | None:
    shown = shown_metrics(evidence.challenger.evaluation, [])
    other = shown_metrics(evidence.champion.evaluation, []) if evidence.champion else {}
    pairs = [Pair(name_of(path), value, other.get(path)) for path, value in shown.items()]
    return report_charts.metric_chart(pairs) if pairs else None


def _sampled(predictions: Predictions | None) -> str:
    if predictions is None or len(predictions) == predictions.total_rows:
        return ""
    return f"{len(predictions):,} rows, drawn at random from {predictions.total_rows:,}"


@dataclass(frozen=True)
class ColumnRow:
    """One column of the data profile, ready to be shown."""

    name: str
    kind: str
    missing: str
    distinct: str
    least: str
    median: str
    most: str
    histogram: Markup | None


@dataclass(frozen=True)
class FileTable:
    """One file of training data, ready to be shown."""

    file: str
    rows: str
    columns: list[ColumnRow]


def _profiles(profiles: JsonObject | None) -> list[FileTable]:
    """The files of training data that were looked into; what is not told is left blank."""
    return [
        FileTable(
            file=one.file.partition("/")[2],
            rows=f"{one.rows:,} rows, {one.repeated_rows:,} of them repeated",
            columns=[_column(name, column, one.rows) for name, column in one.columns.items()],
        )
        for one in data_profiles.files(profiles)
        if one.is_trained_on and one.rows is not None
    ]


def _column(name: str, column: Mapping[str, Any], rows: object) -> ColumnRow:
    found = column.get("distinct")
    exactly = "" if column.get("distinctIsExact", True) else "over "
    quantiles = column.get("quantiles")
    counts = (column.get("histogram") or {}).get("counts")
    return ColumnRow(
        name=name,
        kind=str(column.get("type", "")),
        missing=_missing(column.get("missing"), rows),
        distinct=f"{exactly}{found:,}" if _is_count(found) else "",
        least=_maybe_number(column.get("min")),
        median=_maybe_number((quantiles or {}).get("0.5")),
        most=_maybe_number(column.get("max")),
        histogram=_spark(counts),
    )


def _missing(missing: object, rows: object) -> str:
    if not (isinstance(missing, int) and isinstance(rows, int) and rows):
        return ""
    return f"{missing:,} ({missing / rows:.1%})"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _spark(counts: object) -> Markup | None:
    usable = isinstance(counts, list) and counts and all(map(_is_count, counts))
    return report_charts.spark(counts) if usable else None  # type: ignore[arg-type]


def _maybe_number(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return number(value) if is_number else ""  # type: ignore[arg-type]


def _lineage(evidence: Evidence) -> Iterator[tuple[str, str]]:
    manifest = evidence.manifest
    run = manifest.run
    yield "Run", f"{run.id}, attempt {evidence.attempt}"
    yield "Pipeline execution", f"{run.pipeline} / {run.execution_id}"
    yield "State machine execution", evidence.execution
    yield "Source revision", f"{run.source.revision_id} ({run.source.revision_summary})"
    yield "Source archive", run.source.digest
    yield "Code", run.code_digest
    yield "Data", f"{evidence.data.get('digest')} in {manifest.locations.source}/"
    yield "Data size", f"{evidence.data.get('objects')} objects, {evidence.data.get('bytes')} bytes"
    for step, arn in evidence.jobs.items():
        yield f"Job {step}", arn
    yield from _images(manifest)
    yield "Model", evidence.model_data_url
    champion = evidence.verdict.get("champion")
    if isinstance(champion, dict):
        yield "Champion", str(champion.get("modelPackageArn"))
    yield "Manifest", manifest.locations.manifest


def _images(manifest: ResolvedManifest) -> Iterator[tuple[str, str]]:
    images = manifest.images
    used = (images.preprocess, images.train, images.evaluate, images.inference)
    for image in dict.fromkeys(used):
        yield "Image", image
