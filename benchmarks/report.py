"""The rows of a report: printed as they come, kept for `--json`."""

import json
from pathlib import Path
from typing import Any


class Report:
    """What was measured so far."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        """One measurement."""
        self.rows.append({"name": name, "value": round(value, 4), "unit": unit, "note": note})
        print(f"{name:<58} {value:>9.3f} {unit:<7} {note}", flush=True)

    def write(self, file: Path) -> None:
        """All rows as JSON."""
        file.write_text(json.dumps(self.rows, indent=1) + "\n")
