"""What a job request must satisfy beyond its shape, and what the laptop cannot run.

Checked when the job is created, so a request that cannot work is refused and no job exists.
"""

import re
from collections.abc import Iterator
from typing import Any

from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import Document

_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/(?P<repository>[a-z0-9._/-]+)[:@].+"
)
_RUN_HERE = "sagemaker-scikit-learn"
PROCESSING_ROOT = "/opt/ml/processing"


def check_image(image: str, operation: str) -> None:
    """Only the scikit-learn container's scripts can run without a container."""
    found = _IMAGE.fullmatch(image)
    if found is None or found["repository"] != _RUN_HERE:
        # parity: AWS runs any image; the laptop runs what the scikit-learn image would, without it.
        raise UnsupportedByLocalAws(
            "sagemaker", operation, f"image {image}: only {_RUN_HERE} images run on the laptop"
        )


def check_processing(request: Document) -> None:
    """A CreateProcessingJob request."""
    where = "CreateProcessingJob"
    check_image(request["AppSpecification"]["ImageUri"], where)
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        raise UnsupportedByLocalAws(
            "sagemaker", where, "no ContainerEntrypoint: the scikit-learn image has none of its own"
        )
    cluster = request["ProcessingResources"]["ClusterConfig"]
    _one_instance(cluster, where)
    _refuse(where, request.get("NetworkConfig", {}), "EnableInterContainerTrafficEncryption")
    _refuse(where, request, "ExperimentConfig")
    for item in request.get("ProcessingInputs") or []:
        _check_processing_input(item, where)
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs") or []
    for item in outputs:
        _refuse(where, item, "FeatureStoreOutput")
        _check_local_path(item.get("S3Output", {}).get("LocalPath"), item["OutputName"])
    _unique([item["InputName"] for item in request.get("ProcessingInputs") or []], "InputName")
    _unique([item["OutputName"] for item in outputs], "OutputName")


def _check_processing_input(item: Document, where: str) -> None:
    _refuse(where, item, "DatasetDefinition")
    source = item.get("S3Input")
    if source is None:
        raise validation_error(f"ProcessingInput {item['InputName']} has no S3Input")
    _only(where, source, "S3DataType", "S3Prefix")
    _only(where, source, "S3InputMode", "File")
    _only(where, source, "S3CompressionType", "None")
    _check_local_path(source.get("LocalPath"), item["InputName"])


def _check_local_path(path: str | None, name: str) -> None:
    below = f"{PROCESSING_ROOT}/"
    if path is None or not path.startswith(below) or ".." in path.split("/"):
        raise validation_error(
            f"LocalPath {path!r} of {name} must be a folder below {PROCESSING_ROOT}"
        )


def check_training(request: Document) -> None:
    """A CreateTrainingJob request."""
    where = "CreateTrainingJob"
    algorithm = request.get("AlgorithmSpecification") or {}
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if name not in request:
            raise validation_error(f"{name} is required to train in a container")
    _refuse(where, algorithm, "AlgorithmName", "TrainingImageConfig")
    check_image(algorithm.get("TrainingImage", ""), where)
    _only(where, algorithm, "TrainingInputMode", "File")
    _refuse(where, request["ResourceConfig"], "InstanceGroups", "InstancePreferences")
    _one_instance(request["ResourceConfig"], where)
    _refuse(
        where,
        request,
        "CheckpointConfig",
        "DebugHookConfig",
        "TensorBoardOutputConfig",
        "ServerlessJobConfig",
        "ModelPackageConfig",
        "RetryStrategy",
        "ExperimentConfig",
    )
    for channel in request.get("InputDataConfig") or []:
        _check_channel(channel, where)
    _unique([c["ChannelName"] for c in request.get("InputDataConfig") or []], "ChannelName")
    for definition in algorithm.get("MetricDefinitions") or []:
        _check_metric(definition)


def _check_channel(channel: Document, where: str) -> None:
    _refuse(where, channel["DataSource"], "FileSystemDataSource", "DatasetSource")
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise validation_error(f"channel {channel['ChannelName']} has no S3DataSource")
    _only(where, source, "S3DataType", "S3Prefix")
    _only(where, channel, "InputMode", "File")
    _only(where, channel, "CompressionType", "None")
    _only(where, channel, "RecordWrapperType", "None")


def _check_metric(definition: Document) -> None:
    try:
        groups = re.compile(definition["Regex"]).groups
    except re.error as error:
        raise validation_error(
            f"the Regex of metric {definition['Name']} is no regular expression: {error}"
        ) from error
    if groups != 1:
        raise validation_error(
            f"the Regex of metric {definition['Name']} must have one group, it has {groups}"
        )


def check_transform(request: Document) -> None:
    """A CreateTransformJob request, but for its model."""
    where = "CreateTransformJob"
    _one_instance(request["TransformResources"], where)
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    _only(where, source, "S3DataType", "S3Prefix")
    _only(where, request["TransformInput"], "CompressionType", "None")
    split = request["TransformInput"].get("SplitType", "None")
    if split not in ("None", "Line"):
        raise UnsupportedByLocalAws("sagemaker", where, f"SplitType {split}")
    _refuse(where, request, "DataCaptureConfig", "ExperimentConfig")
    processing = request.get("DataProcessing") or {}
    _only(where, processing, "JoinSource", "None")
    _refuse(where, processing, "InputFilter", "OutputFilter")
    _check_payload(request)
    output = request["TransformOutput"]["S3OutputPath"].rstrip("/")
    if output == source["S3Uri"].rstrip("/"):
        raise validation_error("the output location must differ from the input location")


def _check_payload(request: Document) -> None:
    payload, concurrent = (
        request.get("MaxPayloadInMB", 6),
        request.get("MaxConcurrentTransforms", 1),
    )
    if payload > 100 or payload * max(concurrent, 1) > 100:
        raise validation_error(
            f"MaxPayloadInMB {payload} times MaxConcurrentTransforms {concurrent} must not be "
            "over 100"
        )


def _one_instance(resources: Document, where: str) -> None:
    count = resources.get("InstanceCount", 1)
    if count != 1:
        raise UnsupportedByLocalAws("sagemaker", where, f"InstanceCount {count}: the laptop is one")


def _refuse(where: str, container: Document, *names: str) -> None:
    for name in names:
        if container.get(name):
            raise UnsupportedByLocalAws("sagemaker", where, name)


def _only(where: str, container: Document, name: str, supported: str) -> None:
    value = container.get(name, supported)
    if value != supported:
        raise UnsupportedByLocalAws("sagemaker", where, f"{name} {value}")


def _unique(names: list[str], member: str) -> None:
    for name in _repeated(names):
        raise validation_error(f"{member} {name!r} is used more than once")


def _repeated(names: list[Any]) -> Iterator[Any]:
    return (name for name in names if names.count(name) > 1)
