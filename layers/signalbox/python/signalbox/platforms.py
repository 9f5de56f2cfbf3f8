"""What an environment gives every run, from the variables of a function that makes runs.

Imports no AWS client.
"""

from signalbox.manifest_resolution import Platform
from signalbox.settings import PlatformSettings


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
    )
