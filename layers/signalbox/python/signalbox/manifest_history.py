"""The history of a run: appended to, never rewritten, each fact once.

Rules only: imports no AWS client.
"""

import hashlib
from datetime import UTC, datetime

from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest, history_detail


def timestamp(moment: datetime) -> str:
    """An aware moment as ISO 8601 in UTC with `Z`, whole seconds.

    >>> timestamp(datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC))
    '2026-11-21T09:30:05Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_key(phase: str, status: str, cause: str) -> str:
    """The identity of a fact: the same report of the same cause has the same key."""
    return hashlib.sha256("\0".join((phase, status, cause)).encode()).hexdigest()[:32]


def entry(
    phase: str, status: str, cause: str, *, at: datetime, detail: JsonObject, arn: str = ""
) -> HistoryEntry:
    """A fact for the history; `cause` is the execution that it is a fact of."""
    cut = history_detail(detail)
    return HistoryEntry(
        key=entry_key(phase, status, cause),
        at=timestamp(at),
        phase=phase,
        status=status,
        detail=cut if isinstance(cut, dict) else {},
        arn=arn,
    )


def find(manifest: ResolvedManifest, key: str) -> HistoryEntry | None:
    """The entry with a key, if the history has it."""
    return next((known for known in manifest.history if known.key == key), None)


def append(manifest: ResolvedManifest, new: HistoryEntry) -> ResolvedManifest:
    """The manifest with the entry at its end, or as it is when the history has its key."""
    if find(manifest, new.key):
        return manifest
    return manifest.model_copy(update={"history": [*manifest.history, new]})


def place(manifest: ResolvedManifest, new: HistoryEntry) -> ResolvedManifest:
    """The manifest with the entry where it happened, for what is heard of late; twice is once.

    Facts that are heard of in another order, or again, make the same history.
    """
    if find(manifest, new.key):
        return manifest
    index = next(
        (i for i, known in enumerate(manifest.history) if _comes_after(known, new)),
        len(manifest.history),
    )
    history = [*manifest.history[:index], new, *manifest.history[index:]]
    return manifest.model_copy(update={"history": history})


def _comes_after(known: HistoryEntry, new: HistoryEntry) -> bool:
    """Within one second, what was heard of late goes before what was written at once."""
    if known.at != new.at:
        return known.at > new.at
    return known.phase != new.phase or known.key > new.key


def attempt_number(manifest: ResolvedManifest, phase: str, key: str) -> int:
    """Which start of the phase the entry with this key is, or would be: 1 for the first."""
    starts = [known.key for known in manifest.history if _is_start(known, phase)]
    return starts.index(key) + 1 if key in starts else len(starts) + 1


def latest(manifest: ResolvedManifest, phase: str, status: str) -> HistoryEntry | None:
    """The newest entry of a phase with a status."""
    matching = (e for e in reversed(manifest.history) if (e.phase, e.status) == (phase, status))
    return next(matching, None)


def _is_start(known: HistoryEntry, phase: str) -> bool:
    return known.phase == phase and known.status == "started"
