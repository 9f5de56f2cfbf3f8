"""Messages about data that arrived: a file that was refused, files that are too few rows together.

Rules only: imports no AWS client.
"""

import shlex
from dataclasses import dataclass

from signalbox import console_links, evidence
from signalbox.intake import Arrival, TooFewRows, findings_of
from signalbox.intake_rules import Part
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.messages import Command, Kind, Link, Message, Section, section, subject
from signalbox.naming import s3_uri


@dataclass(frozen=True)
class Place:
    """The run that the data is of, and where its environment is."""

    manifest: ResolvedManifest
    app: str
    region: str

    @property
    def run(self) -> str:
        """The run in a sentence."""
        run = self.manifest.run
        return f"run {run.id} of {self.manifest.workload.name} ({run.environment})"

    @property
    def options(self) -> str:
        """What the signalbox command needs to find the run."""
        run, app = self.manifest.run, "" if self.app == "signalbox" else f"--app {self.app} "
        return f"--run {run.id} {app}--environment {run.environment} --region {self.region}"


def quarantined(place: Place, arrived: Arrival, entry: HistoryEntry) -> Message:
    """A file that was refused: which rules it breaks and where, and where it lies now."""
    refused = s3_uri(arrived.bucket, arrived.quarantine_key)
    return _message(
        place,
        _Heading(Kind.QUARANTINED, f"quarantined-{entry.key}", f"{arrived.name} was refused"),
        [
            f"{arrived.name} was uploaded as {arrived.part} data of {place.run} and cannot be "
            "used. It opens no gate.",
            "It was moved to the address below, with its findings beside it. Correct it and "
            "upload it again.",
        ],
        sections=section("What is wrong with it", findings_of(entry)),
        commands=[
            *_upload(place, arrived.part, shlex.quote(arrived.name)),
            Command(
                purpose="Fetch the refused file",
                line=f"aws s3 cp {shlex.quote(refused)} . --region {place.region}",
            ),
        ],
        links=[
            console_links.s3_folder(
                place.region, "The refused file and its findings", refused.rpartition("/")[0]
            )
        ],
    )


def too_few_rows(place: Place, part: Part, found: TooFewRows) -> Message:
    """Every file was accepted, and together they are too few rows: the gate stays closed."""
    return _message(
        place,
        _Heading(Kind.INCOMPLETE, f"incomplete-{found.key}", "too few rows uploaded"),
        [
            f"The {found.files} files that were uploaded as {part} data of {place.run} are good, "
            f"and have {found.rows:,} rows together. Its manifest asks for {found.wanted:,} or "
            "more (data.checks.minRows), so they open no gate.",
            "Upload a file more, or one with more rows under a name that is there.",
        ],
        commands=_upload(place, part, "FILE"),
    )


def _upload(place: Place, part: Part, file: str) -> list[Command]:
    locations = place.manifest.locations
    is_source = part is Part.SOURCE
    uri, flag = (locations.source, "") if is_source else (locations.inference, " --inference")
    return [
        Command(
            purpose="Upload with the signalbox command",
            line=f"signalbox upload {file}{flag} {place.options}",
        ),
        Command(
            purpose="Upload with the AWS command line",
            line=f"aws s3 cp {file} {uri}/ --region {place.region}",
        ),
    ]


@dataclass(frozen=True)
class _Heading:
    kind: Kind
    key: str
    title: str


def _message(
    place: Place,
    heading: _Heading,
    summary: list[str],
    *,
    commands: list[Command],
    sections: list[Section] | None = None,
    links: list[Link] | None = None,
) -> Message:
    run, name = place.manifest.run, place.manifest.workload.name
    here = console_links.pipeline_execution(place.region, run.pipeline, run.execution_id)
    return Message(
        kind=heading.kind,
        key=heading.key,
        run_id=run.id,
        workload=name,
        environment=run.environment,
        subject=subject(f"[{run.environment}] {name}: {heading.title}: run {run.id}"),
        summary=summary,
        sections=[*(sections or []), *evidence.about(place.manifest)],
        commands=commands,
        links=[*(links or []), here],
    )
