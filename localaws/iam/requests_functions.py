"""What calls of Lambda act on: a function, or the version or alias of it that the call names."""

from collections.abc import Mapping
from typing import Any

from localaws.iam import tables as iam_tables
from localaws.iam.requirement import Place

_OF_A_FUNCTION = frozenset(iam_tables.LAMBDA["function:{FunctionName}"].split())
_OF_A_QUALIFIER = frozenset(
    {
        "Invoke",
        "InvokeAsync",
        "GetFunction",
        "GetFunctionConfiguration",
        "DeleteFunction",
        "AddPermission",
        "RemovePermission",
        "GetPolicy",
    }
)
"""Operations that are decided on the version or alias they name; the others on the function."""


def resources(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """The function's ARN, with the qualifier where that counts; none for other operations."""
    name = str(parameters.get("FunctionName", ""))
    if not name or operation not in _OF_A_FUNCTION:
        return []
    arn = name if name.startswith("arn:") else place.arn("lambda", f"function:{_function(name)}")
    qualifier = parameters.get("Qualifier")
    qualified = operation in _OF_A_QUALIFIER and qualifier and arn.count(":") == 6
    return [f"{arn}:{qualifier}" if qualified else arn]


def _function(name: str) -> str:
    return name.partition(":function:")[2] if ":function:" in name else name
