"""The CloudFormation actions: change sets and stacks, through CloudFormation's own API.

Every call is the action's role's, made with an ordinary client, so IAM decides each; whether the
role may hand `RoleArn` on (iam:PassRole) is decided there too. CodePipeline user guide, "AWS
CloudFormation deploy action reference" (read 2026-11-21).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.events.workers import Timers
from localaws.pipelines.actions import brought_along, client, put_artifact, zipped
from localaws.pipelines.machines import Progress
from localaws.pipelines.model import ActionStatus, Result, Work, failed
from localaws.pipelines.stack_request import stack_request

_LOOK_AGAIN_S = 0.2
_BROKEN = frozenset(
    {
        "CREATE_FAILED",
        "DELETE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_ROLLBACK_FAILED",
    }
)
"""What REPLACE_ON_FAILURE takes for a stack to delete and make anew."""
_DEPLOYED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")


class Stacks:
    """Change sets and stacks that actions wait for; `look` goes on with one, on a worker thread."""

    def __init__(
        self, timers: Timers, progress: Progress, look: Callable[[Work, str], None]
    ) -> None:
        self._timers = timers
        self._progress = progress
        self._look = look
        self._modes: Mapping[str, Callable[[Work], Result | None]] = {
            "CHANGE_SET_EXECUTE": self._execute,
            "CHANGE_SET_REPLACE": self._replace_change_set,
            "CREATE_UPDATE": self._create_or_update,
            "DELETE_ONLY": self._delete,
            "REPLACE_ON_FAILURE": self._replace_stack,
        }

    def start(self, work: Work) -> Result | None:
        """Do what the action's mode says; a result only when nothing has to be waited for."""
        return self._modes[work.configuration["ActionMode"]](brought_along(work))

    def _await(self, work: Work, place: str, arn: str) -> None:
        self._progress(work, arn, _url(work, arn))
        self._later(work, f"{place} {arn}")

    def _later(self, work: Work, step: str) -> None:
        self._timers.after(_LOOK_AGAIN_S, lambda: self._look(work, step))

    def result(self, work: Work, step: str) -> Result | None:
        """Look at what is waited for: `change-set ARN`, `stack ID`, `deleted ID`, `replaced ID`."""
        what, _, arn = step.partition(" ")
        steps = {
            "change-set": _change_set_result,
            "stack": _stack_result,
            "deleted": _deletion_result,
            "replaced": _deletion_result,
        }
        found = steps[what](work, arn)
        if found is None:
            self._later(work, step)
        elif what == "replaced" and found.failure is None:
            self._create(work)
            return None
        return found

    def _replace_change_set(self, work: Work) -> None:
        cloudformation = client(work, "cloudformation")
        stack, name = work.configuration["StackName"], work.configuration["ChangeSetName"]
        if _change_set(work, stack, name) is not None:
            cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        found = _stack(work, stack)
        is_new = found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"
        made = cloudformation.create_change_set(
            **stack_request(work),
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
        )
        self._await(work, "change-set", made["Id"])

    def _execute(self, work: Work) -> Result | None:
        stack, name = work.configuration["StackName"], work.configuration["ChangeSetName"]
        found = _change_set(work, stack, name)
        if found is None:
            message = f"There is no change set {name} of the stack {stack}"
            return failed("JobFailed", message)
        if _is_empty(found):
            return _done(work, found["StackId"], f"Stack {stack} is up to date, nothing was done")
        if found["Status"] != "CREATE_COMPLETE":
            reason = f"{found['Status']}: {found.get('StatusReason', '')}"
            return failed("JobFailed", f"The change set {name} of {stack} is {reason}")
        client(work, "cloudformation").execute_change_set(StackName=stack, ChangeSetName=name)
        self._await(work, "stack", found["StackId"])
        return None

    def _create_or_update(self, work: Work) -> Result | None:
        found = _stack(work, work.configuration["StackName"])
        if found is None:
            self._create(work)
            return None
        try:
            updated = client(work, "cloudformation").update_stack(**stack_request(work))
        except ClientError as error:
            if not any(text in str(error) for text in _UNCHANGED):
                raise
            return _done(work, found["StackId"], "The stack is up to date, nothing was done")
        self._await(work, "stack", updated["StackId"])
        return None

    def _create(self, work: Work) -> None:
        created = client(work, "cloudformation").create_stack(**stack_request(work))
        self._await(work, "stack", created["StackId"])

    def _replace_stack(self, work: Work) -> Result | None:
        found = _stack(work, work.configuration["StackName"])
        if found is None or found["StackStatus"] not in _BROKEN:
            return self._create_or_update(work)
        self._delete_found(work, found, "replaced")
        return None

    def _delete(self, work: Work) -> Result | None:
        found = _stack(work, work.configuration["StackName"])
        if found is None:
            message = f"There is no stack {work.configuration['StackName']}, nothing was done"
            return Result(ActionStatus.SUCCEEDED, summary=message)
        self._delete_found(work, found, "deleted")
        return None

    def _delete_found(self, work: Work, found: dict[str, Any], step: str) -> None:
        client(work, "cloudformation").delete_stack(
            StackName=found["StackId"], RoleARN=work.configuration["RoleArn"]
        )
        self._await(work, step, found["StackId"])


def _change_set_result(work: Work, arn: str) -> Result | None:
    found = client(work, "cloudformation").describe_change_set(ChangeSetName=arn)
    name = work.configuration["ChangeSetName"]
    told = _told(work, arn)
    if found["Status"] == "CREATE_COMPLETE":
        count = len(found.get("Changes") or ())
        message = f"Change set {name} was created with {count} changes"
        return Result(ActionStatus.SUCCEEDED, summary=message, **told)
    if _is_empty(found):
        message = f"Change set {name} contains no changes"
        return Result(ActionStatus.SUCCEEDED, summary=message, **told)
    if found["Status"] == "FAILED":
        return failed("JobFailed", f"{name}: {found.get('StatusReason', '')}", **told)
    return None


def _stack_result(work: Work, stack_id: str) -> Result | None:
    found = _stack(work, stack_id)
    status = found["StackStatus"] if found else "DELETE_COMPLETE"
    if status in _DEPLOYED:
        return _done(work, stack_id, f"Stack {work.configuration['StackName']}: {status}")
    if status.endswith("_IN_PROGRESS"):
        return None
    told = _told(work, stack_id)
    return failed("JobFailed", _cause(work, stack_id, status), **told)


def _deletion_result(work: Work, stack_id: str) -> Result | None:
    found = _stack(work, stack_id)
    status = found["StackStatus"] if found else "DELETE_COMPLETE"
    told = _told(work, stack_id)
    if status == "DELETE_COMPLETE":
        message = f"Stack {work.configuration['StackName']} was deleted"
        return Result(ActionStatus.SUCCEEDED, summary=message, **told)
    if status == "DELETE_FAILED":
        return failed("JobFailed", _cause(work, stack_id, status), **told)
    return None


def _done(work: Work, stack_id: str, summary: str) -> Result:
    """A deployed stack: its outputs become the output file and the action's variables."""
    found = _stack(work, stack_id) or {}
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs") or ()}
    for artifact in work.outputs:
        text = json.dumps(outputs)
        put_artifact(work, artifact, zipped(work.configuration["OutputFileName"], text))
    told = _told(work, stack_id)
    return Result(ActionStatus.SUCCEEDED, summary=summary, variables=outputs, **told)


def _stack(work: Work, name: str) -> dict[str, Any] | None:
    try:
        found = client(work, "cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return dict(found[0]) if found else None


def _change_set(work: Work, stack: str, name: str) -> dict[str, Any] | None:
    try:
        return dict(
            client(work, "cloudformation").describe_change_set(StackName=stack, ChangeSetName=name)
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code.startswith("ChangeSetNotFound") or "does not exist" in str(error):
            return None
        raise


def _is_empty(change_set: dict[str, Any]) -> bool:
    reason = change_set.get("StatusReason") or ""
    return change_set["Status"] == "FAILED" and any(text in reason for text in _UNCHANGED)


def _cause(work: Work, stack_id: str, status: str) -> str:
    """The first resource that failed, when the role may ask for it (DescribeStackEvents)."""
    text = f"Stack {work.configuration['StackName']} ended as {status}."
    try:
        told = client(work, "cloudformation").describe_stack_events(StackName=stack_id)
    except ClientError:
        return f"{text} The action's role may not see why (cloudformation:DescribeStackEvents)"
    # Newest first: of what failed since the operation began, the oldest is the cause.
    first = ""
    for event in told["StackEvents"]:
        own = event.get("PhysicalResourceId") == event.get("StackId")
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break
        reason = event.get("ResourceStatusReason") or ""
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            first = f" {event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return text + first


def _told(work: Work, arn: str) -> dict[str, Any]:
    return {"external_id": arn, "external_url": _url(work, arn)}


def _url(work: Work, arn: str) -> str:
    console = f"https://console.aws.amazon.com/cloudformation/home?region={work.region}#/stacks"
    kind = "changesets" if ":changeSet/" in arn else "stackinfo"
    return f"{console}/{kind}?stackId={arn}"
