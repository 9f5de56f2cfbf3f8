"""What SageMaker on the laptop remembers: one record per resource, by account and region.

Knows names, ARNs, tags and order; not what a resource means. Imports nothing of AWS.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from localaws import clock

Document = dict[str, Any]
"""A request or answer in the shape botocore's model gives it."""


class Kind(Enum):
    """A kind of resource; the value is its part of an ARN."""

    PROCESSING_JOB = "processing-job"
    TRAINING_JOB = "training-job"
    TRANSFORM_JOB = "transform-job"
    MODEL = "model"
    ENDPOINT_CONFIG = "endpoint-config"
    ENDPOINT = "endpoint"
    MODEL_PACKAGE_GROUP = "model-package-group"
    MODEL_PACKAGE = "model-package"


@dataclass(frozen=True)
class Place:
    """Where a resource lives."""

    account: str
    region: str

    def arn(self, kind: Kind, name: str) -> str:
        """The ARN of a resource here; SageMaker writes names in lower case only for old kinds."""
        # parity: AWS lower-cases the name in the ARN of jobs, models and endpoints.
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind.value}/{name}"


@dataclass
class Record:
    """One resource: what was asked for, and what has become of it."""

    kind: Kind
    place: Place
    name: str
    document: Document
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=clock.now)
    modified: datetime = field(default_factory=clock.now)
    state: Any = None
    """The live object behind the record (a job, an endpoint), if it has one."""
    policy: str = ""
    """The policy that says who of other accounts may use it; of groups of model packages only."""

    @property
    def arn(self) -> str:
        """The resource's ARN."""
        return self.place.arn(self.kind, self.name)


class Store:
    """All records; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[tuple[Place, Kind], dict[str, Record]] = {}

    @property
    def lock(self) -> threading.RLock:
        """Held over a decision and the change that follows from it."""
        return self._lock

    def find(self, place: Place, kind: Kind, name: str) -> Record | None:
        """The record of that name, if there is one."""
        return self._records.get((place, kind), {}).get(name)

    def add(self, record: Record) -> Record:
        """Remember a new record; the name must be free."""
        with self._lock:
            self._records.setdefault((record.place, record.kind), {})[record.name] = record
        return record

    def remove(self, record: Record) -> None:
        """Forget a record."""
        with self._lock:
            self._records.get((record.place, record.kind), {}).pop(record.name, None)

    def all(self, place: Place, kind: Kind) -> list[Record]:
        """Records of a kind, oldest first."""
        with self._lock:
            return list(self._records.get((place, kind), {}).values())

    def everywhere(self, kind: Kind) -> Iterator[Record]:
        """Records of a kind in every place."""
        with self._lock:
            tables = [table for (_, k), table in self._records.items() if k == kind]
            records = [record for table in tables for record in table.values()]
        return iter(records)

    def by_arn(self, arn: str) -> Record | None:
        """The record with that ARN."""
        parts = arn.split(":", 5)
        if len(parts) != 6:
            return None
        kind_name, _, name = parts[5].partition("/")
        try:
            kind = Kind(kind_name)
        except ValueError:
            return None
        return self.find(Place(parts[4], parts[3]), kind, name)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()


STORE = Store()


@dataclass(frozen=True)
class Listing:
    """How a List operation filters, sorts and pages."""

    parameters: Document
    default_sort: str = "CreationTime"
    default_order: str = "Descending"

    def page(
        self, records: Iterable[Record], status_of: Callable[[Record], str]
    ) -> tuple[list[Record], str | None]:
        """The records of one page and the token of the next."""
        kept = [r for r in records if self._matches(r, status_of(r))]
        kept.sort(key=self._sort_key(status_of), reverse=self._descending())
        start = _offset(self.parameters.get("NextToken"))
        end = start + int(self.parameters.get("MaxResults", 100))
        return kept[start:end], _token(end) if end < len(kept) else None

    def _descending(self) -> bool:
        order: str = self.parameters.get("SortOrder", self.default_order)
        return order == "Descending"

    def _sort_key(self, status_of: Callable[[Record], str]) -> Callable[[Record], Any]:
        by = self.parameters.get("SortBy", self.default_sort)
        if by == "Name":
            return lambda r: r.name
        if by in ("Status", "ModelPackageStatus"):
            return lambda r: (status_of(r), r.created)
        return lambda r: r.created

    def _matches(self, record: Record, status: str) -> bool:
        wanted = self.parameters
        if wanted.get("NameContains", "") not in record.name:
            return False
        if "StatusEquals" in wanted and wanted["StatusEquals"] != status:
            return False
        return self._in_time(record)

    def _in_time(self, record: Record) -> bool:
        bounds = (
            ("CreationTimeAfter", record.created, 1),
            ("CreationTimeBefore", record.created, -1),
            ("LastModifiedTimeAfter", record.modified, 1),
            ("LastModifiedTimeBefore", record.modified, -1),
        )
        return all(
            (moment.timestamp() - _epoch(self.parameters[key])) * sign >= 0
            for key, moment, sign in bounds
            if key in self.parameters
        )


def _epoch(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"offset": offset}).encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["offset"])
    except (ValueError, KeyError, TypeError):
        return 0
