"""What an arriving object means for its run: whose it is, what was decided, whether a gate opens.

The decision on an object version depends on nothing but its content and the manifest, and is kept
in the history under the version: events may come in any order and any number. Which versions make
up the data set is what the bucket says is current, never the order of events. Rules only: imports
no AWS client.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from signalbox import manifest_history, naming
from signalbox.gates import Gate, rule_of
from signalbox.intake_check import Report
from signalbox.intake_rules import Part
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.manifest_sections import GateRule

ACCEPTED = "accepted"
QUARANTINED = "quarantined"
GATES = {Part.SOURCE: Gate.UPLOAD_SOURCE_DATA, Part.INFERENCE: Gate.UPLOAD_INFERENCE_DATA}
_KEY = re.compile(
    r"runs/(?P<run>[a-z0-9-]+)/(?P<part>source|inference)/(?P<name>.*[^/])", re.DOTALL
)


@dataclass(frozen=True)
class Arrival:
    """One version of one object under a run's upload prefixes; `name` is relative to the prefix."""

    bucket: str
    run: str
    part: Part
    name: str
    version_id: str
    size_bytes: int
    sequencer: str

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{naming.run_prefix(self.run)}/{self.part}/{self.name}"

    @property
    def quarantine_key(self) -> str:
        """Where the version goes when it is refused."""
        return naming.quarantine_key(self.run, self.part, self.version_id, self.name)

    @property
    def file(self) -> str:
        """The file as people know it."""
        return f"{self.part}/{self.name}"


def arrival(
    *, bucket: str, key: str, version_id: str, size_bytes: int, sequencer: str = ""
) -> Arrival | None:
    """What arrived; None for anything that is not data of a run, such as a folder's marker."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return Arrival(
        bucket, found["run"], Part(found["part"]), found["name"], version_id, size_bytes, sequencer
    )


def is_read(manifest: ResolvedManifest, arrived: Arrival) -> bool:
    """Whether the run reads what is uploaded there; with standing data it does not."""
    locations = {
        Part.SOURCE: manifest.locations.source,
        Part.INFERENCE: manifest.locations.inference,
    }
    prefix = f"{naming.run_prefix(arrived.run)}/{arrived.part}"
    return locations[arrived.part] == naming.s3_uri(arrived.bucket, prefix)


def decided(manifest: ResolvedManifest, arrived: Arrival) -> HistoryEntry | None:
    """The decision that was made on this object version, if there is one."""
    keys = (_entry_key(arrived, status) for status in (ACCEPTED, QUARANTINED))
    found = (manifest_history.find(manifest, key) for key in keys)
    return next((entry for entry in found if entry is not None), None)


def _entry_key(arrived: Arrival, status: str) -> str:
    return manifest_history.entry_key(phase_of(arrived.part), status, _cause(arrived))


def _cause(arrived: Arrival) -> str:
    return f"{arrived.name}\0{arrived.version_id}"


def phase_of(part: Part) -> str:
    """The phase of the history in which decisions on data are kept."""
    return f"{part}-data"


def decision(arrived: Arrival, report: Report, *, digest: str, at: datetime) -> HistoryEntry:
    """The decision on an object version as an entry of the history."""
    detail: JsonObject = {
        "file": arrived.name,
        "versionId": arrived.version_id,
        "sequencer": arrived.sequencer,
        "bytes": arrived.size_bytes,
        "digest": digest,
    }
    if report.profile is not None:
        detail["rows"] = report.profile.rows
    if not report.is_accepted:
        detail["quarantine"] = naming.s3_uri(arrived.bucket, arrived.quarantine_key)
        detail["findings"] = [finding.sentence() for finding in report.findings]
    status = ACCEPTED if report.is_accepted else QUARANTINED
    return manifest_history.entry(
        phase_of(arrived.part), status, _cause(arrived), at=at, detail=detail
    )


def findings_of(entry: HistoryEntry) -> list[str]:
    """The findings that a decision names."""
    found = entry.detail.get("findings")
    return [str(sentence) for sentence in found] if isinstance(found, list) else []


def part_for(gate: Gate) -> Part | None:
    """The data that a gate waits for."""
    return next((part for part, known in GATES.items() if known is gate), None)


def opened_by_upload(
    gate: Gate, manifest: ResolvedManifest, current: Collection[tuple[str, str]]
) -> str | None:
    """Why uploaded data opens a gate, in a sentence; None while it does not.

    `current` has name and version id of every object that the run would read now: each of them
    must have been accepted, and there must be as many as the manifest's `data.files` says.
    """
    part = part_for(gate)
    if part is None or rule_of(gate, manifest.workload.approvals) is not GateRule.ON_UPLOAD:
        return None
    entries = _data_set(part, manifest, current)
    if entries is None or too_few_rows(part, manifest, current) is not None:
        return None
    return _summary(entries, sum(_rows(entry) for entry in entries))


@dataclass(frozen=True)
class TooFewRows:
    """A data set of several good files that lacks rows; `key` names exactly these versions."""

    key: str
    files: int
    rows: int
    wanted: int


def may_lack_rows(part: Part, manifest: ResolvedManifest) -> bool:
    """Whether rows are counted over several files, for a training that has not begun.

    A single file's rows are counted when it is checked.
    """
    has_several = part is Part.SOURCE and manifest.workload.data.files > 1
    return has_several and manifest_history.latest(manifest, "training", "started") is None


def too_few_rows(
    part: Part, manifest: ResolvedManifest, current: Collection[tuple[str, str]]
) -> TooFewRows | None:
    """What the data set lacks once all its files are there and accepted; None when nothing."""
    entries = _data_set(part, manifest, current)
    if entries is None or not may_lack_rows(part, manifest):
        return None
    rows, wanted = sum(_rows(entry) for entry in entries), manifest.workload.data.checks.min_rows
    if rows >= wanted:
        return None
    versions = "\0".join(entry.key for entry in entries)
    key = manifest_history.entry_key(phase_of(part), "incomplete", versions)
    return TooFewRows(key, len(entries), rows, wanted)


def _data_set(
    part: Part, manifest: ResolvedManifest, current: Collection[tuple[str, str]]
) -> list[HistoryEntry] | None:
    """The decisions on the files of a data set; None while one is missing or not accepted."""
    accepted = _accepted(manifest, part)
    wanted = manifest.workload.data.files if part is Part.SOURCE else 1
    if len(current) < wanted or any(version not in accepted for version in current):
        return None
    return [accepted[version] for version in sorted(current)]


def _accepted(manifest: ResolvedManifest, part: Part) -> dict[tuple[str, str], HistoryEntry]:
    return {
        (str(entry.detail.get("file")), str(entry.detail.get("versionId"))): entry
        for entry in manifest.history
        if entry.phase == phase_of(part) and entry.status == ACCEPTED
    }


def _rows(entry: HistoryEntry) -> int:
    rows = entry.detail.get("rows")
    return rows if isinstance(rows, int) else 0


def _summary(entries: list[HistoryEntry], rows: int) -> str:
    names = ", ".join(str(entry.detail["file"]) for entry in entries[:5])
    more = f" and {len(entries) - 5} more" if len(entries) > 5 else ""
    counted = f", {rows:,} rows," if rows else ""
    return f"Opened by Signalbox: {names[:300]}{more}{counted} checked and accepted."
