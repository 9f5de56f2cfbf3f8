"""From a workload archive to a run: everything is decided and checked before anything is written.

Rules only: imports no AWS client, reads no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signalbox import archive, isolation, naming
from signalbox.archive import WorkloadFiles
from signalbox.errors import ManifestError
from signalbox.manifest import AuthorManifest, apply_options, read_document, validate
from signalbox.manifest_checks import check, check_automatic_gates
from signalbox.manifest_resolution import Authored, Platform, Release, resolve
from signalbox.manifest_resolved import ResolvedManifest, Source, check_size


@dataclass(frozen=True)
class Started:
    """How a pipeline execution was started; `options` is the text of its variable Options."""

    execution_id: str
    at: datetime
    options: str
    source: Source
    released_by: str = ""


@dataclass(frozen=True)
class RunPlan:
    """A run that may be stored: its manifest, and the files of its code by S3 key."""

    manifest: ResolvedManifest
    code: Mapping[str, bytes]


def plan_run(workload: WorkloadFiles, platform: Platform, started: Started) -> RunPlan:
    """The run of a workload; raises ManifestError when the manifest or its scripts will not do."""
    authored = read_authored(workload.manifest, started.options, platform.environment)
    missing = archive.check_scripts(workload, script_pointers(authored.manifest))
    if missing:
        raise ManifestError(missing)
    if platform.is_isolated and isolation.WRAPPER in workload.files:
        taken = f"(archive): {isolation.WRAPPER} is the platform's own here; rename the file"
        raise ManifestError((taken,))
    run_id = naming.run_id(started.execution_id, started.at)
    release = Release(
        run_id=run_id,
        execution_id=started.execution_id,
        started_at=started.at,
        source=started.source,
        code_digest=archive.code_digest(workload.files),
        released_by=started.released_by,
    )
    manifest = resolve(authored, platform, release)
    check_size(manifest)
    return RunPlan(manifest, _code(workload, run_id, is_isolated=platform.is_isolated))


def read_authored(text: bytes, options: str, environment: str) -> Authored:
    """The author's manifest with the run's Options on it, validated as a whole."""
    written = read_document(text)
    patched, patch = apply_options(written, options)
    manifest = validate(patched, source="manifest.json with Options" if patch else "manifest.json")
    check(manifest)
    check_automatic_gates(written, patched, environment)
    return Authored(written, patched, patch, manifest)


def script_pointers(manifest: AuthorManifest) -> dict[str, str]:
    """The script of each step by its pointer in the manifest."""
    return {
        "/preprocess/script": manifest.preprocess.script,
        "/train/script": manifest.train.script,
        "/evaluate/script": manifest.evaluate.script,
        "/inference/script": manifest.inference.script,
    }


def _code(workload: WorkloadFiles, run_id: str, *, is_isolated: bool) -> dict[str, bytes]:
    packed = isolation.with_wrapper(workload.files) if is_isolated else workload.files
    start = f"{naming.run_prefix(run_id)}/code"
    scripts = {f"{start}/scripts/{name}": content for name, content in workload.files.items()}
    return {**scripts, f"{start}/sourcedir.tar.gz": archive.source_archive(packed)}
