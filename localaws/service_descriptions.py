"""botocore's descriptions of AWS's services, kept lean: half of the server's memory was these.

Two thirds of a description is prose for generated documentation, and an OrderedDict takes several
times the memory of a dict, which keeps its order as well. Must not import moto.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from sys import intern
from typing import Any, Final

from botocore.loaders import JSONFileLoader, Loader

from localaws.moto_seams import patches as moto_patches


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


_READERS: Final[dict[str, Callable[[Path], bytes]]] = {
    ".json": Path.read_bytes,
    ".json.gz": _unpacked,
}


class LeanFiles(JSONFileLoader):
    """Reads JSON files as botocore's own loader does, without the prose."""

    def load_file(self, file_path: str) -> Any:
        """The file's content, None when there is none."""
        for ending, read in _READERS.items():
            path = Path(file_path + ending)
            if path.is_file():
                return json.loads(read(path), object_pairs_hook=_without_prose)
        return None


def keep_lean() -> None:
    """Every loader made from now on reads without prose, until `moto_patches.restore`."""
    moto_patches.replace(Loader, "FILE_LOADER_CLASS", LeanFiles)


def _without_prose(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {name: intern(value) if type(value) is str else value for name, value in pairs}
    # A member may be called "documentation" too: its value is an object, prose is a string. The
    # name stays, because botocore asks for it without a default in places.
    if type(found.get("documentation")) is str:
        found["documentation"] = ""
    return found
