"""The report of a real run: what it says, and what a browser makes of it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.sample_data import SampleData
from tests.scenarios import chromium, stories
from tests.scenarios.conftest import REPOSITORY, Laptop

AUTOMATIC = dict.fromkeys(("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic")


def released(served: Laptop, workload: str, source: Path, **evaluate: Any) -> RunView:
    """A run of a workload under a name of its own, with nobody asked, to its end."""
    name, s3 = f"report-{workload.replace('_', '-')}"[:31], served.target.client("s3")
    s3.upload_file(
        str(source), served.target.wiring().workflow_bucket, f"datasets/{name}/source.csv"
    )
    folder = REPOSITORY / "workloads" / workload
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"name": name, "inference": {"mode": "none"}, "approvals": AUTOMATIC}
    manifest["data"]["source"] = f"datasets/{name}"
    manifest["evaluate"] |= evaluate
    files = {path.name: path.read_bytes() for path in folder.glob("*.py")}
    packed = stories.archive({**files, "manifest.json": json.dumps(manifest)})
    started = release_archive(served.target, packed, key="workloads/report.zip", options={})
    return stories.await_end(served, started.execution_id)


def judged(served: Laptop, run: RunView) -> dict[str, Any]:
    """The verdict in the run's manifest, and where its report is."""
    history = read_manifest(served.target, run)["history"]
    detail: dict[str, Any] = next(e["detail"] for e in history if "verdict" in e["detail"])
    return detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "headings"),
    [
        ("diabetes", ["Predicted against actual", "Residuals", "Rows within an error", "Slices"]),
        ("breast_cancer", ["ROC curve", "Precision and recall", "Calibration", "Confusion matrix"]),
    ],
)
def test_the_second_run_is_judged_and_reported_beside_the_first(
    served: Laptop,
    sample: Callable[[str], SampleData],
    workload: str,
    headings: list[str],
    tmp_path: Path,
) -> None:
    source = sample(workload).source
    first, second = (released(served, workload, source) for _ in range(2))

    assert (first.status, second.status) == ("Succeeded", "Succeeded"), second.error
    before, after = judged(served, first), judged(served, second)
    assert before["verdict"]["champion"] is None
    assert after["verdict"]["champion"]["problem"] == ""
    for one in after["verdict"]["comparisons"]:
        # The same data, script and seed: the same model, so no difference in any resample.
        assert one["challenger"] == one["champion"]
        assert (one["interval"]["low"], one["interval"]["high"]) == (0, 0)
    assert after["verdict"]["comparisons"]

    page = tmp_path / "index.html"
    served.signalbox("report", second.run_id, "--out", str(page))
    opened = chromium.open_page(page, tmp_path / "profile")

    assert opened.console == []
    assert opened.requested == ["/index.html"]
    assert set(headings) <= set(re.findall(r"<h[23]>(.*?)</h[23]>", opened.dom))
    for fact in (second.run_id, "Accepted", "on the same rows", "version 1", "processing-job/"):
        assert fact in opened.dom
    for reason in after["verdict"]["reasons"]:
        assert reason.partition(" (")[0] in opened.dom.replace("&amp;", "&")


@pytest.mark.slow
def test_a_refused_model_has_a_report_that_says_why(
    served: Laptop, sample: Callable[[str], SampleData], tmp_path: Path
) -> None:
    gates = [{"metric": "regression_metrics.rmse.value", "max": 1.0}]
    run = released(served, "diabetes", sample("diabetes").source, gates=gates, champion=[])
    assert run.is_refused

    page = tmp_path / "refused.html"
    served.signalbox("report", run.run_id, "--out", str(page))

    assert "Refused" in page.read_text()
    assert 'class="unmet">regression_metrics.rmse.value is' in page.read_text()


@pytest.mark.slow
def test_a_champion_that_the_new_script_cannot_load_is_not_compared_and_the_run_goes_on(
    served: Laptop,
) -> None:
    """The first version's model has no second file; the second version's script asks for it."""
    rule = {"metric": "regression_metrics.rmse.value", "better": "lower"}
    manifest = {**stories.MANIFEST, "name": "changed"}
    manifest["evaluate"] = {"gates": [], "champion": rule}
    files = {**stories.FILES, "manifest.json": json.dumps(manifest)}
    first = stories.run_to_end(served, stories.archive(files))
    files["train.py"] += 'Path("/opt/ml/model/more.txt").write_text("more")\n'
    files["evaluate.py"] = _ASKS_FOR_MORE + stories.EVALUATE
    second = stories.run_to_end(served, stories.archive(files))

    assert (first.status, second.status) == ("Succeeded", "Succeeded"), second.error
    reasons = judged(served, second)["verdict"]["reasons"]
    assert "Not compared with" in reasons[-1]
    assert "more.txt" in reasons[-1]


_ASKS_FOR_MORE = """
import tarfile
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as packed:
    packed.getmember("more.txt")
"""


def test_the_check_of_a_page_finds_what_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    page = tmp_path / "planted.html"
    page.write_text('<!doctype html><img src="beside.png"><script>console.error("oh")</script>')

    opened = chromium.open_page(page, tmp_path / "profile")

    assert "/beside.png" in opened.requested
    assert any("oh" in line for line in opened.console)
