"""Asks IAM whether a role may do what its template lets it do, as the services will ask.

Everything counts that IAM counts: inline and managed policies, the boundary, and on AWS the service
control policies of the organisation. Policies of buckets and keys do not: IAM simulates those for
users only (IAM API reference, SimulatePrincipalPolicy), so they are compared instead.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor.patients import Patient, Resource

_AT_ONCE = 8
_ANSWERS = 100  # IAM gives at most so many on a page
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
    """Everything asked that is not allowed; several requests are on their way at a time."""
    client = patient.client("iam")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda together: _denials(client, together), joined(asked)))
    return [denial for answer in answers for denial in answer]


def joined(asked: Iterable[Question]) -> list[list[Question]]:
    """Questions that travel in one request: of one role, under the same condition keys.

    IAM answers each action for each resource of a request, so that a request stays small.
    """
    found: list[list[Question]] = []
    open_: dict[tuple[str, str], list[Question]] = {}
    for one in asked:
        key = (one.role_arn, json.dumps(one.context, sort_keys=True))
        together = open_.get(key)
        if together is None or _size([*together, one]) > _ANSWERS:
            together = open_[key] = []
            found.append(together)
        together.append(one)
    return found


def _size(together: list[Question]) -> int:
    return len(_actions(together)) * len(_resources(together))


def _actions(together: list[Question]) -> list[str]:
    return list(dict.fromkeys(action for one in together for action in one.actions))


def _resources(together: list[Question]) -> list[str]:
    return list(dict.fromkeys(resource for one in together for resource in one.resources))


def _denials(client: Any, together: list[Question]) -> list[Denial]:
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=together[0].role_arn,
        ActionNames=_actions(together),
        ResourceArns=_resources(together),
        ContextEntries=list(together[0].context),
    )
    denied = {
        (result["EvalActionName"], result.get("EvalResourceName", "*")): result
        for page in pages
        for result in page["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    }
    return [
        _denial(question, denied[action, resource])
        for question in together
        for action in question.actions
        for resource in question.resources
        if (action, resource) in denied
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
