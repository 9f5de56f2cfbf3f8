"""What an endpoint looks like from outside: DescribeEndpoint's members and SageMaker's events."""

from typing import Any

from localaws.endpoints.service import Endpoint, Pending, Status
from localaws.endpoints.serving import Serving, Variant
from localaws.sagemaker.events import emit
from localaws.sagemaker.store import STORE, Document, Kind

# Events spell the status in another way than the API (SageMaker Developer Guide, "Endpoint state
# change", read 2026-11).
EVENT_STATUS = {
    Status.CREATING: "CREATING",
    Status.UPDATING: "UPDATING",
    Status.SYSTEM_UPDATING: "SYSTEM_UPDATING",
    Status.ROLLING_BACK: "ROLLING_BACK",
    Status.IN_SERVICE: "IN_SERVICE",
    Status.UPDATE_ROLLBACK_FAILED: "UPDATE_ROLLBACK_FAILED",
    Status.FAILED: "FAILED",
    Status.DELETING: "DELETING",
}


def described(endpoint: Endpoint) -> Document:
    """The answer of DescribeEndpoint."""
    with endpoint.lock:
        blue, pending = endpoint.blue, endpoint.pending
        shown: Document = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config_name,
            "EndpointStatus": endpoint.status.value,
            "FailureReason": endpoint.failure_reason,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "LastDeploymentConfig": endpoint.deployment,
        }
    if blue is not None:
        shown["ProductionVariants"] = [_deployed(endpoint, v) for v in blue.variants]
        shown["ShadowProductionVariants"] = [_deployed(endpoint, v) for v in blue.shadows] or None
        shown["DataCaptureConfig"] = _capture(blue)
        shown["AsyncInferenceConfig"] = blue.async_config
    if pending is not None:
        shown["PendingDeploymentSummary"] = _pending(endpoint, pending)
    return shown


def _deployed(endpoint: Endpoint, variant: Variant) -> Document:
    images = [
        {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint.modified}
        for image in variant.images
    ]
    return {**_summary(variant), "DeployedImages": images}


def _summary(variant: Variant) -> Document:
    summary: Document = {
        "VariantName": variant.name,
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
    }
    if variant.is_serverless:
        summary["CurrentServerlessConfig"] = variant.document["ServerlessConfig"]
    else:
        summary["CurrentInstanceCount"] = variant.instances
        summary["DesiredInstanceCount"] = variant.instances
    return summary


def _capture(serving: Serving) -> Document | None:
    config = serving.document.get("DataCaptureConfig")
    if not config:
        return None
    is_on = config.get("EnableCapture") is not False
    return {
        "EnableCapture": is_on,
        "CaptureStatus": "Started" if is_on else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _pending(endpoint: Endpoint, pending: Pending, *, for_event: bool = False) -> Document:
    """PendingDeploymentSummary; times are numbers of milliseconds in events."""

    def time_of(moment: Any) -> Any:
        return int(moment.timestamp() * 1000) if for_event else moment

    stage = {
        "Status": pending.stage.status,
        "StatusMessage": pending.stage.message,
        "StartTime": time_of(pending.stage.since),
    }
    green = endpoint.green
    variants = [_summary(variant) for variant in green.variants] if green else []
    for variant in variants:
        if "CurrentInstanceCount" in variant:
            variant["CurrentInstanceCount"] = pending.current_instances
        variant["VariantStatus"] = [stage]
    if not variants:
        variants = [{"VariantName": n, "VariantStatus": [stage]} for n in _names(pending, endpoint)]
    return {
        "EndpointConfigName": pending.config_name,
        "ProductionVariants": variants,
        "StartTime": time_of(pending.started),
    }


def _names(pending: Pending, endpoint: Endpoint) -> list[str]:
    record = STORE.find(endpoint.place, Kind.ENDPOINT_CONFIG, pending.config_name)
    variants = record.document["ProductionVariants"] if record is not None else []
    return [variant["VariantName"] for variant in variants]


def announce(endpoint: Endpoint) -> None:
    """Emit `SageMaker Endpoint State Change` for the endpoint as it is now."""
    detail = _detail(endpoint)
    if endpoint.failure_reason:
        detail["FailureReason"] = endpoint.failure_reason
    emit("SageMaker Endpoint State Change", detail, arn=endpoint.arn, place=endpoint.place)


def announce_deployment(endpoint: Endpoint) -> None:
    """Emit `SageMaker Endpoint Deployment State Change` for the update under way."""
    detail = _detail(endpoint)
    with endpoint.lock:
        if endpoint.blue is not None:
            detail["ProductionVariants"] = [_summary(v) for v in endpoint.blue.variants]
        if endpoint.pending is not None:
            detail["PendingDeploymentSummary"] = _pending(
                endpoint, endpoint.pending, for_event=True
            )
    kind = "SageMaker Endpoint Deployment State Change"
    emit(kind, detail, arn=endpoint.arn, place=endpoint.place)


def _detail(endpoint: Endpoint) -> Document:
    record = STORE.find(endpoint.place, Kind.ENDPOINT, endpoint.name)
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": EVENT_STATUS[endpoint.status],
        "CreationTime": int(endpoint.created.timestamp() * 1000),
        "LastModifiedTime": int(endpoint.modified.timestamp() * 1000),
        "Tags": dict(record.tags) if record is not None else {},
    }
