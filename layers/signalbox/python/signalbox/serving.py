"""The serving record: which model version an endpoint serves now, and which it served before.

One document per endpoint, deployments oldest first. The registry says what was approved and
SageMaker which config serves; only this record says which approved version that is, since when, and
where a rollback leads. Rules only: imports no AWS client.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from signalbox.errors import ServingRecordError
from signalbox.json_documents import Document, pointer, to_text
from signalbox.manifest_history import timestamp

# Enough to see a year of weekly releases, small enough to be read whole at every decision.
MAX_DEPLOYMENTS = 100
# Deleted in one go; what is left over is found again by the next deployment.
MAX_OBSOLETE = 10
# The member of a version's metadata that keeps it from being deployed again.
ROLLED_BACK_MARK = "rolled_back"
REASON_LIMIT = 1000
# CustomerMetadataProperties: length and characters of a value (API reference, read 2026-11-21).
_MARK_LIMIT = 256
_NOT_IN_METADATA = re.compile(r"[^\w .:/=+\-@]+")


class DeploymentStatus(StrEnum):
    """What became of one deployment."""

    SERVING = "serving"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"


class Deployment(Document):
    """A model version that was taken to an endpoint, or was to be.

    `key` makes a repeated report the same deployment; `run_id` is the run whose inference it was;
    `by` is the ARN of the execution or of the person.
    """

    key: Annotated[str, Field(min_length=1)]
    at: str
    run_id: str
    model_package_arn: str
    version: int
    endpoint_config: str
    model: str
    status: Annotated[DeploymentStatus, Field(strict=False)]
    reason: str = ""
    by: str = ""


class ServingRecord(Document):
    """Everything that was deployed to one endpoint, oldest first."""

    schema_version: Literal["1"] = "1"
    endpoint: Annotated[str, Field(min_length=1)]
    deployments: list[Deployment] = Field(default_factory=list)


class Retired(Document):
    """An endpoint config that nobody returns to any more, and its model."""

    config: str
    model: str


def record_key(endpoint: str) -> str:
    """Where the record of an endpoint lies in the workflow bucket.

    >>> record_key("signalbox-dev-diabetes")
    'endpoints/signalbox-dev-diabetes.json'
    """
    return f"endpoints/{endpoint}.json"


def version_of(model_package_arn: str) -> int:
    """The number of a model version; 0 for a package without one.

    >>> version_of("arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-a/7")
    7
    """
    last = model_package_arn.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def serving(record: ServingRecord) -> Deployment | None:
    """What the endpoint serves; None before the first success."""
    found = (d for d in reversed(record.deployments) if d.status is DeploymentStatus.SERVING)
    return next(found, None)


def last_good(record: ServingRecord) -> Deployment | None:
    """Where a rollback leads: what served last before, unless that version was itself rolled back.

    None when there is nothing to return to.
    """
    now = serving(record)
    bad = rolled_back_versions(record)
    for known in reversed(record.deployments):
        is_other = now is None or known.endpoint_config != now.endpoint_config
        is_good = known.status is DeploymentStatus.SUPERSEDED and known.model_package_arn not in bad
        if is_other and is_good:
            return known
    return None


def rolled_back_versions(record: ServingRecord) -> frozenset[str]:
    """ARNs of the versions whose last deployment here was rolled back."""
    latest = {d.model_package_arn: d.status for d in record.deployments}
    return frozenset(arn for arn, s in latest.items() if s is DeploymentStatus.ROLLED_BACK)


def deployed(record: ServingRecord, new: Deployment) -> ServingRecord:
    """The record with a deployment at its end; as it is when it has its key.

    One that serves supersedes the one before. One that failed or was rolled back leaves what serves
    as it is.
    """
    if any(known.key == new.key for known in record.deployments):
        return record
    before = record.deployments
    if new.status is DeploymentStatus.SERVING:
        before = [_ended(known, DeploymentStatus.SUPERSEDED) for known in before]
    return _bounded(record, [*before, new])


def rolled_back(
    record: ServingRecord, to: Deployment, *, key: str, at: datetime, by: str, reason: str
) -> ServingRecord:
    """The record after a return to an earlier deployment: what served is marked, `to` serves again.

    The same `key` twice is one rollback.
    """
    if any(known.key == key for known in record.deployments):
        return record
    back = to.model_copy(
        update={
            "key": key,
            "at": timestamp(at),
            "status": DeploymentStatus.SERVING,
            "reason": reason[:REASON_LIMIT],
            "by": by,
        }
    )
    ended = [_ended(one, DeploymentStatus.ROLLED_BACK, reason) for one in record.deployments]
    return _bounded(record, [*ended, back])


def taken_down(record: ServingRecord, reason: str) -> ServingRecord:
    """The record of an endpoint that was deleted on purpose: it serves nothing; twice is once."""
    ended = [_ended(one, DeploymentStatus.SUPERSEDED, reason) for one in record.deployments]
    return record.model_copy(update={"deployments": ended})


def _ended(known: Deployment, status: DeploymentStatus, reason: str = "") -> Deployment:
    if known.status is not DeploymentStatus.SERVING:
        return known
    return known.model_copy(
        update={"status": status, "reason": reason[:REASON_LIMIT] or known.reason}
    )


def _bounded(record: ServingRecord, deployments: list[Deployment]) -> ServingRecord:
    """The oldest go first, but never what serves or what a rollback leads to."""
    whole = record.model_copy(update={"deployments": deployments})
    excess = len(deployments) - MAX_DEPLOYMENTS
    if excess <= 0:
        return whole
    needed = [one for one in (serving(whole), last_good(whole)) if one is not None]
    dropped = [d.key for d in deployments if d not in needed][:excess]
    kept = [d for d in deployments if d.key not in dropped]
    return record.model_copy(update={"deployments": kept})


def retired(record: ServingRecord, *, keep: int) -> list[Retired]:
    """Configs to delete, newest first: none that serves, none to return to, not the `keep` newest.

    At most MAX_OBSOLETE; a config that is gone already may be named again.
    """
    now = serving(record)
    safe = {one.endpoint_config for one in (now, last_good(record)) if one is not None}
    old = [name for name in _newest_configs(record) if now is None or name != now.endpoint_config]
    safe.update(old[:keep])
    kept_models = {d.model for d in record.deployments if d.endpoint_config in safe}
    models = {d.endpoint_config: d.model for d in record.deployments}
    gone = [Retired(config=name, model=models[name]) for name in old if name not in safe]
    return [one for one in gone if one.model not in kept_models][:MAX_OBSOLETE]


def _newest_configs(record: ServingRecord) -> Iterable[str]:
    return dict.fromkeys(d.endpoint_config for d in reversed(record.deployments))


def rolled_back_mark(at: datetime, reason: str) -> str:
    """The metadata value that keeps a version from being deployed again by an event.

    >>> from datetime import UTC
    >>> rolled_back_mark(datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC), 'alarm "a-errors" (5xx)')
    '2026-11-21T09:30:05Z alarm a-errors 5xx'
    """
    plain = _NOT_IN_METADATA.sub(" ", reason).split()
    return f"{timestamp(at)} {' '.join(plain)}"[:_MARK_LIMIT].strip()


def to_json(record: ServingRecord) -> bytes:
    """The record as it lies in S3: UTF-8, stable order."""
    document: dict[str, Any] = record.model_dump(mode="json")
    return to_text(document).encode()


def from_json(text: bytes, *, source: str) -> ServingRecord:
    """The record in a text that `to_json` wrote; raises ServingRecordError for anything else."""
    try:
        return ServingRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ServingRecordError(
            f"{source} is no serving record: {pointer(first['loc']) or '(document)'}: "
            f"{first['msg']}; restore an earlier version of the object"
        ) from None
