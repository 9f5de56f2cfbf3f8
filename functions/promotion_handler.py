"""EventBridge, a version in the model registry was decided: its gate and its promotion follow.

Reads the version as it is now, not as the event says: events come late, twice and out of order.
"""

from datetime import datetime
from functools import cache
from typing import Any

from signalbox import decisions, naming, observability, settings
from signalbox.aws import model_gate, promotions, registry, runs
from signalbox.aws.promotions import Environment
from signalbox.aws.registry import ModelVersion
from signalbox.errors import ObjectMissingError
from signalbox.events import ModelPackageChanged, read
from signalbox.manifest_resolved import ResolvedManifest

logger = observability.logger("promotion-handler")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Settle the gate of one decided model version, and start or stop its promotion.

    Raises on failure, to be called again.
    """
    change = read(ModelPackageChanged, event)
    arn = change.detail.arn
    if change.is_decision:
        said_at = change.detail.modified_at if change.is_certain else None
        outcome, promoted = settle(arn, said_at)
    else:
        outcome, promoted = "not a decision", "not a decision"
    logger.info("model version seen", extra={"arn": arn, "outcome": outcome, "promotion": promoted})
    return {"outcome": outcome, "promotion": promoted}


def settle(arn: str, said_at: datetime | None) -> tuple[str, str]:
    """What became of the gate at which the version's run waits, and of its promotion."""
    version = registry.describe(arn)
    manifest = _manifest_of(version)
    decided = model_gate.decided_in_registry(version)
    if decided is not None and _is_alone(version, manifest, approved=decided[0]):
        return "approved by its author alone", "withheld"
    promoted = promotions.follow(
        _environment(), _settings().promotion_state_machine_arn, arn, said_at
    )
    if decided is None:
        return "not decided", promoted
    if manifest is None or manifest.run.promoted_from:
        return "not of a run" if manifest is None else "promoted here", promoted
    decision = model_gate.close(manifest, approved=decided[0], reason=decided[1])
    return "no gate waits" if decision is None else f"gate settled: {decision}", promoted


def _is_alone(version: ModelVersion, manifest: ResolvedManifest | None, *, approved: bool) -> bool:
    """Whether a second person is asked for and the author has approved."""
    if not approved or manifest is None or not _settings().two_person_rule:
        return False
    return decisions.is_author(manifest, version.modified_by)


def _manifest_of(version: ModelVersion) -> ResolvedManifest | None:
    run_id = version.metadata.get("run_id")
    if not run_id:
        return None
    try:
        return runs.read(naming.s3_uri(_settings().workflow_bucket, naming.manifest_key(run_id)))
    except ObjectMissingError:
        return None


def _environment() -> Environment:
    known = _settings()
    return Environment(known.app_name, known.environment_name, known.workflow_bucket)


@cache
def _settings() -> settings.PromotionHandlerSettings:
    return settings.load(settings.PromotionHandlerSettings)
