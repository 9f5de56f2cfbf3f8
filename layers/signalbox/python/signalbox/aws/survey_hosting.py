"""What hosts models in an environment, as SageMaker and the serving records have it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from signalbox import hosting, naming
from signalbox.aws import clients, serving
from signalbox.hosting import Config, Endpoint, Hosting, Named
from signalbox.serving import ServingRecord

LISTED = 500
RECORDS = "endpoints/"
RUNS = "runs/"
SIZED_RUNS = 20
_OBJECTS = 5000
_PAGES = 5


def read(prefix: str, bucket: str) -> Hosting:
    """Endpoints, configurations, models and serving records of an environment."""
    listed = list(_names(prefix, "list_endpoints", "Endpoints", "Endpoint"))
    configs = tuple(_names(prefix, "list_endpoint_configs", "EndpointConfigs", "EndpointConfig"))
    models = tuple(_names(prefix, "list_models", "Models", "Model"))
    endpoints = tuple(one for name in listed if (one := _endpoint(name.name)) is not None)
    records = _records(bucket)
    wanted = hosting.referenced_configs(endpoints, records)
    return Hosting(
        endpoints=endpoints,
        described=_described(wanted & {config.name for config in configs}),
        configs=configs,
        models=models,
        records=records,
        is_whole=max(len(listed), len(configs), len(models)) < LISTED,
    )


def _names(prefix: str, operation: str, items: str, kind: str) -> Iterator[Named]:
    client: Any = clients.sagemaker()
    pages = client.get_paginator(operation).paginate(
        NameContains=prefix, PaginationConfig={"MaxItems": LISTED, "PageSize": 100}
    )
    for item in (item for page in pages for item in page[items]):
        if item[f"{kind}Name"].startswith(f"{prefix}-"):
            yield Named(item[f"{kind}Name"], item["CreationTime"])


def _endpoint(name: str) -> Endpoint | None:
    """An endpoint; None when it went away since it was listed."""
    found = _unless_gone(lambda: clients.sagemaker().describe_endpoint(EndpointName=name))
    if found is None:
        return None
    pending = found.get("PendingDeploymentSummary", {})
    return Endpoint(
        name=name,
        status=found["EndpointStatus"],
        config=found.get("EndpointConfigName", ""),
        created_at=found["CreationTime"],
        pending_config=pending.get("EndpointConfigName", ""),
        reason=found.get("FailureReason", ""),
    )


def _described(names: Iterable[str]) -> Mapping[str, Config]:
    found = ((name, _config(name)) for name in sorted(names))
    return {name: config for name, config in found if config is not None}


def _config(name: str) -> Config | None:
    found = _unless_gone(
        lambda: clients.sagemaker().describe_endpoint_config(EndpointConfigName=name)
    )
    if found is None:
        return None
    variants = [*found.get("ProductionVariants", []), *found.get("ShadowProductionVariants", [])]
    return Config(
        name=name,
        models=tuple(variant["ModelName"] for variant in variants if "ModelName" in variant),
        instances=tuple(
            (variant["InstanceType"], variant.get("InitialInstanceCount", 1))
            for variant in variants
            if "InstanceType" in variant
        ),
    )


def _unless_gone(describe: Any) -> Any:
    try:
        return describe()
    except ClientError as error:
        # SageMaker says ValidationException, "Could not find", for what is not there.
        if "could not find" in str(error).lower():
            return None
        raise


def _records(bucket: str) -> Mapping[str, ServingRecord]:
    """The serving records by endpoint."""
    pages = (
        clients.s3()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix=RECORDS, PaginationConfig={"MaxItems": LISTED})
    )
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    named = (
        key.removeprefix(RECORDS).removesuffix(".json") for key in keys if key.endswith(".json")
    )
    return {name: serving.read(bucket, name) for name in named}


def run_ids(bucket: str) -> list[str]:
    """The runs that have anything in the bucket, oldest first, a bounded number."""
    every = (
        clients.s3()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix=RUNS, Delimiter="/")
    )
    pages = islice(every, _PAGES)  # of a thousand: MaxItems does not count common prefixes
    return [
        one["Prefix"].removeprefix(RUNS).rstrip("/")
        for page in pages
        for one in page.get("CommonPrefixes", [])
    ]


def sizes(bucket: str, runs: Iterable[str]) -> Mapping[str, int]:
    """Bytes that the first of some runs keep, as far as their first objects tell."""
    return {run: _size(bucket, run) for run in list(runs)[:SIZED_RUNS]}


def _size(bucket: str, run: str) -> int:
    prefix = f"{naming.run_prefix(run)}/"
    pages = (
        clients.s3()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": _OBJECTS})
    )
    return sum(int(one["Size"]) for page in pages for one in page.get("Contents", []))
