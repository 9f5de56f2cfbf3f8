"""Reads a TOML file key by key, and says what is wrong with which key of which file.

Standard library only: a build reads the settings before anything is installed.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SettingsError(Exception):
    """A file of delivery/environments/ cannot be used; the message names file, key and remedy."""


def read(path: Path) -> "Table":
    """The whole file; raises SettingsError when it is missing or no TOML."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; every environment needs one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: this is no TOML: {error}") from None
    return Table(path, "", content)


@dataclass(frozen=True)
class Table:
    """One table of a file; every reader names the keys that it knows first."""

    path: Path
    prefix: str
    content: Mapping[str, Any]

    def only(self, known: Collection[str]) -> "Table":
        """Raises SettingsError for a key that nobody would read, with the nearest one that is."""
        for key in self.content:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                raise self.fault(key, f"unknown key; {hint}")
        return self

    def fault(self, key: str, problem: str) -> SettingsError:
        """What is wrong with one key."""
        return SettingsError(f"{self.path}: {self.prefix}{key}: {problem}")

    def table(self, key: str) -> "Table":
        """A table inside; an empty one where it is missing."""
        found = self.content.get(key, {})
        if not isinstance(found, dict):
            raise self.fault(key, f"{found!r} is no table; write [{self.prefix}{key}]")
        return Table(self.path, f"{self.prefix}{key}.", found)

    def text(self, key: str, pattern: str, meaning: str, default: str | None = None) -> str:
        """A string that matches; `meaning` says in a message what is expected."""
        found = self.content.get(key, default)
        if found is None:
            raise self.fault(key, f"missing; write {meaning}")
        return self._matching(key, found, pattern, meaning)

    def texts(self, key: str, pattern: str, meaning: str) -> tuple[str, ...]:
        """A list of at least one such string, each once."""
        found = self.content.get(key)
        if not isinstance(found, list) or not found or len(set(map(str, found))) < len(found):
            raise self.fault(key, f"{found!r} is no list of different values; write [{meaning}]")
        return tuple(self._matching(key, item, pattern, meaning) for item in found)

    def _matching(self, key: str, found: object, pattern: str, meaning: str) -> str:
        if not isinstance(found, str) or not re.fullmatch(pattern, found):
            raise self.fault(key, f"{found!r} cannot be used; write {meaning}")
        return found

    def scalars(self) -> dict[str, str]:
        """Every value as CloudFormation takes it: text, whole numbers, true and false, lists."""
        return {key: self._scalar(key, value) for key, value in self.content.items()}

    def _scalar(self, key: str, value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int):
            return str(value)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return ",".join(value)
        raise self.fault(key, f"{value!r} is no text, whole number, true, false or list of texts")

    def flag(self, key: str) -> bool:
        """true or false; false where it is missing."""
        found = self.content.get(key, False)
        if not isinstance(found, bool):
            raise self.fault(key, f"{found!r} is neither true nor false")
        return found

    def numbers(self) -> dict[str, float]:
        """Every value as a number of 0 or more."""
        for key, value in self.content.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise self.fault(key, f"{value!r} is no number of 0 or more")
        return {key: float(value) for key, value in self.content.items()}
