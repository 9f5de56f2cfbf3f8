"""Errors of the laptop's AWS.

LocalAwsError
├── UnsupportedByLocalAws   a request, resource or property that AWS knows and the laptop does not
├── AccessDeniedByLocalAws  the IAM evaluator said no
└── PortInUseError          the address `up` was asked to serve on is taken

Imports nothing of the project.
"""


class LocalAwsError(Exception):
    """Root of everything the laptop's AWS raises on purpose."""


class UnsupportedByLocalAws(LocalAwsError):
    """AWS offers this, the laptop does not; answered as HTTP 400 so that no client retries."""

    def __init__(self, service: str, operation: str, where: str = "") -> None:
        self.service = service
        self.operation = operation
        self.where = where
        place = f" ({where})" if where else ""
        super().__init__(
            f"{service}:{operation} is not supported by the laptop's AWS{place}; "
            "docs/parity.md lists what is"
        )


class AccessDeniedByLocalAws(LocalAwsError):
    """A principal asked for something its policies do not allow, in AWS's words."""

    def __init__(self, principal: str, action: str, resource: str, reason: str) -> None:
        self.principal = principal
        self.action = action
        self.resource = resource
        self.reason = reason
        clause = reason if reason.startswith(("because ", "with ")) else f"because {reason}"
        super().__init__(
            f"User: {principal} is not authorized to perform: {action} "
            f"on resource: {resource} {clause}"
        )


class PortInUseError(LocalAwsError):
    """Another process listens on the port already."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} is in use on this machine; stop what listens there or choose another "
            "with --port (0 takes any free one)"
        )
