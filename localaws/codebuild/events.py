"""Tells EventBridge what happens in builds: the events of source `aws.codebuild`.

Shapes from the CodeBuild user guide, "Build notifications input format reference" (read
2026-11-21); keys are hyphenated and times are written in English.
"""

from datetime import UTC, datetime
from typing import Any

from localaws.codebuild.model import Build, Phase, environment_variables
from localaws.events import service as events


def state_changed(build: Build) -> None:
    """`CodeBuild Build State Change`."""
    detail = {
        "build-status": build.status.value,
        "current-phase": build.current_phase,
        "current-phase-context": _context(build.phases[-1]) if build.phases else "[]",
    }
    _emit(build, "Build State Change", detail)


def phase_changed(build: Build, phase: Phase) -> None:
    """`CodeBuild Build Phase Change`, at the end of a phase."""
    detail = {
        "completed-phase": phase.kind,
        "completed-phase-status": phase.status.value if phase.status else "",
        "completed-phase-context": _context(phase),
        "completed-phase-duration-seconds": phase.seconds,
        "completed-phase-start": _moment(phase.started),
        "completed-phase-end": _moment(phase.ended),
    }
    _emit(build, "Build Phase Change", detail)


def _emit(build: Build, what: str, detail: dict[str, Any]) -> None:
    events.emit(
        "aws.codebuild",
        f"CodeBuild {what}",
        {
            "project-name": build.project,
            "build-id": build.arn,
            **detail,
            "additional-information": _information(build),
            "version": "1",
        },
        resources=[build.arn],
        account=build.place.account,
        region=build.place.region,
    )


def _information(build: Build) -> dict[str, Any]:
    environment, source = build.settings["environment"], build.settings["source"]
    told: dict[str, Any] = {
        "environment": {
            "image": environment["image"],
            "privileged-mode": False,
            "compute-type": environment["computeType"],
            "type": environment["type"],
            "environment-variables": environment_variables(build.settings),
        },
        "timeout-in-minutes": build.settings["timeoutInMinutes"],
        "build-complete": build.ended is not None,
        "build-number": build.number,
        "initiator": build.initiator,
        "build-start-time": _moment(build.started),
        "source": {"type": source["type"]},
        "source-version": build.source_version,
        "phases": [_phase(phase) for phase in build.phases],
    }
    if source.get("location"):
        told["source"]["location"] = source["location"]
    if build.log_group:
        told["logs"] = {"group-name": build.log_group, "stream-name": build.log_stream}
    if build.stored:
        first = build.stored[0]
        sums = {"md5sum": first.md5, "sha256sum": first.sha256}
        told["artifact"] = {**sums, "location": first.location.arn}
    return told


def _phase(phase: Phase) -> dict[str, Any]:
    told: dict[str, Any] = {"phase-type": phase.kind, "start-time": _moment(phase.started)}
    if phase.ended is None:
        return told
    return told | {
        "phase-context": [_context(phase)] if phase.code else [],
        "end-time": _moment(phase.ended),
        "duration-in-seconds": phase.seconds,
        "phase-status": phase.status.value if phase.status else "",
    }


def _context(phase: Phase) -> str:
    return f"[{phase.code}: {phase.message}]" if phase.code else "[]"


def _moment(moment: datetime | None) -> str:
    """As Java writes it: `Sep 1, 2017 4:12:29 PM`."""
    if moment is None:
        return ""
    at = moment.astimezone(UTC)
    return f"{at:%b} {at.day}, {at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"
