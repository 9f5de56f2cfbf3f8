"""The account set-up: which stacks go into which accounts, in order, and what that changes.

A stack that takes a value from another one's outputs can only be planned once that one stands; it
is planned when its turn comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from delivery.model import Deployment, Settings
from delivery.settings import deployments
from signalbox_cli import stack_changes
from signalbox_cli.account_sessions import Accounts
from signalbox_cli.errors import CommandError
from signalbox_cli.stack_changes import ChangeSet, Wanted
from signalbox_cli.target import Target


@dataclass(frozen=True)
class Step:
    """One stack of the set-up, and what would change; None where that is not known yet."""

    deployment: Deployment
    change_set: ChangeSet | None
    waits_for: tuple[str, ...] = ()
    """Deployments whose outputs it needs, which do not stand yet."""

    @property
    def is_unchanged(self) -> bool:
        """Whether there is nothing to do."""
        return self.change_set is not None and not self.change_set.changes

    @property
    def verb(self) -> str:
        """What happens to the stack, in one word."""
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
            "changes": [change.document() for change in changes],
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
        return self.accounts.target(deployment.name, deployment.place)

    def plan(self) -> Iterator[Step]:
        """Each stack with its changes; makes change sets and executes none."""
        for deployment in self.deployments:
            missing, parameters = self._parameters(deployment)
            if missing:
                yield Step(deployment, None, missing)
            else:
                yield Step(deployment, self._prepared(deployment, parameters))

    def deploy(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Execute the steps in order; what could not be planned before is planned now."""
        for step in steps:
            done = step if step.change_set is not None else self._planned_late(step)
            change_set = done.change_set
            if change_set is not None and change_set.changes:
                stack_changes.execute(self.target(step.deployment), change_set)
            yield done

    def give_up(self, steps: Sequence[Step]) -> None:
        """Take back every change set of a plan that is not carried out."""
        for step in steps:
            if step.change_set is not None and step.change_set.arn:
                target = self.target(step.deployment)
                stack_changes.discard(target, step.change_set.stack, step.change_set.arn)

    def _planned_late(self, step: Step) -> Step:
        missing, parameters = self._parameters(step.deployment)
        if missing:
            raise CommandError(
                f"{step.deployment.name} needs what {', '.join(missing)} has as output, and it is "
                f"not there: deploy {', '.join(missing)} first"
            )
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
        try:
            return stack_changes.prepare(self.target(deployment), wanted)
        except ClientError as fault:
            answer = fault.response["Error"]
            raise CommandError(
                f"{deployment.name} ({deployment.stack_name} in {deployment.place.account}): AWS "
                f"refused {fault.operation_name}: {answer['Code']}: {answer.get('Message', '')}"
            ) from None

    def _parameters(self, deployment: Deployment) -> tuple[tuple[str, ...], dict[str, str]]:
        """Deployments whose outputs are missing, and the parameters as far as they are known."""
        found = dict(deployment.parameters)
        missing = []
        by_name = {one.name: one for one in self.every}
        for needed in deployment.from_outputs:
            source = by_name[needed.deployment]
            outputs = stack_changes.outputs_of(self.target(source), source.stack_name)
            if needed.output in outputs:
                found[needed.parameter] = outputs[needed.output]
            else:
                missing.append(source.name)
        return tuple(dict.fromkeys(missing)), found
