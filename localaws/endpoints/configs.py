"""Which endpoint configurations SageMaker accepts.

Rules: SageMaker API Reference, CreateEndpointConfig, and Developer Guide, "Deploy models with
Amazon SageMaker Serverless Inference", "Shadow tests" (read 2026-11).
"""

from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import Document

_UNSUPPORTED = ("ExplainerConfig", "VpcConfig", "MetricsConfig", "CrossRegionTrafficConfig")
_NOT_SERVERLESS = ("DataCaptureConfig", "AsyncInferenceConfig", "ShadowProductionVariants")


def check(request: Document) -> None:
    """Raise for what AWS refuses, and for what the laptop does not have."""
    for name in _UNSUPPORTED:
        if request.get(name):
            raise UnsupportedByLocalAws("sagemaker", "CreateEndpointConfig", name)
    variants = request["ProductionVariants"]
    shadows = request.get("ShadowProductionVariants") or []
    _check_names([*variants, *shadows])
    for variant in [*variants, *shadows]:
        _check_variant(variant)
    if shadows and (len(variants) != 1 or len(shadows) != 1):
        raise validation_error(
            "with ShadowProductionVariants there must be exactly one production variant and one "
            f"shadow variant, got {len(variants)} and {len(shadows)}"
        )
    if shadows and request.get("AsyncInferenceConfig"):
        raise validation_error("an asynchronous endpoint cannot have shadow variants")
    if not sum(float(v.get("InitialVariantWeight", 1.0)) for v in variants):
        raise validation_error("at least one production variant must have a weight above 0")
    if any("ServerlessConfig" in variant for variant in [*variants, *shadows]):
        _check_serverless(request)


def _check_names(variants: list[Document]) -> None:
    names = [variant["VariantName"] for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise validation_error(f"variant names must be unique, got {', '.join(twice)} twice")


def _check_variant(variant: Document) -> None:
    if not variant.get("ModelName"):
        raise UnsupportedByLocalAws("sagemaker", "CreateEndpointConfig", "inference components")
    for name in ("InstancePools", "ManagedInstanceScaling", "CapacityReservationConfig"):
        if variant.get(name):
            raise UnsupportedByLocalAws("sagemaker", "CreateEndpointConfig", name)
    _check_capacity(variant)


def _check_capacity(variant: Document) -> None:
    serverless = variant.get("ServerlessConfig")
    if bool(serverless) == bool(variant.get("InstanceType")):
        raise validation_error(
            f"variant {variant['VariantName']} needs either an InstanceType or a ServerlessConfig"
        )
    if serverless:
        if serverless["MemorySizeInMB"] % 1024:
            raise validation_error("MemorySizeInMB must be a multiple of 1024")
        if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
            raise validation_error("ProvisionedConcurrency must not be above MaxConcurrency")
    elif not variant.get("InitialInstanceCount"):
        raise validation_error(f"variant {variant['VariantName']} needs an InitialInstanceCount")


def _check_serverless(request: Document) -> None:
    if len(request["ProductionVariants"]) > 1:
        raise validation_error("a serverless endpoint can have only one variant")
    for name in _NOT_SERVERLESS:
        if request.get(name):
            raise validation_error(f"a serverless endpoint cannot have {name}")
