"""Asks IAM whether a role may do what its template lets it do, as the services will ask.

Everything counts that IAM counts: inline and managed policies, the boundary, and on AWS the service
control policies of the organisation. Policies of buckets and keys do not: IAM simulates those for
users only (IAM API reference, SimulatePrincipalPolicy), so they are compared instead.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor.patients import Patient, Resource

_AT_ONCE = 8
_NEGATIVE = ("Not", "Null")
_ACCOUNT = "111122223333"  # stands in for "any account" in a pattern, as AWS's examples have it


@dataclass(frozen=True)
class Question:
    """Some actions on some resources under one set of condition keys."""

    role_arn: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Denial:
    """One action that is not allowed any more."""

    role_arn: str
    sid: str
    action: str
    resource: str
    decision: str
    within_boundary: bool
    within_organisation: bool


def questions(patient: Patient, role: Resource, role_arn: str) -> Iterator[Question]:
    """What a role's template grants it, inline and by policies of the stacks, as questions."""
    attached = role.properties.get("ManagedPolicyArns", [])
    managed = [
        policy.properties["PolicyDocument"]
        for policy in patient.of_type("AWS::IAM::ManagedPolicy")
        if policy.physical_id in attached
    ]
    inline = [policy["PolicyDocument"] for policy in role.properties.get("Policies", [])]
    for document in (*inline, *managed):
        found = document["Statement"]
        for number, statement in enumerate(found if isinstance(found, list) else [found], 1):
            if statement["Effect"] == "Allow" and not is_pending(statement):
                yield from _question(role_arn, number, statement)


def _question(role_arn: str, number: int, statement: Mapping[str, Any]) -> Iterator[Question]:
    actions = tuple(one for one in _texts(statement.get("Action")) if "*" not in one)
    resources = tuple(concrete(one) for one in _texts(statement.get("Resource")))
    if actions and resources:
        sid = str(statement.get("Sid") or f"number {number}")
        context = tuple(_context(statement.get("Condition", {})))
        yield Question(role_arn, sid, actions, resources, context)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def concrete(pattern: str) -> str:
    """A resource that a pattern stands for; "*" alone stays, it means no resource at all.

    >>> concrete("arn:aws:s3:::bucket/runs/*/manifest.json")
    'arn:aws:s3:::bucket/runs/x/manifest.json'
    >>> concrete("arn:aws:iam::*:role/signalbox-*-deploy-*")
    'arn:aws:iam::111122223333:role/signalbox-x-deploy-x'
    """
    if pattern == "*":
        return pattern
    parts = pattern.split(":", 5)
    if len(parts) == 6 and parts[4] == "*":
        parts[4] = _ACCOUNT
    return re.sub(r"[*?]", "x", ":".join(parts))


def _context(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Condition keys with values that fulfil the conditions; none where absence fulfils them."""
    for operator, keys in condition.items():
        base = operator.rpartition(":")[2].removesuffix("IfExists")
        if any(word in base for word in _NEGATIVE):
            continue
        for key, value in keys.items():
            many = ":" in operator
            kind = "boolean" if base == "Bool" else "string"
            values = [
                concrete(one).lower() if base == "Bool" else concrete(one) for one in _texts(value)
            ]
            yield {
                "ContextKeyName": key,
                "ContextKeyType": f"{kind}List" if many else kind,
                "ContextKeyValues": values if many else values[:1],
            }


def denials(patient: Patient, asked: list[Question]) -> list[Denial]:
    """Everything asked that is not allowed; several questions are on their way at a time."""
    client = patient.client("iam")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda one: _denials(client, one), asked))
    return [denial for answer in answers for denial in answer]


def _denials(client: Any, question: Question) -> list[Denial]:
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=question.role_arn,
        ActionNames=list(question.actions),
        ResourceArns=list(question.resources),
        ContextEntries=list(question.context),
    )
    return [
        _denial(question, result)
        for page in pages
        for result in page["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]


def _denial(question: Question, result: Mapping[str, Any]) -> Denial:
    boundary = result.get("PermissionsBoundaryDecisionDetail", {})
    organisation = result.get("OrganizationsDecisionDetail", {})
    return Denial(
        role_arn=question.role_arn,
        sid=question.sid,
        action=result["EvalActionName"],
        resource=result.get("EvalResourceName", "*"),
        decision=result["EvalDecision"],
        within_boundary=bool(boundary.get("AllowedByPermissionsBoundary", True)),
        within_organisation=bool(organisation.get("AllowedByOrganizations", True)),
    )
