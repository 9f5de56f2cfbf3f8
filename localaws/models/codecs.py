"""The content types that the scikit-learn container reads and writes by itself.

Imports numpy only when it is used; no other part of the project.
"""

import io
import json
from typing import Any

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
TEXT_TYPES = frozenset({JSON, CSV})


class UnsupportedFormat(Exception):
    """A content type nobody here can read or write."""

    def __init__(self, content_type: str, status: int) -> None:
        self.status = status
        super().__init__(f"Content type {content_type} is not supported by this framework.")


def bare(content_type: str) -> str:
    """The type without parameters such as `; charset=utf-8`, lower case."""
    return content_type.partition(";")[0].strip().lower()


def decode(body: Any, content_type: str) -> Any:
    """The array that a request body holds; text arrives as str, all else as bytes."""
    import numpy as np

    kind = bare(content_type)
    if isinstance(body, bytes) and kind in TEXT_TYPES:
        body = body.decode("utf-8")
    if kind == CSV:
        return np.loadtxt(io.StringIO(body), delimiter=",", dtype=np.float32, ndmin=2)
    if kind == JSON:
        return np.array(json.loads(body))
    if kind == NPY:
        return np.load(io.BytesIO(body), allow_pickle=False)
    raise UnsupportedFormat(content_type, 415)


def encode(prediction: Any, accept: str) -> Any:
    """A response body for an array or anything that can become one."""
    import numpy as np

    kind = bare(accept)
    if kind == JSON:
        return json.dumps(prediction, default=_plain)
    if kind == CSV:
        return _csv(np.asarray(prediction))
    if kind == NPY:
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(prediction))
        return buffer.getvalue()
    raise UnsupportedFormat(accept, 406)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def _csv(array: Any) -> str:
    """One row per line, every value in full; `repr` of a Python float loses no digit."""
    if array.ndim == 0:
        array = array.reshape(1)
    rows = array.tolist()
    if array.ndim == 1:
        return "".join(f"{value}\n" for value in rows)
    return "".join(",".join(map(str, row)) + "\n" for row in rows)
