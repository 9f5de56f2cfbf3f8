"""The profiles that data_intake keeps of a run's files, as the report and the messages read them.

One document for a run: `{"schemaVersion": "1", "files": {"source/a.csv": {"rows": ...}}}`. What it
lacks is left out, for an older or newer version may have written it. Rules only.
"""

from dataclasses import dataclass

from signalbox.intake_rules import Part
from signalbox.json_documents import JsonObject


@dataclass(frozen=True)
class FileProfile:
    """What one file held; `columns` in the order of the file, None where nothing was told."""

    file: str
    rows: int | None
    repeated: int | None
    columns: dict[str, JsonObject]

    @property
    def headline(self) -> str:
        """The file and how much is in it.

        >>> FileProfile("source/a.csv", 1200, 3, {}).headline
        'source/a.csv: 1,200 rows, 3 of them repeat another row'
        """
        rows = "" if self.rows is None else f": {self.rows:,} rows"
        repeated = f", {self.repeated:,} of them repeat another row" if self.repeated else ""
        return f"{self.file}{rows}{repeated}"


def of_part(document: JsonObject | None, part: Part) -> list[FileProfile]:
    """The profiles of the files of one part, by name."""
    files = document.get("files") if document else None
    named = files.items() if isinstance(files, dict) else ()
    return [
        _of_file(file, profile)
        for file, profile in sorted(named)
        if file.startswith(f"{part}/") and isinstance(profile, dict)
    ]


def _of_file(file: str, profile: JsonObject) -> FileProfile:
    columns = profile.get("columns")
    told = columns.items() if isinstance(columns, dict) else ()
    return FileProfile(
        file,
        rows=_count(profile.get("rows")),
        repeated=_count(profile.get("duplicateRows")),
        columns={name: column for name, column in told if isinstance(column, dict)},
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
