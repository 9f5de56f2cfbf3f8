"""Model archives: whether a training left a model in its `model.tar.gz`.

SageMaker completes a training whose script wrote nothing, and stores an archive without a file.
Rules only: imports no AWS client.
"""

import io
import tarfile
import zlib

from signalbox.errors import ModelMissing

# The first file of an archive stands at its beginning, behind the folders that hold it.
LOOKED_INTO_BYTES = 64 * 1024


def check_model(uri: str, beginning: bytes, *, is_whole: bool) -> None:
    """Raises ModelMissing when the archive surely holds no file.

    An archive whose beginning tells neither is taken for a model: it is what the evaluation ran on.
    """
    if not _may_hold_a_file(beginning, is_whole=is_whole):
        raise no_model(uri)


def no_model(uri: str) -> ModelMissing:
    """What to raise when the training left no model."""
    return ModelMissing(
        f"the training wrote no model: {uri} holds no file; "
        "train.py must write the model into the folder that SM_MODEL_DIR names (/opt/ml/model)"
    )


def _may_hold_a_file(beginning: bytes, *, is_whole: bool) -> bool:
    try:
        with tarfile.open(fileobj=io.BytesIO(beginning), mode="r|gz") as archive:
            return any(member.isfile() for member in archive) or not is_whole
    except (tarfile.TarError, zlib.error, EOFError):
        return not is_whole
