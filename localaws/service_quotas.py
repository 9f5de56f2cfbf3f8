"""Service Quotas of the laptop: how many instances of a type may be in use at once, by their names.

Only SageMaker's quotas of instances are here, and nothing of the laptop enforces them: they are
what `signalbox doctor` compares with what workloads ask for. A request for more is granted at once.

parity: quota codes are derived from the names; AWS's own differ, so that clients should go by name.
"""

import hashlib
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from localaws.context import Context
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.api import mount
from localaws.sagemaker.store import Document, Place
from localaws.small_services import application
from localaws.wire import AwsError

_SERVICE = "sagemaker"
_PAGE = 100
_USAGES = ("endpoint", "processing job", "training job", "transform job")
_FAMILIES = {
    "t3": ("medium", "large", "xlarge", "2xlarge"),
    "m5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
    "m6i": ("large", "xlarge", "2xlarge", "4xlarge"),
    "c5": ("large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "18xlarge"),
    "r5": ("2xlarge", "4xlarge", "8xlarge", "16xlarge"),
    "g4dn": ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"),
    "g5": ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "24xlarge", "48xlarge"),
    "p3": ("2xlarge", "8xlarge", "16xlarge"),
}
# As a new account on AWS: a handful of small instances, no GPU.
_DEFAULTS = {"g4dn": 0.0, "g5": 0.0, "p3": 0.0}
_SMALL = 20.0


class _Quotas:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.changed: dict[tuple[Place, str], float] = {}


_quotas = _Quotas()


def install(context: Context) -> None:
    """Serve the API from here, with every quota at its default."""
    with _quotas.lock:
        _quotas.changed.clear()
    mount(
        context,
        "servicequotas",
        application(
            "service-quotas",
            {
                "ListServiceQuotas": _list,
                "ListAWSDefaultServiceQuotas": _list_defaults,
                "GetServiceQuota": _get,
                "RequestServiceQuotaIncrease": _raise,
            },
        ),
    )


def set_quota(place: Place, name: str, value: float) -> None:
    """Let a quota be what AWS would never lower it to on request; raises KeyError for no quota."""
    if name not in set(_names()):
        raise KeyError(name)
    with _quotas.lock:
        _quotas.changed[place, name] = value


def _names() -> Iterator[str]:
    for family, sizes in _FAMILIES.items():
        for size in sizes:
            yield from (f"ml.{family}.{size} for {usage} usage" for usage in _USAGES)


def _default(name: str) -> float:
    return _DEFAULTS.get(name.split(".")[1], _SMALL)


def _code(name: str) -> str:
    return f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def _quota(place: Place, name: str, value: float) -> Document:
    code = _code(name)
    return {
        "ServiceCode": _SERVICE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{place.region}:{place.account}:{_SERVICE}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _applied(place: Place, name: str) -> Document:
    with _quotas.lock:
        value = _quotas.changed.get((place, name), _default(name))
    return _quota(place, name, value)


def _known_service(request: Document) -> None:
    if request["ServiceCode"] != _SERVICE:
        where = f"quotas of {request['ServiceCode']}"
        raise UnsupportedByLocalAws("servicequotas", "ListServiceQuotas", where)


def _page(request: Document, quotas: list[Document]) -> Document:
    start, size = int(request.get("NextToken", 0)), int(request.get("MaxResults", _PAGE))
    page: Document = {"Quotas": quotas[start : start + size]}
    if start + size < len(quotas):
        page["NextToken"] = str(start + size)
    return page


def _list(place: Place, request: Document) -> Document:
    _known_service(request)
    return _page(request, [_applied(place, name) for name in _names()])


def _list_defaults(place: Place, request: Document) -> Document:
    _known_service(request)
    return _page(request, [_quota(place, name, _default(name)) for name in _names()])


def _named(request: Document) -> str:
    _known_service(request)
    found = next((name for name in _names() if _code(name) == request["QuotaCode"]), None)
    if found is None:
        raise AwsError(
            "NoSuchResourceException", f"there is no quota {request['QuotaCode']} of {_SERVICE}"
        )
    return found


def _get(place: Place, request: Document) -> Document:
    return {"Quota": _applied(place, _named(request))}


def _raise(place: Place, request: Document) -> Document:
    name, desired = _named(request), float(request["DesiredValue"])
    if desired <= float(_applied(place, name)["Value"]):
        raise AwsError(
            "IllegalArgumentException", "You must provide a quota value greater than the current"
        )
    set_quota(place, name, desired)
    now = datetime.now(UTC)
    asked = {key: _quota(place, name, desired)[key] for key in ("ServiceCode", "QuotaCode")}
    return {
        "RequestedQuota": {
            **asked,
            "Id": uuid.uuid4().hex,
            "QuotaName": name,
            "DesiredValue": desired,
            "Status": "APPROVED",
            "Created": now,
            "LastUpdated": now,
        }
    }
