"""Addresses in the AWS console, where a person goes on reading.

Rules only: imports no AWS client. The forms are those that the console itself shows (2026-11-21).
"""

from urllib.parse import quote

from signalbox.jobs import JobName
from signalbox.messages import Link
from signalbox.naming import split_s3_uri


def pipeline_execution(region: str, pipeline: str, execution_id: str) -> Link:
    """An execution of a pipeline, with its gates."""
    path = f"codesuite/codepipeline/pipelines/{quote(pipeline)}/executions/{execution_id}/timeline"
    return Link(text="Pipeline execution", url=f"{_console(region)}/{path}?region={region}")


def machine_execution(region: str, arn: str) -> Link:
    """An execution of a state machine."""
    url = f"{_console(region)}/states/home?region={region}#/v2/executions/details/{arn}"
    return Link(text="State machine execution", url=url)


def s3_folder(region: str, text: str, uri: str) -> Link:
    """What lies below an S3 URI."""
    bucket, prefix = split_s3_uri(f"{uri}/")
    return Link(
        text=text,
        url=f"{_console(region)}/s3/buckets/{bucket}?region={region}&prefix={quote(prefix)}",
    )


def job_log(region: str, job: JobName) -> Link:
    """The log streams of a job; the console wants what follows `#` encoded twice, % as $."""
    group = quote(quote(job.kind.log_group, safe=""), safe="").replace("%", "$")
    url = f"{_console(region)}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}"
    return Link(text="Log of the job", url=f"{url}$3FlogStreamNameFilter$3D{job.name}")


def _console(region: str) -> str:
    domain = "amazonaws.cn" if region.startswith("cn-") else "aws.amazon.com"
    return f"https://{region}.console.{domain}"
