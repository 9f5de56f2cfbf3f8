"""The environment variables a container starts with, and nothing of the host's.

The job role's credentials are handed over as environment variables.
# parity: SageMaker hands them over through a metadata address; SDKs find either.
"""

import os
import sys
from pathlib import Path

from localaws.iam import service as iam
from localaws.jobs.folder import JobFolder
from localaws.jobs.transfer import SERVICE, source_arn
from localaws.sagemaker.store import Place

_endpoint = [""]


def configure(url: str) -> None:
    """Where containers find the laptop's AWS."""
    _endpoint[0] = url


_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_per_job() -> int:
    """Threads each job's numeric libraries may use."""
    return int(os.environ.get("LOCALAWS_JOB_THREADS") or cores())


def base_environment(
    folder: JobFolder, place: Place, role_arn: str, *, is_isolated: bool = False
) -> dict[str, str]:
    """What every container has: a path, a home, a region, the role's credentials.

    An isolated one has no credentials: the address that hands them out is out of its reach.
    """
    threads = str(threads_per_job())
    return {
        # The interpreter's own folder first, so that `python3` means the one with the packages.
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(folder.tmp),
        "TMPDIR": str(folder.tmp),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "UTF-8",
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        "AWS_REGION": place.region,
        "AWS_DEFAULT_REGION": place.region,
        **({} if is_isolated else _credentials(role_arn, source_arn(place.region, place.account))),
    }


def _credentials(role_arn: str, source: str) -> dict[str, str]:
    credentials = iam.assume_service_role(
        role_arn, SERVICE, session_name="SageMaker", source_arn=source
    )
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_ENDPOINT_URL": _endpoint[0],
    }
