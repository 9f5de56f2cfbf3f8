"""build_report: what an evaluation left in, one page out."""

import json
from typing import Any

import pytest

from functions import build_report
from signalbox import data_profiles
from signalbox.errors import EventError
from signalbox.manifest_resolved import from_json, to_json
from tests.contracts.machine_inputs import resolved_manifest

RUN = "261121-093005-2867b0"
WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"
EVALUATION = {"regression_metrics": {"rmse": {"value": 54.25}}}


def put(world: Any, name: str, content: str | bytes) -> None:
    world.s3.put_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/{name}", Body=content)


@pytest.fixture
def judged(world):
    """A run whose model has been evaluated; the script left metrics and nothing else."""
    text = json.dumps(resolved_manifest()).replace("261121-000642-abc123", RUN)
    put(world, "manifest.json", to_json(from_json(text.encode(), source="the test")))
    put(world, "evaluation/1/evaluation.json", json.dumps(EVALUATION))
    return world


def build(world: Any, **changes: Any) -> str:
    answer = build_report.handler({**world.event("build_report"), **changes}, None)
    assert answer == {"uri": f"s3://{WORKFLOW}/runs/{RUN}/report/index.html"}
    stored = world.s3.get_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/report/index.html")
    assert stored["ContentType"] == "text/html; charset=utf-8"
    page: str = stored["Body"].read().decode()
    return page


def keep_profiles(judged, files):
    put(judged, "report/data-profile.json", json.dumps(data_profiles.document(files)))


def test_metrics_alone_make_a_report(judged):
    page = build(judged)

    assert "54.25" in page
    assert '<section id="verdict">' in page
    assert '<section id="lineage"' in page
    for absent in ("plots", "slices", "profile"):
        assert f'<section id="{absent}">' not in page


def test_predictions_data_profile_and_champion_are_shown_where_they_are(judged):
    rows = "expected,predicted\n" + "".join(f"{row},{row + 1}\n" for row in range(30))
    put(judged, "evaluation/1/predictions.csv", rows)
    put(judged, "evaluation/1/champion/predictions.csv", rows)
    champion = {"regression_metrics": {"rmse": {"value": 56.5}}}
    put(judged, "evaluation/1/champion/evaluation.json", json.dumps(champion))
    column = {
        "type": "number",
        "missing": 3,
        "distinct": 1000,
        "distinctIsExact": False,
        "min": 19.0,
        "max": 79.0,
        "quantiles": {"0.5": 50.0},
        "histogram": {"from": 19.0, "to": 79.0, "counts": [1, 2, 3]},
    }
    profile = {"rows": 300, "columns": {"age": column, "odd": "not a column"}}
    keep_profiles(judged, {"source/people.csv": profile, "inference/rows.csv": {"rows": 7}})

    page = build(judged)

    for heading in ("Predicted against actual", "Residuals", "Rows within an error"):
        assert f"<h3>{heading}</h3>" in page
    assert "56.5" in page
    assert "people.csv: 300 rows" in page
    assert "rows.csv: 7 rows" not in page
    assert "3 (1.0%)" in page
    assert "over 1,000" in page
    assert page.count('class="line champion"') == 1


def test_a_second_attempt_replaces_the_report(judged):
    first = build(judged)
    second = build(judged, attempt="2")

    assert f"{RUN}, attempt 1" in first
    assert f"{RUN}, attempt 2" in second


def test_what_comes_from_data_and_scripts_is_text_and_never_markup(judged):
    """Class names, slices, reasons, columns: all of them are somebody else's."""
    bad = '"><script>alert(1)</script>'
    keep_profiles(judged, {f"source/{bad}": {"rows": 1, "columns": {bad: {"type": bad}}}})
    put(
        judged,
        "evaluation/1/evaluation.json",
        json.dumps({bad.replace(".", ""): {f"rmse{bad}": {"value": 1.0}}}),
    )
    verdict = judged.event("build_report")["verdict"]
    verdict |= {"reasons": [bad], "unmet": [bad]}
    verdict["slices"] = [
        {"column": bad, "value": bad, "rows": 1, "metric": bad, "measured": 1.0, "kept": None}
    ]

    page = build(judged, verdict=verdict)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_class_names_in_a_drawing_are_text(judged):
    text = json.dumps(resolved_manifest()).replace("261121-000642-abc123", RUN)
    manifest = json.loads(text)
    manifest["workload"]["problem"] = "multiclass_classification"
    manifest["workload"]["evaluate"]["slices"] = []
    put(judged, "manifest.json", json.dumps(manifest))
    rows = "expected,predicted,probability\n<i>,<b>,0.5\n<b>,<b>,0.75\n"
    put(judged, "evaluation/1/predictions.csv", rows)

    page = build(judged)

    assert "<i>" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "<h3>Calibration</h3>" in page


def test_nothing_is_loaded_from_anywhere(judged):
    page = build(judged)

    for loading in (" src=", "@import", "url(", "<script", "<iframe"):
        assert loading not in page
    assert "default-src 'none'" in page


def test_an_event_that_names_no_verdict_is_refused(judged):
    event = judged.event("build_report")
    del event["verdict"]

    with pytest.raises(EventError, match="/verdict"):
        build_report.handler(event, None)
