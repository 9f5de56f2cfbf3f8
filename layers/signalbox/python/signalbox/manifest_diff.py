"""What one run asks for that an earlier one did not.

Only what people decide is compared: the author's words after the run's Options, the code, the
images. Names and places differ in every run. Rules only: imports no AWS client.
"""

import json
from collections.abc import Iterator

from signalbox.json_documents import JsonObject, pointer
from signalbox.manifest_resolved import ResolvedManifest

_ABSENT = object()
_SHOWN = 60


def changes(before: ResolvedManifest, after: ResolvedManifest) -> list[str]:
    """One line for each value that differs, by JSON pointer, in the order of the document."""
    found = [
        _line(where, old, new)
        for where, old, new in _differences(_compared(before), _compared(after), ())
    ]
    if before.run.code_digest != after.run.code_digest:
        # The digest is over all files, and manifest.json is one of them.
        is_code = before.author == after.author
        found.append(
            "the code of the workload is another" if is_code else "the files of the workload differ"
        )
    return found


def _compared(manifest: ResolvedManifest) -> JsonObject:
    workload: JsonObject = manifest.workload.model_dump(mode="json")
    return {**workload, "images": manifest.images.model_dump(mode="json")}


Difference = tuple[tuple[str | int, ...], object, object]


def _differences(old: object, new: object, where: tuple[str | int, ...]) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*where, key))
    elif old != new:
        yield where, old, new


def _line(where: tuple[str | int, ...], old: object, new: object) -> str:
    name = pointer(where)
    if old is _ABSENT:
        return f"{name}: {_shown(new)} (new)"
    if new is _ABSENT:
        return f"{name}: gone, was {_shown(old)}"
    return f"{name}: {_shown(new)}, was {_shown(old)}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
