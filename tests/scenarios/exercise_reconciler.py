"""What the reconciler and its schedule do, once each on a laptop of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signalbox.naming import LIVE
from signalbox_cli.runs import RunView
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

EVENT = (REPOSITORY / "events" / "reconciler.json").read_bytes()
# What wakes approval_notifier at a gate, and what makes it look again.
GATE_RULES = ("gate-changed", "remind")


def reconcile(served: Laptop) -> dict[str, Any]:
    """One run of the reconciler, now."""
    answer = served.target.client("lambda").invoke(
        FunctionName=f"{served.target.prefix}-reconciler", Qualifier=LIVE, Payload=EVENT
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


@contextmanager
def lost(served: Laptop, *rules: str) -> Iterator[None]:
    """For a while the events of some rules reach nobody."""
    events, prefix = served.target.client("events"), served.target.prefix
    for rule in rules:
        events.disable_rule(Name=f"{prefix}-{rule}")
    try:
        yield
    finally:
        for rule in rules:
            events.enable_rule(Name=f"{prefix}-{rule}")


def finish(served: Laptop, execution_id: str) -> RunView:
    """The run at its end, with nobody but the reconciler to open its gates.

    Its schedule wakes it as well, and may come first.
    """
    for gate in ("UploadSourceData", "ApproveModel", "UploadInferenceData"):
        stories.await_stage(served, execution_id, gate)
        reconcile(served)
    return stories.await_end(served, execution_id)


def walk(served: Laptop) -> None:
    """Gates without events, an aborted machine's end, findings, a schedule that cannot call."""
    with lost(served, *GATE_RULES):
        execution_id = stories.start(served, stories.smallest())
        assert finish(served, execution_id).status == "Succeeded"
    _lose_an_approval(served)
    _leave_something_to_find(served)
    for _ in range(2):
        reconcile(served)
    assert len(stories.objects_under(served, "runs/reconciler/messages/")) >= 1
    _break_the_schedule(served)


PATH = [
    {
        "environment": "staging",
        "account": "210987654321",
        "region": "us-east-1",
        "deployRoleArn": "arn:aws:iam::210987654321:role/signalbox-staging-deploy-us-east-1",
    }
]


def _lose_an_approval(served: Laptop) -> None:
    """A promotion is begun without its event; it ends at once, as the version is of no run."""
    ssm, name = served.target.client("ssm"), "/signalbox/dev/promotion-path"
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=json.dumps(PATH), Type="String", Overwrite=True)
    with lost(served, "model-decided"):
        arn = _approved_by_hand(served)
        assert _promotion_of(reconcile(served), arn).startswith("promotion started")
        assert _promotion_of(reconcile(served), arn) == "promotion started before"
        ssm.put_parameter(Name=name, Value="[]", Type="String", Overwrite=True)
    machine = served.target.wiring().promotion_machine_arn
    executions = served.target.client("stepfunctions")
    running = executions.list_executions(stateMachineArn=machine, statusFilter="RUNNING")
    for one in running["executions"]:  # every group had an approval that nothing had followed
        executions.stop_execution(executionArn=one["executionArn"], cause="by the exercise")
    ssm.put_parameter(Name=name, Value=before, Type="String", Overwrite=True)


def _approved_by_hand(served: Laptop) -> str:
    sagemaker, group = served.target.client("sagemaker"), f"{served.target.prefix}-by-hand"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2"
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://b/m.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])


def _promotion_of(found: dict[str, Any], arn: str) -> str:
    told = {text.rpartition(": ")[0]: text.rpartition(": ")[2] for text in found["promotions"]}
    return str(told[arn])


def _leave_something_to_find(served: Laptop) -> None:
    """A run of long ago, and a serving record of an endpoint that is gone."""
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    s3.put_object(Bucket=bucket, Key="runs/250101-000000-aaaaaa/x", Body=b"x")
    record = {"schemaVersion": "1", "endpoint": "exercise", "deployments": []}
    s3.put_object(Bucket=bucket, Key="endpoints/exercise.json", Body=json.dumps(record).encode())


def _break_the_schedule(served: Laptop) -> None:
    """What a schedule cannot deliver goes to the dead-letter queue, by the schedule's role."""
    target = _schedule(served)["Target"]
    broken = {"ScheduleExpression": "rate(5 minutes)", "Target": {**target, "Input": "no JSON"}}
    with _rescheduled(served, broken):
        stories.await_dead_letter(served, "no JSON")


@contextmanager
def asleep(served: Laptop) -> Iterator[None]:
    """For a while its schedule does not wake the reconciler."""
    with _rescheduled(served, {"State": "DISABLED"}):
        yield


@contextmanager
def _rescheduled(served: Laptop, changes: dict[str, Any]) -> Iterator[None]:
    before, scheduler = _schedule(served), served.target.client("scheduler")
    scheduler.update_schedule(**{**before, **changes})
    try:
        yield
    finally:
        scheduler.update_schedule(**before)


def _schedule(served: Laptop) -> dict[str, Any]:
    found = served.target.client("scheduler").get_schedule(
        Name=f"{served.target.prefix}-reconcile", GroupName="default"
    )
    kept = ("FlexibleTimeWindow", "GroupName", "Name", "ScheduleExpression", "State", "Target")
    return {key: found[key] for key in kept}
