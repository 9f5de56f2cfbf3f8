"""The condition keys that every request has, whatever its service.

Rules: IAM User Guide, "AWS global condition context keys" (read 2026-11). Values in, values out.
"""

from datetime import datetime

from localaws.iam.identity import Principal

Keys = dict[str, tuple[str, ...]]


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
    return {**keys, **principal.condition_keys}
