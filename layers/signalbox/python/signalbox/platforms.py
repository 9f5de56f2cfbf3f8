"""What an environment gives every run, from the variables of a function.

Imports no AWS client.
"""

from signalbox.job_network import JobNetwork
from signalbox.manifest_resolution import Platform
from signalbox.settings import NetworkSettings, PlatformSettings


def platform(found: PlatformSettings) -> Platform:
    """The environment's part of a resolved manifest."""
    return Platform(
        app=found.app_name,
        environment=found.environment_name,
        region=found.aws_region,
        pipeline=found.pipeline_name,
        workflow_bucket=found.workflow_bucket,
        image=found.image_uri,
        job_role_arn=found.job_role_arn,
        hosting_role_arn=found.hosting_role_arn,
        kms_key_arn=found.kms_key_arn,
        is_isolated=found.job_network_isolation,
    )


def network(found: NetworkSettings) -> JobNetwork:
    """Where the environment's jobs and models run."""
    return JobNetwork(
        subnets=_listed(found.job_subnets),
        security_groups=_listed(found.job_security_groups),
        is_isolated=found.job_network_isolation,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item for item in text.split(",") if item)
