"""What a release would do, worked out from the workload alone; nothing is called.

The manifest is read, completed and checked by the very rules that create_schema runs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox.archive import WorkloadFiles, check_scripts
from signalbox.errors import ManifestError
from signalbox.manifest import Workload
from signalbox.manifest_inference import InferenceSection, RolloutStrategy
from signalbox.manifest_resolution import default_pointers
from signalbox.manifest_sections import InferenceMode, StepSection
from signalbox.release import read_authored, script_pointers
from signalbox_cli.errors import CommandError
from signalbox_cli.packaging import NO_MANIFEST, workload_files


@dataclass(frozen=True)
class PlannedJob:
    """One job that a run would start; `limit_h` bounds what it can take, in hours."""

    step: str
    script: str
    instance: str
    count: int
    limit_h: float
    image: str

    def document(self) -> dict[str, Any]:
        """The job as JSON."""
        return {
            "step": self.step,
            "script": self.script,
            "instanceType": self.instance,
            "instanceCount": self.count,
            "limitHours": self.limit_h,
            "image": self.image,
        }


@dataclass(frozen=True)
class PlannedHosting:
    """What an endpoint of the workload keeps running; a serverless one has no instances."""

    mode: str
    instance: str
    count: int
    count_in_update: int
    """Instances at once while a new version takes over: old and new fleet stand side by side."""
    memory_mb: int = 0

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        if self.memory_mb:
            return {"mode": self.mode, "memoryMb": self.memory_mb}
        return {
            "mode": self.mode,
            "instanceType": self.instance,
            "instanceCount": self.count,
            "instanceCountInUpdate": self.count_in_update,
        }


@dataclass(frozen=True)
class Plan:
    """A checked workload and what its run would consist of."""

    workload: str
    names: dict[str, str]
    jobs: tuple[PlannedJob, ...]
    gates: dict[str, str]
    defaults: dict[str, Any]
    files: tuple[str, ...]
    data: dict[str, Any]
    hosting: PlannedHosting | None = None

    @property
    def instance_hours(self) -> float:
        """The most that the jobs of one run can take together, in instance hours."""
        return sum(job.limit_h * job.count for job in self.jobs)

    def document(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "workload": self.workload,
            "names": self.names,
            "jobs": [job.document() for job in self.jobs],
            "instanceHours": self.instance_hours,
            "gates": self.gates,
            "defaults": self.defaults,
            "files": self.files,
            "hosting": self.hosting.document() if self.hosting else None,
        }


def plan(folder: Path, options: dict[str, Any], *, prefix: str, environment: str) -> Plan:
    """The plan of a release; raises ManifestError with every problem of the manifest."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise CommandError(f"{folder} {NO_MANIFEST}")
    authored = read_authored(path.read_bytes(), json.dumps(options), environment)
    files = workload_files(folder)
    _check_scripts(folder, files, script_pointers(authored.manifest))
    workload = authored.manifest
    filled = workload.model_dump(mode="json", include=set(Workload.model_fields))
    return Plan(
        workload=workload.name,
        names=_names(prefix, workload.name),
        jobs=_jobs(workload),
        gates=workload.model_dump(mode="json")["approvals"],
        defaults={p: _at(filled, p) for p in default_pointers(filled, authored.patched)},
        files=tuple(p.relative_to(folder).as_posix() for p in files),
        data=filled["data"],
        hosting=_hosting(workload.inference),
    )


def _at(document: Any, pointer: str) -> Any:
    """The value that a JSON pointer (RFC 6901) names."""
    for part in pointer.split("/")[1:]:
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def _check_scripts(folder: Path, files: list[Path], pointers: dict[str, str]) -> None:
    contents = {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
    missing = check_scripts(WorkloadFiles("", contents), pointers)
    if missing:
        raise ManifestError(missing)


def _names(prefix: str, workload: str) -> dict[str, str]:
    return {
        "jobs": f"{prefix}-<step>-<run id>-<attempt>-<retry>",
        "modelPackageGroup": f"{prefix}-{workload}",
        "endpoint": f"{prefix}-{workload}",
    }


def _jobs(workload: Workload) -> tuple[PlannedJob, ...]:
    steps = [
        _job("preprocess", workload.preprocess, workload.preprocess.script, 1),
        _job("train", workload.train, workload.train.script, workload.train.instance_count),
        _job("evaluate", workload.evaluate, workload.evaluate.script, 1),
    ]
    inference = workload.inference
    if inference.mode == InferenceMode.BATCH:
        hours = inference.max_runtime_seconds / 3600
        steps.append(
            PlannedJob(
                "transform",
                inference.script,
                inference.instance_type,
                inference.instance_count,
                hours,
                inference.image or _BUILT_IN,
            )
        )
    return tuple(steps)


def _hosting(inference: InferenceSection) -> PlannedHosting | None:
    if inference.mode in (InferenceMode.BATCH, InferenceMode.NONE):
        return None
    if inference.mode == InferenceMode.SERVERLESS:
        return PlannedHosting("serverless", "", 0, 0, inference.serverless.memory_mb)
    most = inference.scaling.max_instances if inference.scaling else inference.instance_count
    # A rolling update replaces the fleet in batches; every other one starts a second fleet.
    batch = -(-most * inference.rollout.percent // 100)
    more = batch if inference.rollout.strategy == RolloutStrategy.ROLLING else most
    count = inference.instance_count
    return PlannedHosting(inference.mode.value, inference.instance_type, count, most + more)


_BUILT_IN = "the environment's built-in scikit-learn"


def _job(step: str, section: StepSection, script: str, count: int) -> PlannedJob:
    return PlannedJob(
        step,
        script,
        section.instance_type,
        count,
        section.max_runtime_seconds / 3600,
        section.image or _BUILT_IN,
    )
