"""The message about what the reconciler has found and cannot put right by itself.

Rules only: imports no AWS client.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

from signalbox.messages import Command, Kind, Message, Section, section, subject
from signalbox.reconciliation import Finding

# Claims lie under runs/<run id>/messages/; this is no run, and no run can have the name.
RECONCILER = "reconciler"
_SHOWN_COMMANDS = 20
_TITLES = {
    "endpoint": "Endpoints",
    "endpoint configuration": "Endpoint configurations",
    "model": "Models",
    "version": "Model versions",
    "run": "Runs",
    "data": "Uploaded data",
}


def key_of(findings: Sequence[Finding], day: date) -> str:
    """The same findings of one day are the same message, however often they are told."""
    text = "\0".join(sorted(finding.key for finding in findings))
    return f"findings-{day:%y%m%d}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def found(findings: Sequence[Finding], environment: str, day: date) -> Message:
    """One message about findings that nobody was told of before."""
    count = "1 thing needs" if len(findings) == 1 else f"{len(findings)} things need"
    return Message(
        kind=Kind.FOUND,
        key=key_of(findings, day),
        run_id=RECONCILER,
        workload="",
        environment=environment,
        subject=subject(f"[{environment}] {count} a look"),
        summary=[
            f"Registry, endpoints, executions, gates and manifests of {environment} were compared. "
            f"What could be proved was repaired; {count} a person.",
            "You are told of each once. Nothing was deleted.",
        ],
        sections=_sections(findings),
        commands=_commands(findings),
        links=[],
    )


def _commands(findings: Sequence[Finding]) -> list[Command]:
    able = [finding for finding in sorted(findings) if finding.command]
    return [
        Command(purpose=f"Delete {finding.key.removeprefix('unused ')}", line=finding.command)
        for finding in able[:_SHOWN_COMMANDS]
    ]


def _sections(findings: Sequence[Finding]) -> list[Section]:
    return [
        part
        for kind, title in _TITLES.items()
        for part in section(title, [f"{f.sentence}." for f in sorted(findings) if f.kind == kind])
    ]
