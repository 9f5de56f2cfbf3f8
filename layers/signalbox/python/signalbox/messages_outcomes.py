"""Messages that tell how something ended: a failure, a refusal, a rejection, a success.

Each says what it means for what serves now, and what can be done next. Rules only: imports no AWS
client.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from signalbox import console_links, costs, evidence, manifest_history, naming
from signalbox.decisions import GateDecision, Outcome, person
from signalbox.evidence import ChampionMetrics
from signalbox.jobs import Job, JobKind, JobName
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.manifest_sections import InferenceMode
from signalbox.messages import Command, Kind, Link, Message, Section, section, subject
from signalbox.rollout import HOSTED

REFUSED = "QualityGateFailed"
_JOB = re.compile(r'"(?P<kind>Processing|Training|Transform)JobName"\s*:\s*"(?P<name>[^"]+)"')
_REASON = re.compile(r'"FailureReason"\s*:\s*"(?P<reason>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Run:
    """The run an outcome is told of; `manifest` is None when it failed before there was one."""

    id: str
    execution_id: str
    pipeline: str
    environment: str
    region: str
    manifest: ResolvedManifest | None
    jobs: tuple[Job, ...] = ()

    @property
    def name(self) -> str:
        """The run in a sentence."""
        of = f" of {self.manifest.workload.name}" if self.manifest else ""
        return f"Run {self.id}{of} ({self.environment})"


@dataclass(frozen=True)
class Failure:
    """What failed; `error` is a short name, `state` one of the state machine, `machine` its ARN.

    `job` is known where the state ran one; `log` is what it printed last, fit to be shown.
    """

    action_execution_id: str
    stage: str
    error: str
    cause: str
    state: str = ""
    machine: str = ""
    job: JobName | None = None
    log: tuple[str, ...] = ()


def end_key(action_execution_id: str) -> str:
    """The key of the one message about the end of an action."""
    return f"end-{action_execution_id}"


def success_key(execution_id: str) -> str:
    """The key of the message about a run that came to its end."""
    return f"succeeded-{execution_id}"


def failed(run: Run, failure: Failure, champion: ChampionMetrics | None = None) -> Message:
    """A stage failed, or its model was refused by the quality rules."""
    if failure.error == REFUSED and run.manifest is not None:
        return _refused(run, run.manifest, failure, champion)
    reason = readable_cause(failure.cause)
    said = _first_line(reason) or failure.error or "no cause was given"
    machine = failure.machine
    return _message(
        run,
        _Heading(Kind.FAILED, end_key(failure.action_execution_id), f"failed in {failure.stage}"),
        [f"{run.name} failed in stage {failure.stage}: {said}", _left_behind(run, failure.stage)],
        sections=[*section("What failed", _facts(failure, reason)), *_log(failure)],
        commands=[_retry(run, failure.stage), _logs(run)],
        links=[
            *([console_links.machine_execution(run.region, machine)] if machine else []),
            *([console_links.job_log(run.region, failure.job)] if failure.job else []),
        ],
    )


def _facts(failure: Failure, reason: str) -> list[str]:
    facts = {
        "Stage": failure.stage,
        "State": failure.state,
        "Error": failure.error,
        "Job": failure.job.name if failure.job else "",
        "Cause": reason,
    }
    return [f"{name:<12}  {value}" for name, value in facts.items() if value]


def _log(failure: Failure) -> list[Section]:
    """What the job printed last; a script may print rows of its data, so no more than that."""
    if failure.job is None:
        return []
    group = failure.job.kind.log_group
    lines = list(failure.log) or ["(it printed nothing)"]
    whole = f"The whole log: group {group}, streams {failure.job.name}/"
    return section("The last lines of its log", [*lines, "", whole])


def readable_cause(cause: str) -> str:
    """The reason in a cause: of a job that failed, Step Functions gives the whole job as JSON.

    >>> readable_cause('{"TrainingJobName": "t-1", "FailureReason": "AlgorithmError: no rows"}')
    'AlgorithmError: no rows'
    """
    reason = _REASON.search(cause)
    if reason is None or failed_job(cause) is None:
        return cause
    return reason["reason"].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")


def failed_job(cause: str) -> JobName | None:
    """The job in a cause, if it is one's description.

    >>> failed_job('{"TrainingJobName": "t-1", "FailureReason": "AlgorithmError: no rows"}')
    JobName(kind=<JobKind.TRAINING: 'Training'>, name='t-1')
    """
    found = _JOB.search(cause)
    return JobName(JobKind(found["kind"]), found["name"]) if found else None


def _refused(
    run: Run, manifest: ResolvedManifest, failure: Failure, champion: ChampionMetrics | None
) -> Message:
    return _message(
        run,
        _Heading(
            Kind.REFUSED,
            end_key(failure.action_execution_id),
            "model refused by its quality rules",
        ),
        [
            f"{run.name} ended: its model does not keep the manifest's quality rules. That is an "
            "outcome, not a fault; no model version was registered.",
            _left_behind(run, failure.stage),
        ],
        sections=evidence.judged(manifest, "refused", champion),
        commands=[_logs(run)],
    )


def ended_at_gate(run: Run, decision: GateDecision) -> Message:
    """A gate was rejected, or nobody decided in time."""
    expired = decision.outcome is Outcome.EXPIRED
    if expired:
        first = f"{run.name}: nobody decided at {decision.gate} in time, so the run has failed."
    else:
        first = f"{run.name} was rejected at {decision.gate} by {person(decision.by)}."
    why = [] if expired else [f"Reason: {decision.reason or 'none was given'}"]
    title = f"{'nobody decided' if expired else 'rejected'} at {decision.gate}"
    return _message(
        run,
        _Heading(
            Kind.EXPIRED if expired else Kind.REJECTED,
            end_key(decision.action_execution_id),
            title,
        ),
        [first, *why, _left_behind(run, decision.gate)],
        commands=[_retry(run, decision.gate)] if expired else [],
    )


def succeeded(run: Run) -> Message:
    """The run came to its end."""
    manifest = run.manifest
    result, commands = _result(manifest, run.region) if manifest else ([], [])
    return _message(
        run,
        _Heading(Kind.SUCCEEDED, success_key(run.execution_id), "finished"),
        [f"{run.name} has finished.", *result],
        commands=commands,
    )


def _result(manifest: ResolvedManifest, region: str) -> tuple[list[str], list[Command]]:
    mode, endpoint = manifest.workload.inference.mode, manifest.names.endpoint
    if mode is InferenceMode.NONE:
        return ["Its model version is approved in the registry; nothing was to be deployed."], []
    if mode is InferenceMode.BATCH:
        uri = _predictions(manifest)
        line = f"aws s3 cp --recursive {uri}/ predictions/ --region {region}"
        return (
            [f"The predictions lie under {uri}/."],
            [Command(purpose="Fetch the predictions", line=line)],
        )
    call = f"--endpoint-name {endpoint} --content-type {manifest.steps.inference.content_type}"
    if mode is InferenceMode.ASYNC:
        bucket, _ = naming.split_s3_uri(manifest.locations.run)
        place = naming.s3_uri(bucket, f"async/{endpoint}/requests/ROWS")
        line = f"invoke-endpoint-async {call} --input-location {place} --region {region}"
    else:
        line = f"invoke-endpoint {call} --body fileb://ROWS --region {region} predictions.out"
    return (
        [f"Its model serves at endpoint {endpoint}.{_running_cost(manifest)}"],
        [Command(purpose="Ask the endpoint", line=f"aws sagemaker-runtime {line}")],
    )


def _running_cost(manifest: ResolvedManifest) -> str:
    """What an endpoint of instances costs while it stands; a serverless one only when asked."""
    if manifest.workload.inference.mode is not InferenceMode.ENDPOINT:
        return ""
    plan = manifest.steps.inference
    return f" While it stands it costs: {costs.hourly(plan.instance_type, plan.instance_count)}."


def _predictions(manifest: ResolvedManifest) -> str:
    entry = manifest_history.latest(manifest, "inference", "succeeded")
    found = entry.detail.get("predictionsUri") if entry else None
    return str(found).rstrip("/") if found else manifest.locations.predictions


def _left_behind(run: Run, stage: str) -> str:
    """What the end of a run means for what serves."""
    if run.manifest is None or run.manifest.workload.inference.mode not in HOSTED:
        return "Nothing of this run was deployed."
    endpoint = run.manifest.names.endpoint
    if stage == "Inference":
        return (
            f"Look at endpoint {endpoint}: SageMaker takes back an update that fails, and serves "
            "what it served before."
        )
    return f"Nothing of this run was deployed: endpoint {endpoint} is as it was before."


def _retry(run: Run, stage: str) -> Command:
    if not run.execution_id and run.manifest is not None:
        return _predict_again(run, run.manifest)
    return Command(
        purpose=f"Try stage {stage} again, once the cause is out of the way",
        line=(
            f"aws codepipeline retry-stage-execution --pipeline-name {run.pipeline} "
            f"--stage-name {shlex.quote(stage)} --pipeline-execution-id {run.execution_id} "
            f"--retry-mode FAILED_ACTIONS --region {run.region}"
        ),
    )


def _predict_again(run: Run, manifest: ResolvedManifest) -> Command:
    """A scheduled run is never repeated: its time names it, and its outputs are its own."""
    workload = manifest.workload.name
    now = '"$(date -u +%FT%TZ)"'
    asked = f'{{"kind": "batch", "workloads": ["{workload}"], "scheduledFor": "\'{now}\'"}}'
    return Command(
        purpose="Predict in a new run, once the cause is out of the way",
        line=(
            f"aws lambda invoke --function-name {manifest.run.prefix}-run-schedule "
            f"--cli-binary-format raw-in-base64-out --payload '{asked}' "
            f"--region {run.region} outcome.json"
        ),
    )


def _logs(run: Run) -> Command:
    where = f"--environment {run.environment} --region {run.region}"
    return Command(purpose="Read what its jobs printed", line=f"signalbox logs {run.id} {where}")


@dataclass(frozen=True)
class _Heading:
    kind: Kind
    key: str
    title: str


def _message(
    run: Run,
    heading: _Heading,
    summary: list[str],
    *,
    sections: Sequence[Section] = (),
    commands: Sequence[Command] = (),
    links: Sequence[Link] = (),
) -> Message:
    manifest = run.manifest
    name = manifest.workload.name if manifest else ""
    title = f"[{run.environment}] {name or 'a workload'} {heading.title}: run {run.id}"
    return Message(
        kind=heading.kind,
        key=heading.key,
        run_id=run.id,
        workload=name,
        environment=run.environment,
        subject=subject(title),
        summary=summary,
        sections=[
            *(evidence.about(manifest) if manifest else []),
            *sections,
            *evidence.spent(run.jobs),
        ],
        commands=list(commands),
        links=[*_own_links(run), *links],
    )


def _own_links(run: Run) -> list[Link]:
    execution = (run.region, run.pipeline, run.execution_id)
    found = [console_links.pipeline_execution(*execution)] if run.execution_id else []
    if run.manifest is None:
        return found
    text = "Report and everything else of the run"
    return [*found, console_links.s3_folder(run.region, text, run.manifest.locations.run)]


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines and lines[0].startswith("Traceback") else (lines or [""])[0]
