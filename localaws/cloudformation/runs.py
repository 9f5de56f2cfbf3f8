"""What CloudFormation does with a stack in the background: deploys it, takes it back, deletes it.

One thread for each operation; one operation of a stack at a time. Every call is made under the
stack's role, or with the permissions of whoever asked (a forward access session).
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from localaws import clients, clock
from localaws.cloudformation.model import STACK_TYPE, Stack, StackEvent, Status, Wanted
from localaws.cloudformation.store import StackStore
from localaws.cloudformation.templates import invalid, parsed, refused
from localaws.deployer.blueprint import Blueprint, ResourceEvent, draw_source
from localaws.deployer.errors import DeploymentFailed, TemplateInvalid
from localaws.deployer.execution import Execution
from localaws.deployer.intrinsics import imports
from localaws.deployer.plan import Change
from localaws.deployer.removal import delete_members
from localaws.deployer.resources.base import Clients, Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.rollback import roll_back
from localaws.deployer.state import StackState
from localaws.errors import AccessDeniedByLocalAws
from localaws.events import service as events
from localaws.iam import service as iam
from localaws.iam.identity import Principal

CLOUDFORMATION = "cloudformation.amazonaws.com"
_SESSION = "AWSCloudFormation"
_log = logging.getLogger("localaws.cloudformation")

_WORDS = {
    "create": ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED"),
    "update": ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED"),
    "replace": ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED"),
    "delete": ("DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED"),
    "retain": ("DELETE_SKIPPED", "DELETE_SKIPPED", "DELETE_SKIPPED"),
}
_UNDONE = {"create": ("DELETE_COMPLETE", "DELETE_FAILED")}


class Runs:
    """All operations that go on."""

    def __init__(self, store: StackStore, cache: Path) -> None:
        self.store = store
        self.cache = cache
        self._threads: set[threading.Thread] = set()

    def stop(self) -> None:
        """Wait for what goes on to end."""
        for thread in list(self._threads):
            thread.join(timeout=30)

    def draw(self, stack: Stack, wanted: Wanted) -> Blueprint:
        """The stack as it shall be; raises AwsError when it can never be."""
        exports = self.store.exports(stack.place, without=stack)
        source = parsed(wanted.template)
        try:
            drawn = draw_source(
                source, wanted.parameters, stack.surroundings(exports), cache=self.cache, apart=True
            )
        except TemplateInvalid as error:
            raise refused(error) from error
        self._refuse_taken_names(stack, drawn)
        return replace(drawn, tags=wanted.tags)

    def _refuse_taken_names(self, stack: Stack, drawn: Blueprint) -> None:
        """Raise AwsError for a resource that another stack has: two would delete one."""
        owners = {
            (member.type_name, member.properties.get(_name_of(member.type_name))): other.id
            for other in self.store.all(stack.place)
            if other.id != stack.id
            for member in other.state.members.values()
        }
        for logical_id in drawn.order:
            kind = drawn.kind(logical_id)
            name = drawn.properties(logical_id, drawn.scope).get(kind.name_property)
            owner = owners.get((kind.name, name)) if isinstance(name, str) else None
            if owner:
                raise invalid(f"{logical_id} ({kind.name}): {name} already exists in stack {owner}")

    def acting(self, stack: Stack, role_arn: str, caller: Principal) -> Clients:
        """Clients by service name for what is done to a stack; raises AwsError.

        A role is assumed once ahead: who may not be assumed is told before anything begins.
        """
        if not role_arn:
            return clients.clients_for(caller, CLOUDFORMATION, stack.place.region)
        try:
            iam.assume_service_role(
                role_arn, CLOUDFORMATION, session_name=_SESSION, source_arn=stack.id
            )
        except AccessDeniedByLocalAws as error:
            raise invalid(f"Role {role_arn} is invalid or cannot be assumed: {error}") from error
        return lambda service: clients.client_as(
            role_arn,
            CLOUDFORMATION,
            service,
            region=stack.place.region,
            session_name=_SESSION,
            source_arn=stack.id,
        )

    def deploy(self, stack: Stack, wanted: Wanted, acting: Clients) -> None:
        """Begin to make a stack what is wanted; returns at once."""
        creating = not stack.state.members and stack.status is Status.REVIEW_IN_PROGRESS
        first = Status.CREATE_IN_PROGRESS if creating else Status.UPDATE_IN_PROGRESS
        blueprint = self.draw(stack, wanted)
        with stack.turn:
            refuse_while_moving(stack)
            stack.role_arn = wanted.role_arn or stack.role_arn
            enter(stack, first, "User Initiated", wanted.token)
        site = Site(acting, blueprint.surroundings, wanted.tags)
        self._start(stack, lambda: self._deploy(stack, wanted, blueprint, site))

    def delete(
        self, stack: Stack, acting: Clients, *, kept: frozenset[str], token: str = ""
    ) -> None:
        """Begin to delete a stack; returns at once."""
        with stack.turn:
            refuse_while_moving(stack)
            enter(stack, Status.DELETE_IN_PROGRESS, "User Initiated", token)
        site = Site(acting, stack.surroundings({}), stack.wanted.tags)
        self._start(stack, lambda: self._delete(stack, site, kept, token))

    def continue_rollback(self, stack: Stack, acting: Clients, *, skipped: frozenset[str]) -> None:
        """Begin to take back what a roll-back could not; returns at once."""
        with stack.turn:
            refuse_while_moving(stack)
            enter(stack, Status.UPDATE_ROLLBACK_IN_PROGRESS, "User Initiated")
        site = Site(acting, stack.surroundings({}), stack.wanted.tags)
        self._start(stack, lambda: self._continue(stack, site, skipped))

    def _continue(self, stack: Stack, site: Site, skipped: frozenset[str]) -> None:
        report = _reporter(stack, stack.wanted)

        def tell(change: Change, status: str, error: BaseException | None) -> None:
            reason = str(error) if error else ""
            about = (change.logical_id, change.type_name, change.action.value, status)
            report(ResourceEvent(*about, change.physical_id, reason))

        items = [left.item for left in stack.stuck if left.item.change.logical_id not in skipped]
        stuck = roll_back(site, items, tell)
        with stack.turn:
            stack.stuck = stuck
        status = Status.UPDATE_ROLLBACK_FAILED if stuck else Status.UPDATE_ROLLBACK_COMPLETE
        self._end(stack, status, "; ".join(map(str, stuck)))

    def _start(self, stack: Stack, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the thread's edge: no stack may stay in progress
                _log.exception("the operation on %s ended by a fault of the laptop", stack.name)
                self._end(stack, _failed_of(stack.status), f"{type(error).__name__}: {error}")
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=f"stack-{stack.name}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _deploy(self, stack: Stack, wanted: Wanted, blueprint: Blueprint, site: Site) -> None:
        report = _reporter(stack, wanted)
        creating = stack.status is Status.CREATE_IN_PROGRESS
        execution = Execution(blueprint, stack.state, site, report, rolls_back=wanted.roll_back)
        try:
            after, _ = execution.run()
        except DeploymentFailed as failure:
            self._take_failure(stack, wanted, failure, creating=creating)
            return
        with stack.turn:
            stack.state, stack.wanted = after, wanted
            stack.imports = imports_of(blueprint)
            gone = set(stack.resources) - set(after.members)
            stack.resources = {k: v for k, v in stack.resources.items() if k not in gone}
        done = Status.CREATE_COMPLETE if creating else Status.UPDATE_COMPLETE
        self._end(stack, done, token=wanted.token)

    def _take_failure(
        self, stack: Stack, wanted: Wanted, failure: DeploymentFailed, *, creating: bool
    ) -> None:
        """The end of a deployment that failed: rolled back, or left as it is where asked for."""
        reason = f"{failure}"
        if not wanted.roll_back:
            status = Status.CREATE_FAILED if creating else Status.UPDATE_FAILED
        elif creating:
            status = Status.ROLLBACK_FAILED if failure.left_behind else Status.ROLLBACK_COMPLETE
        elif failure.left_behind:
            status = Status.UPDATE_ROLLBACK_FAILED
        else:
            status = Status.UPDATE_ROLLBACK_COMPLETE
        with stack.turn:
            before = stack.state
            stack.state = StackState(failure.remains, before.outputs, before.exports)
            stack.stuck = failure.stuck
            if creating:
                stack.wanted = wanted
        if creating and wanted.on_failure == "DELETE" and not failure.left_behind:
            status = Status.DELETE_COMPLETE
        self._end(stack, status, reason, wanted.token)

    def _delete(self, stack: Stack, site: Site, kept: frozenset[str], token: str) -> None:
        used = self.store.importing(stack.place, frozenset(stack.state.exports.values()))
        if used:
            export, user = used[0]
            reason = f"Export {export} cannot be deleted as it is in use by {user}"
            self._end(stack, Status.DELETE_FAILED, reason, token)
            return
        report = _reporter(stack, Wanted("", token=token))
        rest = delete_members(stack.state, site, report, kept=kept)
        with stack.turn:
            stack.state = rest
        if rest.members:
            names = ", ".join(sorted(rest.members))
            reason = f"The following resource(s) failed to delete: [{names}]. "
            self._end(stack, Status.DELETE_FAILED, reason, token)
        else:
            self._end(stack, Status.DELETE_COMPLETE, token=token)

    def _end(self, stack: Stack, status: Status, reason: str = "", token: str = "") -> None:
        with stack.turn:
            if status is Status.UPDATE_COMPLETE or status.startswith("UPDATE_ROLLBACK"):
                stack.updated = clock.now()
            if status is Status.DELETE_COMPLETE:
                stack.deleted, stack.state = clock.now(), StackState()
            for proposal in stack.change_sets.values():
                if proposal.execution_status == "EXECUTE_IN_PROGRESS":
                    good = status in (Status.CREATE_COMPLETE, Status.UPDATE_COMPLETE)
                    proposal.execution_status = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"
        self.store.written(stack)
        enter(stack, status, reason, token)


def _name_of(type_name: str) -> str:
    return CATALOGUE[type_name].name_property


def imports_of(blueprint: Blueprint) -> frozenset[str]:
    """The exports that a stack takes from others."""
    scope = blueprint.scope
    return imports(dict(blueprint.resources), scope) | imports(dict(blueprint.outputs), scope)


def refuse_while_moving(stack: Stack) -> None:
    """Raise AwsError while another operation of the stack goes on."""
    if stack.status.is_moving:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def enter(stack: Stack, status: Status, reason: str = "", token: str = "") -> None:
    """Let a stack be in another status, and tell it to those who wait and to the event bus."""
    with stack.turn:
        stack.status, stack.reason = status, reason
        stack.events.append(StackEvent(stack.name, stack.id, STACK_TYPE, status, reason, token))
        stack.turn.notify_all()
    details = {"status": status.value, "status-reason": reason}
    _emit(stack, "Stack", {"stack-id": stack.id, "status-details": details}, token)


def _emit(stack: Stack, what: str, detail: dict[str, Any], token: str) -> None:
    events.emit(
        "aws.cloudformation",
        f"CloudFormation {what} Status Change",
        {**detail, "client-request-token": token},
        resources=[stack.id],
        account=stack.place.account,
        region=stack.place.region,
    )


def _failed_of(status: Status) -> Status:
    if status is Status.DELETE_IN_PROGRESS:
        return Status.DELETE_FAILED
    creating = status in (Status.CREATE_IN_PROGRESS, Status.ROLLBACK_IN_PROGRESS)
    return Status.ROLLBACK_FAILED if creating else Status.UPDATE_ROLLBACK_FAILED


def _reporter(stack: Stack, wanted: Wanted) -> Callable[[ResourceEvent], None]:
    """Turns what the deployer tells into events of the stack."""

    def report(told: ResourceEvent) -> None:
        if told.action == "stack":
            _change_phase(stack, told, wanted.token)
            return
        status = _word(told)
        if not status:
            return
        event = StackEvent(
            told.logical_id, told.physical_id, told.type_name, status, told.reason, wanted.token
        )
        with stack.turn:
            stack.events.append(event)
            stack.resources[told.logical_id] = event
        detail = {
            "stack-id": stack.id,
            "logical-resource-id": told.logical_id,
            "physical-resource-id": told.physical_id,
            "status-details": {"status": status, "status-reason": told.reason},
            "resource-type": told.type_name,
        }
        _emit(stack, "Resource", detail, wanted.token)

    return report


def _change_phase(stack: Stack, told: ResourceEvent, token: str) -> None:
    creating = stack.status is Status.CREATE_IN_PROGRESS
    if told.status == "rolling back":
        verb = "create" if creating else "update"
        reason = f"The following resource(s) failed to {verb}: [{told.reason}]. "
        back = Status.ROLLBACK_IN_PROGRESS if creating else Status.UPDATE_ROLLBACK_IN_PROGRESS
        enter(stack, back, reason, token)
    elif not creating:
        enter(stack, Status.UPDATE_CLEANUP, "", token)


def _word(told: ResourceEvent) -> str:
    started, done, failed = _WORDS.get(told.action, ("", "", ""))
    undone, stuck = _UNDONE.get(told.action, (done, failed))
    words = {
        "started": started,
        "done": done,
        "failed": failed,
        "rolled back": undone,
        "left behind": stuck,
    }
    return words[told.status]
