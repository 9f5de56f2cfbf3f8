"""Checking data files on this machine by the rules that data_intake applies to uploads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli.errors import CommandError


@dataclass(frozen=True)
class CheckedFile:
    """A file, what is wrong with it, and its profile."""

    name: str
    findings: tuple[str, ...]
    profile: dict[str, Any]

    @property
    def is_accepted(self) -> bool:
        """Whether data_intake would accept it."""
        return not self.findings

    @property
    def rows(self) -> int | None:
        """Number of rows; None where the format is not looked into."""
        return self.profile.get("rows")

    def document(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "accepted": self.is_accepted,
            "findings": list(self.findings),
            "profile": self.profile,
        }


def check_files(files: tuple[Path, ...], folder: Path, *, inference: bool) -> list[CheckedFile]:
    """Check every file against the manifest of a workload folder; raises ManifestError."""
    from signalbox import intake_check, intake_rules, manifest

    path = folder / "manifest.json"
    if not path.is_file():
        raise CommandError(f"{folder} has no manifest.json, so it is no workload")
    workload = manifest.validate(manifest.read_document(path.read_bytes()))
    part = intake_rules.Part.INFERENCE if inference else intake_rules.Part.SOURCE
    expected = intake_rules.expectation(workload, part)
    checked = []
    for file in files:
        with file.open("rb") as stream:
            report = intake_check.check(stream, expected, file=file.name)
        sentences = tuple(finding.sentence() for finding in report.findings)
        checked.append(CheckedFile(str(file), sentences, report.profile_document()))
    return checked
