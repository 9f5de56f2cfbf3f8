"""The probe of an evaluation, answered by a real endpoint and by a real batch transform.

The batch goes through the environment's inference machine, started once more with the run's own
manifest and other places to read and write; so its role does the work, and no other is needed.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from signalbox import naming, probes
from signalbox.errors import ProbeFailed, ProbeInvalid
from signalbox.manifest_resolved import from_json, to_input
from signalbox.manifest_sections import InferenceMode
from signalbox_cli.acceptance_cleanup import stop_machine
from signalbox_cli.acceptance_evidence import Check
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.models import ModelVersion
from signalbox_cli.progress import raise_for_outcome
from signalbox_cli.runs import RunView
from signalbox_cli.target import Target

_MISSING = ("NoSuchKey", "404", "NoSuchBucket")
_SHOWN_ROWS = 5


@dataclass(frozen=True)
class Probe:
    """Known rows and what the evaluation predicted for them, line by line."""

    rows: tuple[str, ...]
    predictions: tuple[str, ...]
    content_type: str
    accept: str
    tolerance: float

    @property
    def body(self) -> bytes:
        """The rows as one request."""
        return "\n".join(self.rows).encode()


def read_probe(target: Target, version: ModelVersion, manifest: dict[str, Any]) -> Probe:
    """The probe that the version's evaluation left; raises CommandError when it left none."""
    inference, plan = manifest["workload"]["inference"], manifest["steps"]["inference"]
    bucket, key = naming.split_s3_uri(f"{probes.folder_of(version.evaluation_uri)}/")
    rows, predictions = (
        _text(target, bucket, f"{key}{name}") for name in (probes.ROWS, probes.PREDICTIONS)
    )
    try:
        cut = probes.cut(rows, predictions, plan["contentType"], most=10_000)
    except ProbeInvalid as error:
        raise CommandError(str(error)) from None
    return Probe(
        rows=tuple(cut.rows.splitlines()),
        predictions=tuple(cut.predictions.splitlines()),
        content_type=plan["contentType"],
        accept=plan["accept"],
        tolerance=inference["probe"]["tolerance"],
    )


def _text(target: Target, bucket: str, key: str) -> str:
    try:
        body = target.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        raise CommandError(
            f"s3://{bucket}/{key} does not exist: the evaluation left no known rows, so there is "
            "nothing to compare with. Let evaluate.py write probe/rows.csv and "
            "probe/predictions.csv (docs/workloads.md)"
        ) from None
    return str(body.read().decode("utf-8-sig"))


def compare(name: str, probe: Probe, answered: Sequence[str]) -> Check:
    """Answers beside predictions, row by row."""
    if len(answered) != len(probe.predictions):
        count = f"{len(answered)} predictions for {len(probe.predictions)} rows"
        return Check(name, rows=len(probe.predictions), fault=count)
    largest, examples, differing = 0.0, [], 0
    for number, (expected, found) in enumerate(
        zip(probe.predictions, answered, strict=True), start=1
    ):
        try:
            difference = probes.largest_difference(
                expected, found, probe.accept, tolerance=probe.tolerance
            )
        except ProbeFailed:
            differing += 1
            examples.append(f"row {number}: {found[:80]}, the evaluation predicted {expected[:80]}")
        else:
            largest = max(largest, difference)
    return Check(name, len(answered), differing, largest, tuple(examples[:_SHOWN_ROWS]))


def compare_endpoint(target: Target, run: RunView, probe: Probe, endpoint: str) -> Check:
    """What the run's endpoint answers to the rows; a run that made none is a failed check."""
    name = "endpoint"
    try:
        raise_for_outcome(run)
        answer = target.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint,
            Body=probe.body,
            ContentType=probe.content_type,
            Accept=probe.accept,
        )
    except CommandError as fault:
        return Check(name, fault=str(fault))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ModelError", "ValidationError"):
            raise
        return Check(name, fault=f"{endpoint}: {error.response['Error']['Message']}")
    return compare(name, probe, _lines(answer["Body"].read()))


def _lines(body: bytes) -> list[str]:
    return [line for line in body.decode().splitlines() if line.strip()]


def compare_batch(target: Target, run: RunView, probe: Probe, *, execution: str) -> Check:
    """What a batch transform writes for the rows."""
    name = "batch transform"
    try:
        folder = _transformed(target, run, probe, execution)
    except RunFailed as fault:
        return Check(name, fault=str(fault))
    return compare(name, probe, _lines(_objects(target, folder)))


def _transformed(target: Target, run: RunView, probe: Probe, execution: str) -> str:
    """Run the inference machine over the rows; the URI of the predictions' folder."""
    s3, bucket = target.client("s3"), target.wiring().workflow_bucket
    key, here = naming.manifest_key(run.run_id), f"{naming.run_prefix(run.run_id)}/acceptance"
    manifest = from_json(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), source=key)
    if manifest.inference is None:
        raise RunFailed(f"run {run.name} ended before its version could be used: {run.error}")
    s3.put_object(Bucket=bucket, Key=f"{here}/rows/rows.csv", Body=probe.body)
    places = {
        "mode": InferenceMode.BATCH,
        "input_uri": f"s3://{bucket}/{here}/rows",
        "predictions_uri": f"s3://{bucket}/{here}/predictions",
    }
    batch = manifest.model_copy(update={"inference": manifest.inference.model_copy(update=places)})
    started = target.client("stepfunctions").start_execution(
        stateMachineArn=target.wiring().inference_machine_arn,
        name=execution,
        input=to_input(batch).decode(),
    )
    try:
        return _await_predictions(target, started["executionArn"])
    except BaseException:
        stop_machine(target, started["executionArn"])
        raise


def _await_predictions(target: Target, execution: str) -> str:
    while True:
        ended = target.client("stepfunctions").describe_execution(executionArn=execution)
        if ended["status"] != "RUNNING":
            break
        time.sleep(target.poll_s)
    if ended["status"] != "SUCCEEDED":
        raise RunFailed(
            f"execution {execution} ended as {ended['status']}: {ended.get('error', '')}: "
            f"{str(ended.get('cause', 'no cause was given'))[:500]}"
        )
    return str(json.loads(ended["output"])["predictionsUri"])


def _objects(target: Target, folder: str) -> bytes:
    """The objects of a folder, one after the other in key order."""
    bucket, prefix = naming.split_s3_uri(f"{folder}/")
    s3 = target.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [str(found["Key"]) for page in pages for found in page.get("Contents", [])]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return b"\n".join(bodies)
