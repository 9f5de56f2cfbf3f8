"""Deciding a gate: read its token, put the decision, for exactly the run that was meant."""

from botocore.exceptions import ClientError

from signalbox_cli.errors import CommandError, NotFoundError
from signalbox_cli.runs import GATES, RunView, read_manifest
from signalbox_cli.target import Target

# CodePipeline: the summary of an approval result has at most 512 characters.
_SUMMARY_LIMIT = 512


def open_token(target: Target, run: RunView, gate: str) -> str:
    """The token of the gate, only while it waits for this very run.

    Raises NotFoundError when the gate does not wait, or waits for another run.
    """
    state = target.client("codepipeline").get_pipeline_state(name=target.wiring().pipeline)
    stage = next(s for s in state["stageStates"] if s["stageName"] == gate)
    holder = stage.get("latestExecution", {}).get("pipelineExecutionId")
    for action in stage["actionStates"]:
        latest = action.get("latestExecution", {})
        if holder == run.execution_id and latest.get("status") == "InProgress":
            return str(latest["token"])
    raise NotFoundError(f"{gate} does not wait for a decision on run {run.name}: it {run.place}")


def decide(target: Target, run: RunView, gate: str | None, *, approve: bool, reason: str) -> str:
    """Approve or reject the gate where the run waits; the gate's name comes back."""
    chosen = gate or run.waiting_gate
    if chosen not in GATES:
        raise NotFoundError(f"run {run.name} waits at no gate: it {run.place}")
    if approve and chosen == "ApproveModel" and target.wiring().two_person_rule:
        _check_two_people(target, run)
    token = open_token(target, run, chosen)
    try:
        target.client("codepipeline").put_approval_result(
            pipelineName=target.wiring().pipeline,
            stageName=chosen,
            actionName=chosen,
            token=token,
            result={
                "status": "Approved" if approve else "Rejected",
                "summary": reason[:_SUMMARY_LIMIT],
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ApprovalAlreadyCompletedException":
            raise
        raise CommandError(
            f"{chosen} of run {run.run_id} was decided by somebody else in this moment; "
            "`signalbox status` shows how"
        ) from None
    return chosen


def _check_two_people(target: Target, run: RunView) -> None:
    """Refuse before anything is decided; update_schema would refuse afterwards."""
    me = target.client("sts").get_caller_identity()["Arn"]
    if me == read_manifest(target, run)["run"].get("releasedBy"):
        raise CommandError(
            f"{me} released run {run.run_id}; this environment asks for a second person "
            "(TwoPersonRule). Let somebody else approve it"
        )
