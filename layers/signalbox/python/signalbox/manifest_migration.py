"""Older manifests made current, one pure function per step between versions.

Version "1" is the first; the flat manifests of 2023 have no version and come in through
signalbox.importer instead. Rules only: imports no AWS client.
"""

from collections.abc import Callable, Mapping

from signalbox.errors import ManifestError
from signalbox.json_documents import JsonObject

CURRENT_VERSION = "1"
OLDEST_VERSION = "1"

Migration = Callable[[JsonObject], JsonObject]
# From a version to its successor.
MIGRATIONS: Mapping[str, Migration] = {}


def sort_key(version: str) -> int:
    """Versions in order; a version is a decimal number in a string."""
    return int(version)


def migrate(
    document: JsonObject,
    *,
    migrations: Mapping[str, Migration] = MIGRATIONS,
    target: str = CURRENT_VERSION,
) -> JsonObject:
    """The document in the target version; the argument stays as it is.

    Raises ManifestError when no way leads there.
    """
    current = document
    while (version := str(current["schemaVersion"])) != target:
        if version not in migrations:
            raise ManifestError(
                (
                    f'/schemaVersion: "{version}" is older than "{OLDEST_VERSION}", the oldest '
                    "that can be read; convert a flat 2023-style manifest with signalbox import",
                )
            )
        current = migrations[version](current)
    return current
