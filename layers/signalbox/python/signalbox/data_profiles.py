"""The profiles of a run's data, as data_intake keeps them: one document, an entry for each file.

Rules only: imports no AWS client.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from signalbox.json_documents import JsonObject

SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class FileProfile:
    """What one accepted file holds; `file` is `source/<name>` or `inference/<name>`."""

    file: str
    rows: int | None
    """None where the format is not looked into."""
    repeated_rows: int
    columns: Mapping[str, JsonObject]

    @property
    def is_trained_on(self) -> bool:
        """Whether it is training data, not rows to predict."""
        return self.file.startswith("source/")


def document(entries: JsonObject) -> JsonObject:
    """The document of entries by file."""
    return {"schemaVersion": SCHEMA_VERSION, "files": dict(sorted(entries.items()))}


def files(profiles: JsonObject | None) -> list[FileProfile]:
    """The entries in the order of their names; what cannot be read is not there.

    >>> (one,) = files(document({"source/a.csv": {"rows": 2, "columns": {"age": {}, "odd": 1}}}))
    >>> one.rows, dict(one.columns), one.is_trained_on
    (2, {'age': {}}, True)
    >>> files(None), files({"rows": 2})
    ([], [])
    """
    entries = profiles.get("files") if profiles else None
    found = entries.items() if isinstance(entries, dict) else ()
    return [_file(name, entry) for name, entry in found if isinstance(entry, dict)]


def _file(name: str, entry: JsonObject) -> FileProfile:
    rows, repeated, columns = (entry.get(k) for k in ("rows", "duplicateRows", "columns"))
    named = columns.items() if isinstance(columns, dict) else ()
    return FileProfile(
        file=name,
        rows=rows if isinstance(rows, int) else None,
        repeated_rows=repeated if isinstance(repeated, int) else 0,
        columns={column: found for column, found in named if isinstance(found, dict)},
    )
