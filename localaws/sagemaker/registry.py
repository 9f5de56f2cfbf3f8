"""The model registry: groups of model packages, their versions and their approval."""

import re
from typing import Any

from localaws import clock, image_digests
from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.events import emit
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Kind, Listing, Place, Record
from localaws.sagemaker.tags import tags_of
from localaws.wire import AwsError

_UPDATE_FIELDS = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelLifeCycle",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
)
_EVENT_FIELDS = {"SourceUri": "sourceUri"}
_PACKAGE_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):model-package/(?P<name>.+)"
)
_GROUP_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package-group/(?P<name>.+)"
)


@operation("CreateModelPackageGroup")
def create_model_package_group(call: Call) -> Document:
    """A new, empty group."""
    name = call.parameters["ModelPackageGroupName"]
    document = {k: v for k, v in call.parameters.items() if k != "Tags"}
    with STORE.lock:
        if STORE.find(call.place, Kind.MODEL_PACKAGE_GROUP, name) is not None:
            arn = call.place.arn(Kind.MODEL_PACKAGE_GROUP, name)
            raise validation_error(f"Model Package Group already exists: {arn}")
        tags = tags_of(call.parameters)
        record = Record(Kind.MODEL_PACKAGE_GROUP, call.place, name, document, tags, state=[0])
        STORE.add(record)
    return {"ModelPackageGroupArn": record.arn}


@operation("DescribeModelPackageGroup")
def describe_model_package_group(call: Call) -> Document:
    """A group, by name or ARN."""
    record = _group(call.place, call.parameters["ModelPackageGroupName"])
    return {
        **record.document,
        **_group_summary(record),
        "CreatedBy": {},
    }


@operation("ListModelPackageGroups")
def list_model_package_groups(call: Call) -> Document:
    """Groups, newest first."""
    found = STORE.all(call.place, Kind.MODEL_PACKAGE_GROUP)
    page, token = Listing(call.parameters).page(found, lambda _: "Completed")
    summaries = [_group_summary(r) for r in page]
    return {"ModelPackageGroupSummaryList": summaries, "NextToken": token}


@operation("DeleteModelPackageGroup")
def delete_model_package_group(call: Call) -> Document:
    """Forget an empty group; one with versions is refused."""
    record = _group(call.place, call.parameters["ModelPackageGroupName"])
    if _versions(call.place, record.name):
        raise AwsError(
            "ConflictException", f"Model Package Group {record.name} still has model packages"
        )
    STORE.remove(record)
    return {}


def _group_summary(record: Record) -> Document:
    summary: Document = {
        "ModelPackageGroupName": record.name,
        "ModelPackageGroupArn": record.arn,
        "CreationTime": record.created,
        "ModelPackageGroupStatus": "Completed",
    }
    description = record.document.get("ModelPackageGroupDescription")
    if description is not None:
        summary["ModelPackageGroupDescription"] = description
    return summary


@operation("CreateModelPackage")
def create_model_package(call: Call) -> Document:
    """The next version of a group; the same ClientToken again gives the same version."""
    request = call.parameters
    if not request.get("ModelPackageGroupName"):
        raise validation_error(
            "ModelPackageGroupName is required: the laptop keeps versioned model packages only"
        )
    with STORE.lock:
        group = _group(call.place, request["ModelPackageGroupName"])
        earlier = _same_token(call.place, group.name, request)
        record = earlier or _new_version(call, group)
    if earlier is None:
        _announce(record, [])
    return {"ModelPackageArn": record.arn}


def _same_token(place: Place, group: str, request: Document) -> Record | None:
    token = request.get("ClientToken")
    for record in _versions(place, group):
        if token and record.state["token"] == token:
            if record.state["request"] != request:
                raise AwsError(
                    "ConflictException", "the ClientToken was used with other parameters before"
                )
            return record
    return None


def _new_version(call: Call, group: Record) -> Record:
    request = call.parameters
    # Versions only grow: a deleted one is not given out again.
    group.state[0] += 1
    version = group.state[0]
    left_out = ("Tags", "ClientToken", "ModelPackageGroupName")
    document: Document = {k: v for k, v in request.items() if k not in left_out}
    document.setdefault("ModelApprovalStatus", "PendingManualApproval")
    document["ModelPackageGroupName"] = group.name
    document["ModelPackageVersion"] = version
    document["ModelPackageStatus"] = "Completed"
    if "InferenceSpecification" in document:
        document["InferenceSpecification"] = image_digests.resolved(
            document["InferenceSpecification"]
        )
    record = Record(
        Kind.MODEL_PACKAGE,
        call.place,
        f"{group.name}/{version}",
        document,
        tags_of(request),
        state={"token": request.get("ClientToken"), "request": request},
    )
    return STORE.add(record)


@operation("DescribeModelPackage")
def describe_model_package(call: Call) -> Document:
    """A version with everything it was given."""
    record = find_package(call.place, call.parameters["ModelPackageName"])
    return describe(record)


def describe(record: Record) -> Document:
    """The Describe answer of a model package."""
    document = record.document
    changed = {"LastModifiedTime": record.modified} if record.modified > record.created else {}
    return {
        **document,
        **changed,
        "ModelPackageName": record.name.partition("/")[0],
        "ModelPackageArn": record.arn,
        "CreationTime": record.created,
        "CreatedBy": {},
        "ModelPackageStatusDetails": _status_details(),
        "ModelPackageRegistrationType": _registration(document),
    }


def _status_details() -> Document:
    return {"ValidationStatuses": [], "ImageScanStatuses": []}


def _registration(document: Document) -> str:
    return "Registered" if "InferenceSpecification" in document else "Logged"


@operation("ListModelPackages")
def list_model_packages(call: Call) -> Document:
    """Versions of a group, or of all; newest first."""
    request = call.parameters
    group = request.get("ModelPackageGroupName")
    records = STORE.all(call.place, Kind.MODEL_PACKAGE)
    if group is not None:
        records = _versions(call.place, _group(call.place, group).name)
    wanted = request.get("ModelApprovalStatus")
    kept = [r for r in records if wanted in (None, r.document["ModelApprovalStatus"])]
    page, token = Listing(request).page(kept, lambda r: str(r.document["ModelPackageStatus"]))
    return {"ModelPackageSummaryList": [_summary(r) for r in page], "NextToken": token}


def _summary(record: Record) -> Document:
    document = record.document
    names = (
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageDescription",
        "ModelPackageStatus",
        "ModelApprovalStatus",
        "ModelLifeCycle",
    )
    return {
        "ModelPackageArn": record.arn,
        "CreationTime": record.created,
        "ModelPackageRegistrationType": _registration(document),
        **{name: document[name] for name in names if name in document},
    }


@operation("BatchDescribeModelPackage")
def batch_describe_model_package(call: Call) -> Document:
    """Several versions at once; unknown ones are told apart."""
    summaries: Document = {}
    errors: Document = {}
    for arn in call.parameters["ModelPackageArnList"]:
        record = STORE.by_arn(arn)
        if record is None or record.kind is not Kind.MODEL_PACKAGE:
            errors[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": _missing(arn)}
            continue
        summary = _summary(record)
        summary.pop("ModelLifeCycle", None)
        empty: Document = {
            "Containers": [],
            "SupportedContentTypes": [],
            "SupportedResponseMIMETypes": [],
        }
        summary["InferenceSpecification"] = record.document.get("InferenceSpecification", empty)
        summaries[arn] = summary
    return {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}


@operation("UpdateModelPackage")
def update_model_package(call: Call) -> Document:
    """Change approval, metadata or specification; tells EventBridge which fields changed."""
    request = call.parameters
    with STORE.lock:
        record = find_package(call.place, request["ModelPackageArn"])
        before = dict(record.document)
        _apply(record, request)
        record.modified = clock.now()
    _announce(record, _changed(before, request), before)
    return {"ModelPackageArn": record.arn}


def _apply(record: Record, request: Document) -> None:
    document = record.document
    document.update({name: request[name] for name in _UPDATE_FIELDS if name in request})
    metadata = {
        **document.get("CustomerMetadataProperties", {}),
        **request.get("CustomerMetadataProperties", {}),
    }
    for name in request.get("CustomerMetadataPropertiesToRemove", []):
        metadata.pop(name, None)
    if len(metadata) > 50:
        raise validation_error(
            f"a model package has at most 50 metadata properties, not {len(metadata)}"
        )
    if metadata:
        document["CustomerMetadataProperties"] = metadata
    added = request.get("AdditionalInferenceSpecificationsToAdd", [])
    if added:
        known = document.get("AdditionalInferenceSpecifications", [])
        document["AdditionalInferenceSpecifications"] = [*known, *added]


def _changed(before: Document, request: Document) -> list[str]:
    """The names that UpdatedModelPackageFields lists: what the update named."""
    named = [name for name in _UPDATE_FIELDS if name in request and name != "ModelCard"]
    metadata = "CustomerMetadataProperties"
    if metadata in request or f"{metadata}ToRemove" in request:
        named.append(metadata)
    return [_EVENT_FIELDS.get(name, name) for name in named]


@operation("DeleteModelPackage")
def delete_model_package(call: Call) -> Document:
    """Forget a version; its number is not used again."""
    STORE.remove(find_package(call.place, call.parameters["ModelPackageName"]))
    return {}


def find_package(place: Place, name: str) -> Record:
    """A model package by ARN; raises ValidationException if there is none."""
    found = _PACKAGE_ARN.fullmatch(name)
    where = Place(found["account"], found["region"]) if found else place
    record = STORE.find(where, Kind.MODEL_PACKAGE, found["name"] if found else name)
    if record is None:
        raise validation_error(_missing(name))
    return record


def _missing(name: str) -> str:
    return f"ModelPackage {name} does not exist"


def _group(place: Place, name: str) -> Record:
    found = _GROUP_ARN.fullmatch(name)
    record = STORE.find(place, Kind.MODEL_PACKAGE_GROUP, found["name"] if found else name)
    if record is None:
        raise validation_error(f"ModelPackageGroup {name} does not exist")
    return record


def _versions(place: Place, group: str) -> list[Record]:
    records = STORE.all(place, Kind.MODEL_PACKAGE)
    return [r for r in records if r.document["ModelPackageGroupName"] == group]


def _announce(record: Record, updated: list[str], before: Document | None = None) -> None:
    document = record.document
    detail: dict[str, Any] = {
        name: document[name]
        for name in (
            "ModelPackageGroupName",
            "ModelPackageVersion",
            "InferenceSpecification",
            "ModelPackageStatus",
            "ModelApprovalStatus",
            "MetadataProperties",
            "ModelMetrics",
            "ModelLifeCycle",
            "CustomerMetadataProperties",
        )
        if name in document
    }
    detail.update(
        ModelPackageName=record.name,
        ModelPackageArn=record.arn,
        CreationTime=_moment(record.created),
        LastModifiedTime=_moment(record.modified),
        ModelPackageStatusDetails=_status_details(),
        CertifyForMarketplace=bool(document.get("CertifyForMarketplace")),
    )
    if updated:
        detail["UpdatedModelPackageFields"] = updated
    if before is not None and before["ModelApprovalStatus"] != document["ModelApprovalStatus"]:
        detail["previousModelApprovalStatus"] = before["ModelApprovalStatus"]
    emit("SageMaker Model Package State Change", detail, arn=record.arn, place=record.place)


def _moment(at: Any) -> str:
    return str(at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
