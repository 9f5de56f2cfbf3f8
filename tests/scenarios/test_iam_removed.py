"""A few removals for real: runs end where AWS would say it, naming role, action and resource."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from localaws.iam.record import removals, without
from signalbox_cli.deciding import decide
from signalbox_cli.runs import RunView, read_run
from tests.contracts.machine_harness import definition, states_of
from tests.scenarios import iam_evidence, stories
from tests.scenarios.conftest import Laptop
from tests.scenarios.iam_evidence import Document


@dataclass(frozen=True)
class Refusal:
    """An action taken from a role, and where the run says so."""

    role: str
    action: str
    resource: str
    """A part of the resource that the message names."""
    stage: str
    state: str = ""
    """Of the stage's machine; "" where a function or the pipeline itself is refused."""
    manifest: dict[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    """Roles that do the same in the same run; whichever comes first leaves nothing to refuse."""


WITH_BATCH = {"inference": {"mode": "batch", "source": "datasets/smallest"}}
WITH_ENDPOINT = {"inference": {"mode": "endpoint"}}
_LOOKS = {"FindChange", "StopProcessingJob", "StopTrainingJob", "StopTransformJob"}
_MACHINES = {"Train": "training", "Inference": "inference"}
REFUSALS = [
    Refusal("pipeline", "lambda:InvokeFunction", "signalbox-dev-create-schema", "Prepare"),
    Refusal(
        "create-schema",
        "codepipeline:ListActionExecutions",
        "signalbox-dev-workflow",
        "Prepare",
    ),
    Refusal("record-outcome", "s3:PutObject", "/manifest.json", "Train", "BeginTraining"),
    Refusal(
        "training",
        "sagemaker:CreateModelPackageGroup",
        "model-package-group/signalbox-dev-",
        "Train",
        "ConfirmModelPackageGroup",
        {"name": "denied"},
    ),
    Refusal("training", "iam:PassRole", "role/signalbox-dev-job-", "Train", "Preprocess"),
    Refusal("job", "s3:PutObject", "/preprocess/1/", "Train", "Preprocess"),
    Refusal(
        "training",
        "sagemaker:CreateTrainingJob",
        "training-job/signalbox-dev-train-",
        "Train",
        "Train",
    ),
    Refusal("judge-model", "s3:GetObject", "/runs/", "Train", "JudgeModel"),
    Refusal(
        "update-schema",
        "sagemaker:UpdateModelPackage",
        "model-package/signalbox-dev-",
        "PrepareInference",
        others=("approval-notifier",),
    ),
    Refusal(
        "inference",
        "sagemaker:CreateTransformJob",
        "transform-job/signalbox-dev-",
        "Inference",
        "Transform",
        WITH_BATCH,
    ),
    Refusal(
        "inference",
        "sagemaker:CreateEndpoint",
        "endpoint-config/signalbox-dev-config-",
        "Inference",
        "CreateEndpoint",
        {**WITH_ENDPOINT, "name": "denied"},
    ),
    Refusal(
        "hosting",
        "s3:GetObject",
        "/training/",
        "Inference",
        "ReportFailed",
        {**WITH_ENDPOINT, "name": "unhosted"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: f"{r.role}-{r.action}")
def test_a_removed_action_ends_the_run_where_aws_would_say_it(
    served: Laptop, refusal: Refusal
) -> None:
    with ExitStack() as removed:
        for role in (refusal.role, *refusal.others):
            role_name = f"{served.target.prefix}-{role}-us-east-1"
            removed.enter_context(action_removed(served, role_name, refusal.action))
        run = stories.run_to_end(served, stories.with_manifest(**refusal.manifest))

    assert run.status == "Failed"
    failed = next(a for a in run.actions if a.status == "Failed")
    assert failed.stage == refusal.stage
    if refusal.state:
        assert state_that_failed(served, run, refusal.stage) == refusal.state
    name = f"{served.target.prefix}-{refusal.role}-us-east-1"
    assert_denial_is_named(run.error, name, refusal.action, refusal.resource)


@pytest.mark.slow
def test_a_notifier_that_may_not_decide_says_so_in_its_log_and_leaves_the_gate(
    served: Laptop,
) -> None:
    function, action = f"{served.target.prefix}-approval-notifier", "codepipeline:PutApprovalResult"
    name = f"{function}-us-east-1"
    logs = served.target.client("logs")

    def denials_in_the_log() -> list[str]:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        return [event["message"] for event in events if action in event["message"]]

    with action_removed(served, name, action):
        execution_id = stories.start(served, stories.smallest())
        stories.await_true(lambda: bool(denials_in_the_log()), "the notifier was refused")
    run = read_run(served.target, execution_id)
    decide(served.target, run, None, approve=False, reason="end of the test")

    assert run.waiting_gate == "UploadSourceData"
    gate = "signalbox-dev-workflow/UploadSourceData/UploadSourceData"
    assert_denial_is_named(denials_in_the_log()[0], name, action, gate)
    assert stories.await_end(served, execution_id).status == "Failed"


def assert_denial_is_named(message: str, role: str, action: str, resource: str) -> None:
    """The message is AWS's: who was not authorized to do what on which resource."""
    assert re.search("AccessDenied|not authorized to perform", message), message
    for word in (f"assumed-role/{role}/", action, resource):
        assert word in message, message


def state_that_failed(served: Laptop, run: RunView, stage: str) -> str:
    """The task after which the machine went to explain its failure.

    Before that it may ask whether only the answer was lost: by choices, by a look, by stopping
    a job that may have begun.
    """
    states = stories.states_of(served, run, stage)
    choices = {n for n, s in states_of(definition(_MACHINES[stage])) if s["Type"] == "Choice"}
    before = states[: states.index("ExplainFailure")]
    return [name for name in before if name not in choices | _LOOKS][-1]


@contextmanager
def action_removed(served: Laptop, role: str, action: str) -> Iterator[None]:
    """For a while the role may not do the action at all."""
    iam = served.target.client("iam")
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    (before,) = iam_evidence.role_policies(served)[arn].items()
    try:
        _put(iam, role, before[0], _without_action(before[1], action))
        yield
    finally:
        _put(iam, role, *before)


def _put(iam: Any, role: str, policy: str, document: Document) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def _without_action(document: Document, action: str) -> Document:
    removal = [r for r in removals({"role": {"policy": document}}) if r.action == action]
    assert removal, f"{action} is not granted"
    # From the last statement to the first: what stands before one taken away keeps its position.
    for each in reversed(removal):
        document = without(document, each)
    return document
