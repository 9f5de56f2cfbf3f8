"""The record of decisions, and deciding it again with other policies.

A record holds what a decision depended on, so that the question "would this have been refused if
that action were not granted?" is answered without running anything. Pure but for the recorder.

>>> Removal("arn:aws:iam::1:role/r", "p", "p#0", 0, "s3:GetObject").describe()
's3:GetObject of statement p#0 of role r'
"""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from localaws.iam.conditions import texts
from localaws.iam.decide import Decision, Policies, Verdict, combine
from localaws.iam.policy import (
    Caller,
    Document,
    Policy,
    Request,
    Statement,
    compiled_statements,
    parse_document,
    statement_id,
    statements_of,
)

CAPACITY = 40_000
_VOLATILE = ("aws:currenttime", "aws:epochtime", "aws:useragent")
"""Keys that differ from call to call and say nothing of a role's needs; they are not kept."""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision and everything it depended on but the role's own policies."""

    principal: str
    kind: str
    account: str
    role: str
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]
    allowed: bool
    reason: str
    matched: tuple[str, ...]
    operation: str
    same_account: bool
    resource_policy_required: bool
    resource_verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """The record as one line of `/_localaws/decisions`."""
        return asdict(self)


def kept(context: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Of a request's context, what is recorded."""
    return {key: values for key, values in context.items() if key not in _VOLATILE}


def from_json(line: str | Mapping[str, Any]) -> Record:
    """The record of one line of `/_localaws/decisions`."""
    raw = dict(json.loads(line) if isinstance(line, str) else line)
    raw["context"] = {key: tuple(values) for key, values in raw["context"].items()}
    raw["matched"] = tuple(raw["matched"])
    raw["resource_verdict"] = Verdict(**raw["resource_verdict"])
    return Record(**raw)


class Recorder:
    """The last decisions, oldest forgotten first; safe to use from many threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._records: deque[Record] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        """Remember one decision."""
        self._records.append(record)

    def all(self) -> list[Record]:
        """Every remembered decision, oldest first."""
        with self._lock:
            return list(self._records.copy())

    def clear(self) -> None:
        """Forget them."""
        self._records.clear()


@dataclass(frozen=True)
class Removal:
    """One action taken out of one statement of one role's policies."""

    role: str
    policy: str
    statement: str
    """The statement's id, as `matched` in the records names it."""
    index: int
    """The statement's position in its policy, from 0."""
    action: str

    def describe(self) -> str:
        """For a person."""
        return f"{self.action} of statement {self.statement} of role {self.role.rpartition('/')[2]}"


RolePolicies = Mapping[str, Mapping[str, str | Document]]
"""Role ARN -> name of policy -> document."""


@dataclass
class _Compiled:
    """A role's policies, statement by statement, ready to leave one out."""

    statements: dict[str, tuple[Statement, ...]] = field(default_factory=dict)

    def policies(self, removal: Removal | None = None) -> tuple[Policy, ...]:
        """The policies, without the removed action."""
        return tuple(
            Policy(name, _without(statements, removal) if removal else statements)
            for name, statements in self.statements.items()
        )


def _without(statements: tuple[Statement, ...], removal: Removal) -> tuple[Statement, ...]:
    return tuple(
        _narrowed(s, removal.action) if s.id == removal.statement else s for s in statements
    )


def _narrowed(statement: Statement, action: str) -> Statement:
    kept = [i for i, name in enumerate(statement.actions) if name != action]
    return replace(
        statement,
        actions=tuple(statement.actions[i] for i in kept),
        action_patterns=tuple(statement.action_patterns[i] for i in kept),
    )


def _compile(documents: Mapping[str, str | Document]) -> _Compiled:
    return _Compiled(
        {
            name: compiled_statements(name, parse_document(document))
            for name, document in documents.items()
        }
    )


def removals(policies: RolePolicies) -> Iterator[Removal]:
    """Each action of each Allow statement of each role, to be taken out one at a time."""
    for role, documents in policies.items():
        for name, document in documents.items():
            for index, raw in enumerate(statements_of(parse_document(document))):
                if raw.get("Effect") != "Allow":
                    continue
                identifier = statement_id(name, index, raw)
                for action in texts(raw.get("Action", [])):
                    yield Removal(role, name, identifier, index, action)


def without(document: str | Document, removal: Removal) -> dict[str, Any]:
    """The policy document with the action removed; a statement left without actions goes too."""
    parsed = dict(parse_document(document))
    statements = []
    for index, raw in enumerate(statements_of(parsed)):
        if index == removal.index:
            statements += _left_of(raw, removal.action)
        else:
            statements.append(raw)
    return parsed | {"Statement": statements}


def _left_of(raw: Mapping[str, Any], action: str) -> list[dict[str, Any]]:
    left = [name for name in texts(raw["Action"]) if name != action]
    return [{**raw, "Action": left}] if left else []


def re_decide(record: Record, policies: Iterable[Policy]) -> Decision:
    """The decision that `record` would get if its role had these identity policies instead."""
    request = Request(
        Caller(record.principal, record.account, record.kind, record.role),
        record.action,
        record.resource,
        record.context,
    )
    return combine(
        request,
        Policies(identity=tuple(policies)),
        record.resource_verdict,
        same_account=record.same_account,
        resource_policy_required=record.resource_policy_required,
    )


def denials(records: Iterable[Record], policies: RolePolicies) -> dict[Removal, list[Record]]:
    """For each removal, the recorded requests that it turns from allowed into denied."""
    by_role = _distinct(records)
    found: dict[Removal, list[Record]] = {}
    compiled = {role: _compile(documents) for role, documents in policies.items()}
    for removal in removals(policies):
        candidates = [r for r in by_role.get(removal.role, ()) if removal.statement in r.matched]
        left = compiled[removal.role].policies(removal)
        found[removal] = [record for record in candidates if not re_decide(record, left).allowed]
    return found


def unneeded(records: Iterable[Record], policies: RolePolicies) -> list[Removal]:
    """Granted actions that nothing recorded needed: the list a tight template leaves empty."""
    return [removal for removal, denied in denials(records, policies).items() if not denied]


def _distinct(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Allowed requests of each role, equal ones counted once."""
    seen: dict[tuple[Any, ...], Record] = {}
    for record in records:
        if record.allowed and record.role:
            context = tuple(sorted(record.context.items()))
            seen.setdefault((record.role, record.action, record.resource, context), record)
    by_role: dict[str, list[Record]] = defaultdict(list)
    for record in seen.values():
        by_role[record.role].append(record)
    return by_role
