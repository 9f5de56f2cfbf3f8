"""Callers that another identity provider vouches for: the tokens of sts:AssumeRoleWithWebIdentity.

Rules: IAM User Guide, "Create an OpenID Connect identity provider in IAM" and "Available keys for
AWS OIDC federation"; STS API Reference, AssumeRoleWithWebIdentity (read 2026-11-21). The provider
must exist in the role's account and know the token's audience; trust policies then see the token's
`sub`, `aud` and `amr` as `<provider>:sub` and so on. Decides nothing about permissions.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from localaws import clock
from localaws.iam.identity import Principal
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import AwsError

ACTION = "sts:AssumeRoleWithWebIdentity"
_CLAIMS = ("sub", "aud", "amr")


def principal_of(token: str, account: str) -> tuple[Principal, dict[str, tuple[str, ...]]]:
    """The caller that a token stands for in an account, and the condition keys of its claims.

    Raises AwsError InvalidIdentityToken or ExpiredTokenException.
    """
    claims = _claims(token)
    issuer = str(claims.get("iss", ""))
    name = issuer.partition("://")[2]
    provider = moto_seams_iam.find_oidc_provider(account, name)
    if not name or provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    audiences = _texts(claims.get("aud"))
    if not set(audiences) & set(provider.client_id_list):
        raise _invalid("Incorrect token audience")
    if float(claims.get("exp", 0)) <= clock.now().timestamp():
        raise AwsError("ExpiredTokenException", "Token expired")
    keys = {f"{name}:{one}".lower(): _texts(claims[one]) for one in _CLAIMS if one in claims}
    return Principal(kind="federated", arn=provider.arn, account=account), keys


def _claims(token: str) -> Mapping[str, Any]:
    """The payload of a JSON Web Token (RFC 7519)."""
    # parity: the signature is not verified; the laptop does not ask the provider for its keys.
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        raise _invalid("The ID Token provided is not a valid JWT") from None
    if len(parts) != 3 or not isinstance(claims, dict):
        raise _invalid("The ID Token provided is not a valid JWT")
    return claims


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
