"""Training machine, state BuildReport: the evidence for and against a model as one HTML page.

Reads what the evaluation left and writes `report/index.html` of the run; rows are in the page as
points of a plot, in no log.
"""

import random
from datetime import UTC, datetime
from typing import Any

from signalbox import naming, observability, report_page
from signalbox.aws import evaluations, runs, storage
from signalbox.events import read
from signalbox.json_documents import JsonObject, parse
from signalbox.machine_requests import ReportRequest
from signalbox.manifest_history import timestamp
from signalbox.report_page import Evidence, Model

logger = observability.logger("build-report")
# The judge's: where rows are sampled, the plots show those that it looked at.
SEED = 20261121


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Build and store the report of one verdict; a later attempt replaces it."""
    request = read(ReportRequest, event)
    evidence = _gather(request, timestamp(datetime.now(UTC)))
    page = report_page.render(evidence).encode()
    uri = f"{evidence.manifest.locations.report}/{report_page.FILE_NAME}"
    storage.write(*naming.split_s3_uri(uri), page, content_type="text/html; charset=utf-8")
    logger.info("report built", extra={"run_id": request.run_id, "size_bytes": len(page)})
    return {"uri": uri}


def _gather(request: ReportRequest, built_at: str) -> Evidence:
    manifest = runs.read(request.manifest_uri)
    verdict_uri = str(request.verdict["evaluationUri"])
    return Evidence(
        manifest=manifest,
        verdict=request.verdict,
        challenger=Model(
            evaluations.read(verdict_uri), evaluations.predictions_beside(verdict_uri, _chance())
        ),
        champion=_champion(request.champion.evaluation_uri),
        profiles=_profiles(manifest.locations.report),
        data=request.data,
        jobs={step: job.job_arn for step, job in request.jobs.items()},
        attempt=request.attempt,
        execution=request.execution,
        model_data_url=request.model_data_url,
        built_at=built_at,
    )


def _chance() -> Any:
    return random.Random(SEED).randrange  # noqa: S311 - a sample of rows, no secret


def _champion(evaluation_uri: str) -> Model | None:
    evaluation = evaluations.read_if_any(evaluation_uri) if evaluation_uri else None
    if evaluation is None:
        return None
    return Model(evaluation, evaluations.predictions_if_readable(evaluation_uri, _chance()))


def _profiles(report_uri: str) -> JsonObject | None:
    bucket, key = naming.split_s3_uri(f"{report_uri}/{report_page.PROFILE_NAME}")
    if not storage.exists(bucket, key):
        return None
    found = parse(storage.read(bucket, key).content)
    return found if isinstance(found, dict) else None
