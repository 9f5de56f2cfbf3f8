"""Training machine, state JudgeModel: the evaluation against the manifest's rules.

Reads metrics files, the beginning of the model archive, and the registry; changes nothing.
"""

from typing import Any

from signalbox import model_archive, naming, observability, verdict
from signalbox.aws import registry, storage
from signalbox.errors import ObjectMissingError
from signalbox.events import JudgementRequest, read
from signalbox.manifest_sections import ChampionRule
from signalbox.verdict import Champion, Evaluation

logger = observability.logger("judge-model")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The verdict on one evaluation.

    Raises ModelMissing when the training left no model, EvaluationInvalid when there is nothing to
    judge it by.
    """
    request = read(JudgementRequest, event)
    _check_model(request.model_data_url)
    rules = request.evaluate
    champion = _champion(request.model_package_group, rules.champion)
    outcome = verdict.judge(
        _evaluation(request.evaluation_uri),
        gates=tuple(rules.gates),
        rule=rules.champion,
        champion=champion,
    )
    logger.info("judged", extra={"run_id": request.run_id, "accepted": outcome.accepted})
    return {
        "accepted": outcome.accepted,
        "reasons": list(outcome.reasons),
        "metrics": outcome.metrics,
        "champion": {"modelPackageArn": champion.model_package_arn} if champion else None,
        "evaluationUri": request.evaluation_uri,
    }


def _check_model(uri: str) -> None:
    try:
        found = storage.beginning(
            *naming.split_s3_uri(uri), length_bytes=model_archive.LOOKED_INTO_BYTES
        )
    except ObjectMissingError:
        raise model_archive.no_model(uri) from None
    model_archive.check_model(uri, found.content, is_whole=found.is_whole)


def _evaluation(uri: str) -> Evaluation:
    try:
        content = storage.read(*naming.split_s3_uri(uri)).content
    except ObjectMissingError:
        raise verdict.no_evaluation(uri) from None
    return verdict.read_evaluation(content, uri)


def _champion(group: str, rule: ChampionRule | None) -> Champion | None:
    """The registry is asked only when a rule needs it."""
    arn = registry.latest_approved(group) if rule else None
    if arn is None:
        return None
    uri = registry.describe(arn).evaluation_uri
    return Champion(arn, _evaluation_if_any(uri) if uri else None)


def _evaluation_if_any(uri: str) -> Evaluation | None:
    try:
        return verdict.read_evaluation(storage.read(*naming.split_s3_uri(uri)).content, uri)
    except ObjectMissingError:
        # Old runs expire; the verdict then says that nothing was compared.
        return None
