"""The predictions of one evaluation, row by row: what `evaluate.py` may leave beside its metrics.

A CSV file with a header: `expected`, `predicted`, optionally `probability` (of class 1 in a binary
problem, of the predicted class in others), and any further columns, by which the manifest may cut
slices. Rules only: chance comes in from outside.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from signalbox.errors import EvaluationInvalid

FILE_NAME = "predictions.csv"
# Enough for any plot and interval; a longer file is sampled, so that memory stays bounded.
MAX_ROWS = 20_000
_OWN_COLUMNS = ("expected", "predicted", "probability")

# An index below its argument, every one as likely: random.Random(seed).randrange.
Draw = Callable[[int], int]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Predictions:
    """Rows in file order; `total_rows` counts those that the sample left out, too."""

    uri: str
    expected: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: tuple[float, ...] | None
    slices: dict[str, tuple[str, ...]]
    total_rows: int

    def __len__(self) -> int:
        """Number of rows kept."""
        return len(self.expected)

    def take(self, rows: list[int]) -> "Predictions":
        """Only these rows, in this order."""
        probability = self.probability
        return Predictions(
            self.uri,
            tuple(self.expected[row] for row in rows),
            tuple(self.predicted[row] for row in rows),
            None if probability is None else tuple(probability[row] for row in rows),
            {name: tuple(values[row] for row in rows) for name, values in self.slices.items()},
            self.total_rows,
        )


def read_predictions(lines: Iterable[str], uri: str, draw: Draw) -> Predictions:
    """The file's rows, or a sample of them when there are more than MAX_ROWS.

    Two files of as many rows are sampled alike when their draws are. Raises EvaluationInvalid
    naming file, line and column.
    """
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    _check_header(header, uri)
    kept, total = sample(_rows(reader, len(header), uri), MAX_ROWS, draw)
    columns = {name: tuple(row[index] for _, row in kept) for index, name in enumerate(header)}
    return Predictions(
        uri=uri,
        expected=columns["expected"],
        predicted=columns["predicted"],
        probability=_probabilities(columns, [line for line, _ in kept], uri),
        slices={name: values for name, values in columns.items() if name not in _OWN_COLUMNS},
        total_rows=total,
    )


def _check_header(header: list[str], uri: str) -> None:
    missing = [name for name in ("expected", "predicted") if name not in header]
    if missing:
        raise EvaluationInvalid(
            f"{uri} has no column {' and no column '.join(missing)}; "
            f"its header is: {', '.join(header)[:200] or 'empty'}"
        )
    if len(set(header)) < len(header):
        raise EvaluationInvalid(f"{uri} names a column twice; its header is: {', '.join(header)}")


def _rows(reader: Iterable[list[str]], width: int, uri: str) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(reader, 2):
        if not row:
            continue
        if len(row) != width:
            raise EvaluationInvalid(f"{uri}, line {number}: {len(row)} fields, expected {width}")
        yield number, row


def _probabilities(
    columns: dict[str, tuple[str, ...]], lines: list[int], uri: str
) -> tuple[float, ...] | None:
    texts = columns.get("probability")
    if texts is None:
        return None
    return tuple(_probability(text, line, uri) for text, line in zip(texts, lines, strict=True))


def _probability(text: str, line: int, uri: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise EvaluationInvalid(f"{uri}, line {line}: probability is no number from 0 to 1")
    return value


def sample(items: Iterable[Item], limit: int, draw: Draw) -> tuple[list[Item], int]:
    """At most `limit` items, each as likely, in their order, and how many there were.

    Algorithm R (Vitter, "Random sampling with a reservoir", 1985).

    >>> sample("abc", 5, lambda n: 0)
    (['a', 'b', 'c'], 3)
    >>> sample("abcd", 2, lambda n: n - 1)
    (['a', 'b'], 4)
    """
    kept: list[tuple[int, Item]] = []
    total = 0
    for total, item in enumerate(items, 1):
        if total <= limit:
            kept.append((total, item))
        elif (place := draw(total)) < limit:
            kept[place] = (total, item)
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])], total
