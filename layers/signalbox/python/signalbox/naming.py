"""Names: one rule for every identifier that AWS sees.

Limits are SageMaker's (API reference, CreateProcessingJob and CreateEndpoint: 63 characters of
letters, digits and single hyphens between them). Rules only: imports no AWS client.
"""

import hashlib
from datetime import UTC, datetime
from enum import StrEnum

from signalbox.errors import SignalboxError

APP_NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,13}[a-z0-9])?$"
WORKLOAD_NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$"
ENVIRONMENTS = ("dev", "staging", "prod")
NAME_LIMIT = 63
LIVE = "live"
"""The alias of a function by which everybody but the pipeline calls it (template.yaml)."""


class Step(StrEnum):
    """The parts of a run that get a SageMaker name of their own."""

    PREPROCESS = "preprocess"
    TRAIN = "train"
    EVALUATE = "evaluate"
    CHAMPION = "champion"
    TRANSFORM = "transform"
    MODEL = "model"
    CONFIG = "config"
    SHADOW = "shadow"
    PROBE = "probe"


def prefix(app: str, environment: str) -> str:
    """What every name in one environment begins with: `signalbox-dev`."""
    return f"{app}-{environment}"


def run_id(execution_id: str, started_at: datetime) -> str:
    """The run of one pipeline execution: 20 characters that sort by time.

    `started_at` is aware; it is the same at every delivery, so the run is, too.

    >>> run_id("b59babff-5f34-416c-8f7c-5a6a2b6d0f4c", datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC))
    '261121-093005-b8dd2b'
    """
    if started_at.tzinfo is None:
        raise ValueError("a run needs an aware start time")
    tail = hashlib.sha256(execution_id.encode()).hexdigest()[:6]
    return f"{started_at.astimezone(UTC):%y%m%d-%H%M%S}-{tail}"


def job_name_base(name_prefix: str, step: Step, run: str) -> str:
    """The name of a step's jobs without `-<attempt>-<retry>`, which the state machine adds."""
    return f"{name_prefix}-{step}-{run}"


def workload_resource(name_prefix: str, workload: str) -> str:
    """The endpoint and the model package group of a workload: `signalbox-dev-diabetes`."""
    return f"{name_prefix}-{workload}"


def s3_uri(bucket: str, key: str) -> str:
    """The URI of an object or a prefix."""
    return f"s3://{bucket}/{key}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI; raises SignalboxError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise SignalboxError(f'"{uri}" is not an S3 URI; expected s3://<bucket>/<key>')
    return bucket, key


def run_prefix(run: str) -> str:
    """The key under which everything of a run lies."""
    return f"runs/{run}"


def manifest_key(run: str) -> str:
    """The key of a run's manifest."""
    return f"{run_prefix(run)}/manifest.json"


def profile_key(run: str) -> str:
    """The key of the profiles of a run's data."""
    return f"{run_prefix(run)}/report/data-profile.json"


def quarantine_key(run: str, part: str, version_id: str, name: str) -> str:
    """The key that one refused object version is moved to."""
    return f"quarantine/{run}/{part}/{version_id}/{name}"
