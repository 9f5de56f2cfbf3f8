"""What a schedule asks for: a retraining by the pipeline, or predictions by the champion.

A schedule is delivered at least once and says each time for when it was due, so that time names
what it starts: told twice, it starts once. Rules only: imports no AWS client, reads no clock.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from signalbox import isolation, manifest_history, naming, registration
from signalbox.archive import AUTO
from signalbox.errors import ScheduleRefused
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import Tolerant
from signalbox.manifest import apply_options, validate
from signalbox.manifest_resolution import Authored, Platform, Release, resolve
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.manifest_sections import InferenceMode

WorkloadName = Annotated[str, Field(pattern=naming.WORKLOAD_NAME_PATTERN)]


class ScheduleKind(StrEnum):
    """What is to happen."""

    RETRAIN = "retrain"
    BATCH = "batch"


class ScheduledStart(Tolerant):
    """The input of a schedule; `archive` is a key of the source bucket, empty for the usual one."""

    kind: ScheduleKind
    workloads: Annotated[list[WorkloadName], Field(min_length=1, max_length=50)]
    scheduled_for: AwareDatetime = Field(alias="scheduledFor")
    options: JsonObject = Field(default_factory=dict)
    archive: str = ""


def token(start: ScheduledStart) -> str:
    """The request token of a retraining: 1 to 128 of [a-zA-Z0-9-] (StartPipelineExecution)."""
    return f"{start.kind}-{'-'.join(start.workloads)[:90]}-{_stamp(start.scheduled_for)}"


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%d-%H%M%S}"


def variables(start: ScheduledStart) -> dict[str, str]:
    """The pipeline's variables; raises ScheduleRefused for more than one workload."""
    if len(start.workloads) != 1:
        raise ScheduleRefused(
            f"a retraining takes one workload, not {', '.join(start.workloads)}; correct the "
            f'template\'s parameter RetrainWorkload (a name, or "{AUTO}")'
        )
    options = json.dumps(start.options, separators=(",", ":"))
    return {"Workload": start.workloads[0], "Options": options}


def run_id(workload: str, scheduled_for: datetime) -> str:
    """The run of one workload at one time of its schedule.

    >>> run_id("diabetes", datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC))
    '261121-093005-e5b310'
    """
    return naming.run_id(f"batch/{workload}", scheduled_for)


def execution_name(manifest: ResolvedManifest) -> str:
    """The one execution of the inference machine of a scheduled run."""
    return f"scheduled-{manifest.run.id}"


def champion(found: Mapping[str, Mapping[str, str]], group: str) -> str:
    """The first version that was not rolled back; `found` has metadata by ARN, newest first.

    Raises ScheduleRefused when there is none.
    """
    arn = next((arn for arn, metadata in found.items() if not metadata.get("rolled_back")), None)
    if arn is None:
        raise ScheduleRefused(
            f"group {group} has no approved version that was not rolled back; release the workload "
            "and approve its model, or take the workload out of the parameter BatchWorkloads"
        )
    return arn


def batch(
    origin: ResolvedManifest, arn: str, image: str, platform: Platform, at: datetime
) -> ResolvedManifest:
    """The run of a scheduled batch: the words of the champion's run, resolved for a run of its own.

    Code, model and evaluation stay where that run has them; data is read in place, predictions go
    below the new run's prefix. Raises ScheduleRefused when nobody could bring data.
    """
    _check(origin)
    same_code = replace(platform, is_isolated=isolation.carries_code(origin))
    made = resolve(_authored(origin), same_code, _release(origin, at))
    registered = manifest_history.latest(origin, "training", "registered")
    kept = ("scripts", "sourcedir", "preprocess", "training", "evaluation")
    places = {name: getattr(origin.locations, name) for name in kept}
    whole = made.model_copy(
        update={
            "run": made.run.model_copy(
                update={"execution_id": "", "scheduled_for": manifest_history.timestamp(at)}
            ),
            "images": made.images.model_copy(update={"inference": image}),
            "locations": made.locations.model_copy(update=places),
            "history": [] if registered is None else [registered],
        }
    )
    return registration.with_serving(whole, arn, at=at)


def _authored(origin: ResolvedManifest) -> Authored:
    patched, options = apply_options(dict(origin.author), json.dumps(origin.run.options))
    return Authored(origin.author, patched, options, validate(patched))


def _release(origin: ResolvedManifest, at: datetime) -> Release:
    own = run_id(origin.workload.name, at)
    return Release(
        run_id=own,
        execution_id=f"scheduled-{own}",
        started_at=at,
        source=origin.run.source,
        code_digest=origin.run.code_digest,
    )


def _check(origin: ResolvedManifest) -> None:
    section, name = origin.workload.inference, origin.workload.name
    if section.mode is not InferenceMode.BATCH:
        raise ScheduleRefused(
            f"workload {name} makes its predictions by mode {section.mode}, not batch; take it out "
            "of the parameter BatchWorkloads"
        )
    if not section.source:
        raise ScheduleRefused(
            f"the manifest of workload {name} has no inference.source, so a scheduled run has no "
            'data; release it with a prefix that begins with "datasets/"'
        )
