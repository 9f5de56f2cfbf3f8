"""`signalbox acceptance`: does this environment, as it is deployed, still train and serve?

Trains a workload through the environment's own pipeline and compares what a real endpoint and a
real batch transform answer with what the evaluation predicted. The workload goes under a name of
its own (`<workload>-acceptance`): its group, endpoint and serving record are nobody else's, so what
serves in the environment stays as it is.
"""

import contextlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

from signalbox import console_links, naming
from signalbox.manifest import read_document
from signalbox_cli.acceptance_cleanup import leaving_nothing
from signalbox_cli.acceptance_evidence import PAGE, Check, Evidence, page
from signalbox_cli.acceptance_predictions import Probe, compare_batch, compare_endpoint, read_probe
from signalbox_cli.console import Output
from signalbox_cli.deciding import decide
from signalbox_cli.errors import CommandError
from signalbox_cli.models import describe
from signalbox_cli.packaging import NO_MANIFEST
from signalbox_cli.planning import Plan, plan
from signalbox_cli.progress import Feed, follow, raise_for_outcome
from signalbox_cli.promoting import promotion_path
from signalbox_cli.releasing import release
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.sample_data import export, has_samples
from signalbox_cli.target import Target
from signalbox_cli.upload_decisions import await_decision
from signalbox_cli.uploading import check, upload

SUFFIX = "-acceptance"
_NAME_LIMIT = 31  # of a workload, docs/manifest.md
_APPROVALS = {"approveModel": "manual", "uploadInferenceData": "automatic"}
_HOSTED_BY_CALLS = "serverless"


def acceptance_name(workload: str) -> str:
    """The name under which a workload is tried.

    >>> acceptance_name("diabetes")
    'diabetes-acceptance'
    """
    return workload[: _NAME_LIMIT - len(SUFFIX)].rstrip("-") + SUFFIX


# ------------------------------------------------------------------------------------------ train


def train(
    target: Target, folder: Path, *, data: Path | None, commit: str, output: Output
) -> Evidence:
    """Release the workload, bring its data, wait for the verdict, and approve the version.

    Raises RunRefused, RunFailed, DataWasRefused; a run that cannot go on is stopped first, because
    it would hold up every later run of the environment.
    """
    _check_promotes_nothing(target)
    with _renamed(folder) as copied, tempfile.TemporaryDirectory() as scratch:
        manifest = _author(copied)
        source = _training_data(manifest, data, Path(scratch))
        options = _options(manifest, source)
        planned = plan(copied, options, prefix=target.prefix, environment=target.environment)
        _check_data(planned, source)
        started = release(target, copied, options=options)
        output.note(f"Released {planned.workload} as execution {started.execution_id}")
        with leaving_nothing(target, started.execution_id, output):
            return _decided(target, started.execution_id, source, commit, output)


def _check_promotes_nothing(target: Target) -> None:
    leads_to = [str(entry.get("environment")) for entry in promotion_path(target)]
    if leads_to:
        raise CommandError(
            f"{target.describe()} promotes every version that is approved there to "
            f"{', '.join(leads_to)}, so an acceptance would send its test model on. Run it in an "
            "environment that promotes nothing, or take its promotion path away"
        )


@contextlib.contextmanager
def _renamed(folder: Path) -> Iterator[Path]:
    """A copy of the workload under the name that it is tried under."""
    if not (folder / "manifest.json").is_file():
        raise CommandError(f"{folder} {NO_MANIFEST}")
    with tempfile.TemporaryDirectory() as temporary:
        copied = copytree(folder, Path(temporary) / folder.name)
        document = _author(copied)
        if isinstance(document.get("name"), str):
            renamed = {**document, "name": acceptance_name(document["name"])}
            (copied / "manifest.json").write_text(json.dumps(renamed, indent=2))
        yield copied


def _author(folder: Path) -> dict[str, Any]:
    """The author's manifest; raises ManifestError and OSError."""
    return dict(read_document((folder / "manifest.json").read_bytes()))


def _training_data(manifest: dict[str, Any], data: Path | None, folder: Path) -> Path | None:
    """The file to upload; None for a workload with standing data in the environment."""
    workload = str(manifest.get("name")).removesuffix(SUFFIX)
    if data is not None:
        return data
    if has_samples(workload):
        return export(workload, folder).source
    if _section(manifest, "data").get("source"):
        return None
    raise CommandError(
        f"there is no sample data for the workload '{workload}', and its manifest names no "
        "standing data (data.source); give training data with --data FILE"
    )


def _section(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def _options(manifest: dict[str, Any], source: Path | None) -> dict[str, Any]:
    """What is decided for this run, whatever the manifest says of it.

    No alarms: they judge rollouts, and would outlive an endpoint that is deleted within minutes.
    """
    is_serverless = _section(manifest, "inference").get("mode") == _HOSTED_BY_CALLS
    mode = _HOSTED_BY_CALLS if is_serverless else "endpoint"
    rule = "automatic" if source is None else "on-upload"
    options: dict[str, Any] = {
        "inference": {"mode": mode, "keep": 1, "alarms": False},
        "approvals": {"uploadSourceData": rule, **_APPROVALS},
    }
    return options if source is None else {**options, "data": {"source": None, "files": 1}}


def _check_data(planned: Plan, source: Path | None) -> None:
    if source is not None:
        check(source, planned.data, "UploadSourceData")


def _decided(
    target: Target, execution_id: str, source: Path | None, commit: str, output: Output
) -> Evidence:
    """Through the gates up to the approval of the version."""
    feed = Feed(target)
    if source is not None:
        run = _to_gate(target, execution_id, "UploadSourceData", output, feed)
        await_decision(target, run, upload(target, run, "UploadSourceData", (source,)))
    run = _to_gate(target, execution_id, "ApproveModel", output, feed)
    evidence = _evidence(target, run, commit)
    read_probe(target, describe(target, evidence.model_package_arn), read_manifest(target, run))
    decide(target, run, "ApproveModel", approve=True, reason=_reason(commit))
    return evidence


def _reason(commit: str) -> str:
    return f"signalbox acceptance of commit {commit}" if commit else "signalbox acceptance"


def _to_gate(target: Target, execution_id: str, gate: str, output: Output, feed: Feed) -> RunView:
    run = follow(target, execution_id, output, stop_at_gate=gate, feed=feed)
    raise_for_outcome(run)
    return run


def _evidence(target: Target, run: RunView, commit: str) -> Evidence:
    manifest = read_manifest(target, run)
    entry = next(e for e in manifest["history"] if e["status"] == "registered")
    verdict, arn = entry["detail"]["verdict"], str(entry["arn"])
    where = f"{manifest['locations']['run']}/acceptance"
    return Evidence(
        environment=target.environment,
        workload=run.workload,
        commit=commit,
        run_id=run.run_id,
        execution_id=run.execution_id,
        model_package_arn=arn,
        link=console_links.s3_folder(arn.split(":")[3], "Acceptance", where).url,
        metrics=verdict["metrics"],
        reasons=tuple(verdict["reasons"]),
    )


# ------------------------------------------------------------------------------------------ infer


def check_workload(folder: Path, trained: Evidence) -> None:
    """Raises CommandError unless the evidence is of the workload in the folder."""
    name = acceptance_name(str(_author(folder).get("name")))
    if name != trained.workload:
        raise CommandError(
            f"the evidence is of {trained.workload} and {folder} is {name}; run "
            f"`signalbox acceptance train {folder}` first, or choose its folder with --output"
        )


def infer(target: Target, trained: Evidence, *, output: Output, keep_endpoint: bool) -> Evidence:
    """Compare a real endpoint's and a real batch transform's answers with the evaluation's.

    The endpoint is deleted afterwards, whatever comes out; its config and model are kept as those
    of any other deployment. Raises CommandError when there is nothing to compare.
    """
    endpoint = "" if keep_endpoint else f"{target.prefix}-{trained.workload}"
    with leaving_nothing(target, trained.execution_id, output, endpoint=endpoint):
        run = follow(target, trained.execution_id, output)
        manifest = read_manifest(target, run)
        version = describe(target, trained.model_package_arn)
        probe = read_probe(target, version, manifest)
        return trained.with_checks(_compared(target, run, probe, manifest, output))


def _compared(
    target: Target, run: RunView, probe: Probe, manifest: dict[str, Any], output: Output
) -> list[Check]:
    checks = [
        compare_endpoint(target, run, probe, manifest["names"]["endpoint"]),
        compare_batch(target, run, probe, execution=f"{run.run_id}-batch-{uuid.uuid4().hex[:8]}"),
    ]
    for one in checks:
        output.note(f"{'[green]✓[/green]' if one.is_passed else '[red]✗[/red]'} {one.headline}")
    return checks


def publish(target: Target, evidence: Evidence) -> None:
    """Put the page beside the run, where the evidence's link leads."""
    target.client("s3").put_object(
        Bucket=target.wiring().workflow_bucket,
        Key=f"{naming.run_prefix(evidence.run_id)}/acceptance/{PAGE}",
        Body=page(evidence).encode(),
        ContentType="text/markdown; charset=utf-8",
    )
