"""Whether the principals that a policy names are there: AWS refuses a policy that names others.

Rules: IAM User Guide, "AWS JSON policy elements: Principal" (read 2026-11): a role or user must
exist when the policy is stored. Of accounts that are not the laptop's own nothing can be known, so
any role of theirs passes. Imports the accounts, seams and policy.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from localaws.accounts import BY_ID
from localaws.iam.conditions import texts
from localaws.iam.policy import MalformedPolicyError, parse_document, statements_of
from localaws.moto_seams import iam as moto_seams_iam

_ENTITY = re.compile(
    r"arn:aws[a-z-]*:(?P<service>iam|sts)::(?P<account>\d{12}):"
    r"(?P<kind>root|role|user|assumed-role)(/(?P<name>\S+))?"
)
_ACCOUNT = re.compile(r"\d{12}")
# The unique ids of a user and a role that are gone: AWS writes them into policies in their place.
_GONE = re.compile(r"A(IDA|ROA)[A-Z0-9]+")


def invalid_principals(document: str | Mapping[str, Any]) -> list[str]:
    """The AWS principals of a policy that AWS would refuse; raises MalformedPolicyError."""
    return [name for name in named_principals(document) if not _is_valid(name)]


def named_principals(document: str | Mapping[str, Any]) -> Iterator[str]:
    """What the AWS part of each Principal and NotPrincipal element names."""
    for statement in statements_of(parse_document(document)):
        if not isinstance(statement, Mapping):
            raise MalformedPolicyError("a statement is no JSON object")
        for element in (statement.get("Principal"), statement.get("NotPrincipal")):
            if isinstance(element, Mapping):
                yield from texts(element.get("AWS", []))


def _is_valid(name: str) -> bool:
    if name == "*" or _ACCOUNT.fullmatch(name):
        return True
    if _GONE.fullmatch(name):
        return False
    found = _ENTITY.fullmatch(name)
    if found is None:
        return False
    return found["account"] not in BY_ID or _exists(found)


def _exists(found: "re.Match[str]") -> bool:
    account, kind = found["account"], found["kind"]
    if kind == "root":
        return found["name"] is None
    if kind == "assumed-role":
        return moto_seams_iam.find_role(account, str(found["name"]).partition("/")[0]) is not None
    if kind == "role":
        role = moto_seams_iam.find_role(account, str(found["name"]).rpartition("/")[2])
        return role is not None and role.arn == found[0]
    return str(found["name"]).rpartition("/")[2] in moto_seams_iam.iam_store(account).users
