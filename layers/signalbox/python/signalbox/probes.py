"""The probe: known rows sent to an endpoint, and its answers compared with the evaluation's.

An evaluation may leave two files beside its metrics: `probe/rows.csv`, exactly a request's body,
and `probe/predictions.csv`, exactly the answer that a model server has to give to it. Rules only:
imports no AWS client.
"""

import json
import math
from dataclasses import dataclass
from itertools import zip_longest

from pydantic import JsonValue

from signalbox.errors import ProbeFailed, ProbeInvalid

ROWS, PREDICTIONS = "probe/rows.csv", "probe/predictions.csv"
# One row or document to a line: such a body may be cut after any line.
LINEWISE = ("text/csv", "application/jsonlines", "application/x-jsonlines")
JSON_LINES = LINEWISE[1:]


@dataclass(frozen=True)
class Probe:
    """A request's body and the answer that is expected."""

    rows: str
    predictions: str
    count: int


def folder_of(evaluation_uri: str) -> str:
    """The folder of a metrics file, without a slash at the end."""
    return evaluation_uri.rpartition("/")[0]


def cut(rows: str, predictions: str, content_type: str, *, most: int) -> Probe:
    """The first rows of a probe, and as many predictions; whole where rows are not lines.

    Raises ProbeInvalid when there are not as many predictions as rows.
    """
    sent, expected = _lines(rows), _lines(predictions)
    if not _is_linewise(content_type):
        return Probe(rows, predictions, len(expected))
    if len(sent) != len(expected) or not sent:
        raise ProbeInvalid(
            f"{ROWS} has {len(sent)} rows and {PREDICTIONS} has {len(expected)}; evaluate.py must "
            "write one prediction for each row, or neither file"
        )
    count = min(most, len(sent))
    return Probe("\n".join(sent[:count]), "\n".join(expected[:count]), count)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _is_linewise(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in LINEWISE


def largest_difference(expected: str, answered: str, accept: str, *, tolerance: float) -> float:
    """The largest relative difference between two answers that agree; 0.0 without numbers.

    Numbers agree when they differ by at most `tolerance`, relative to the expected one where that
    is above 1; everything else agrees when it is equal. Raises ProbeFailed naming the first row
    that does not.

    >>> largest_difference("151.0\\n2.0", "151.0\\n2.5", "text/csv", tolerance=0.25)
    0.25
    """
    rows = list(zip_longest(_lines(expected), _lines(answered)))
    differences = [0.0]
    for number, (wanted, found) in enumerate(rows, start=1):
        if wanted is None or found is None:
            raise ProbeFailed(
                f"the endpoint answered {len(_lines(answered))} predictions to "
                f"{len(_lines(expected))} known rows"
            )
        difference = _difference(_values(wanted, accept), _values(found, accept))
        if not difference <= tolerance:
            raise ProbeFailed(
                f"row {number} of the probe: the endpoint answered {_shown(found)}, the evaluation "
                f"predicted {_shown(wanted)}; at most {tolerance} apart is accepted "
                "(inference.probe.tolerance)"
            )
        differences.append(difference)
    return max(differences)


def _values(line: str, accept: str) -> JsonValue:
    """A line of CSV as its fields, any other as JSON."""
    if not _is_json(accept):
        return [_number_or_text(field.strip()) for field in line.split(",")]
    try:
        value: JsonValue = json.loads(line)
    except ValueError:
        return line
    return value


def _is_json(accept: str) -> bool:
    return "json" in accept.partition(";")[0].lower()


def _number_or_text(field: str) -> float | str:
    try:
        return float(field)
    except ValueError:
        return field.strip('"')


def _difference(expected: JsonValue, found: JsonValue) -> float:
    """0 for equal values, infinity for values that cannot be compared."""
    if _is_number(expected) and _is_number(found):
        return _of_numbers(float(expected), float(found))  # type: ignore[arg-type]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return max(map(_difference, expected, found), default=0.0)
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return max((_difference(expected[key], found[key]) for key in expected), default=0.0)
    is_same = type(expected) is type(found) and expected == found
    return 0.0 if is_same else math.inf


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_numbers(expected: float, found: float) -> float:
    if expected == found or (math.isnan(expected) and math.isnan(found)):
        return 0.0
    difference = abs(expected - found) / max(1.0, abs(expected))
    return math.inf if math.isnan(difference) else difference


def _shown(line: str) -> str:
    return line if len(line) <= 80 else f"{line[:77]}..."
