"""A promotion as it stands: the version at home, its target, and what is written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from signalbox import manifest_history, naming, promotion, promotion_check, promotion_manifest
from signalbox.aws import messages, promotion_target, promotion_versions, promotions, registry, runs
from signalbox.aws.promotion_target import TargetSession
from signalbox.aws.promotions import Environment
from signalbox.aws.registry import ModelVersion
from signalbox.errors import ObjectMissingError, PromotionRefused, PromotionWithdrawn
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import TaskFailure
from signalbox.manifest_history import timestamp
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.messages import Message
from signalbox.messages_promotion import Telling
from signalbox.promotion import PromotionRecord, PromotionTarget, TargetRecord, TargetStatus
from signalbox.promotion_check import Approved
from signalbox.promotion_manifest import Surroundings
from signalbox.promotion_requests import TargetStep
from signalbox.settings import PromotionSettings

_CAUSE_LIMIT = 2000


@dataclass(frozen=True)
class Source:
    """A version in its own environment."""

    home: PromotionSettings
    version: ModelVersion
    record: PromotionRecord
    approved: Approved
    manifest: ResolvedManifest


@dataclass(frozen=True)
class Promotion:
    """A version on its way into one target; `made` is the manifest of its run there."""

    step: TargetStep
    source: Source
    session: TargetSession
    there: Surroundings
    made: ResolvedManifest

    @property
    def environment(self) -> str:
        """The target."""
        return self.step.target.environment

    @property
    def known(self) -> TargetRecord | None:
        """What the record has of this target."""
        return self.source.record.targets.get(self.environment)

    @property
    def arn_there(self) -> str:
        """The version in the target; empty until it is registered."""
        return self.known.model_package_arn if self.known else ""


def environment(home: PromotionSettings) -> Environment:
    """Where promotions begin."""
    return Environment(home.app_name, home.environment_name, home.workflow_bucket)


def source(home: PromotionSettings, arn: str, decision: int | None) -> Source:
    """A version that this promotion may take further.

    Raises PromotionWithdrawn, PromotionRefused, ProvenanceMissing.
    """
    found = source_as_it_is(home, arn)
    promotion.check_wanted(found.record, decision or found.record.decision, found.version.metadata)
    return found


def source_as_it_is(home: PromotionSettings, arn: str) -> Source:
    """The same for what is over, whatever the registry says by now."""
    version, record = promotions.current(home.workflow_bucket, arn)
    if record is None:
        raise PromotionWithdrawn(f"{arn} was never decided on; approve it first")
    approved = promotion_check.approved(arn, version.container, version.metadata)
    uri = naming.s3_uri(home.workflow_bucket, naming.manifest_key(approved.run_id))
    return Source(home, version, record, approved, runs.read(uri))


def promotion_of(step: TargetStep, found: Source) -> Promotion:
    """A version and the target that it goes to; raises TargetUnreachable."""
    session = promotion_target.enter(step.target)
    there = promotion_target.surroundings(found.home.app_name, session)
    image = _image_there(found, there)
    made = promotion_manifest.promoted(found.manifest, found.approved, there, image)
    return Promotion(step, found, session, there, made)


def _image_there(found: Source, there: Surroundings) -> str:
    _, _, _, region, account, _ = found.approved.arn.split(":", 5)
    return promotion_manifest.image_there(
        found.approved.image,
        (found.home.image_uri, account, region),
        (there.platform.image, there.account, there.platform.region),
    )


def version_there(going: Promotion) -> ModelVersion:
    """The version as the target's registry has it; raises PromotionRefused when it has none."""
    if not going.arn_there:
        raise PromotionRefused(
            f"{going.step.model_package_arn} is not registered in {going.environment}; "
            "begin its promotion again"
        )
    return promotion_versions.describe(going.arn_there, going.session)


def has_arrived_unrecorded(going: Promotion, there: ModelVersion) -> bool:
    """Whether a version serves in the target, and its promotion ended before it was written down.

    Gone to once more after it was written down, it is rolled out: somebody has asked for that.
    """
    written_down = going.source.version.metadata.get(_arrived_key(going.environment))
    return there.stage == f"{going.environment} Serving" and written_down != there.arn


def _arrived_key(environment: str) -> str:
    """The key, in the metadata at home, of the version that a target has of one."""
    return f"promoted_{environment}"


# --------------------------------------------------------------------------- what is written down


def note(
    going: Promotion,
    status: TargetStatus,
    known: Mapping[str, str | int] | None = None,
    *,
    is_over: bool = False,
) -> None:
    """How far the version has come, in its record.

    Unless it is over, only while the decision stands: raises PromotionWithdrawn.
    """
    step, metadata = going.step, going.source.version.metadata
    at = timestamp(datetime.now(UTC))

    def rule(record: PromotionRecord) -> PromotionRecord:
        if not is_over:
            promotion.check_wanted(record, step.decision, metadata)
        before = record.targets.get(going.environment)
        entry = _entry(before, step).model_copy(
            update={"status": status, "at": at, "run_id": going.made.run.id, **(known or {})}
        )
        same = before is not None and entry == before.model_copy(update={"at": at})
        return record if same else promotion.with_target(record, going.environment, entry)

    promotions.change(going.source.home.workflow_bucket, step.model_package_arn, rule)


def _entry(before: TargetRecord | None, step: TargetStep) -> TargetRecord:
    """What is known of a target; a new decision keeps the version and forgets the deployment."""
    fresh = TargetRecord(
        status=TargetStatus.REGISTERED, decision=step.decision, by=step.execution, at=""
    )
    if before is None:
        return fresh
    if before.decision != step.decision:
        return fresh.model_copy(update={"model_package_arn": before.model_package_arn})
    return before.model_copy(update={"error": "", "cause": ""})


def note_failure(found: Source, step: TargetStep, failure: TaskFailure) -> None:
    """That a target was not reached, in the record and in the run's history; twice is once."""
    at = timestamp(datetime.now(UTC))

    def rule(record: PromotionRecord) -> PromotionRecord:
        known = record.targets.get(step.target.environment)
        if known is not None and _is_final(known, step):
            return record
        failed = {"status": TargetStatus.FAILED, "at": at, "by": step.execution}
        why = {"error": failure.error, "cause": failure.cause[:_CAUSE_LIMIT]}
        entry = _entry(known, step).model_copy(update={**failed, **why})
        return promotion.with_target(record, step.target.environment, entry)

    promotions.change(found.home.workflow_bucket, step.model_package_arn, rule)
    detail: JsonObject = {**_about(step), "error": failure.error, "cause": failure.cause}
    append_at_home(found, "failed", detail, step)


def _is_final(known: TargetRecord, step: TargetStep) -> bool:
    if known.decision != step.decision:
        return False
    is_told = known.status is TargetStatus.FAILED and known.by == step.execution
    return is_told or known.status is TargetStatus.PROMOTED


def about(going: Promotion) -> JsonObject:
    """What every entry in a history says of a promotion."""
    return _about(going.step)


def _about(step: TargetStep) -> JsonObject:
    return {
        "environment": step.target.environment,
        "account": step.target.account,
        "region": step.target.region,
        "modelPackageArn": step.model_package_arn,
        "decision": step.decision,
    }


def append(going: Promotion, status: str, detail: JsonObject) -> None:
    """Write what happened into the history of the run, and of the promoted one; twice is once."""
    append_at_home(going.source, status, detail, going.step)
    entry = _history_entry(status, detail, going.step)
    promotion_versions.change_manifest(
        going.made.locations.manifest,
        lambda known: manifest_history.append(known, entry),
        going.session,
    )


def append_at_home(found: Source, status: str, detail: JsonObject, step: TargetStep) -> None:
    """Write what happened into the history of the run that made the version."""
    entry = _history_entry(status, detail, step)
    runs.change(
        found.manifest.locations.manifest, lambda known: manifest_history.append(known, entry)
    )


def _history_entry(status: str, detail: JsonObject, step: TargetStep) -> HistoryEntry:
    cause = "\0".join((step.model_package_arn, step.target.environment, step.execution))
    return manifest_history.entry(
        promotion.PHASE, status, cause, at=datetime.now(UTC), detail=detail, arn=step.execution
    )


def stamp_home(going: Promotion) -> None:
    """Say in the registry at home where the version has gone."""
    home = going.step.model_package_arn
    registry.stamp(home, {_arrived_key(going.environment): going.arn_there})


def telling(found: Source, execution: str, target: PromotionTarget) -> Telling:
    """What messages about a promotion are made of."""
    known = promotions.read(found.home.workflow_bucket, found.version.arn) or found.record
    there = known.targets.get(target.environment)
    return Telling(
        manifest=found.manifest,
        region=found.home.aws_region,
        arn=found.version.arn,
        execution=execution,
        target=target,
        arn_there=there.model_package_arn if there else "",
    )


def telling_early(home: PromotionSettings, arn: str, execution: str) -> Telling | None:
    """The same before there is a target; None when the version is of no run of ours."""
    run_id = registry.describe(arn).metadata.get("run_id", "")
    try:
        found = runs.read(naming.s3_uri(home.workflow_bucket, naming.manifest_key(run_id)))
    except ObjectMissingError:
        return None
    return Telling(manifest=found, region=home.aws_region, arn=arn, execution=execution)


def tell(home: PromotionSettings, message: Message, execution: str) -> None:
    """Send a message unless it was sent."""
    messages.tell(message, messages.channel(home, execution))
