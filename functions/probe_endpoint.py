"""Inference machine, states FindProbe and ProbeEndpoint: known rows before any traffic.

Healthy says that a container answers a ping; only known rows say that it predicts what was
approved. Reads what the evaluation left and calls the endpoint; changes nothing.
"""

from typing import Any

from signalbox import naming, observability, probes
from signalbox.aws import endpoints, storage
from signalbox.aws.endpoints import Kinds
from signalbox.errors import ObjectMissingError, ProbeInvalid
from signalbox.events import read
from signalbox.machine_requests import ProbeRequest, ProbeStep
from signalbox.manifest_sections import InferenceMode
from signalbox.probes import Probe

logger = observability.logger("probe-endpoint")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """How many known rows there are, or how near an endpoint's answers come to what is known.

    Raises ProbeFailed when it answers otherwise, ProbeInvalid when the files cannot be used.
    """
    request = read(ProbeRequest, event)
    answer = find(request) if request.step is ProbeStep.FIND else send(request)
    logger.info("probe", extra={"run_id": request.run_id, "step": request.step, **answer})
    return answer


def find(request: ProbeRequest) -> dict[str, Any]:
    """The number of rows that a probe would send; 0 when the evaluation left none."""
    folder = _folder(request)
    if folder is None or not storage.exists(*naming.split_s3_uri(f"{folder}/{probes.ROWS}")):
        return {"rows": 0}
    return {"rows": _probe(request, folder).count}


def send(request: ProbeRequest) -> dict[str, Any]:
    """Send the rows and compare."""
    folder = _folder(request)
    if folder is None:
        raise ProbeInvalid("the model version names no evaluation that could have left known rows")
    is_async = request.mode is InferenceMode.ASYNC
    probe = _probe(request, folder, is_whole=is_async)
    kinds = Kinds(request.content_type, request.accept)
    answered = (
        endpoints.invoke_from_s3(request.endpoint, f"{folder}/{probes.ROWS}", kinds)
        if is_async
        else endpoints.invoke(request.endpoint, probe.rows, kinds)
    )
    difference = probes.largest_difference(
        probe.predictions, answered, request.accept, tolerance=request.tolerance
    )
    return {"rows": probe.count, "maxDifference": difference}


def _folder(request: ProbeRequest) -> str | None:
    return probes.folder_of(request.evaluations[0]) if request.evaluations else None


def _probe(request: ProbeRequest, folder: str, *, is_whole: bool = False) -> Probe:
    """The files; an asynchronous endpoint reads the object itself, and so gets all of it."""
    rows, predictions = (_text(f"{folder}/{name}") for name in (probes.ROWS, probes.PREDICTIONS))
    most = len(rows) if is_whole else request.rows
    return probes.cut(rows, predictions, request.content_type, most=most)


def _text(uri: str) -> str:
    try:
        return storage.read(*naming.split_s3_uri(uri)).content.decode("utf-8-sig")
    except ObjectMissingError:
        raise ProbeInvalid(
            f"{uri} does not exist; evaluate.py must write both files of the probe, or neither"
        ) from None
    except UnicodeDecodeError:
        raise ProbeInvalid(f"{uri} is not UTF-8; a probe is text") from None
