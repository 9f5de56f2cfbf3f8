"""The condition keys that every request has, whatever its service.

Rules: IAM User Guide, "AWS global condition context keys" (read 2026-11). Values in, values out.
"""

from collections.abc import Mapping
from datetime import datetime

from localaws.iam_identity import Principal

Keys = dict[str, tuple[str, ...]]

_TYPES = {"user": "User", "session": "AssumedRole", "root": "Account", "anonymous": "Anonymous"}


def global_keys(
    principal: Principal,
    *,
    region: str,
    resource_account: str,
    now: datetime,
    source_ip: str = "127.0.0.1",
    user_agent: str = "",
) -> Keys:
    """Condition keys in lower case; a key without a value is absent, as on AWS."""
    keys: Keys = {
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:requestedregion": (region,),
        # parity: on the laptop all is plain HTTP on loopback, and counts as secure.
        "aws:securetransport": ("true",),
        "aws:sourceip": (source_ip,),
        "aws:viaawsservice": ("false",),
    }
    if user_agent:
        keys["aws:useragent"] = (user_agent,)
    if resource_account:
        keys["aws:resourceaccount"] = (resource_account,)
    return keys | _principal_keys(principal) | source_keys(principal.source)


def _principal_keys(principal: Principal) -> Keys:
    if principal.kind == "service":
        return {
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (principal.arn,),
        }
    keys: Keys = {
        "aws:principalisawsservice": ("false",),
        "aws:principaltype": (_TYPES[principal.kind],),
    }
    if principal.kind != "anonymous":
        keys["aws:principalarn"] = (principal.role_arn or principal.arn,)
        keys["aws:principalaccount"] = (principal.account,)
        keys["aws:userid"] = (principal.user_id,)
    if principal.kind == "user":
        keys["aws:username"] = (principal.name,)
    for name, value in principal.tags.items():
        keys[f"aws:principaltag/{name.lower()}"] = (value,)
    return keys


def source_keys(source: Mapping[str, str]) -> Keys:
    """aws:SourceArn and the like, which a service adds when it acts for a resource."""
    return {name.lower(): (value,) for name, value in source.items() if value}
