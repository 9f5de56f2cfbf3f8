"""Policy documents, compiled: which statements of a policy speak about a request.

Rules: IAM User Guide, "IAM JSON policy element reference" (read 2026-11). Values in, values out; no
moto, no requests. A document that is not a policy raises MalformedPolicyError.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localaws.errors import LocalAwsError
from localaws.iam.conditions import (
    Condition,
    Context,
    MissingVariableError,
    arn_pattern,
    compile_condition,
    fill_variables,
    texts,
    wildcard,
)

Document = Mapping[str, Any]


class MalformedPolicyError(LocalAwsError):
    """A policy document that AWS would refuse with MalformedPolicyDocument."""


@dataclass(frozen=True)
class Caller:
    """Of the principal, what a Principal element can name."""

    arn: str
    account: str
    kind: str
    role_arn: str = ""


@dataclass(frozen=True)
class Request:
    """One action on one resource by one caller."""

    caller: Caller
    action: str
    resource: str
    context: Context


@dataclass(frozen=True)
class Principals:
    """A Principal or NotPrincipal element."""

    anyone: bool
    aws: tuple[str, ...]
    services: frozenset[str]
    federated: frozenset[str]
    negated: bool

    def grants(self, caller: Caller) -> str:
        """How the element covers `caller`: `session`, `role`, `user`, `anyone`, `account` or "".

        A service and an identity provider are covered by their own names alone.
        """
        covered = self._covers(caller)
        if self.negated:
            return "" if covered else "anyone"
        return covered

    def _covers(self, caller: Caller) -> str:
        if caller.kind == "service":
            return "service" if caller.arn in self.services else ""
        if caller.kind == "federated":
            return "federated" if caller.arn in self.federated else ""
        if caller.arn in self.aws:
            return "session" if caller.kind == "session" else "user"
        if caller.role_arn and caller.role_arn in self.aws:
            return "role"
        if caller.account and self._names_account(caller.account):
            return "account"
        return "anyone" if self.anyone else ""

    def _names_account(self, account: str) -> bool:
        return account in self.aws or f"arn:aws:iam::{account}:root" in self.aws


@dataclass(frozen=True)
class Statement:
    """One statement; `id` names it in the record of decisions."""

    id: str
    allows: bool
    actions: tuple[str, ...]
    actions_negated: bool
    action_patterns: tuple[re.Pattern[str], ...]
    resources: tuple[str, ...]
    resources_negated: bool
    principals: Principals | None
    conditions: tuple[Condition, ...]

    def covers_action(self, action: str) -> bool:
        """Whether the Action (or NotAction) element speaks about `action`."""
        found = any(pattern.fullmatch(action) for pattern in self.action_patterns)
        return found != self.actions_negated

    def speaks_about(self, request: Request) -> bool:
        """Whether action, resource and conditions all apply; principals are looked at apart."""
        return (
            self.covers_action(request.action)
            and self._covers_resource(request)
            and all(holds(request.context) for holds in self.conditions)
        )

    def _covers_resource(self, request: Request) -> bool:
        if not self.resources:
            return True
        found = any(_resource_matches(text, request) for text in self.resources)
        return found != self.resources_negated


def _resource_matches(text: str, request: Request) -> bool:
    if text == "*":
        return True
    if "${" in text:
        try:
            text = fill_variables(text, request.context)
        except MissingVariableError:
            return False
    return arn_pattern(text).fullmatch(request.resource) is not None


@dataclass(frozen=True)
class Policy:
    """One compiled policy document."""

    name: str
    statements: tuple[Statement, ...]


def compile_policy(name: str, document: str | Document) -> Policy:
    """The policy of a document given as text or parsed."""
    return _compile_text(name, document if isinstance(document, str) else json.dumps(document))


@lru_cache(maxsize=4096)
def _compile_text(name: str, document: str) -> Policy:
    return Policy(name, compiled_statements(name, parse_document(document)))


def parse_document(document: str | Document) -> Document:
    """The document as a mapping; raises MalformedPolicyError."""
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except ValueError as error:
        raise MalformedPolicyError(f"the policy is not JSON: {error}") from error
    if not isinstance(parsed, Mapping) or "Statement" not in parsed:
        raise MalformedPolicyError("the policy has no Statement")
    return parsed


def statements_of(document: Document) -> list[dict[str, Any]]:
    """The statements of a document, also when it has a single one without a list."""
    found = document["Statement"]
    return list(found) if isinstance(found, list) else [found]


def statement_id(policy_name: str, index: int, statement: Mapping[str, Any]) -> str:
    """How the record of decisions names a statement: its Sid, else its position from 0."""
    return f"{policy_name}#{statement.get('Sid') or index}"


def compiled_statements(name: str, document: Document) -> tuple[Statement, ...]:
    """Each statement of `document`, compiled."""
    return tuple(
        _compile_statement(statement_id(name, index, statement), statement)
        for index, statement in enumerate(statements_of(document))
    )


def _compile_statement(identifier: str, raw: Mapping[str, Any]) -> Statement:
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicyError(f"statement {identifier}: Effect is {effect!r}")
    actions = _either(raw, "Action", identifier)
    resources = texts(raw.get("Resource", raw.get("NotResource", [])))
    return Statement(
        id=identifier,
        allows=effect == "Allow",
        actions=actions,
        actions_negated="NotAction" in raw,
        action_patterns=tuple(wildcard(action, ignore_case=True) for action in actions),
        resources=resources,
        resources_negated="NotResource" in raw,
        principals=_principals(raw),
        conditions=_conditions(raw.get("Condition", {})),
    )


def _either(raw: Mapping[str, Any], name: str, identifier: str) -> tuple[str, ...]:
    if (name in raw) == (f"Not{name}" in raw):
        raise MalformedPolicyError(f"statement {identifier} needs one of {name} and Not{name}")
    return texts(raw.get(name, raw.get(f"Not{name}")))


def _conditions(block: Mapping[str, Mapping[str, Any]]) -> tuple[Condition, ...]:
    return tuple(
        compile_condition(operator, key, texts(value))
        for operator, keys in block.items()
        for key, value in keys.items()
    )


def _principals(raw: Mapping[str, Any]) -> Principals | None:
    element = raw.get("Principal", raw.get("NotPrincipal"))
    if element is None:
        return None
    if element == "*":
        element = {"AWS": "*"}
    if not isinstance(element, Mapping):
        raise MalformedPolicyError(f"Invalid principal {element!r}")
    aws = texts(element.get("AWS", []))
    return Principals(
        anyone="*" in aws,
        aws=tuple(name for name in aws if name != "*"),
        services=frozenset(texts(element.get("Service", []))),
        federated=frozenset(texts(element.get("Federated", []))),
        negated="NotPrincipal" in raw,
    )
