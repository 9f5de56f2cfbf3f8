"""What a deployment asks of other services, as its group's service role, and what refusals mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws import clients
from localaws.codedeploy.groups import SESSION
from localaws.codedeploy.store import CODEDEPLOY, Group, Status
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import service as iam
from localaws.moto_seams import iam as moto_seams_iam

_NAMES = {"lambda": "AWSLambda", "cloudwatch": "AmazonCloudWatch"}
"""How CodeDeploy calls the services it is refused by."""
_CODES = {
    "ResourceNotFoundException": "INVALID_LAMBDA_FUNCTION",
    "InvalidParameterValueException": "INVALID_LAMBDA_CONFIGURATION",
    "TooManyRequestsException": "THROTTLED",
    "ThrottlingException": "THROTTLED",
}


@dataclass
class Ended(Exception):
    """A deployment cannot go on; `code` and `message` are those of its ErrorInformation."""

    status: Status
    code: str
    message: str


def check_role(group: Group) -> None:
    """Raise Ended when CodeDeploy may not act as the group's service role any more."""
    role = str(group.document["serviceRoleArn"])
    try:
        iam.assume_service_role(role, CODEDEPLOY, session_name=SESSION, source_arn=group.arn)
    except AccessDeniedByLocalAws as error:
        account, name = role.split(":")[4], role.rpartition("/")[2]
        if moto_seams_iam.find_role(account, name) is None:
            message = f"IAM Role is missing for deployment group: {group.name}"
            raise Ended(Status.FAILED, "IAM_ROLE_MISSING", message) from error
        message = f"CodeDeploy may not assume the IAM role {role} ({error})"
        raise Ended(Status.FAILED, "IAM_ROLE_PERMISSIONS", message) from error


@contextmanager
def calling(group: Group, service: str) -> Iterator[Any]:
    """A client that acts as the group's service role; raises Ended for what is refused."""
    role = str(group.document["serviceRoleArn"])
    try:
        yield clients.client_as(
            role,
            CODEDEPLOY,
            service,
            region=group.place.region,
            session_name=SESSION,
            source_arn=group.arn,
        )
    except ClientError as error:
        raise _ended(role, service, error) from error


def _ended(role: str, service: str, error: ClientError) -> Ended:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code.startswith("AccessDenied"):
        # parity: AWS does not say which action was refused.
        told = (
            f"The IAM role {role} does not give you permission to perform operations in the "
            f"following AWS service: {_NAMES[service]}. ({message})"
        )
        return Ended(Status.FAILED, "IAM_ROLE_PERMISSIONS", told)
    return Ended(Status.FAILED, _CODES.get(code, "INTERNAL_ERROR"), f"{code}: {message}")
