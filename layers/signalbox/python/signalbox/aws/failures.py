"""AWS's error codes, read in one place."""

from botocore.exceptions import ClientError

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "SlowDown",
        "TooManyRequestsException",
        "RequestLimitExceeded",
    }
)
MISSING_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
PRECONDITION_FAILED = frozenset({"PreconditionFailed", "412"})
CONCURRENT_WRITE = frozenset({"ConditionalRequestConflict", "409"})


def code_of(error: ClientError) -> str:
    """The error code as the service sent it."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    """The HTTP status, 0 when there is none."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_missing_from_registry(error: ClientError) -> bool:
    """Whether SageMaker says that a group of models is not there.

    It has no code of its own for that: ValidationException, "ModelPackageGroup ... does not exist".
    """
    message = error.response.get("Error", {}).get("Message", "")
    return code_of(error) == "ValidationException" and "does not exist" in message
