"""Manifests that the tests of the rules begin with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from signalbox.manifest_resolution import Platform
from signalbox.manifest_resolved import Source
from signalbox.release import Started

BUCKET = "signalbox-dev-workflow-123456789012-us-east-1"


@pytest.fixture
def author() -> dict[str, Any]:
    """The least that an author writes, and some of what one may."""
    return {
        "schemaVersion": "1",
        "name": "diabetes",
        "problem": "regression",
        "data": {"label": "target", "columns": {"age": "number", "sex": "category"}},
        "train": {"hyperparameters": {"alpha": 0.5, "solver": "lbfgs"}},
        "inference": {"mode": "batch"},
    }


@pytest.fixture
def platform() -> Platform:
    """An environment named dev."""
    return Platform(
        app="signalbox",
        environment="dev",
        region="us-east-1",
        pipeline="signalbox-dev-workflow",
        workflow_bucket=BUCKET,
        image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2",
        job_role_arn="arn:aws:iam::123456789012:role/signalbox-dev-job",
        hosting_role_arn="arn:aws:iam::123456789012:role/signalbox-dev-hosting",
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d",
    )


@pytest.fixture
def started() -> Started:
    """A pipeline execution; sha256 of its id begins with 2867b0."""
    return Started(
        execution_id="f4f5a1de-2c0f-4a57-9d2b-6d1a5f0c7b11",
        at=datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC),
        options="{}",
        source=Source(revision_id="v1", revision_summary="", digest="sha256:00"),
    )
