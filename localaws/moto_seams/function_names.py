"""How requests name a function, and what Lambda answers to a bad one. Part of `moto_seams`."""

from dataclasses import dataclass
from typing import Any

LATEST = "$LATEST"


@dataclass(frozen=True)
class Named:
    """A function as a request names it; `qualifier` is a version, an alias or ""."""

    name: str
    qualifier: str

    @classmethod
    def of(cls, function: str, qualifier: str | None = None) -> "Named":
        """Read a name or an ARN, either maybe with a qualifier.

        >>> Named.of("arn:aws:lambda:us-east-1:123456789012:function:f:live")
        Named(name='f', qualifier='live')
        >>> Named.of("f", "3"), Named.of("f")
        (Named(name='f', qualifier='3'), Named(name='f', qualifier=''))
        """
        name, _, within = function.rpartition("function:")[2].partition(":")
        if within and qualifier and within != qualifier:
            raise invalid(
                "The derived qualifier from the function name does not match the specified "
                f"qualifier: {within} and {qualifier}."
            )
        return cls(name, within or qualifier or "")

    def refuse_qualified(self) -> None:
        """For operations on functions as a whole: a version or an alias is refused."""
        if self.qualifier not in ("", LATEST):
            raise invalid(
                f"This operation is permitted on functions only, and {self.name}:{self.qualifier} "
                "names a version or an alias. Name the function without a qualifier."
            )


def plain_arn(function: Any) -> str:
    """The ARN of moto's function without a version."""
    return ":".join(function.function_arn.split(":")[:7])


def invalid(message: str) -> Exception:
    """The error about a parameter that cannot be."""
    from moto.awslambda.exceptions import InvalidParameterValueException

    error: Exception = InvalidParameterValueException(message)
    return error


def conflict(message: str) -> Exception:
    """The error about something that is there already or is in use."""
    from moto.awslambda.exceptions import LambdaClientError

    refusal: Any = LambdaClientError("ResourceConflictException", message)
    refusal.code = 409
    error: Exception = refusal
    return error


def outside(value: str, where: str, constraint: str) -> Exception:
    """The error about a value that breaks the rule of its parameter."""
    from moto.awslambda.exceptions import LambdaClientError

    text = f"Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy"
    error: Exception = LambdaClientError(
        "ValidationException", f"1 validation error detected: {text} {constraint}"
    )
    return error
