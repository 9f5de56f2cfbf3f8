"""What SageMaker is doing with an endpoint, and waiting until it lets others at it."""

import time

from botocore.exceptions import ClientError

from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target

CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""Statuses in which UpdateEndpoint and DeleteEndpoint are refused."""


def status_of(target: Target, endpoint: str) -> str:
    """The endpoint's status; empty when there is none."""
    try:
        found = target.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as fault:
        # SageMaker says ValidationException, "Could not find", for what is not there.
        if "could not find" in str(fault).lower():
            return ""
        raise
    return str(found["EndpointStatus"])


def is_deletable(target: Target, endpoint: str, patience_s: float) -> bool:
    """Wait until nothing is under way with an endpoint; False for one that goes or is gone.

    Raises CommandError, with the command to do it by hand, when that takes longer.
    """
    deadline = time.monotonic() + patience_s
    while (status := status_of(target, endpoint)) in CHANGING:
        if time.monotonic() > deadline:
            raise CommandError(
                f"endpoint {endpoint} is still {status} after {patience_s / 60:.0f} minutes, and "
                "cannot be deleted before that ends. It is billed until it is deleted: aws "
                f"sagemaker delete-endpoint --endpoint-name {endpoint}"
            )
        time.sleep(target.poll_s)
    return status not in ("", "Deleting")
