"""Policy documents compared: what the template says, and what is there. Values in, values out.

Services write policies back in other words (an account as the ARN of its root, one value for a list
of one), so statements are compared in one spelling.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Statement:
    """One statement in one spelling."""

    sid: str
    effect: str
    actions: frozenset[str]
    resources: frozenset[str]
    rest: str
    """Principal, conditions and what is negated, as JSON."""

    @property
    def meaning(self) -> tuple[object, ...]:
        """Everything but the name."""
        return (self.effect, self.actions, self.resources, self.rest)

    def is_less_than(self, other: "Statement") -> bool:
        """Whether it says nothing that the other one does not say."""
        return (
            (self.effect, self.rest) == (other.effect, other.rest)
            and self.actions <= other.actions
            and self.resources <= other.resources
        )


def parsed(document: str | Document | None) -> Document:
    """A document as a mapping; one that is not there says nothing."""
    if not document:
        return {"Statement": []}
    if isinstance(document, str):
        found: Document = json.loads(document)
        return found
    return document


def statements(document: str | Document | None) -> list[Statement]:
    """The statements of a document, each in one spelling."""
    found = parsed(document)["Statement"]
    every = found if isinstance(found, list) else [found]
    return [_statement(one, f"number {number}") for number, one in enumerate(every, 1)]


def _statement(raw: Document, place: str) -> Statement:
    rest = {
        "Principal": _principals(raw.get("Principal")),
        "NotPrincipal": _principals(raw.get("NotPrincipal")),
        "NotAction": sorted(_texts(raw.get("NotAction"))),
        "NotResource": sorted(_texts(raw.get("NotResource"))),
        "Condition": _conditions(raw.get("Condition", {})),
    }
    return Statement(
        sid=str(raw.get("Sid") or place),
        effect=str(raw["Effect"]),
        actions=frozenset(action.lower() for action in _texts(raw.get("Action"))),
        resources=frozenset(_texts(raw.get("Resource"))),
        rest=json.dumps(rest, sort_keys=True),
    )


def _texts(value: Any) -> list[str]:
    every = value if isinstance(value, list) else [] if value is None else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in every]


def _principals(element: Any) -> dict[str, list[str]]:
    if element is None:
        return {}
    if not isinstance(element, Mapping):
        return {"AWS": _texts(element)}
    return {kind: sorted(map(_principal, _texts(names))) for kind, names in element.items()}


def _principal(name: str) -> str:
    return f"arn:aws:iam::{name}:root" if _ACCOUNT.fullmatch(name) else name


def _conditions(block: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    return {
        operator: {key.lower(): sorted(_texts(value)) for key, value in keys.items()}
        for operator, keys in block.items()
    }


def differences(wanted: str | Document, found: str | Document | None) -> Iterator[str]:
    """What the policy that was found lacks, has otherwise, and has besides; one clause for each.

    >>> allow = {"Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    >>> list(differences({"Statement": [allow]}, {"Statement": [{**allow, "Effect": "Deny"}]}))
    ['statement A is not as the template has it']
    >>> list(differences({"Statement": [allow]}, None))
    ['statement A is missing']
    >>> list(differences({"Statement": []}, {"Statement": allow}))
    ['statement A is not in the template']
    """
    expected, live = statements(wanted), statements(found)
    there = {one.meaning for one in live}
    asked = {one.meaning for one in expected}
    missing = [one for one in expected if one.meaning not in there]
    extra = [one for one in live if one.meaning not in asked]
    names = {one.sid for one in extra}
    for one in missing:
        state = "is not as the template has it" if one.sid in names else "is missing"
        yield f"statement {one.sid} {state}"
    changed = {one.sid for one in missing}
    yield from (f"statement {o.sid} is not in the template" for o in extra if o.sid not in changed)


def beyond(wanted: str | Document | None, found: str | Document) -> Iterator[str]:
    """Names of statements that say more than any statement of the template does."""
    expected = statements(wanted)
    for one in statements(found):
        if not any(one.is_less_than(other) for other in expected):
            yield one.sid
