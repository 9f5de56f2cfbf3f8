"""A CI asks whether an environment still trains and serves: by the command's own processes."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from signalbox import serving
from signalbox_cli import acceptance
from signalbox_cli.console import Output
from signalbox_cli.runs import machine_executions, read_run
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

pytestmark = [pytest.mark.slow]
DIABETES = REPOSITORY / "workloads" / "diabetes"
ENDPOINT = "signalbox-dev-diabetes-acceptance"


def accept(served: Laptop, step: str, folder: Path, output: Path) -> tuple[int, str, Any]:
    """Exit code, standard error, and acceptance.json."""
    done = served.signalbox("acceptance", step, str(folder), "--output", str(output), check=False)
    file = output / "acceptance.json"
    return done.returncode, done.stderr, json.loads(file.read_text()) if file.exists() else None


def endpoints(served: Laptop) -> list[str]:
    """Of the acceptance; SageMaker lists one that is being deleted until it is gone."""
    listed = served.target.client("sagemaker").list_endpoints(NameContains=ENDPOINT)["Endpoints"]
    return [one["EndpointName"] for one in listed if one["EndpointStatus"] != "Deleting"]


def test_a_version_is_trained_served_both_ways_and_taken_down(
    served: Laptop, tmp_path: Path
) -> None:
    code, said, trained = accept(served, "train", DIABETES, tmp_path)
    assert (code, trained["passed"]) == (0, None), said
    assert endpoints(served) in ([], [ENDPOINT])

    code, said, found = accept(served, "infer", DIABETES, tmp_path)

    assert (code, found["passed"]) == (0, True), said
    assert [(c["name"], c["rows"], c["differing"]) for c in found["checks"]] == [
        ("endpoint", 50, 0),
        ("batch transform", 50, 0),
    ]
    assert endpoints(served) == []
    version = served.target.client("sagemaker").describe_model_package(
        ModelPackageName=found["modelPackageArn"]
    )
    assert version["ModelApprovalStatus"] == "Approved"
    assert found["modelPackageArn"].split("/")[1] == ENDPOINT
    bucket = served.target.wiring().workflow_bucket
    body = served.target.client("s3").get_object(Bucket=bucket, Key=serving.record_key(ENDPOINT))
    record = serving.from_json(body["Body"].read(), source="record")
    assert serving.serving(record) is None, "the reconciler would miss the endpoint"
    published = f"runs/{found['runId']}/acceptance/acceptance.md"
    assert stories.objects_under(served, published) == [published]


def executions(served: Laptop, status: str) -> list[str]:
    """Inference executions of the acceptance."""
    listed = served.target.client("stepfunctions").list_executions(
        stateMachineArn=served.target.wiring().inference_machine_arn, statusFilter=status
    )["executions"]
    return [one["executionArn"] for one in listed]


class Interrupted(Output):
    """Ctrl-C once the command tells of the first state of the inference machine."""

    is_inference = False

    def note(self, text: str) -> None:
        self.is_inference = self.is_inference or "Inference" in text
        if self.is_inference and text.startswith("    "):
            raise KeyboardInterrupt


def test_an_acceptance_that_is_interrupted_leaves_no_machine_and_no_endpoint(
    served: Laptop, tmp_path: Path
) -> None:
    """The machine would go on, make the endpoint, and nobody would delete it."""
    target, quiet = served.target, Output(quiet=True)
    trained = acceptance.train(target, DIABETES, data=None, commit="", output=quiet)

    with pytest.raises(KeyboardInterrupt):
        acceptance.infer(target, trained, output=Interrupted(quiet=True), keep_endpoint=False)

    assert executions(served, "RUNNING") == []
    assert endpoints(served) == []
    run = read_run(target, trained.execution_id)
    assert (run.status, len(machine_executions(run))) == ("Stopped", 2)


def changed(tmp_path: Path, file: str, before: str, after: str) -> Path:
    """The example with one text of a file replaced."""
    folder = copytree(DIABETES, tmp_path / "diabetes")
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))
    return folder


def test_a_model_below_its_gates_is_refused_and_nothing_is_left_waiting(
    served: Laptop, tmp_path: Path
) -> None:
    folder = changed(tmp_path, "manifest.json", '"max": 65.0', '"max": 1.0')

    code, said, found = accept(served, "train", folder, tmp_path)

    assert (code, found) == (3, None)
    assert "was refused: " in said
    assert json.loads(served.signalbox("gates", "--json").stdout) == []


def test_data_that_is_refused_stops_the_run(served: Laptop, tmp_path: Path) -> None:
    """A run left at its gate would hold up every later run of a QUEUED pipeline."""
    rows = tmp_path / "source.csv"
    header = "age,sex,bmi,blood_pressure,s1,s2,s3,s4,s5,s6,progression"
    rows.write_text("\n".join([header, *["59,2,32.1,oh,157,93.2,38,4,4.8,87,151"] * 3]))

    done = served.signalbox(
        *("acceptance", "train", str(DIABETES), "--data", str(rows), "--output", str(tmp_path)),
        check=False,
    )

    assert done.returncode == 1
    assert "the data was refused" in done.stderr
    assert json.loads(served.signalbox("gates", "--json").stdout) == []
    newest = json.loads(served.signalbox("status", "--limit", "1", "--json").stdout)[0]
    assert newest["status"] == "Stopped"
