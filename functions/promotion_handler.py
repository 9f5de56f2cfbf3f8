"""EventBridge, a version in the model registry was decided: the gate that waits for it follows.

Reads the version as it is now, not as the event says: events come late, twice and out of order.
"""

from functools import cache
from typing import Any

from signalbox import naming, observability, settings
from signalbox.aws import model_gate, registry, runs
from signalbox.aws.registry import ModelVersion
from signalbox.errors import ObjectMissingError
from signalbox.events import ModelPackageChanged, read
from signalbox.manifest_resolved import ResolvedManifest

logger = observability.logger("promotion-handler")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Settle the gate of one decided model version; raises on failure, to be called again."""
    change = read(ModelPackageChanged, event)
    outcome = settle(change.detail.arn) if change.is_decision else "not a decision"
    logger.info("model version seen", extra={"arn": change.detail.arn, "outcome": outcome})
    return {"outcome": outcome}


def settle(arn: str) -> str:
    """Decide the gate at which the version's run waits, if it does."""
    version = registry.describe(arn)
    decided = model_gate.decided_in_registry(version)
    if decided is None:
        return "not decided"
    manifest = _manifest_of(version)
    if manifest is None:
        return "not of a run"
    approved, reason = decided
    if _settings().two_person_rule and model_gate.is_authors_own(manifest, version):
        return "approved by its author alone"
    decision = model_gate.close(manifest, approved=approved, reason=reason)
    return "no gate waits" if decision is None else f"gate settled: {decision}"


def _manifest_of(version: ModelVersion) -> ResolvedManifest | None:
    run_id = version.metadata.get("run_id")
    if not run_id:
        return None
    try:
        return runs.read(naming.s3_uri(_settings().workflow_bucket, naming.manifest_key(run_id)))
    except ObjectMissingError:
        return None


@cache
def _settings() -> settings.PolicySettings:
    return settings.load(settings.PolicySettings)
