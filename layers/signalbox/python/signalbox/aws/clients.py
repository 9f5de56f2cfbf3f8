"""The clients of the AWS adapters: lazily made, kept for the process."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient
    from types_boto3_sts import STSClient

# A function is billed while it waits: give up on a dead connection long before its own time-out.
CONFIG = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}
)


@cache
def s3() -> "S3Client":
    """The S3 client of this process."""
    return boto3.client("s3", config=CONFIG)


@cache
def codepipeline() -> "CodePipelineClient":
    """The CodePipeline client of this process."""
    return boto3.client("codepipeline", config=CONFIG)


@cache
def sagemaker() -> "SageMakerClient":
    """The SageMaker client of this process; its model is large, so only two functions call it."""
    return boto3.client("sagemaker", config=CONFIG)


@cache
def sns() -> "SNSClient":
    """The SNS client of this process."""
    return boto3.client("sns", config=CONFIG)


@cache
def stepfunctions() -> "SFNClient":
    """The Step Functions client of this process; only failures need one."""
    return boto3.client("stepfunctions", config=CONFIG)


@cache
def logs() -> "CloudWatchLogsClient":
    """The CloudWatch Logs client of this process; only the failures of jobs need one."""
    return boto3.client("logs", config=CONFIG)


@cache
def secretsmanager() -> "SecretsManagerClient":
    """The Secrets Manager client of this process."""
    return boto3.client("secretsmanager", config=CONFIG)


@cache
def ssm() -> "SSMClient":
    """The Systems Manager client of this process."""
    return boto3.client("ssm", config=CONFIG)


@cache
def sts() -> "STSClient":
    """The STS client of this process."""
    return boto3.client("sts", config=CONFIG)


def forget() -> None:
    """Drop the clients, so that the next use makes them for another account or endpoint."""
    every = (s3, codepipeline, sagemaker, sns, stepfunctions, logs, secretsmanager, ssm, sts)
    for client in every:
        client.cache_clear()
