"""Unpacked code and layers on this machine's disk, once per digest.

A layer that the deployer built travels as a reference to its built folder and is used in place.
"""

import io
import json
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path

from localaws.build_layers import compile_folder
from localaws.deployer.packaging import LAYER_REFERENCE
from localaws.errors import LocalAwsError
from localaws.lambdas.function import Archive


class CodeUnusable(LocalAwsError):
    """A function's or a layer's archive cannot be unpacked."""


_lock = threading.Lock()


def unpacked(archive: Archive, folder: Path) -> Path:
    """The folder that holds the files of `archive`; below `folder` unless it is a reference."""
    if not archive.content:
        raise CodeUnusable("the code of the function is empty: its archive was not found in S3")
    try:
        source = zipfile.ZipFile(io.BytesIO(archive.content))
    except zipfile.BadZipFile as error:
        raise CodeUnusable(f"Lambda was not able to unzip the file: {error}") from error
    with source:
        if source.namelist() == [LAYER_REFERENCE]:
            return Path(json.loads(source.read(LAYER_REFERENCE))["folder"])
        target = folder / archive.digest
        with _lock:
            if not target.exists():
                _extract(source, target)
        return target


def _extract(source: zipfile.ZipFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        source.extractall(scratch)
        compile_folder(scratch)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
