"""What a delivery has left in an environment: the stack, whose commit it is, its functions."""

from dataclasses import dataclass
from typing import Any

from signalbox_cli.errors import RunFailed
from signalbox_cli.stack_changes import status_of
from signalbox_cli.target import Target

_WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Deployed:
    """A stack as it stands."""

    stack: str
    status: str
    commit: str
    functions: tuple[str, ...]
    """Names of the stack's functions, each of which is active."""


@dataclass(frozen=True)
class Environment:
    """One environment of the control plane, by its stack."""

    name: str
    stack: str
    target: Target

    @property
    def account(self) -> str:
        """Its account, as it says itself."""
        return str(self.target.client("sts").get_caller_identity()["Account"])

    def check_untouched(self) -> None:
        """Raises RunFailed when anything was deployed, whatever has become of it.

        A preview of what would be deployed leaves an empty stack: its review.
        """
        status = status_of(self.target, self.stack)
        if status not in ("", "REVIEW_IN_PROGRESS"):
            raise RunFailed(f"{self.name} has a stack, {status}, that nobody has approved")
        functions = self.target.client("lambda").list_functions()["Functions"]
        if functions:
            raise RunFailed(f"{self.name} has functions: {functions[0]['FunctionName']}, ...")

    def newest_event(self) -> str:
        """The id of the stack's last event: another one after any change."""
        told = self.target.client("cloudformation").describe_stack_events(StackName=self.stack)
        return str(told["StackEvents"][0]["EventId"])

    def check_deployed(self, commit: str) -> Deployed:
        """What stands there; raises RunFailed unless all of it is of the commit and active."""
        described = self.target.client("cloudformation").describe_stacks(StackName=self.stack)
        stack: dict[str, Any] = described["Stacks"][0]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        status, found = str(stack["StackStatus"]), str(outputs.get("Commit", ""))
        if status not in _WHOLE or found != commit:
            raise RunFailed(f"{self.stack} is {status} of {found or 'no commit'}, not of {commit}")
        return Deployed(self.stack, status, found, self._functions())

    def _functions(self) -> tuple[str, ...]:
        pages = self.target.client("cloudformation").get_paginator("list_stack_resources")
        listed = pages.paginate(StackName=self.stack).search(
            "StackResourceSummaries[?ResourceType=='AWS::Lambda::Function'].PhysicalResourceId"
        )
        names = tuple(sorted(str(name) for name in listed))
        functions = self.target.client("lambda")
        states = {
            name: functions.get_function(FunctionName=name)["Configuration"]["State"]
            for name in names
        }
        idle = [f"{name} is {state}" for name, state in states.items() if state != "Active"]
        if idle or not names:
            raise RunFailed(f"{self.stack}: {', '.join(idle) or 'it has no functions'}")
        return names
