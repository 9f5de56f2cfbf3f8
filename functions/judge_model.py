"""Training machine, state JudgeModel: the evaluation against the manifest's rules.

Reads what the evaluation of the challenger and, on the same rows, of the champion left, and the
beginning of the model archive; changes nothing.
"""

import random
from typing import Any

from signalbox import model_archive, naming, observability, verdict
from signalbox.aws import evaluations, storage
from signalbox.errors import ObjectMissingError
from signalbox.events import read
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import ChampionReport, JudgementRequest
from signalbox.verdict import Challenger, Rules, Verdict
from signalbox.verdict_comparison import Champion, failure_reason

logger = observability.logger("judge-model")
# The same evaluation gets the same verdict, interval included, however often it is asked for.
SEED = 20261121


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The verdict on one evaluation.

    Raises ModelMissing when the training left no model, EvaluationInvalid when there is nothing to
    judge it by.
    """
    request = read(JudgementRequest, event)
    artifact = _check_model(request.model_data_url)
    champion = _champion(request.champion)
    outcome = verdict.judge(
        _challenger(request), _rules(request), champion=champion, draw=_chance()
    )
    logger.info("judged", extra={"run_id": request.run_id, "accepted": outcome.accepted})
    return {**_answer(outcome, champion, request.evaluation_uri), "artifact": artifact}


def _chance() -> Any:
    return random.Random(SEED).randrange  # noqa: S311 - resampling rows, no secret


def _challenger(request: JudgementRequest) -> Challenger:
    return Challenger(
        evaluations.read(request.evaluation_uri),
        evaluations.predictions_beside(request.evaluation_uri, _chance()),
    )


def _rules(request: JudgementRequest) -> Rules:
    rules = request.evaluate
    return Rules(
        problem=request.problem,
        gates=tuple(rules.gates),
        min_rows=rules.min_rows,
        champion=tuple(rules.champion),
        slices=tuple(rules.slices),
    )


def _champion(found: ChampionReport) -> Champion | None:
    if not found.model_package_arn:
        return None
    if found.failure is not None:
        reason = failure_reason(found.failure.error, found.failure.cause)
        return Champion(found.model_package_arn, None, problem=reason)
    evaluation = evaluations.read_if_any(found.evaluation_uri)
    if evaluation is None:
        reason = f"its evaluation left no readable {found.evaluation_uri}"
        return Champion(found.model_package_arn, None, problem=reason)
    predictions = evaluations.predictions_if_readable(found.evaluation_uri, _chance())
    return Champion(found.model_package_arn, evaluation, predictions)


def _answer(outcome: Verdict, champion: Champion | None, evaluation_uri: str) -> JsonObject:
    return {
        "accepted": outcome.accepted,
        "reasons": list(outcome.reasons),
        "unmet": list(outcome.unmet),
        "metrics": dict(outcome.metrics),
        "rows": outcome.rows,
        "champion": {"modelPackageArn": champion.model_package_arn, "problem": champion.problem}
        if champion
        else None,
        "comparisons": [verdict.comparison_document(one) for one in outcome.comparisons],
        "slices": [verdict.slice_document(one) for one in outcome.slices],
        "evaluationUri": evaluation_uri,
    }


def _check_model(uri: str) -> JsonObject:
    """Which object version is judged, so that exactly this one can be told from any other later."""
    try:
        found = storage.beginning(
            *naming.split_s3_uri(uri), length_bytes=model_archive.LOOKED_INTO_BYTES
        )
    except ObjectMissingError:
        raise model_archive.no_model(uri) from None
    model_archive.check_model(uri, found.content, is_whole=found.is_whole)
    return {"version": found.version_id, "etag": found.etag, "bytes": str(found.size_bytes)}
