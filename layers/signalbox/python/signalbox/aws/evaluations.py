"""What the evaluation of a model left in S3: its metrics, and perhaps its predictions."""

from collections.abc import Iterator

from signalbox import evaluations, naming
from signalbox.aws import storage
from signalbox.errors import EvaluationInvalid, ObjectMissingError
from signalbox.evaluations import Evaluation
from signalbox.predictions import FILE_NAME, Draw, Predictions, read_predictions


def read(uri: str) -> Evaluation:
    """The metrics file of a URI; raises EvaluationInvalid when it is missing or no JSON object."""
    try:
        content = storage.read(*naming.split_s3_uri(uri)).content
    except ObjectMissingError:
        raise evaluations.no_evaluation(uri) from None
    return evaluations.read_evaluation(content, uri)


def read_if_any(uri: str) -> Evaluation | None:
    """The metrics file of a URI, None where it is missing or cannot be read."""
    try:
        return read(uri)
    except EvaluationInvalid:
        return None


def predictions_beside(evaluation_uri: str, draw: Draw) -> Predictions | None:
    """The predictions in the folder of a metrics file, None when the script left none.

    Raises EvaluationInvalid when they cannot be read.
    """
    uri = f"{evaluation_uri.rpartition('/')[0]}/{FILE_NAME}"
    bucket, key = naming.split_s3_uri(uri)
    # Asked first: to a role that may not list, S3 answers a missing object as a forbidden one.
    if not storage.exists(bucket, key):
        return None
    return read_predictions(_lines(bucket, key, uri), uri, draw)


def predictions_if_readable(evaluation_uri: str, draw: Draw) -> Predictions | None:
    """The predictions beside a metrics file, None where they are missing or cannot be read."""
    try:
        return predictions_beside(evaluation_uri, draw)
    except EvaluationInvalid:
        return None


def _lines(bucket: str, key: str, uri: str) -> Iterator[str]:
    try:
        yield from storage.read_lines(bucket, key)
    except UnicodeDecodeError:
        raise EvaluationInvalid(f"{uri} is not UTF-8") from None
