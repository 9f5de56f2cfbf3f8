"""The account set-up: which stacks go into which accounts, in order, and what that changes.

A stack that takes a value from another one's outputs can only be planned once that one stands; it
is planned when its turn comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.model import Deployment, Settings
from delivery.settings import deployments
from signalbox_cli import stack_changes
from signalbox_cli.account_sessions import Accounts
from signalbox_cli.errors import CommandError
from signalbox_cli.identity_providers import github_provider, is_of_stack
from signalbox_cli.options import explain_fault
from signalbox_cli.stack_changes import NEVER_WHOLE, Change, ChangeSet, Wanted
from signalbox_cli.target import Target


@contextmanager
def about(deployment: Deployment) -> Iterator[None]:
    """Say part, stack, account and region with whatever goes wrong: five accounts are worked in."""
    try:
        yield
    except (CommandError, BotoCoreError, ClientError) as fault:
        told = fault if isinstance(fault, CommandError) else explain_fault(fault)
        if told is None or str(told).startswith(deployment.where):
            raise
        raise type(told)(f"{deployment.where}: {told}") from None


@dataclass(frozen=True)
class Step:
    """One stack of the set-up, and what would change; None where that is not known yet."""

    deployment: Deployment
    change_set: ChangeSet | None
    waits_for: tuple[str, ...] = ()
    """Deployments whose outputs it needs, which do not stand yet."""
    failed: str = ""
    """Status of a stack whose creation failed: it is deleted first, and then made anew."""

    @property
    def is_unchanged(self) -> bool:
        """Whether there is nothing to do."""
        return self.change_set is not None and not self.change_set.changes

    @property
    def verb(self) -> str:
        """What happens to the stack, in one word."""
        if self.failed:
            return "recreate"
        if self.change_set is None:
            return "after"
        if self.is_unchanged:
            return "unchanged"
        return "create" if self.change_set.is_new else "update"

    def document(self) -> dict[str, Any]:
        """The step as JSON."""
        one = self.deployment
        changes = self.change_set.changes if self.change_set else ()
        return {
            "name": one.name,
            "stack": one.stack_name,
            "account": one.place.account,
            "region": one.place.region,
            "template": one.template,
            "action": self.verb,
            "waitsFor": list(self.waits_for),
            "changes": [_document(change) for change in changes],
        }


def _document(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "logicalId": change.logical_id,
        "type": change.type,
        "replacement": change.replacement or None,
    }


@dataclass(frozen=True)
class Bootstrap:
    """The whole set-up, of some or all parts, from the templates of a folder."""

    settings: Settings
    accounts: Accounts
    folder: Path
    parts: tuple[str, ...] = ()
    """Names of deployments; empty for all."""

    @property
    def every(self) -> tuple[Deployment, ...]:
        """All that the settings tell of, in order, whichever parts are asked for."""
        return deployments(self.settings)

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """What is to be deployed, in order; raises CommandError for a part that there is not."""
        every = self.every
        names = [one.name for one in every]
        unknown = [part for part in self.parts if part not in names]
        if unknown:
            raise CommandError(
                f"there is no part '{unknown[0]}' to set up: choose from {', '.join(names)}"
            )
        return tuple(one for one in every if not self.parts or one.name in self.parts)

    def target(self, deployment: Deployment) -> Target:
        """Where a deployment goes."""
        with about(deployment):
            return self.accounts.target(deployment.name, deployment.place)

    def status(self, deployment: Deployment) -> str:
        """Status of the deployment's stack, "" when there is none."""
        with about(deployment):
            return stack_changes.status_of(self.target(deployment), deployment.stack_name)

    def plan(self) -> Iterator[Step]:
        """Each stack with its changes; makes change sets and executes none."""
        for deployment in self.deployments:
            missing, parameters = self._parameters(deployment)
            status = self.status(deployment)
            if missing or status in NEVER_WHOLE:
                failed = status if status in NEVER_WHOLE else ""
                yield Step(deployment, None, missing, failed)
            else:
                yield Step(deployment, self._prepared(deployment, parameters))

    def deploy(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Execute the steps in order; what could not be planned before is planned now.

        Whoever stops before the end calls `give_up` with the steps that are not done.
        """
        for step in steps:
            done = step if step.change_set is not None else self._planned_late(step)
            try:
                self._execute(done)
            except BaseException:  # also Ctrl-C: what was planned late is in nobody's list
                list(self.give_up([done]))
                raise
            yield done

    def _execute(self, step: Step) -> None:
        if step.change_set is not None and step.change_set.changes:
            with about(step.deployment):
                stack_changes.execute(self.target(step.deployment), step.change_set)

    def give_up(self, steps: Sequence[Step]) -> Iterator[str]:
        """Take back every change set that was not executed; say which one could not be."""
        for step in steps:
            if step.change_set is None:
                continue
            try:
                stack_changes.discard(self.target(step.deployment), step.change_set)
            except CommandError as fault:
                yield f"{step.deployment.where}: {step.change_set.name} is still there: {fault}"

    def _planned_late(self, step: Step) -> Step:
        missing, parameters = self._parameters(step.deployment)
        if missing:
            raise CommandError(
                f"{step.deployment.name} needs what {', '.join(missing)} has as output, and it is "
                f"not there: deploy {', '.join(missing)} first"
            )
        if step.failed and self.status(step.deployment) in NEVER_WHOLE:
            with about(step.deployment):
                stack_changes.delete(self.target(step.deployment), step.deployment.stack_name)
        return Step(step.deployment, self._prepared(step.deployment, parameters))

    def _prepared(self, deployment: Deployment, parameters: Mapping[str, str]) -> ChangeSet:
        path = self.folder / deployment.template
        if not path.is_file():
            raise CommandError(
                f"{path} does not exist; run the command in the folder that holds Signalbox's "
                "template.yaml"
            )
        wanted = Wanted(
            deployment.stack_name,
            path,
            parameters,
            deployment.capabilities,
            {"app": self.settings.app, "part": deployment.name.partition("/")[0]},
        )
        with about(deployment):
            return stack_changes.prepare(self.target(deployment), wanted)

    def _parameters(self, deployment: Deployment) -> tuple[tuple[str, ...], dict[str, str]]:
        """Deployments whose outputs are missing, and the parameters as far as they are known."""
        found = dict(deployment.parameters)
        missing = []
        by_name = {one.name: one for one in self.every}
        for needed in deployment.from_outputs:
            source = by_name[needed.deployment]
            with about(source):
                outputs = stack_changes.outputs_of(self.target(source), source.stack_name)
            if needed.output in outputs:
                found[needed.parameter] = outputs[needed.output]
            else:
                missing.append(source.name)
        if found.get("Repository") and not self.settings.environments[_part(deployment)].has_oidc:
            found["OidcProvider"] = self._oidc_provider(deployment)
        return tuple(dict.fromkeys(missing)), found

    def _oidc_provider(self, deployment: Deployment) -> str:
        """Whether the stack makes GitHub's identity provider: "create" or "exists".

        An account has one at most. Its own goes on to be declared; one that somebody else made, or
        that an earlier set-up has left, is used as it is.
        """
        with about(deployment):
            target = self.target(deployment)
            arn = github_provider(target)
            if arn:
                stands = bool(self.status(deployment))
                is_own = stands and is_of_stack(target, arn, deployment.stack_name)
                return "create" if is_own else "exists"
        alike = (
            one
            for one in self.deployments
            if one.place.account == deployment.place.account and "OidcProvider" in one.parameters
        )
        return "create" if next(alike, deployment) == deployment else "exists"


def _part(deployment: Deployment) -> str:
    return deployment.name.partition("/")[0]
