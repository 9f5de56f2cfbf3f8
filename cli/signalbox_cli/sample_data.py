"""The example workloads' data, written out of scikit-learn: nothing is committed or downloaded.

The rows at the end of each data set are kept back as the "new" rows that predictions are asked
for. For measurements a data set is enlarged by drawing its rows again, each cell with one of a
few small seeded disturbances; the text of every disturbed cell is made once and rows are put
together as bytes, so that a million of them take about a second.

Imports scikit-learn only when called: the command starts without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED: Final = 20261121
# Disturbances per cell, their relative size, and characters per cell ("21.59999").
_VARIANTS, _NOISE, _CELL_WIDTH = 16, 0.01, 8


@dataclass(frozen=True)
class SampleData:
    """Files to upload, and what really happened to the rows that predictions are asked for."""

    source: Path
    inference: Path
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """A data set: one row per observation, categories and labels as they are written."""

    columns: tuple[str, ...]
    label: str
    features: "NDArray[np.float64]"
    labels: tuple[str, ...]
    kept_back: int
    categories: frozenset[str] = frozenset()


def export(
    workload: str, folder: Path, rows: int | None = None, *, inference_rows: int | None = None
) -> SampleData:
    """Write `source.csv` (header, label last) and `inference.csv` (no header, no label).

    Without `rows` these are the real observations; with it, `rows` drawn ones, and as many to
    predict unless `inference_rows` says otherwise. Raises KeyError for an unknown workload.
    """
    table = _TABLES[workload.replace("_", "-")]()
    folder.mkdir(parents=True, exist_ok=True)
    if rows is None:
        return _write_real(table, folder)
    return _write_drawn(table, folder, rows, rows if inference_rows is None else inference_rows)


def has_samples(workload: str) -> bool:
    """Whether `export` knows the workload."""
    return workload.replace("_", "-") in _TABLES


def _load_diabetes() -> _Table:
    from sklearn.datasets import load_diabetes

    bunch: Any = load_diabetes(scaled=False)
    measurements = ("age", "sex", "bmi", "blood_pressure", *(f"s{i}" for i in range(1, 7)))
    return _Table(
        columns=measurements,
        label="progression",
        features=bunch.data,
        labels=tuple(str(value) for value in bunch.target.tolist()),
        kept_back=42,
        categories=frozenset({"sex"}),
    )


def _load_breast_cancer() -> _Table:
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    return _Table(
        columns=tuple(name.replace(" ", "_") for name in bunch.feature_names.tolist()),
        label="diagnosis",
        features=bunch.data,
        labels=tuple("MB"[value] for value in bunch.target.tolist()),
        kept_back=69,
    )


_TABLES: Final[dict[str, Callable[[], _Table]]] = {
    "diabetes": _load_diabetes,
    "breast-cancer": _load_breast_cancer,
}


def _write_real(table: _Table, folder: Path) -> SampleData:
    lines = [",".join(map(repr, row)) for row in table.features.tolist()]
    known = len(lines) - table.kept_back
    rows = zip(lines[:known], table.labels[:known], strict=True)
    labelled = (f"{line},{label}" for line, label in rows)
    return SampleData(
        source=_write(folder / "source.csv", "\n".join([_header(table), *labelled])),
        inference=_write(folder / "inference.csv", "\n".join(lines[known:])),
        outcomes=table.labels[known:],
    )


def _header(table: _Table) -> str:
    return ",".join((*table.columns, table.label))


def _write(file: Path, text: str) -> Path:
    file.write_text(text + "\n")
    return file


def _write_drawn(table: _Table, folder: Path, rows: int, inference_rows: int) -> SampleData:
    import numpy as np

    generator = np.random.default_rng(SEED)
    cells = _disturbed_cells(table, generator)
    labels = np.array([_cell(label) for label in table.labels], dtype="S")
    source, inference = folder / "source.csv", folder / "inference.csv"
    drawn = generator.integers(len(cells), size=rows)
    with source.open("wb") as file:
        file.write(f"{_header(table)}\n".encode())
        file.write(_lines(cells, drawn, generator, labels))
    drawn = generator.integers(len(cells), size=inference_rows)
    inference.write_bytes(_lines(cells, drawn, generator))
    return SampleData(source, inference, tuple(table.labels[row] for row in drawn.tolist()))


def _cell(text: str) -> str:
    """A label as a cell of constant width; a letter is one already."""
    return f"{float(text):.6f}"[:_CELL_WIDTH] if text[0].isdigit() else text


def _disturbed_cells(table: _Table, generator: "np.random.Generator") -> "NDArray[np.bytes_]":
    """Text of every cell in every disturbance, `(n_rows, n_columns, variants) S8`."""
    import numpy as np

    size = np.where([name in table.categories for name in table.columns], 0.0, _NOISE)
    shape = (*table.features.shape, _VARIANTS)
    factor = 1 + generator.uniform(-1, 1, shape) * size[:, np.newaxis]
    values = (table.features[:, :, np.newaxis] * factor).ravel().tolist()
    return np.array([f"{value:.7f}"[:_CELL_WIDTH] for value in values], "S").reshape(shape)


def _lines(
    cells: "NDArray[np.bytes_]",
    drawn: "NDArray[np.int64]",
    generator: "np.random.Generator",
    labels: "NDArray[np.bytes_] | None" = None,
) -> bytes:
    """CSV lines of the drawn rows: every cell has one width, so a line is a row of a byte array."""
    import numpy as np

    columns = cells.shape[1]
    variant = generator.integers(_VARIANTS, size=(len(drawn), columns), dtype=np.int8)
    chosen = cells[drawn[:, np.newaxis], np.arange(columns), variant]
    parts = [chosen[:, column : column + 1] for column in range(columns)]
    if labels is not None:
        parts.append(labels[drawn][:, np.newaxis])
    ends = [b","] * (len(parts) - 1) + [b"\n"]
    widths = [part.dtype.itemsize + 1 for part in parts]
    page = np.empty((len(drawn), sum(widths)), np.uint8)
    start = 0
    for part, end, width in zip(parts, ends, widths, strict=True):
        page[:, start : start + width - 1] = np.ascontiguousarray(part).view(np.uint8)
        page[:, start + width - 1] = end[0]
        start += width
    return page.tobytes()
