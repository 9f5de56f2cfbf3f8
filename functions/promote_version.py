"""Promotion machine: one step of taking an approved version into the next environment.

Each step reads what there is, does what is left of it, and can be repeated; nothing is carried
from one step to the next but which version, which decision and which target it is about.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from signalbox import (
    messages_promotion,
    observability,
    promotion,
    promotion_manifest,
    settings,
)
from signalbox import promotion_requests as requests
from signalbox.aws import (
    promotion_context,
    promotion_files,
    promotion_reception,
    promotion_registering,
    promotion_runs,
    promotion_target,
    promotion_versions,
    promotion_withdrawals,
    promotions,
)
from signalbox.aws.promotion_context import Promotion
from signalbox.aws.promotion_runs import Ending
from signalbox.aws.registry import Approval
from signalbox.errors import PromotionRefused
from signalbox.events import read
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import TaskFailure
from signalbox.manifest_sections import InferenceMode
from signalbox.promotion import PromotionRecord, TargetStatus
from signalbox.promotion_requests import Pace, PromotionInput, Step, StepRequest, TargetStep
from signalbox.receiving import Received, ReceiveRequest, ReceiveStep

logger = observability.logger("promote-version")


def handler(event: dict[str, Any], context: object) -> JsonObject:
    """Do one step; raises what the promotion machine branches on."""
    request = read(StepRequest, event)
    where = request.target.environment if request.target else "the path"
    with promotion_target.calls_told_apart(f"promotion to {where}, step {request.step}"):
        answer = _do(request)
    logger.info("step done", extra={"step": request.step, "target": where})
    return answer


def _do(request: StepRequest) -> JsonObject:
    if request.step is Step.PLAN:
        return plan(read(PromotionInput, request.input), request.execution)
    if request.step is Step.FAIL:
        return fail(request)
    return STEPS[request.step](requests.target_step(request))


@cache
def _settings() -> settings.PromotionSettings:
    return settings.load(settings.PromotionSettings)


def _promotion(step: TargetStep) -> Promotion:
    """The promotion while its decision stands."""
    source = promotion_context.source(_settings(), step.model_package_arn, step.decision)
    return promotion_context.promotion_of(step, source)


def plan(given: PromotionInput, execution: str) -> JsonObject:
    """Which targets the version goes to, in which order.

    Those that this decision has reached are left out, unless they are asked for by name. A
    decision against the version goes to none, and takes back what waits in a target.
    """
    arn = given.model_package_arn
    withdrawn = _withdrawn(arn, given.decision)
    if withdrawn is not None:
        return withdrawn
    source = promotion_context.source(_settings(), arn, given.decision)
    promotions.begun(_settings().workflow_bucket, arn, execution)
    path = promotions.path(promotion_context.environment(_settings()))
    left = [
        target.model_dump(mode="json")
        for target in promotion.chosen(path, given.to)
        if given.to or not _is_done(source.record, target.environment)
    ]
    return {
        "modelPackageArn": arn,
        "decision": source.record.decision,
        "runId": source.approved.run_id,
        "count": len(left),
        "targets": list(left),
    }


def _withdrawn(arn: str, decision: int | None) -> JsonObject | None:
    """The plan of a decision against the version; None for any other."""
    version, record = promotions.current(_settings().workflow_bucket, arn)
    if record is None or record.status == promotion.APPROVED or record.decision != decision:
        return None
    withdrawn = promotion_withdrawals.from_all(_settings(), record)
    logger.info("withdrawn", extra={"arn": arn, "targets": withdrawn})
    run_id = version.metadata.get("run_id", "")
    return {
        "modelPackageArn": arn,
        "decision": record.decision,
        "runId": run_id,
        "count": 0,
        "targets": [],
    }


def _is_done(record: PromotionRecord, environment: str) -> bool:
    known = record.targets.get(environment)
    done = (TargetStatus.PROMOTED, TargetStatus.RELEASED)
    return known is not None and known.decision == record.decision and known.status in done


def verify(step: TargetStep) -> JsonObject:
    """Whether model file and code are what was approved, and the target lets us in."""
    going = _promotion(step)
    promotion_files.check(going.source)
    return {"runId": going.made.run.id}


def copy(step: TargetStep) -> JsonObject:
    """Model file, code, evaluation and report, exactly as they were approved."""
    going = _promotion(step)
    promotion_files.check(going.source)
    return {"objects": promotion_files.copy_all(going), "runId": going.made.run.id}


def register(step: TargetStep) -> JsonObject:
    """The version in the target's group, pending, and the manifest of its run."""
    going = _promotion(step)
    arn = promotion_registering.registered(going, _settings().app_name)
    made = promotion_manifest.with_version(going.made, arn)
    promotion_versions.store_manifest(made, going.session)
    promotion_context.note(going, TargetStatus.REGISTERED, {"model_package_arn": arn})
    return {"modelPackageArn": arn, "runId": made.run.id}


def _received(going: Promotion, request: ReceiveRequest) -> Received:
    """What the target's own function says and does about a version."""
    return promotion_reception.ask(request, _settings().app_name, going.session)


def ask(step: TargetStep) -> JsonObject:
    """Tell people that the version waits for their word in the target."""
    going = _promotion(step)
    if promotion_context.version_there(going).approval is Approval.PENDING:
        _tell_that_it_waits(going)
    return {"status": "pending", "polls": 0, "waitSeconds": 1}


def _tell_that_it_waits(going: Promotion) -> None:
    promotion_context.note(going, TargetStatus.WAITING)
    execution = going.step.execution
    told = promotion_context.telling(going.source, execution, going.step.target)
    promotion_context.tell(going.source.home, messages_promotion.waits(told), execution)


def look(step: TargetStep) -> JsonObject:
    """What the target's registry says by now, and when to look again."""
    approval = promotion_context.version_there(_promotion(step)).approval
    decided = None if approval is Approval.PENDING else _SAID[approval]
    return _wait(decided, requests.APPROVAL_PACE, step.polls)


def _wait(status: str | None, pace: Pace, polls: int) -> JsonObject:
    wait_s = requests.wait_s(pace, polls)
    pending = "expired" if wait_s is None else "pending"
    return {"status": status or pending, "polls": polls + 1, "waitSeconds": wait_s or 1}


def approve(step: TargetStep) -> JsonObject:
    """Ask the target to approve the version, where the path asks for nobody.

    A person's word there stands, and where the target asks for one, people are told.
    """
    going = _promotion(step)
    said = going.source.version.approval_description or "no reason given"
    reason = f"Approved in {_settings().environment_name}: {said}"
    arn = promotion_context.version_there(going).arn
    asked = ReceiveRequest(step=ReceiveStep.APPROVE, model_package_arn=arn, reason=reason)
    approval = Approval(_received(going, asked).approval)
    if approval is Approval.PENDING:
        _tell_that_it_waits(going)
    return {"status": _SAID[approval], "polls": 0, "waitSeconds": 1}


_SAID = {
    Approval.PENDING: "pending",
    Approval.APPROVED: "approved",
    Approval.REJECTED: "rejected",
}


def deploy(step: TargetStep) -> JsonObject:
    """Give the version to the target's inference machine; without hosting it is only registered.

    One that serves already, and only was not written down, is not rolled out again.
    """
    going = _promotion(step)
    version = promotion_context.version_there(going)
    promotion.check_not_rolled_back(version.arn, version.metadata)
    if version.approval is not Approval.APPROVED:
        raise PromotionRefused(f"{version.arn} is {version.approval} in {going.environment}")
    if promotion_context.has_arrived_unrecorded(going, version):
        return {"status": "registered", "polls": 0, "waitSeconds": 1}
    serving = promotion_versions.with_serving(going.made, version.arn, going.session)
    if serving.workload.inference.mode in (InferenceMode.BATCH, InferenceMode.NONE):
        return {"status": "registered", "polls": 0, "waitSeconds": 1}
    number = _number(going)
    name = f"promoted-{serving.run.id}-{step.decision}-{number}"
    execution = promotion_runs.execution_arn(going.there, name)
    deployment: dict[str, str | int] = {
        "execution": execution,
        "number": number,
        "by": step.execution,
    }
    promotion_context.note(going, TargetStatus.DEPLOYING, deployment)
    asked = ReceiveRequest(
        step=ReceiveStep.DEPLOY, model_package_arn=version.arn, execution_name=name
    )
    _received(going, asked)
    return {"status": "pending", "polls": 0, "waitSeconds": 1}


def _number(going: Promotion) -> int:
    """Which try of this decision it is: what an earlier execution has brought to an end is anew."""
    known = going.known
    if known is None or not known.execution or known.decision != going.step.decision:
        return 1
    ended = promotion_runs.look(known.execution, going.session).ending
    has_ended = ended in (Ending.FAILED, Ending.SUCCEEDED)
    is_anew = has_ended and known.by != going.step.execution
    return known.number + 1 if is_anew else known.number


def watch(step: TargetStep) -> JsonObject:
    """How the target's inference machine stands, and when to look again."""
    record = promotions.read(_settings().workflow_bucket, step.model_package_arn)
    known = record.targets.get(step.target.environment) if record else None
    if known is None or not known.execution:
        raise PromotionRefused(f"nothing was deployed to {step.target.environment} yet")
    found = promotion_runs.look(known.execution, promotion_target.enter(step.target))
    status = None if found.ending is Ending.RUNNING else found.ending.value
    answer = _wait(status, requests.DEPLOYMENT_PACE, step.polls)
    return {**answer, "error": found.error, "cause": found.cause}


def record(step: TargetStep) -> JsonObject:
    """Write the promotion down at both ends, stamp the version, tell people."""
    source = promotion_context.source_as_it_is(_settings(), step.model_package_arn)
    going = promotion_context.promotion_of(step, source)
    promotion_context.note(going, TargetStatus.PROMOTED, is_over=True)
    detail: JsonObject = {
        **promotion_context.about(going),
        "promotedArn": going.arn_there,
        "promotedRunId": going.made.run.id,
        "deployment": going.known.execution if going.known else "",
    }
    promotion_context.append(going, "promoted", detail)
    promotion_context.stamp_home(going)
    told = promotion_context.telling(source, step.execution, step.target)
    promotion_context.tell(source.home, messages_promotion.promoted(told), step.execution)
    return {"status": "promoted"}


def release(step: TargetStep) -> JsonObject:
    """Start the target's pipeline on the same code; it trains with its own data, by its gates."""
    going = _promotion(step)
    source, run_id = going.source, going.made.run.id
    execution = promotion_runs.release(
        promotion_runs.Released(
            run=source.manifest.run,
            files=promotion_files.check(source),
            run_id=run_id,
            token=f"{run_id}-{step.decision}",
        ),
        going.there,
        going.session,
    )
    promotion_context.note(going, TargetStatus.RELEASED, {"execution": execution})
    detail = {**promotion_context.about(going), "pipelineExecutionId": execution}
    promotion_context.append_at_home(source, "released", detail, step)
    told = promotion_context.telling(source, step.execution, step.target)
    message = messages_promotion.released(told, execution)
    promotion_context.tell(source.home, message, step.execution)
    return {"status": "released", "pipelineExecutionId": execution}


def fail(request: StepRequest) -> JsonObject:
    """Write down and tell why a promotion ended, and on its way to which target."""
    failure = requests.readable(request.failure or TaskFailure())
    if request.target is None or request.model_package_arn is None:
        given = read(PromotionInput, request.input)
        return _fail_early(given.model_package_arn, request.execution, failure)
    step = requests.target_step(request)
    source = promotion_context.source_as_it_is(_settings(), step.model_package_arn)
    promotion_context.note_failure(source, step, failure)
    if source.record.status != promotion.APPROVED:
        _take_back(step)
    told = promotion_context.telling(source, step.execution, step.target)
    promotion_context.tell(source.home, messages_promotion.ended(told, failure), step.execution)
    return {"recorded": True}


def _take_back(step: TargetStep) -> None:
    """What the promotion itself found withdrawn, while it waited."""
    record = promotions.read(_settings().workflow_bucket, step.model_package_arn)
    if record is not None and step.target.environment in promotion.may_wait(record):
        promotion_withdrawals.from_one(_settings(), record, step.target)


def _fail_early(arn: str, execution: str, failure: TaskFailure) -> JsonObject:
    """A promotion that did not come as far as a target; told when the version is of a run."""
    told = promotion_context.telling_early(_settings(), arn, execution)
    if told is not None:
        promotion_context.tell(_settings(), messages_promotion.ended(told, failure), execution)
    return {"recorded": told is not None}


STEPS: dict[Step, Callable[[TargetStep], JsonObject]] = {
    Step.VERIFY: verify,
    Step.COPY: copy,
    Step.REGISTER: register,
    Step.ASK: ask,
    Step.LOOK: look,
    Step.APPROVE: approve,
    Step.DEPLOY: deploy,
    Step.WATCH: watch,
    Step.RECORD: record,
    Step.RELEASE: release,
}
