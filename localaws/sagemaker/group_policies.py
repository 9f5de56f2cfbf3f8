"""Policies of model package groups: who in which account may use the versions of a group.

Rules: SageMaker API Reference, "PutModelPackageGroupPolicy" (read 2026-11); the words of the
refusals are those that SageMaker's own CloudFormation handler and its users report.
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam.conditions import texts
from localaws.iam.policy import MalformedPolicyError, compile_policy, parse_document, statements_of
from localaws.iam.principals import invalid_principals
from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Kind, Record

_PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")


@operation("PutModelPackageGroupPolicy")
def put_model_package_group_policy(call: Call) -> Document:
    """Attach a policy to a group, in the place of the one it had."""
    record, text = _group(call), str(call.parameters["ResourcePolicy"])
    fault = _fault(text)
    if fault:
        raise validation_error(f"Invalid policy provided: {fault}")
    record.policy = text
    return {"ModelPackageGroupArn": record.arn}


@operation("GetModelPackageGroupPolicy")
def get_model_package_group_policy(call: Call) -> Document:
    """The policy of a group."""
    return {"ResourcePolicy": _with_policy(call).policy}


@operation("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(call: Call) -> Document:
    """Leave a group without a policy: nobody of another account gets in any more."""
    _with_policy(call).policy = ""
    return {}


def _group(call: Call) -> Record:
    name = str(call.parameters["ModelPackageGroupName"])
    record = STORE.find(call.place, Kind.MODEL_PACKAGE_GROUP, name)
    if record is None:
        arn = call.place.arn(Kind.MODEL_PACKAGE_GROUP, name)
        raise validation_error(f"Cannot find Model Package Group: {arn}")
    return record


def _with_policy(call: Call) -> Record:
    record = _group(call)
    if not record.policy:
        raise validation_error(f"Cannot find resource policy for: {record.arn}")
    return record


def _fault(text: str) -> str:
    """What is wrong with a policy, "" when SageMaker would take it."""
    try:
        compile_policy("policy of a model package group", text)
        statements = statements_of(parse_document(text))
        invalid = invalid_principals(text)
    except MalformedPolicyError as error:
        return str(error)
    if invalid:
        return f"Invalid principal {', '.join(invalid)}"
    return next((fault for fault in map(_statement_fault, statements) if fault), "")


def _statement_fault(statement: Mapping[str, Any]) -> str:
    principal = statement.get("Principal")
    if not principal:
        return "Missing required field Principal"
    if principal != "*" and not set(principal) <= set(_PRINCIPALS):
        return f"Invalid principal {principal}"
    names = [] if principal == "*" else texts(principal.get("AWS", []))
    if len({*names}) < len(names):
        return "Duplicate principal"
    if not texts(statement.get("Resource", statement.get("NotResource", []))):
        return "Missing required field Resource"
    actions = texts(statement.get("Action", []))
    foreign = [name for name in actions if not name.startswith("sagemaker:") and name != "*"]
    return f"Invalid action {', '.join(foreign)}" if foreign else ""
