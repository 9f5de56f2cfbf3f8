"""What can go another way than well in a workflow, done once each on a laptop of its own."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from signalbox.naming import LIVE
from signalbox_cli.deciding import decide
from signalbox_cli.logs import last_line
from signalbox_cli.run_states import read_states
from signalbox_cli.runs import RunView
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop

_SLOW = "import time\nprint('asleep', flush=True)\ntime.sleep(60)\n"
# evaluate.py calls predict_fn and output_fn as the server does, so only the way in is slow.
_SLOW_ANSWER = """
_input = input_fn


def input_fn(request_body, content_type):
    import time

    time.sleep(60)
    return _input(request_body, content_type)
"""


def walk(served: Laptop, files: Mapping[str, str], options: dict[str, Any]) -> None:
    """Every mishap; `files` and `options` are of a workload that has had its first run."""
    _deliver_again(served)
    _release_nonsense(served)
    _refuse(served)
    _measure_nothing(served)
    _win_the_race_for_the_group(served)
    _stop_each_kind_of_job(served, files, options)
    for function in ("approval-notifier", "data-intake", "reconciler", "run-schedule"):
        _fail(served, function)
    _reject_in_the_registry_unheard(served)


def _deliver_again(served: Laptop) -> None:
    """Lambda delivers the job of a finished action a second time: the run is found, not redone."""
    name = f"{served.target.prefix}-create-schema"
    job_id = next(line["job_id"] for line in _log_lines(served, name) if "job_id" in line)
    job = served.target.client("codepipeline").get_job_details(jobId=job_id)["jobDetails"]
    event = {"CodePipeline.job": {key: job[key] for key in ("id", "accountId", "data")}}
    answer = served.target.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event).encode()
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    stories.await_true(
        lambda: (
            (job_id, False)
            in [(line.get("job_id"), line.get("first_answer")) for line in _log_lines(served, name)]
        ),
        "create_schema said that it had answered the job before",
    )


def _log_lines(served: Laptop, function: str) -> list[dict[str, Any]]:
    logs = served.target.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    messages = (event["message"] for event in events)
    return [json.loads(text) for text in messages if text.startswith("{")]


def _release_nonsense(served: Laptop) -> None:
    """create_schema tells the pipeline that it cannot work."""
    run = stories.run_to_end(served, stories.smallest(manifest_json="no manifest"))
    assert _failed_stage(run) == "Prepare"


def _refuse(served: Laptop) -> None:
    bad = stories.smallest(evaluate_py=stories.EVALUATE.replace("0.5", "7.5"))
    assert stories.run_to_end(served, bad).is_refused


def _measure_nothing(served: Laptop) -> None:
    """S3 tells a missing file from a forbidden one only to those who may list."""
    run = stories.run_to_end(served, stories.smallest(evaluate_py="print('nothing')"))
    assert "EvaluationInvalid" in run.error


def _win_the_race_for_the_group(served: Laptop) -> None:
    """The group is there although the list did not show it, as if another run had just made it.

    Instead of a race, a hundred groups that come first in the list.
    """
    sagemaker, group = served.target.client("sagemaker"), f"{served.target.prefix}-raced"
    for name in (group, *(f"a{number}-{group}" for number in range(100))):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    run = stories.run_to_end(served, stories.with_manifest(name="raced"))
    assert run.status == "Succeeded", run.error
    assert "ConfirmModelPackageGroup" in stories.states_of(served, run, "Train")


def _reject_in_the_registry_unheard(served: Laptop) -> None:
    """EventBridge cannot tell of the gate; the version is rejected, the gate is opened after all.

    The event that could not be delivered goes to the dead-letter queue, and update_schema tells the
    pipeline that it cannot work.
    """
    manual = {**stories.MANIFEST["approvals"], "approveModel": "manual"}
    with _events_shut_out(served):
        execution_id = stories.start(
            served,
            stories.with_manifest(approvals={**manual, "uploadSourceData": "manual"}),
        )
        run = _await_gate(served, execution_id, "UploadSourceData")
        _take_dead_letter(served, lambda attributes: "RULE_ARN" in attributes)
    decide(served.target, run, None, approve=True, reason="uploaded")
    run = _await_gate(served, execution_id, "ApproveModel")
    sagemaker = served.target.client("sagemaker")
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=f"{served.target.prefix}-smallest",
        SortBy="CreationTime",
        SortOrder="Descending",
    )["ModelPackageSummaryList"][0]
    events, rule = served.target.client("events"), f"{served.target.prefix}-model-decided"
    events.disable_rule(Name=rule)
    sagemaker.update_model_package(
        ModelPackageArn=newest["ModelPackageArn"], ModelApprovalStatus="Rejected"
    )
    decide(served.target, run, None, approve=True, reason="good")
    events.enable_rule(Name=rule)
    assert _failed_stage(stories.await_end(served, execution_id)) == "PrepareInference"


def _await_gate(served: Laptop, execution_id: str, gate: str) -> RunView:
    run = stories.await_stage(served, execution_id, gate)
    assert run.waiting_gate == gate
    return run


def _failed_stage(run: RunView) -> str:
    assert run.status == "Failed", run
    return next(action.stage for action in run.actions if action.status == "Failed")


@contextmanager
def _events_shut_out(served: Laptop) -> Iterator[None]:
    """For a while the notifier does not let EventBridge in."""
    functions, name = served.target.client("lambda"), f"{served.target.prefix}-approval-notifier"
    policy = json.loads(functions.get_policy(FunctionName=name, Qualifier=LIVE)["Policy"])
    statements = policy["Statement"]
    (allowed,) = (s for s in statements if "gate-changed" in json.dumps(s["Condition"]))
    functions.remove_permission(FunctionName=name, Qualifier=LIVE, StatementId=allowed["Sid"])
    try:
        yield
    finally:
        functions.add_permission(
            FunctionName=name,
            Qualifier=LIVE,
            StatementId=allowed["Sid"],
            Action=allowed["Action"],
            Principal=allowed["Principal"]["Service"],
            SourceArn=allowed["Condition"]["ArnLike"]["AWS:SourceArn"],
        )


def _stop_each_kind_of_job(
    served: Laptop, files: Mapping[str, str], options: dict[str, Any]
) -> None:
    """Stopping an execution stops its job: each kind needs a permission of its own.

    So does each kind's log, whose last lines the message about the failure shows.
    """
    _stop_while(served, stories.smallest(preprocess_py=_SLOW), "Train", "Preprocess")
    _stop_while(served, stories.smallest(train_py=_SLOW), "Train", "Train")
    slow_model = {
        **files,
        "inference.py": files["inference.py"] + _SLOW_ANSWER,
        "manifest.json": json.dumps({**json.loads(files["manifest.json"]), "name": "slow"}),
    }
    _stop_while(served, stories.archive(slow_model), "Inference", "Transform", options)


def _stop_while(
    served: Laptop,
    packed: bytes,
    stage: str,
    state: str,
    options: dict[str, Any] | None = None,
) -> None:
    execution_id = stories.start(served, packed, options=options)
    arn = stories.await_state(served, execution_id, stage, state)
    job = next(s.job_name for s in read_states(served.target, arn) if s.name == state)
    stories.await_true(lambda: last_line(served.target, job) != "", f"{job} printed something")
    served.target.client("stepfunctions").stop_execution(
        executionArn=arn, error="Stopped", cause="by the exercise"
    )
    run = stories.await_end(served, execution_id)
    assert run.status == "Failed"
    told = f"runs/{run.run_id}/messages/end-"
    stories.await_true(lambda: bool(stories.objects_under(served, told)), "the failure was told")


def _fail(served: Laptop, function: str) -> None:
    """An event that cannot be understood ends in the dead-letter queue, by the function's role."""
    served.target.client("lambda").invoke(
        FunctionName=f"{served.target.prefix}-{function}",
        Qualifier=LIVE,
        InvocationType="Event",
        Payload=b'{"detail": "not an event"}',
    )
    _take_dead_letter(served, lambda attributes: "RULE_ARN" not in attributes)


def _take_dead_letter(served: Laptop, is_meant: Callable[[Mapping[str, Any]], bool]) -> None:
    sqs = served.target.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{served.target.prefix}-dead-letters")["QueueUrl"]

    def arrived() -> bool:
        received = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])
        messages = received.get("Messages", [])
        return any(is_meant(message.get("MessageAttributes", {})) for message in messages)

    stories.await_true(arrived, "the event came to the dead-letter queue")
