"""Replaces `#{namespace.key}` in an action's configuration.

Pure. CodePipeline user guide, "Working with variables" (read 2026-11-21).
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"#\{([A-Za-z0-9@\-_]+)\.([A-Za-z0-9@\-_]+)\}")


class UnresolvedVariable(LookupError):
    """A reference names nothing that has been produced; the message names the reference."""

    def __init__(self, reference: str, key: str) -> None:
        super().__init__(
            f"The variable {reference} in the configuration key {key} cannot be resolved: no "
            f"action "
            "that has run so far provides it"
        )


def resolve(
    configuration: Mapping[str, str], namespaces: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The configuration with every reference replaced; raises UnresolvedVariable."""
    return {key: _filled(key, value, namespaces) for key, value in configuration.items()}


def _filled(key: str, text: str, namespaces: Mapping[str, Mapping[str, str]]) -> str:
    def value(found: re.Match[str]) -> str:
        space = namespaces.get(found[1], {})
        if found[2] not in space:
            raise UnresolvedVariable(found[0], key)
        return space[found[2]]

    return _REFERENCE.sub(value, text)
