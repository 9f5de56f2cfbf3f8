"""SageMaker endpoints as a client calls them: one request with its answer, or one through S3."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from signalbox import naming
from signalbox.aws import clients, failures, storage
from signalbox.errors import ObjectMissingError, ProbeFailed

# An asynchronous answer has no event that a function could wait for.
LOOKS, LOOK_EVERY_S = 90, 1.0
MODEL_ERRORS = frozenset({"ModelError", "ModelNotReadyException"})


@dataclass(frozen=True)
class Kinds:
    """Media types of what is sent and of what shall come back."""

    sent: str
    accepted: str


def invoke(endpoint: str, body: str, kinds: Kinds) -> str:
    """The answer of an endpoint; raises ProbeFailed when the model itself refuses the request."""
    try:
        answer = clients.sagemaker_runtime().invoke_endpoint(
            EndpointName=endpoint, Body=body.encode(), ContentType=kinds.sent, Accept=kinds.accepted
        )
    except ClientError as error:
        if failures.code_of(error) in MODEL_ERRORS:
            raise ProbeFailed(f"endpoint {endpoint} refused the known rows: {error}") from error
        raise
    with answer["Body"] as stream:
        return stream.read().decode()


def invoke_from_s3(
    endpoint: str, input_uri: str, kinds: Kinds, *, wait: Callable[[float], None] = time.sleep
) -> str:
    """The answer of an asynchronous endpoint to an object; raises ProbeFailed when none comes."""
    answer = clients.sagemaker_runtime().invoke_endpoint_async(
        EndpointName=endpoint,
        InputLocation=input_uri,
        ContentType=kinds.sent,
        Accept=kinds.accepted,
    )
    for _ in range(LOOKS):
        found = _text_if_any(answer["OutputLocation"])
        if found is not None:
            return found
        if _text_if_any(answer.get("FailureLocation", "")) is not None:
            raise ProbeFailed(f"endpoint {endpoint} refused the rows of {input_uri}")
        wait(LOOK_EVERY_S)
    raise ProbeFailed(
        f"endpoint {endpoint} left no answer to {input_uri} within {LOOKS * LOOK_EVERY_S:.0f} s"
    )


def _text_if_any(uri: str) -> str | None:
    if not uri:
        return None
    bucket, key = naming.split_s3_uri(uri)
    if not storage.exists(bucket, key):
        return None
    try:
        return storage.read(bucket, key).content.decode()
    except ObjectMissingError:
        return None
