"""What people are told is enough to act on and reaches them once; two doors, one decision."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.naming import LIVE
from signalbox_cli import inbox
from signalbox_cli.inbox import Letter
from signalbox_cli.runs import RunView, read_manifest, read_run
from signalbox_cli.sample_data import SampleData
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

MANUAL = {**stories.MANIFEST["approvals"], "approveModel": "manual"}
FOLDER = REPOSITORY / ".signalbox" / "inbox"


def letters_of(run_id: str) -> list[str]:
    """Subjects of the e-mails about a run."""
    found = [inbox.letter_at(path) for path in sorted(FOLDER.glob(f"*-email-*{run_id}*.txt"))]
    return [letter.subject for letter in found]


def await_letter(run: RunView, title: str) -> Letter:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        letter = inbox.await_letter(run.run_id, title, stories.PATIENCE_S)
    assert letter is not None, letters_of(run.run_id)
    return letter


def line_of(letter: Letter, purpose: str) -> list[str]:
    """The command line under a purpose, as words."""
    text = (REPOSITORY / letter.path).read_text(encoding="utf-8")
    found = re.search(rf"^  {re.escape(purpose)}:\n    (.+)$", text, re.M)
    assert found, text
    return shlex.split(found[1])


def follow(served: Laptop, letter: Letter, purpose: str, **filled: str) -> None:
    """Do what a letter says with the stock AWS command line, its blanks filled in."""
    words = [filled.get(word, word) for word in line_of(letter, purpose)]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aws")), *words[1:]],
        env=served.environment(),
        cwd=filled.get("cwd", str(REPOSITORY)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


UPLOAD, APPROVE = (f"{do} with the AWS command line" for do in ("Upload a file", "Approve"))


@pytest.mark.slow
def test_a_person_gets_from_release_to_predictions_by_the_messages_alone(
    served: Laptop, sample: Callable[[str], SampleData], tmp_path: Path
) -> None:
    files = sample("diabetes")
    execution_id = release_diabetes(served)

    run = stories.await_stage(served, execution_id, "UploadSourceData")
    letter = await_letter(run, "waits-for-training-data")
    assert "the gate opens by itself" in one_line(letter)
    follow(served, letter, UPLOAD, FILE=str(files.source))
    run = stories.await_stage(served, execution_id, "ApproveModel")
    letter = await_letter(run, "has-a-model-to-decide-on")
    assert "The model is accepted." in letter.text
    rows = len(files.source.read_text().splitlines()) - 1
    assert f"  source/{files.source.name}: {rows} rows, 0 of them repeated" in letter.text
    page = tmp_path / "report.html"
    served.signalbox("report", run.run_id, "--out", str(page))
    assert f"{files.source.name}: {rows} rows, 0 of them repeated" in page.read_text()
    follow(served, letter, APPROVE)
    stories.await_stage(served, execution_id, "UploadInferenceData")
    letter = await_letter(run, "waits-for-rows-to-predict")
    assert "the gate opens by itself" in one_line(letter)
    follow(served, letter, UPLOAD, FILE=str(files.inference))
    letter = await_letter(run, "finished")
    follow(served, letter, "Fetch the predictions", cwd=str(tmp_path))

    (predictions,) = (path for path in (tmp_path / "predictions").rglob("*") if path.is_file())
    assert len(predictions.read_text().split()) == len(files.inference.read_text().splitlines())
    assert len(letters_of(run.run_id)) == 4


def release_diabetes(served: Laptop, *options: str) -> str:
    """A run of the diabetes workload; its execution's id."""
    folder = str(REPOSITORY / "workloads" / "diabetes")
    released = served.signalbox("release", folder, *options, "--json")
    return str(json.loads(released.stdout)["executionId"])


def one_line(letter: Letter) -> str:
    return " ".join(letter.text.split())


@pytest.mark.slow
def test_data_gates_that_are_left_to_people_say_so_and_open_when_approved(
    served: Laptop, sample: Callable[[str], SampleData]
) -> None:
    files = sample("diabetes")
    gates = ("uploadSourceData", "uploadInferenceData")
    options = [word for gate in gates for word in ("--set", f"approvals.{gate}=manual")]
    execution_id = release_diabetes(served, *options, "--set", "approvals.approveModel=automatic")

    for gate, title, file in (
        ("UploadSourceData", "waits-for-training-data", files.source),
        ("UploadInferenceData", "waits-for-rows-to-predict", files.inference),
    ):
        run = stories.await_stage(served, execution_id, gate)
        letter = await_letter(run, title)
        assert "The manifest leaves this gate to people" in one_line(letter)
        follow(served, letter, UPLOAD, FILE=str(file))
        stories.await_accepted(served, run, gate)
        assert read_run(served.target, execution_id).waiting_gate == gate
        follow(served, letter, APPROVE)

    assert stories.await_end(served, execution_id).status == "Succeeded"


def at_model_gate(served: Laptop) -> RunView:
    """A run that waits for the decision on its model, and whose reviewers are told."""
    execution_id = stories.start(served, stories.with_manifest(approvals=MANUAL))
    run = stories.await_stage(served, execution_id, "ApproveModel")
    await_letter(run, "has-a-model-to-decide-on")
    return run


@pytest.mark.slow
@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_a_decision_in_the_registry_settles_the_gate(served: Laptop, status: str) -> None:
    run = at_model_gate(served)

    for _ in range(2):
        stories.decide_version(served, run, status, "seen by the board")
    ended = stories.await_end(served, run.execution_id)

    assert ended.status == ("Succeeded" if status == "Approved" else "Failed")
    gate = ended.action("ApproveModel")
    assert gate is not None
    assert "seen by the board" in gate.summary
    assert stories.await_version(served, run, status) == "seen by the board"


@pytest.mark.slow
@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_a_decision_at_the_gate_settles_the_version(served: Laptop, status: str) -> None:
    run = at_model_gate(served)
    verb = "approve" if status == "Approved" else "reject"

    served.signalbox(verb, "ApproveModel", "--run", run.run_id, "--reason", "seen by me")
    stories.await_end(served, run.execution_id)

    description = stories.await_version(served, run, status)
    assert "developer" in description
    assert "seen by me" in description
    entries = gate_entries(served, run)
    assert entries["ApproveModel"]["by"].endswith("user/developer")
    assert entries["ApproveModel"]["reason"] == "seen by me"


def gate_entries(
    served: Laptop, run: RunView, limit_s: float = stories.PATIENCE_S
) -> dict[str, dict[str, str]]:
    """The recorded decisions of a run by gate, once that about its model is there."""
    deadline = time.monotonic() + limit_s
    while True:
        history = read_manifest(served.target, run)["history"]
        found = {e["detail"]["gate"]: e["detail"] for e in history if e["phase"] == "gate"}
        if "ApproveModel" in found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.mark.slow
def test_rejecting_leaves_nothing_deployed_and_says_so(served: Laptop) -> None:
    manifest = {**stories.MANIFEST, "approvals": MANUAL, "inference": {"mode": "endpoint"}}
    packed = stories.archive(
        {
            **stories.FILES,
            "manifest.json": json.dumps({**manifest, "name": "refusable"}),
        }
    )
    run = stories.await_stage(served, stories.start(served, packed), "ApproveModel")
    await_letter(run, "has-a-model-to-decide-on")

    served.signalbox("reject", "ApproveModel", "--run", run.run_id, "--reason", "too slow")
    stories.await_end(served, run.execution_id)

    letter = await_letter(run, "rejected-at-ApproveModel")
    text = " ".join(letter.text.split())
    assert "Nothing of this run was deployed: endpoint signalbox-dev-refusable" in text
    assert "Reason: too slow" in text
    listed = served.target.client("sagemaker").list_endpoints(NameContains="refusable")
    assert listed["Endpoints"] == []


@pytest.mark.slow
def test_a_webhook_that_is_down_holds_nothing_back_and_loses_nothing(served: Laptop) -> None:
    """The message waits in the queue, goes to the dead-letter queue, and can be sent from there."""
    secrets, name = served.target.client("secretsmanager"), f"{served.target.prefix}-webhook"
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    nobody = {"url": "http://localhost:9/nobody", "signingSecret": "laptop-webhook-secret"}
    forget_the_secret(served)
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(nobody))
    try:
        run = at_model_gate(served)  # the e-mail is there all the same

        lost = json.loads(stories.await_dead_letter(served, run.run_id))
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)
        forget_the_secret(served)
    sqs = served.target.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(lost))

    assert lost["runId"] == run.run_id
    assert len(letters_of(run.run_id)) == 1
    deadline = time.monotonic() + stories.PATIENCE_S
    while not list(FOLDER.glob(f"*-webhook-{run.run_id}-ask-*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stories.decide_version(served, run, "Rejected", "done with")
    stories.await_end(served, run.execution_id)


def forget_the_secret(served: Laptop) -> None:
    """A new process reads the secret anew, as after five minutes."""
    function = f"{served.target.prefix}-webhook-sender"
    client = served.target.client("lambda")
    client.update_function_configuration(
        FunctionName=function, Description=f"changed at {time.monotonic()}"
    )
    version = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name=LIVE, FunctionVersion=version)


@pytest.mark.slow
def test_gates_explain_and_inbox_tell_what_waits(served: Laptop) -> None:
    run = at_model_gate(served)

    (gate,) = (
        g
        for g in json.loads(served.signalbox("gates", "--json").stdout)
        if g["runId"] == run.run_id
    )
    explained = served.signalbox("explain", run.run_id).stdout
    listed = served.signalbox("inbox").stdout

    assert gate["gate"] == "ApproveModel"
    assert gate["waitsFor"] == "a reviewer"
    assert "It waits at ApproveModel for a reviewer" in explained
    assert f"signalbox approve ApproveModel --run {run.run_id}" in explained
    assert run.run_id in listed
    stories.decide_version(served, run, "Rejected", "done with")
    assert read_run(served.target, run.execution_id).run_id == run.run_id
    stories.await_end(served, run.execution_id)


@pytest.mark.slow
def test_a_failure_is_one_message_with_its_cause_and_the_way_on(served: Laptop) -> None:
    run = stories.run_to_end(served, stories.smallest(train_py="raise SystemExit('no rows')"))

    letter = await_letter(run, "failed-in-Train")
    time.sleep(1)  # for the other three events of the failure, which find it told

    assert "no rows" in letter.text
    assert "State         Train" in letter.text
    assert "retry-stage-execution" in letter.text
    assert [s for s in letters_of(run.run_id) if "failed" in s] == [letter.subject]
