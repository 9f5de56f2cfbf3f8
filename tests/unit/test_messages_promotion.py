"""What people read of a promotion: golden files, read by a person.

With SIGNALBOX_WRITE_GOLDEN=1 this file writes them anew; the difference is then what to review.
"""

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox import manifest_history, messages_promotion
from signalbox.machine_requests import TaskFailure
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.messages import Message
from signalbox.messages_promotion import Telling
from signalbox.messages_text import to_text
from signalbox.promotion import PromotionTarget
from tests.unit.test_messages import VERDICT, resolved

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/4"
THERE = "arn:aws:sagemaker:us-east-1:345678901234:model-package/signalbox-prod-diabetes/2"
PROD = PromotionTarget(
    environment="prod",
    account="345678901234",
    region="us-east-1",
    deploy_role_arn="arn:aws:iam::345678901234:role/signalbox-prod-deploy-us-east-1",
)
CHANGED = TaskFailure(
    Error="ArtifactChanged",
    Cause="s3://b/m.tar.gz holds version v2, 9 bytes; approved was version v1, 2048 bytes. "
    "Put the approved version back, or release again",
)
WITHDRAWN = TaskFailure(
    Error="PromotionWithdrawn", Cause="version 4 of signalbox-dev-diabetes is Rejected"
)

ROLLED_BACK = TaskFailure(
    Error="EndpointRolledBack",
    Cause="prod (account 345678901234): Endpoint signalbox-prod-diabetes serves config a, not the "
    "requested b: SageMaker rolled the update back. Reason: an alarm",
)


@pytest.fixture
def manifest(author, platform, started) -> ResolvedManifest:
    """A run that registered a model."""
    entry = manifest_history.entry(
        "training", "registered", "train-1", at=NOW, detail={"verdict": VERDICT}
    )
    return manifest_history.append(resolved(author, platform, started), entry)


def every_message(manifest: ResolvedManifest) -> dict[str, Message]:
    name = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-promotion"
    given = Telling(
        manifest=manifest,
        region="us-east-1",
        arn=ARN,
        execution=f"{name}:signalbox-dev-diabetes-4-1",
        target=PROD,
        arn_there=THERE,
    )
    early = Telling(manifest=manifest, region="us-east-1", arn=ARN, execution=given.execution)
    return {
        "promotion_waits": messages_promotion.waits(given),
        "promoted": messages_promotion.promoted(given),
        "promotion_released": messages_promotion.released(given, "f4f5a1de"),
        "promotion_failed": messages_promotion.ended(given, CHANGED),
        "promotion_withdrawn": messages_promotion.ended(given, WITHDRAWN),
        "promotion_rolled_back": messages_promotion.ended(given, ROLLED_BACK),
        "promotion_failed_early": messages_promotion.ended(early, CHANGED),
    }


NAMES = (
    "promotion_waits", "promoted", "promotion_released", "promotion_failed", "promotion_withdrawn",
    "promotion_failed_early", "promotion_rolled_back",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_e_mail_reads_as_its_golden_file(manifest, name):
    message = every_message(manifest)[name]
    text = f"Subject: {message.subject}\n\n{to_text(message)}"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SIGNALBOX_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")

    assert text == path.read_text(encoding="utf-8")


def test_each_message_has_a_key_of_its_own(manifest):
    keys = [message.key for message in every_message(manifest).values()]

    # The three endings of one promotion to one target are alternatives.
    assert len(set(keys)) == len(keys) - 2


def test_the_line_that_decides_is_one_that_the_aws_command_takes(manifest):
    commands = every_message(manifest)["promotion_waits"].commands

    for command, status in zip(commands, ("Approved", "Rejected"), strict=True):
        words = shlex.split(command.line)
        assert words[:3] == ["aws", "sagemaker", "update-model-package"]
        options = dict(zip(words[3::2], words[4::2], strict=True))
        assert options == {
            "--model-package-arn": THERE,
            "--model-approval-status": status,
            "--approval-description": "WHY",
            "--region": "us-east-1",
        }
