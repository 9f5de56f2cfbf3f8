"""Messages that ask for a decision: one when a gate begins to wait, reminders before its deadline.

Rules only: imports no AWS client, reads no clock.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime

from signalbox import console_links, evidence
from signalbox.evidence import ChampionMetrics
from signalbox.gates import Gate, rule_of
from signalbox.jobs import Job
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.manifest_sections import GateRule
from signalbox.messages import Command, Kind, Link, Message, Section, subject


@dataclass(frozen=True)
class Wait:
    """One wait at one gate; the token lets the stock AWS command line decide it."""

    gate: Gate
    action_execution_id: str
    token: str
    since: datetime
    deadline: datetime


@dataclass(frozen=True)
class Ask:
    """Everything that a message about an open gate is made of."""

    manifest: ResolvedManifest
    wait: Wait
    region: str
    app: str
    previous: ResolvedManifest | None = None
    champion: ChampionMetrics | None = None
    profile: JsonObject | None = None
    jobs: tuple[Job, ...] = ()


def ask_key(action_execution_id: str) -> str:
    """The key of the message that asks."""
    return f"ask-{action_execution_id}"


def reminder_key(action_execution_id: str, number: int) -> str:
    """The key of a reminder."""
    return f"remind-{action_execution_id}-{number}"


def reminder_due(since: datetime, deadline: datetime, now: datetime) -> int | None:
    """Which reminder is due: 1 from half of the time on, 2 in its last tenth, none before.

    >>> from datetime import timedelta
    >>> start = datetime(2026, 11, 1)
    >>> week = start + timedelta(days=7)
    >>> [reminder_due(start, week, start + timedelta(days=d)) for d in (3, 4, 6.5, 7)]
    [None, 1, 2, None]
    """
    if now >= deadline:
        return None
    left = (deadline - now) / (deadline - since)
    if left <= 0.1:
        return 2
    return 1 if left <= 0.5 else None


def ask(given: Ask) -> Message:
    """The message of a gate that has begun to wait."""
    run, wait = given.manifest.run, given.wait
    return _message(
        given,
        Kind.DECISION,
        ask_key(wait.action_execution_id),
        f"[{run.environment}] {_title(given)}: run {run.id}",
        [_question(given), _deadline(given)],
    )


def remind(given: Ask, number: int) -> Message:
    """A reminder of a gate that still waits."""
    run, wait = given.manifest.run, given.wait
    last = "last reminder" if number == 2 else "reminder"
    return _message(
        given,
        Kind.REMINDER,
        reminder_key(wait.action_execution_id, number),
        f"[{run.environment}] {last}: {_title(given)}: run {run.id}",
        [f"Still waiting, since {moment(wait.since)}. {_question(given)}", _deadline(given)],
    )


def moment(at: datetime) -> str:
    """A moment for people, always UTC.

    >>> moment(datetime(2026, 11, 28, 9, 31))
    'Saturday, 28 November 2026, 09:31 UTC'
    """
    return f"{at:%A}, {at.day} {at:%B %Y, %H:%M} UTC"


def _message(given: Ask, kind: Kind, key: str, subject_text: str, summary: list[str]) -> Message:
    run = given.manifest.run
    return Message(
        kind=kind,
        key=key,
        run_id=run.id,
        workload=given.manifest.workload.name,
        environment=run.environment,
        subject=subject(subject_text),
        summary=summary,
        sections=_sections(given),
        commands=_commands(given),
        links=_links(given),
    )


def _title(given: Ask) -> str:
    name = given.manifest.workload.name
    titles = {
        Gate.UPLOAD_SOURCE_DATA: f"{name} waits for training data",
        Gate.APPROVE_MODEL: f"{name} has a model to decide on",
        Gate.UPLOAD_INFERENCE_DATA: f"{name} waits for rows to predict",
    }
    return titles[given.wait.gate]


def _question(given: Ask) -> str:
    manifest = given.manifest
    where = f"Run {manifest.run.id} of {manifest.workload.name} ({manifest.run.environment})"
    questions = {
        Gate.UPLOAD_SOURCE_DATA: (
            f"{where} waits for its training data. {_way_through(given, 'training starts')}"
        ),
        Gate.APPROVE_MODEL: (
            f"{where} has trained and registered a model version. May it be used? Approving puts "
            f"it to use ({manifest.workload.inference.mode}); rejecting ends the run, and what "
            "serves now stays as it is."
        ),
        Gate.UPLOAD_INFERENCE_DATA: (
            f"{where} has an approved model and waits for data to predict from. "
            f"{_way_through(given, 'predicting starts')}"
        ),
    }
    return questions[given.wait.gate]


def _way_through(given: Ask, then: str) -> str:
    """How a gate that waits for data comes to open."""
    folder, files = _data_folder(given), given.manifest.workload.data.files
    if _has_standing_data(given):
        return (
            f"The manifest names what lies under {folder}/ and nothing is to be uploaded: look at "
            f"it and decide. Once the gate is approved, {then}."
        )
    is_several = files > 1 and given.wait.gate is Gate.UPLOAD_SOURCE_DATA
    many = f"the {files} files" if is_several else "it"
    if _opens_on_upload(given):
        return (
            f"Upload {many} under {folder}/ where what arrives is checked. Once the data is "
            f"accepted, the gate opens by itself and {then}."
        )
    return (
        f"Upload {many} under {folder}/ where what arrives is checked. The manifest leaves this "
        f"gate to people: once it is approved, {then}."
    )


def _data_folder(given: Ask) -> str:
    locations = given.manifest.locations
    is_source = given.wait.gate is Gate.UPLOAD_SOURCE_DATA
    return locations.source if is_source else locations.inference


def _has_standing_data(given: Ask) -> bool:
    """Whether the run reads data that lay there before it; uploads to the run are not read then."""
    workload = given.manifest.workload
    named = {
        Gate.UPLOAD_SOURCE_DATA: workload.data.source,
        Gate.UPLOAD_INFERENCE_DATA: workload.inference.source,
    }
    return named.get(given.wait.gate) is not None


def _opens_on_upload(given: Ask) -> bool:
    """Whether accepted data opens the gate, so that nobody need decide."""
    rule = rule_of(given.wait.gate, given.manifest.workload.approvals)
    return rule is GateRule.ON_UPLOAD and not _has_standing_data(given)


def _deadline(given: Ask) -> str:
    until = moment(given.wait.deadline)
    if _opens_on_upload(given):
        return f"Upload by {until}. If the gate is not open by then, the run fails."
    return f"Decide by {until}. Without a decision the run fails then."


def _sections(given: Ask) -> list[Section]:
    manifest = given.manifest
    sections = evidence.about(manifest)
    if given.wait.gate is Gate.APPROVE_MODEL:
        sections += evidence.judged(manifest, "registered", given.champion)
    if given.wait.gate is not Gate.UPLOAD_SOURCE_DATA:
        sections += evidence.data_read(manifest, given.profile)
    changes = evidence.changed(given.previous, manifest)
    return [*sections, *evidence.spent(given.jobs), *changes]


def _commands(given: Ask) -> list[Command]:
    return [*_upload_commands(given), *_decide_commands(given)]


def _upload_commands(given: Ask) -> list[Command]:
    gate, run = given.wait.gate, given.manifest.run
    if gate is Gate.APPROVE_MODEL or _has_standing_data(given):
        return []
    flag = "" if gate is Gate.UPLOAD_SOURCE_DATA else " --inference"
    return [
        Command(
            purpose="Upload a file with the signalbox command",
            line=f"signalbox upload FILE{flag} --run {run.id} {options(given)}",
        ),
        Command(
            purpose="Upload a file with the AWS command line",
            line=f"aws s3 cp FILE {_data_folder(given)}/ --region {given.region}",
        ),
    ]


def _decide_commands(given: Ask) -> list[Command]:
    gate, run = given.wait.gate, given.manifest.run
    ours = f"{gate} --run {run.id} {options(given)}"
    # Where the gate opens by itself, approving is for who knows better than the check.
    approve = (
        "Open the gate by hand, without accepted data," if _opens_on_upload(given) else "Approve"
    )
    return [
        Command(purpose=f"{approve} with the signalbox command", line=f"signalbox approve {ours}"),
        Command(
            purpose="Reject with the signalbox command",
            line=f"signalbox reject {ours} --reason WHY",
        ),
        Command(
            purpose=f"{approve} with the AWS command line", line=_put_result(given, "Approved")
        ),
        Command(purpose="Reject with the AWS command line", line=_put_result(given, "Rejected")),
    ]


def _put_result(given: Ask, status: str) -> str:
    wait, run = given.wait, given.manifest.run
    result = shlex.quote(f"status={status},summary=WHY")
    return (
        f"aws codepipeline put-approval-result --pipeline-name {run.pipeline} "
        f"--stage-name {wait.gate} --action-name {wait.gate} --token {wait.token} "
        f"--result {result} --region {given.region}"
    )


def options(given: Ask) -> str:
    """What the signalbox command needs to find the environment."""
    app = "" if given.app == "signalbox" else f"--app {given.app} "
    return f"{app}--environment {given.manifest.run.environment} --region {given.region}"


def _links(given: Ask) -> list[Link]:
    run, region = given.manifest.run, given.region
    return [
        console_links.pipeline_execution(region, run.pipeline, run.execution_id),
        console_links.s3_folder(
            region, "Report and everything else of the run", given.manifest.locations.run
        ),
    ]
