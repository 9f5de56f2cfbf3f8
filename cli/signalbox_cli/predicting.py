"""Asking an endpoint for predictions."""

from pathlib import Path

from botocore.exceptions import ClientError

from signalbox_cli.errors import CommandError, NotFoundError
from signalbox_cli.target import Target

# A serverless endpoint takes a body of at most 4 MB, one on instances more.
_BLOCK_BYTES = 4_000_000


def endpoint_name(target: Target, workload: str | None) -> str:
    """The environment's endpoint of a workload; without a name, the only one there is."""
    names = [
        e["EndpointName"]
        for page in target.client("sagemaker")
        .get_paginator("list_endpoints")
        .paginate(NameContains=target.prefix)
        for e in page["Endpoints"]
        if e["EndpointName"].startswith(f"{target.prefix}-")
    ]
    wanted = f"{target.prefix}-{workload}" if workload else None
    if wanted in names:
        return str(wanted)
    if workload is None and len(names) == 1:
        return str(names[0])
    if not names:
        raise NotFoundError(
            f"{target.describe()} has no endpoint; release a workload with "
            "`--set inference.mode=endpoint` first"
        )
    what = f"no endpoint {wanted}" if wanted else f"{len(names)} endpoints"
    raise NotFoundError(
        f"{target.describe()} has {what}; there are: {', '.join(names)}. Say which with --workload"
    )


def predict(target: Target, endpoint: str, file: Path, *, content_type: str) -> list[str]:
    """Predictions for every line of a file, in order; large files go in blocks of whole lines."""
    lines: list[str] = []
    for block in _blocks(file):
        lines.extend(_invoke(target, endpoint, block, content_type))
    return lines


def _blocks(file: Path) -> list[bytes]:
    blocks: list[bytes] = []
    with file.open("rb") as stream:
        while lines := stream.readlines(_BLOCK_BYTES):
            blocks.append(b"".join(lines))
    if not blocks:
        raise CommandError(f"{file} is empty; give at least one row of features")
    return blocks


def _invoke(target: Target, endpoint: str, body: bytes, content_type: str) -> list[str]:
    try:
        answer = target.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=content_type, Accept=content_type
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ModelError":
            raise
        raise CommandError(
            f"the model behind {endpoint} refused the rows: {error.response['Error']['Message']}"
        ) from None
    return str(answer["Body"].read().decode()).splitlines()
