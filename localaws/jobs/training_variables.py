"""The SM_* variables and configuration files that tell a training script where everything is.

Names and values as the SageMaker Training Toolkit documents them (README and
ENVIRONMENT_VARIABLES.md of aws/sagemaker-training-toolkit, read 2026-11).
"""

import json
from pathlib import Path
from typing import Any

from localaws.jobs.environment import cores
from localaws.jobs.state import Job
from localaws.sagemaker.store import Document

RESERVED = "sagemaker_"
"""Hyperparameters with this prefix are SageMaker's own and no arguments of the script."""


def training_variables(job: Job, decoded: dict[str, Any], arguments: list[str]) -> dict[str, str]:
    """TRAINING_JOB_* and SM_* variables."""
    own = {k: v for k, v in decoded.items() if not k.startswith(RESERVED)}
    channels = {
        c["ChannelName"]: f"/opt/ml/input/data/{c['ChannelName']}"
        for c in job.request.get("InputDataConfig") or []
    }
    program = str(decoded["sagemaker_program"])
    environment = _training_environment(job, own, channels, decoded)
    return {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "SAGEMAKER_JOB_NAME": job.name,
        "SAGEMAKER_REGION": job.place.region,
        "SM_USER_ENTRY_POINT": program,
        "SM_USER_ARGS": json.dumps(arguments),
        "SM_HPS": json.dumps(own),
        "SM_TRAINING_ENV": json.dumps(environment),
        "SM_FRAMEWORK_PARAMS": "{}",
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "PYTHONPATH": "/opt/ml/code",
        **{f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()},
        **{f"SM_HP_{name.upper()}": _as_text(value) for name, value in own.items()},
        **_plain_variables(environment),
    }


def _plain_variables(environment: dict[str, Any]) -> dict[str, str]:
    names = {
        "SM_MODULE_NAME": "module_name",
        "SM_MODULE_DIR": "module_dir",
        "SM_INPUT_DIR": "input_dir",
        "SM_INPUT_CONFIG_DIR": "input_config_dir",
        "SM_INPUT_DATA_CONFIG": "input_data_config",
        "SM_OUTPUT_DIR": "output_dir",
        "SM_OUTPUT_DATA_DIR": "output_data_dir",
        "SM_OUTPUT_INTERMEDIATE_DIR": "output_intermediate_dir",
        "SM_MODEL_DIR": "model_dir",
        "SM_HOSTS": "hosts",
        "SM_CURRENT_HOST": "current_host",
        "SM_NETWORK_INTERFACE_NAME": "network_interface_name",
        "SM_NUM_CPUS": "num_cpus",
        "SM_NUM_GPUS": "num_gpus",
        "SM_LOG_LEVEL": "log_level",
        "SM_FRAMEWORK_MODULE": "framework_module",
        "SM_RESOURCE_CONFIG": "resource_config",
        "SM_CURRENT_INSTANCE_TYPE": "current_instance_type",
    }
    return {variable: _as_text(environment[name]) for variable, name in names.items()}


def _training_environment(
    job: Job, own: dict[str, Any], channels: dict[str, str], decoded: dict[str, Any]
) -> dict[str, Any]:
    return {
        "additional_framework_parameters": {},
        "channel_input_dirs": channels,
        "current_host": "algo-1",
        "current_instance_type": job.request["ResourceConfig"].get("InstanceType", ""),
        "framework_module": "sagemaker_sklearn_container.training:main",
        "hosts": ["algo-1"],
        "hyperparameters": own,
        "input_config_dir": "/opt/ml/input/config",
        "input_data_config": channel_configuration(job),
        "input_dir": "/opt/ml/input",
        "is_master": True,
        "job_name": job.name,
        "log_level": 20,
        "master_hostname": "algo-1",
        "model_dir": "/opt/ml/model",
        "module_dir": str(decoded.get("sagemaker_submit_directory", "/opt/ml/code")),
        "module_name": Path(str(decoded["sagemaker_program"])).stem,
        "network_interface_name": "eth0",
        "num_cpus": cores(),
        "num_gpus": 0,
        "output_data_dir": "/opt/ml/output/data",
        "output_dir": "/opt/ml/output",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "resource_config": resource_configuration(job),
        "user_entry_point": str(decoded["sagemaker_program"]),
    }


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def channel_configuration(job: Job) -> Document:
    """inputdataconfig.json."""
    return {
        c["ChannelName"]: {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            **({"ContentType": c["ContentType"]} if "ContentType" in c else {}),
        }
        for c in job.request.get("InputDataConfig") or []
    }


def resource_configuration(job: Job) -> Document:
    """resourceconfig.json."""
    instance = job.request["ResourceConfig"].get("InstanceType", "")
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance}
    return {
        "current_host": "algo-1",
        "current_instance_type": instance,
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [{**group, "hosts": ["algo-1"]}],
        "network_interface_name": "eth0",
    }
