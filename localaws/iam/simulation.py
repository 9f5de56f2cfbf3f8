"""iam:SimulatePrincipalPolicy: what the policies of a user or role decide, without doing anything.

Rules: IAM API reference, SimulatePrincipalPolicy (read 2026-11): identity policies, those given in
the request, and the boundary count; condition keys are only those of the request. The decision is
that of iam_decide, which also decides live requests; nothing is recorded.

parity: MissingContextValues stays empty, and a resource policy (on AWS for users only) is refused.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from localaws.errors import UnsupportedByLocalAws
from localaws.iam import stored as iam_stored
from localaws.iam.decide import Decision, Policies, decide, identity_verdict
from localaws.iam.identity import Principal
from localaws.iam.policy import Caller, Policy, Request, compile_policy
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import AwsError

OPERATION = "SimulatePrincipalPolicy"
_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_SOURCE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")


def answer(parameters: Mapping[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body for one simulation; raises AwsError for no such user or role."""
    if parameters.get("ResourcePolicy"):
        raise UnsupportedByLocalAws("iam", OPERATION, "ResourcePolicy")
    principal = _principal(str(parameters.get("PolicySourceArn", "")))
    held = iam_stored.held_by(principal)
    given = _policies(parameters, "PolicyInputList")
    limits = _policies(parameters, "PermissionsBoundaryPolicyInputList")
    boundary = limits[0] if limits else held.boundary
    results = "".join(
        _result(request, decide(request, policies, resource_account=""), boundary)
        for request, policies in _asked(
            parameters, principal, Policies((*held.identity, *given), boundary)
        )
    )
    body = (
        f'<{OPERATION}Response xmlns="{_NAMESPACE}"><{OPERATION}Result>'
        f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
        f"</{OPERATION}Result><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId>"
        f"</ResponseMetadata></{OPERATION}Response>"
    ).encode()
    return 200, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))], body


def _principal(arn: str) -> Principal:
    found = _SOURCE.fullmatch(arn)
    if found is None:
        raise AwsError("InvalidInput", f"{arn or 'PolicySourceArn'} is no ARN of a user or role")
    account, kind, name = found.groups()
    store = moto_seams_iam.iam_store(account)
    exists = moto_seams_iam.find_role(account, name) if kind == "role" else store.users.get(name)
    if exists is None:
        raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
    if kind == "role":
        return Principal("session", arn, account, name, role_arn=arn)
    return Principal("user", arn, account, name)


def _asked(
    parameters: Mapping[str, Any], principal: Principal, policies: Policies
) -> Iterator[tuple[Request, Policies]]:
    caller = Caller(principal.arn, principal.account, principal.kind, principal.role_arn)
    context = _context(parameters)
    for action in _members(parameters, "ActionNames"):
        for resource in _members(parameters, "ResourceArns") or ["*"]:
            yield Request(caller, action, resource, context), policies


def _members(parameters: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a list of the query protocol, in their order."""
    prefix = f"{name}.member."
    found = {
        int(key.removeprefix(prefix)): str(value)
        for key, value in parameters.items()
        if key.startswith(prefix) and key.removeprefix(prefix).isdigit()
    }
    return [found[number] for number in sorted(found)]


def _context(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Condition keys of the request, in lower case."""
    context = {}
    for key, value in parameters.items():
        if key.startswith("ContextEntries.member.") and key.endswith(".ContextKeyName"):
            entry = key.removesuffix(".ContextKeyName")
            context[str(value).lower()] = tuple(_members(parameters, f"{entry}.ContextKeyValues"))
    return context


def _policies(parameters: Mapping[str, Any], name: str) -> tuple[Policy, ...]:
    return tuple(compile_policy(name, text) for text in _members(parameters, name))


def _result(request: Request, decided: Decision, boundary: Policy | None) -> str:
    kind = "allowed" if decided.allowed else "implicitDeny"
    if decided.reason.startswith("with an explicit deny"):
        kind = "explicitDeny"
    matched = "".join(
        f"<member><SourcePolicyId>{escape(name.partition('#')[0])}</SourcePolicyId></member>"
        for name in decided.matched
    )
    return (
        f"<member><EvalActionName>{escape(request.action)}</EvalActionName>"
        f"<EvalResourceName>{escape(request.resource)}</EvalResourceName>"
        f"<EvalDecision>{kind}</EvalDecision><MatchedStatements>{matched}</MatchedStatements>"
        f"<MissingContextValues/>{_limit(request, boundary)}</member>"
    )


def _limit(request: Request, boundary: Policy | None) -> str:
    if boundary is None:
        return ""
    verdict = identity_verdict((boundary,), request)
    allows = bool(verdict.allows) and not verdict.denies
    return (
        "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
        f"{str(allows).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    )
