"""What people read: golden files of the e-mails, and the forms for webhooks.

The golden files were read by a person. With SIGNALBOX_WRITE_GOLDEN=1 this file writes them
anew; the difference is then what to review.
"""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from signalbox import (
    data_profiles,
    delivery,
    manifest_diff,
    manifest_history,
    messages_decisions,
    messages_outcomes,
)
from signalbox.archive import WorkloadFiles
from signalbox.decisions import GateDecision, Outcome, entry_of
from signalbox.delivery import Standing
from signalbox.evidence import ChampionMetrics
from signalbox.gates import Gate
from signalbox.jobs import Job, JobKind, JobName
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.messages import Message
from signalbox.messages_decisions import Ask, Wait
from signalbox.messages_json import WebhookKind, to_body
from signalbox.messages_outcomes import Failure, Run
from signalbox.messages_text import to_text
from signalbox.release import plan_run

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
ADA = "arn:aws:sts::123456789012:assumed-role/Reviewer/ada"
GRACE = "arn:aws:iam::123456789012:user/grace"
VERDICT = {
    "accepted": True,
    "reasons": [
        "regression_metrics.rmse.value is 54.1, as asked: at most 65",
        "regression_metrics.rmse.value 54.1 holds against the champion's 56.6",
    ],
    "metrics": {"regression_metrics.rmse.value": 54.1, "regression_metrics.r2.value": 0.48},
}
PROFILE = {
    "rows": 442,
    "duplicateRows": 3,
    "columns": {
        "age": {"type": "number", "missing": 0, "distinct": 58, "min": 19.0, "max": 79.0},
        "sex": {"type": "category", "missing": 2, "distinct": 2, "values": ["1", "2"]},
        "name": {"type": "text", "missing": 0, "distinct": 1000, "distinctIsExact": False},
    },
}
CHAMPION = ChampionMetrics(
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/3",
    {"regression_metrics.rmse.value": 56.6},
)


TRAIN_JOB = JobName(JobKind.TRAINING, "signalbox-dev-train-261121-093005-2867b0-1-0")
JOBS = (
    Job(JobName(JobKind.PROCESSING, "p-1-0"), "Preprocess", "ml.m5.large", 1, 63.0, True),
    Job(TRAIN_JOB, "Train", "ml.m5.xlarge", 2, 3600.0, True),
)
LOG = (
    "epoch 1",
    "Traceback (most recent call last):",
    '  File "train.py", line 3',
    "KeyError: 'y'",
)


@pytest.fixture
def manifest(author, platform, started) -> ResolvedManifest:
    """A run that grace released and that registered a model."""
    made = resolved(author, platform, replace(started, released_by=GRACE))
    detail = {"verdict": VERDICT, "modelPackageArn": "arn:aws:sagemaker:::model-package/g/4"}
    entry = manifest_history.entry("training", "registered", "train-1", at=NOW, detail=detail)
    return manifest_history.append(made, entry)


@pytest.fixture
def previous(author, platform, started) -> ResolvedManifest:
    """The run before, with another hyperparameter."""
    before = json.loads(json.dumps(author))
    before["train"]["hyperparameters"]["alpha"] = 0.1
    return resolved(before, platform, replace(started, execution_id="the one before"))


def resolved(author: dict[str, Any], platform: Any, started: Any) -> ResolvedManifest:
    scripts = ("preprocess.py", "train.py", "evaluate.py", "inference.py")
    files = dict.fromkeys(scripts, b"print(1)\n")
    files["manifest.json"] = json.dumps(author).encode()
    return plan_run(WorkloadFiles("", files), platform, started).manifest


def ask(manifest: ResolvedManifest, previous: ResolvedManifest, gate: Gate) -> Ask:
    wait = Wait(gate, "act-1", "token-1", NOW, NOW + timedelta(days=7))
    return Ask(
        manifest=manifest,
        wait=wait,
        region="us-east-1",
        app="signalbox",
        previous=previous,
        champion=CHAMPION,
        profile=data_profiles.document({"source/patients.csv": PROFILE}),
        jobs=() if gate is Gate.UPLOAD_SOURCE_DATA else JOBS,
    )


def with_rule(manifest: ResolvedManifest, rule: str, **sections: Any) -> ResolvedManifest:
    """The manifest with a rule for the gate before training, and keys of `data` replaced."""
    document = manifest.model_dump(mode="json", by_alias=True)
    document["workload"]["approvals"]["uploadSourceData"] = rule
    document["workload"]["data"] |= sections
    return ResolvedManifest.model_validate_json(json.dumps(document))


def run_of(manifest: ResolvedManifest | None) -> Run:
    return Run(
        id="261121-093005-2867b0",
        execution_id="f4f5a1de-2c0f-4a57-9d2b-6d1a5f0c7b11",
        pipeline="signalbox-dev-workflow",
        environment="dev",
        region="us-east-1",
        manifest=manifest,
        jobs=JOBS if manifest else (),
    )


CAUSE = json.dumps(
    {
        "TrainingJobName": "signalbox-dev-train-261121-093005-2867b0-1-0",
        "FailureReason": 'AlgorithmError: ExecuteUserScriptError: "no column target"',
    }
)


def every_message(manifest: ResolvedManifest, previous: ResolvedManifest) -> dict[str, Message]:
    model = ask(manifest, previous, Gate.APPROVE_MODEL)
    failure = Failure(
        "act-2", "Train", "States.TaskFailed", CAUSE, "Train", "arn:aws:states:e:1", TRAIN_JOB, LOG
    )
    rejected = GateDecision(Gate.APPROVE_MODEL, Outcome.REJECTED, ADA, "too slow", NOW, "act-1")
    expired = GateDecision(Gate.UPLOAD_SOURCE_DATA, Outcome.EXPIRED, "", "", NOW, "act-1")
    return {
        "ask_model": messages_decisions.ask(model),
        "ask_data": messages_decisions.ask(ask(manifest, previous, Gate.UPLOAD_SOURCE_DATA)),
        "ask_rows": messages_decisions.ask(ask(manifest, previous, Gate.UPLOAD_INFERENCE_DATA)),
        "remind": messages_decisions.remind(model, 2),
        "failed": messages_outcomes.failed(run_of(manifest), failure),
        "failed_early": messages_outcomes.failed(
            run_of(None), Failure("act-0", "Prepare", "JobFailed", "manifest.json has 1 problem")
        ),
        "rejected": messages_outcomes.ended_at_gate(run_of(manifest), rejected),
        "expired": messages_outcomes.ended_at_gate(run_of(manifest), expired),
        "succeeded": messages_outcomes.succeeded(run_of(manifest)),
    }


NAMES = (
    "ask_model", "ask_data", "ask_rows", "remind", "failed", "failed_early", "rejected", "expired",
    "succeeded",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_e_mail_reads_as_its_golden_file(manifest, previous, name):
    message = every_message(manifest, previous)[name]
    text = f"Subject: {message.subject}\n\n{to_text(message)}"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SIGNALBOX_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


OPEN = "Open the gate by hand, without accepted data, with the AWS command line"
APPROVE = "Approve with the AWS command line"
UPLOAD = "Upload a file with the AWS command line"
STANDING = {"source": "datasets/standing"}


@pytest.mark.parametrize(
    ("rule", "data", "said", "purposes"),
    [
        ("on-upload", {}, "the gate opens by itself and training starts", {UPLOAD, OPEN}),
        ("on-upload", {"files": 3}, "Upload the 3 files under", {UPLOAD, OPEN}),
        ("manual", {}, "once it is approved, training starts", {UPLOAD, APPROVE}),
        ("on-upload", STANDING, "nothing is to be uploaded", {APPROVE}),
        ("manual", STANDING, "nothing is to be uploaded", {APPROVE}),
    ],
)
def test_a_gate_for_data_says_what_opens_it(manifest, rule, data, said, purposes):
    given = ask(with_rule(manifest, rule, **data), manifest, Gate.UPLOAD_SOURCE_DATA)

    message = messages_decisions.ask(given)

    assert said in message.summary[0]
    assert message.summary[1].startswith("Upload by" if OPEN in purposes else "Decide by")
    assert {c.purpose for c in message.commands} & {OPEN, APPROVE, UPLOAD} == purposes


@pytest.mark.parametrize("name", NAMES)
def test_prose_fits_a_mail_reader_and_commands_stay_whole(manifest, previous, name):
    message = every_message(manifest, previous)[name]
    commands = {command.line for command in message.commands}

    long = [line for line in to_text(message).splitlines() if len(line) > 78]

    assert all(line.strip() in commands or "://" in line for line in long)
    assert len(message.subject) < 100
    assert message.subject.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_every_webhook_form_names_the_message_and_its_commands(manifest, previous, name):
    message = every_message(manifest, previous)[name]

    for kind in WebhookKind:
        text = json.dumps(to_body(message, kind))
        assert message.run_id in text
        assert all(json.dumps(c.line.split()[0])[1:-1] in text for c in message.commands)
    assert len(to_body(message, WebhookKind.SLACK)["blocks"]) <= 50  # type: ignore[arg-type]
    assert Message.model_validate_json(message.model_dump_json()) == message


def test_a_job_that_printed_nothing_is_said_to_have_printed_nothing(manifest):
    failure = Failure("act-2", "Train", "States.Timeout", "", "Train", job=TRAIN_JOB)

    text = to_text(messages_outcomes.failed(run_of(manifest), failure))

    assert "(it printed nothing)" in text
    assert (
        f"The whole log: group /aws/sagemaker/TrainingJobs, streams\n    {TRAIN_JOB.name}/" in text
    )


def test_an_endpoint_is_told_with_what_it_costs_while_it_stands(author, platform, started):
    author["inference"] = {"mode": "endpoint", "instanceType": "ml.c5.xlarge", "instanceCount": 2}

    message = messages_outcomes.succeeded(run_of(resolved(author, platform, started)))

    # Twice the 0.204 USD of the price table.
    assert "an estimated 0.408 USD an hour (2 x ml.c5.xlarge, us-east-1" in message.summary[1]


def test_a_reason_cannot_call_a_channel_in_slack(manifest):
    decision = GateDecision(
        Gate.APPROVE_MODEL, Outcome.REJECTED, ADA, "<!channel> & <@U1>", NOW, "act-1"
    )

    body = to_body(messages_outcomes.ended_at_gate(run_of(manifest), decision), WebhookKind.SLACK)

    assert "<!channel>" not in json.dumps(body["blocks"])


def test_only_what_somebody_decided_is_a_change(manifest, previous):
    assert manifest_diff.changes(previous, manifest) == [
        "/train/hyperparameters/alpha: 0.5, was 0.1",
        "the files of the workload differ",
    ]
    assert manifest_diff.changes(manifest, manifest) == []


def test_a_decision_heard_of_late_stands_where_it_happened(manifest):
    early = GateDecision(
        Gate.UPLOAD_SOURCE_DATA, Outcome.APPROVED, ADA, "", NOW - timedelta(hours=1), "act-0"
    )
    late = GateDecision(
        Gate.APPROVE_MODEL, Outcome.APPROVED, ADA, "", NOW + timedelta(hours=1), "act-1"
    )
    entries = [entry_of(early), entry_of(late)]
    one, other = manifest, manifest
    for entry in entries:
        one = manifest_history.place(one, entry)
    for entry in [*reversed(entries), *entries]:
        other = manifest_history.place(other, entry)

    assert one == other
    assert [known.phase for known in one.history] == ["gate", "training", "gate"]


@pytest.mark.parametrize(
    ("owner", "after", "sent", "expected"),
    [
        ("a", timedelta(0), False, Standing.OURS),
        ("b", timedelta(minutes=4), False, Standing.IN_FLIGHT),
        ("b", timedelta(minutes=5), False, Standing.OURS),
        ("", timedelta(0), False, Standing.IN_FLIGHT),
        ("a", timedelta(days=1), True, Standing.SENT),
    ],
)
def test_who_may_send_a_claimed_message(manifest, owner, after, sent, expected):
    message = messages_outcomes.succeeded(run_of(manifest))
    claim = delivery.claim(message, "a", NOW)
    known = delivery.sent(claim, NOW) if sent else claim

    assert delivery.standing(known, owner, NOW + after) is expected
