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
