"""What the record of decisions says about the policies of the environment.

Each policy is made narrower in one place and the record is decided again: if nothing recorded is
refused then, the place was wider than anything here needs.
"""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localaws.iam.assume import EVERYTHING
from localaws.iam.decide import Policies, decide
from localaws.iam.policy import Caller, Policy, Request, compile_policy, statement_id
from localaws.iam.record import Record, from_json, re_decide
from signalbox.naming import LIVE
from tests.scenarios.conftest import Laptop

Document = dict[str, Any]


@dataclass(frozen=True)
class Narrowing:
    """A policy document that allows a little less than it did."""

    holder: str
    """ARN of the role or the resource that has the policy."""
    policy: str
    statement: str
    """As `matched` in the records names it."""
    lost: str
    """What is no longer allowed, for a person."""
    actions: tuple[str, ...]
    """The actions that it narrows."""
    document: Document

    def describe(self) -> str:
        """For a person."""
        return f"{self.holder.rpartition(':')[2]}: {self.statement}: {self.lost}"


def recorded(served: Laptop) -> list[Record]:
    """Every decision of the laptop so far."""
    with urllib.request.urlopen(f"{served.up.url}/_localaws/decisions") as answer:
        lines = answer.read().decode().splitlines()
    return [from_json(line) for line in lines if line.strip()]


def role_policies(served: Laptop) -> dict[str, dict[str, Document]]:
    """Role ARN -> name of inline policy -> document, of every role of the environment."""
    iam = served.target.client("iam")
    return {
        role["Arn"]: {
            name: iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        }
        for role in _roles(served)
    }


def _roles(served: Laptop) -> list[dict[str, Any]]:
    pages = served.target.client("iam").get_paginator("list_roles").paginate()
    prefix = f"{served.target.prefix}-"
    return [r for page in pages for r in page["Roles"] if r["RoleName"].startswith(prefix)]


def resource_policies(served: Laptop) -> dict[str, Document]:
    """Policies of what is not a role, and the roles' trust: ARN -> document."""
    found = {role["Arn"]: role["AssumeRolePolicyDocument"] for role in _roles(served)}
    s3, sns, kms = (served.target.client(name) for name in ("s3", "sns", "kms"))
    wired = _wired(served)
    for name in ("source-bucket", "artifact-bucket", "workflow-bucket"):
        policy = s3.get_bucket_policy(Bucket=wired[name])["Policy"]
        found[f"arn:aws:s3:::{wired[name]}"] = json.loads(policy)
    topic, key = wired["notification-topic-arn"], wired["kms-key-arn"]
    found[topic] = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    found[key] = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    return found | _queue_policies(served) | _function_policies(served)


def _wired(served: Laptop) -> dict[str, str]:
    """The parameters of the environment by the last part of their names."""
    path = f"/{served.target.app}/{served.target.environment}/"
    pages = served.target.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    found = [parameter for page in pages for parameter in page["Parameters"]]
    return {p["Name"].removeprefix(path): p["Value"] for p in found}


def _queue_policies(served: Laptop) -> dict[str, Document]:
    sqs, found = served.target.client("sqs"), {}
    for url in sqs.list_queues(QueueNamePrefix=served.target.prefix)["QueueUrls"]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found[attributes["QueueArn"]] = json.loads(attributes["Policy"])
    return found


def _function_policies(served: Laptop) -> dict[str, Document]:
    functions, found = served.target.client("lambda"), {}
    for function in functions.list_functions()["Functions"]:
        name, arn = function["FunctionName"], function["FunctionArn"]
        try:
            policy = functions.get_policy(FunctionName=name, Qualifier=LIVE)["Policy"]
        except functions.exceptions.ResourceNotFoundException:
            continue  # only roles call it
        found[f"{arn}:{LIVE}"] = json.loads(policy)
    return found


# ------------------------------------------------------------------------------------ narrowing


def narrowings(holder: str, policy: str, document: Document) -> Iterator[Narrowing]:
    """Every pair of action and resource, and every value of a condition, taken out one at a time.

    Only where a statement names several resources, or a condition several values: of a single one
    nothing would be left, and that the whole statement is needed is shown action by action.
    """
    statements = document["Statement"]
    for index, statement in enumerate(statements):
        identifier = statement_id(policy, index, statement)
        for lost, actions, left in [*_without_pair(statement), *_without_value(statement)]:
            changed = {**document, "Statement": _replaced(statements, index, left)}
            yield Narrowing(holder, policy, identifier, lost, actions, changed)


def _replaced(statements: list[Any], index: int, left: list[Any]) -> list[Any]:
    return [*statements[:index], *left, *statements[index + 1 :]]


_Narrower = Iterator[tuple[str, tuple[str, ...], list[Document]]]


def _without_pair(statement: Document) -> _Narrower:
    actions, resources = _list(statement["Action"]), _list(statement["Resource"])
    if len(resources) == 1:
        return
    for action in actions:
        others = [name for name in actions if name != action]
        kept = [{**statement, "Action": others}] if others else []
        for resource in resources:
            fewer = [name for name in resources if name != resource]
            alone = {**statement, "Action": action, "Resource": fewer}
            yield f"{action} on {resource}", (action,), [*kept, alone]


def _without_value(statement: Document) -> _Narrower:
    condition, actions = statement.get("Condition", {}), tuple(_list(statement["Action"]))
    for operator, keys in condition.items():
        for key, values in keys.items():
            for value in _list(values) if len(_list(values)) > 1 else ():
                fewer = {**keys, key: [v for v in values if v != value]}
                changed = {**statement, "Condition": {**condition, operator: fewer}}
                yield f"{key} {value}", actions, [changed]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_needed(
    narrowing: Narrowing, records: list[Record], policies: Mapping[str, Mapping[str, Document]]
) -> bool:
    """Whether something recorded is refused under the narrower policy of the role."""
    documents = {**policies[narrowing.holder], narrowing.policy: narrowing.document}
    compiled = [compile_policy(name, document) for name, document in documents.items()]
    return any(
        not re_decide(record, compiled).allowed
        for record in records
        if record.role == narrowing.holder and narrowing.statement in record.matched
    )


# ------------------------------------------------------------------------- policies of resources


def statements_removed(holder: str, document: Document) -> Iterator[Narrowing]:
    """Each statement of a resource's policy taken out; a policy that allows nothing may be left."""
    statements = document["Statement"]
    for index, statement in enumerate(statements):
        changed = {**document, "Statement": _replaced(statements, index, [])}
        name = statement.get("Sid", str(index))
        yield Narrowing(holder, "", name, statement["Effect"], (), changed)


def changes_something(
    narrowing: Narrowing,
    before: Document,
    records: list[Record],
    policies: Mapping[str, Mapping[str, Document]],
) -> bool:
    """Whether something recorded gets another decision without the statement.

    A denial of requests without TLS is asked about the same requests without it.
    """
    denies = narrowing.lost == "Deny"
    asked = [_in_the_clear(record) for record in records] if denies else records
    return any(
        _decide(record, before, policies) != _decide(record, narrowing.document, policies)
        for record in asked
        if record.allowed and _is_about(record, narrowing.holder)
    )


def _in_the_clear(record: Record) -> Record:
    return replace(record, context={**record.context, "aws:securetransport": ("false",)})


def _is_about(record: Record, holder: str) -> bool:
    return record.resource == holder or record.resource.startswith(f"{holder}/")


def _decide(
    record: Record, document: Document, policies: Mapping[str, Mapping[str, Document]]
) -> bool:
    caller = Caller(record.principal, record.account, record.kind, record.role)
    return decide(
        Request(caller, record.action, record.resource, record.context),
        Policies(_identity(record, policies), resource=compile_policy("resource", document)),
        resource_account="" if record.same_account else "another",
        resource_policy_required=record.resource_policy_required,
    ).allowed


def _identity(record: Record, policies: Mapping[str, Mapping[str, Document]]) -> tuple[Policy, ...]:
    if record.kind == "user":
        return (compile_policy("developer", EVERYTHING),)
    held = policies.get(record.role, {})
    return tuple(compile_policy(name, document) for name, document in held.items())


def conditions_removed(holder: str, document: Document) -> Iterator[tuple[Narrowing, str]]:
    """Each key of a condition of an Allow statement taken out, with the key; wider than before."""
    statements = document["Statement"]
    for index, statement in enumerate(statements):
        if statement["Effect"] != "Allow":
            continue
        name = statement.get("Sid", str(index))
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                fewer = {k: v for k, v in keys.items() if k != key}
                condition = {**statement["Condition"], operator: fewer}
                changed = {**statement, "Condition": {o: k for o, k in condition.items() if k}}
                wider = {**document, "Statement": _replaced(statements, index, [changed])}
                yield Narrowing(holder, "", name, f"{operator} {key}", (), wider), key


def keeps_somebody_out(wider: Narrowing, key: str, before: Document, records: list[Record]) -> bool:
    """Whether what was let in would, with another `key`, be let in by the wider policy alone.

    Callers may do everything by policies of their own here: the resource's is what is asked about.
    """
    others = [
        replace(record, context={**record.context, key.lower(): (_OF_NOBODY[key],)})
        for record in records
        if record.allowed and _is_about(record, wider.holder)
    ]
    generous = {record.role: {"everything": EVERYTHING} for record in others}
    return any(
        _decide(other, wider.document, generous) and not _decide(other, before, generous)
        for other in others
    )


_OF_NOBODY = {
    "aws:PrincipalArn": "arn:aws:iam::999999999999:role/somebody",
    "aws:SourceArn": "arn:aws:sns:us-east-1:999999999999:somebody",
    "aws:SourceAccount": "999999999999",
    "kms:ViaService": "sqs.us-east-1.amazonaws.com",
    "token.actions.githubusercontent.com:sub": "repo:somebody/else:environment:prod",
    "token.actions.githubusercontent.com:aud": "somebody",
}
