"""What a person does with what serves: look, explain, take back, by the command's own processes."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from signalbox import serving
from signalbox.serving import Deployment, DeploymentStatus, ServingRecord
from signalbox_cli.runs import RunView
from tests.scenarios import exercise, stories
from tests.scenarios.conftest import Laptop

WORKLOAD = "taken-back"


def _files() -> dict[str, str]:
    files = exercise.diabetes_files()
    approvals = dict.fromkeys(
        ("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic"
    )
    manifest = json.loads(files["manifest.json"]) | {"name": WORKLOAD, "approvals": approvals}
    manifest["inference"] = {**manifest["inference"], "mode": "endpoint"}
    manifest["data"] = {**manifest["data"], "source": "datasets/taken-back"}
    return {**files, "manifest.json": json.dumps(manifest)}


@pytest.fixture(scope="module")
def endpoint(shared_laptop: Laptop, sample: Any) -> str:
    """An endpoint that two releases have deployed to, one after the other."""
    served = shared_laptop
    wiring, s3 = served.target.wiring(), served.target.client("s3")
    source = sample("diabetes").source
    s3.upload_file(str(source), wiring.workflow_bucket, "datasets/taken-back/data.csv")
    runs = [stories.run_to_end(served, stories.archive(_files())) for _ in range(2)]
    assert [run.status for run in runs] == ["Succeeded", "Succeeded"], [r.error for r in runs]
    name = f"{served.target.prefix}-{WORKLOAD}"
    _record_if_nobody_did(served, name, runs)
    return name


def _record_if_nobody_did(served: Laptop, name: str, runs: list[RunView]) -> None:
    """The serving record, as long as the inference machine does not write one."""
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    key = serving.record_key(name)
    if key in stories.objects_under(served, key):
        return
    record = ServingRecord(endpoint=name)
    for run in runs:
        output = stories.output_of(served, run, "Inference")
        new = Deployment(
            key=run.run_id,
            at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            run_id=run.run_id,
            model_package_arn=output["modelPackageArn"],
            version=serving.version_of(output["modelPackageArn"]),
            endpoint_config=output["endpointConfig"],
            model=output["model"],
            status=DeploymentStatus.SERVING,
        )
        record = serving.deployed(record, new)
    s3.put_object(Bucket=bucket, Key=key, Body=serving.to_json(record))


def said(served: Laptop, *arguments: str) -> Any:
    """What a command answers as JSON."""
    return json.loads(served.signalbox(*arguments, "--json").stdout)


def test_what_serves_is_shown_explained_and_taken_back_once(served: Laptop, endpoint: str) -> None:
    newest, oldest = said(served, "models", WORKLOAD)
    assert (newest["serves"], oldest["serves"]) == ({"dev": "serving"}, {"dev": "superseded"})
    assert newest["metrics"]["regression_metrics.rmse.value"] > 0
    (live,) = [one for one in said(served, "endpoints") if one["endpoint"] == endpoint]
    assert live["modelPackageArn"] == newest["arn"]
    assert "signalbox rollback taken-back" in served.signalbox("explain", f"{WORKLOAD}/2").stdout

    first = said(served, "rollback", WORKLOAD, "--reason", "it drifts")
    again = said(served, "rollback", WORKLOAD, "--reason", "it drifts")

    assert (first["changed"], again["changed"]) == (True, False)
    (live,) = [one for one in said(served, "endpoints") if one["endpoint"] == endpoint]
    assert (live["modelPackageArn"], live["status"]) == (oldest["arn"], "InService")
    newest, oldest = said(served, "models", WORKLOAD)
    assert (newest["serves"], oldest["serves"]) == ({"dev": "rolled-back"}, {"dev": "serving"})
    assert "it drifts" in newest["rolledBack"]


def test_traffic_is_drawn_in_the_terminal(served: Laptop, endpoint: str) -> None:
    body = b"0.04,1,0.06,0.02,-0.04,-0.03,-0.04,-0.002,0.02,-0.02\n"
    runtime = served.target.client("sagemaker-runtime")
    for _ in range(5):
        runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")
    time.sleep(1)

    shown = served.signalbox("traffic", WORKLOAD, "--watch", "--looks", "2").stdout

    assert shown.count(f"{endpoint} InService") == 2
    assert "requests/s" in shown


def test_a_version_nobody_approved_is_not_promoted(served: Laptop, endpoint: str) -> None:
    done = served.signalbox("promote", f"{WORKLOAD}/1", "--to", "prod", check=False)

    assert done.returncode == 1
    assert "does not lead to prod: it leads nowhere" in done.stderr
