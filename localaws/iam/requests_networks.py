"""Condition keys of SageMaker's requests that say in which network something runs.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon SageMaker"
(read 2026-11-21): a request without a VpcConfig has no key for it; isolation is a boolean.
"""

from collections.abc import Mapping


def _keys(prefix: str = "") -> Mapping[str, str]:
    return {
        "sagemaker:vpcsubnets": f"{prefix}VpcConfig.Subnets",
        "sagemaker:vpcsecuritygroupids": f"{prefix}VpcConfig.SecurityGroupIds",
        "sagemaker:networkisolation": f"{prefix}EnableNetworkIsolation",
    }


CONDITION_KEYS: Mapping[str, Mapping[str, str]] = {
    "sagemaker:CreateProcessingJob": _keys("NetworkConfig."),
    "sagemaker:CreateTrainingJob": _keys(),
    "sagemaker:CreateModel": _keys(),
}
