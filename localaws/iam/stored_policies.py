"""Refuses policies that AWS would not store because a principal in them does not exist.

Each service says so in its own words; the rule is in iam_principals. Asked by the gateway after the
request was allowed and before it is served.
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam.policy import MalformedPolicyError
from localaws.iam.principals import invalid_principals
from localaws.wire import AwsError, WireRequest

_PLACES: Mapping[tuple[str, str], str] = {
    ("iam", "CreateRole"): "AssumeRolePolicyDocument",
    ("iam", "UpdateAssumeRolePolicy"): "PolicyDocument",
    ("kms", "CreateKey"): "Policy",
    ("kms", "PutKeyPolicy"): "Policy",
    ("sqs", "CreateQueue"): "Attributes.Policy",
    ("sqs", "SetQueueAttributes"): "Attributes.Policy",
}
"""Where in a request's parameters the policy of a resource stands."""

_REFUSALS: Mapping[str, tuple[str, str]] = {
    "s3": ("MalformedPolicy", "Invalid principal in policy"),
    "iam": ("MalformedPolicyDocument", 'Invalid principal in policy: "AWS":"{name}"'),
    "kms": (
        "MalformedPolicyDocumentException",
        "Policy contains a statement with one or more invalid principals.",
    ),
    "sns": ("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound"),
    "sqs": ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
}


def check(request: WireRequest) -> None:
    """Raise the service's own refusal when the policy of a request names somebody who is not."""
    text = _document(request)
    if not text:
        return
    try:
        invalid = invalid_principals(text)
    except MalformedPolicyError:
        return  # the service itself says what is wrong with it
    if invalid:
        code, message = _REFUSALS[request.service.name]
        raise AwsError(code, f"{message.format(name=invalid[0])} ({invalid[0]})")


def _document(request: WireRequest) -> str:
    name, operation = request.service.name, request.operation
    if (name, operation) == ("s3", "PutBucketPolicy"):
        return request.body.decode()
    if name == "sns":
        return _of_topic(request.parameters)
    found: Any = request.parameters
    for part in _PLACES.get((name, operation), "").split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def _of_topic(parameters: Mapping[str, Any]) -> str:
    """Of SetTopicAttributes, or of CreateTopic, whose attributes are numbered."""
    if parameters.get("AttributeName") == "Policy":
        return str(parameters.get("AttributeValue", ""))
    for name, value in parameters.items():
        if value == "Policy" and name.startswith("Attributes.entry.") and name.endswith(".key"):
            return str(parameters.get(f"{name[:-4]}.value", ""))
    return ""
