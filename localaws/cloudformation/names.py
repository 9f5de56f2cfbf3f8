"""Which stack a name or a change set means, for decisions about requests to CloudFormation.

The stacks are kept by `service`, which asks IAM for much; IAM asks this module, so that neither
needs to import the other.
"""

from collections.abc import Callable

from localaws.iam.requirement import Place

Finder = Callable[[Place, str], str]
"""(place, name of a stack or ARN of a change set) -> the stack's ARN, "" when it is not known."""

_finders: list[Finder] = []


def answer_with(finder: Finder) -> None:
    """Ask `finder` from now on."""
    _finders[:] = [finder]


def forget() -> None:
    """Ask nobody any more."""
    _finders.clear()


def stack_arn(place: Place, name: str) -> str:
    """The ARN that a request about a stack is decided on; of a new stack, with any id."""
    if ":stack/" in name:
        return name
    known = next((finder(place, name) for finder in _finders), "")
    return known or place.arn("cloudformation", f"stack/{name}/*")
