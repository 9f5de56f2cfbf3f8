"""Takes back what a deployment did: new resources are deleted, changed ones changed back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from localaws.deployer.plan import Action, Change
from localaws.deployer.removal import GONE, delete_member
from localaws.deployer.resources.base import Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.state import Member

Tell = Callable[[Change, str, BaseException | None], None]
"""(change, what became of it, why not)."""


@dataclass(frozen=True)
class Done:
    """One resource after its turn; `before` is what it was, or the old one that awaits deletion."""

    change: Change
    member: Member
    before: Member | None = None
    refusal: str = ""
    """Of a change that failed: the code of the refusal that ended it."""


@dataclass(frozen=True)
class Stuck:
    """A resource that could not be taken back, and why."""

    item: Done
    cause: BaseException

    def __str__(self) -> str:
        return f"{self.item.change.logical_id} ({self.cause})"


def roll_back(site: Site, items: Iterable[Done], tell: Tell) -> tuple[Stuck, ...]:
    """Take the items back in the order given; what could not be taken back.

    As in CloudFormation a new resource with DeletionPolicy Retain stays (RetainExceptOnCreate does
    not).
    """
    stuck = []
    for item in items:
        if item.change.action is Action.CREATE and item.member.deletion_policy == "Retain":
            tell(replace(item.change, action=Action.RETAIN), "done", None)
            continue
        error = _undo(site, item)
        if error is not None:
            stuck.append(Stuck(item, error))
        if item.change.action is not Action.KEEP:
            tell(item.change, "rolled back" if error is None else "left behind", error)
    return tuple(stuck)


def _undo(site: Site, item: Done) -> BaseException | None:
    """Why it could not be taken back, None when it is.

    parity: when changing back the resource whose change failed is refused as the change itself was,
    nothing had been changed after that call; AWS would call the roll-back failed.
    """
    kind = CATALOGUE[item.change.type_name]
    now = item.member.existing(item.change.logical_id)
    try:
        if item.change.action in (Action.CREATE, Action.REPLACE):
            delete_member(site, item.change.logical_id, item.member)
        elif item.change.action is Action.UPDATE and kind.update and item.before:
            kind.update(site, now, item.before.properties)
    except Exception as error:  # noqa: BLE001 - a roll-back goes on and reports what is left
        forgiven = (item.refusal, *GONE) if item.refusal else ()
        return None if refusal_of(error) in forgiven else error
    return None


def refusal_of(error: BaseException) -> str:
    """The code of a refusal by AWS, the type's name of anything else."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
