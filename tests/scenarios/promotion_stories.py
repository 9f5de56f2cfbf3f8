"""Three environments of one laptop, and a version on its way through them."""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signalbox import promotion
from signalbox_cli import laptop
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView
from signalbox_cli.sample_data import export
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

ENVIRONMENTS = ("dev", "staging", "prod")
STANDING = {
    "data": {"source": "datasets/story/source"},
    "inference": {"source": "datasets/story/inference", "mode": "endpoint"},
    "approvals": {
        "uploadSourceData": "automatic",
        "approveModel": "manual",
        "uploadInferenceData": "automatic",
    },
}


@dataclass(frozen=True)
class Environments:
    """dev, staging and prod, each in its account."""

    dev: Laptop
    staging: Laptop
    prod: Laptop


@contextmanager
def three_environments() -> Iterator[Environments]:
    """One laptop with the whole promotion path; waits pass 600 times faster."""
    options = laptop.LaptopOptions(
        port=0,
        warm_ahead=False,
        time_scale=600,
        template=REPOSITORY / "template.yaml",
        environments=ENVIRONMENTS,
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        yield Environments(*(Laptop(up, up.target(options, name)) for name in ENVIRONMENTS))


def put_sample(served: Laptop, folder: Path) -> Path:
    """Standing data of the diabetes workload; the file with the rows to predict."""
    sample = export("diabetes", folder)
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    s3.upload_file(str(sample.source), bucket, "datasets/story/source/data.csv")
    s3.upload_file(str(sample.inference), bucket, "datasets/story/inference/rows.csv")
    return sample.inference


def diabetes() -> bytes:
    """The workload's archive."""
    folder = REPOSITORY / "workloads" / "diabetes"
    return stories.archive({p.name: p.read_text() for p in folder.iterdir() if p.is_file()})


def release(served: Laptop, options: Mapping[str, Any] = STANDING) -> tuple[RunView, str]:
    """A run that waits at its model gate, and the ARN of its version."""
    started = release_archive(
        served.target, diabetes(), key="workloads/story.zip", options=dict(options)
    )
    run = stories.await_stage(served, started.execution_id, "ApproveModel")
    return run, stories.version_of(served, run)


def decide(served: Laptop, arn: str, status: str, reason: str = "by the story") -> None:
    """A person decides on a version in the registry of an environment."""
    served.target.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=reason
    )


def record(served: Laptop, arn: str) -> dict[str, Any]:
    """The record of a version's promotion; empty while there is none."""
    s3 = served.target.client("s3")
    try:
        found = s3.get_object(
            Bucket=served.target.wiring().workflow_bucket, Key=promotion.record_key(arn)
        )
    except s3.exceptions.NoSuchKey:
        return {}
    document: dict[str, Any] = json.loads(found["Body"].read())
    return document


def status_in(served: Laptop, arn: str, environment: str) -> str:
    """How far a version has come in a target."""
    target = record(served, arn).get("targets", {}).get(environment, {})
    return str(target.get("status", ""))


def await_status(
    served: Laptop, arn: str, environment: str, status: str, limit_s: float = stories.PATIENCE_S
) -> dict[str, Any]:
    """What the record has of a target once it has a status."""
    deadline = time.monotonic() + limit_s
    while status_in(served, arn, environment) != status:
        if time.monotonic() > deadline:
            pytest.fail(f"{environment} did not become {status}: {promotion_state(served, arn)}")
        time.sleep(0.1)
    found: dict[str, Any] = record(served, arn)["targets"][environment]
    return found


def promotion_state(served: Laptop, arn: str) -> dict[str, Any]:
    """Record and ending of the newest promotion, for a message."""
    known = record(served, arn)
    if not known.get("execution"):
        return {"record": known, "execution": None}
    found = served.target.client("stepfunctions").describe_execution(
        executionArn=known["execution"]
    )
    ended = {name: found.get(name) for name in ("status", "error", "cause")}
    return {"record": known, "execution": ended}


def await_promotion_end(
    served: Laptop, arn: str, decision: int, limit_s: float = stories.PATIENCE_S
) -> Any:
    """The promotion of one decision once it has ended."""
    states, deadline = served.target.client("stepfunctions"), time.monotonic() + limit_s
    account = arn.split(":")[4]
    machine = f"arn:aws:states:us-east-1:{account}:execution:{served.target.prefix}-promotion"
    execution = f"{machine}:{promotion.execution_name(arn, decision)}"
    while time.monotonic() < deadline:
        try:
            found = states.describe_execution(executionArn=execution)
        except states.exceptions.ExecutionDoesNotExist:
            time.sleep(0.1)
            continue
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    return pytest.fail(f"{execution} did not end: {promotion_state(served, arn)}")


def point_image(served: Laptop, image: str, digest: str) -> None:
    """Let an image's tag point to other bytes; an empty digest takes that back."""
    request = urllib.request.Request(
        f"{served.up.url}/_localaws/image-digests",
        data=json.dumps({"image": image, "digest": digest}).encode(),
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
