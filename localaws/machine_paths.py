"""Makes the interpreter quick: values copied as JSON, paths and definitions parsed once.

What changes is cost only, never a result: a run's manifest is copied some ten times per state, and
each JSONPath would be parsed again at every use.
"""

import copy
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from localaws import moto_seams_machines as seams

_SCALARS = (str, int, float, bool, type(None))


def copy_json(value: Any) -> Any:
    """A deep copy; fast for JSON values, right for any other."""
    if isinstance(value, _SCALARS):
        return value
    if type(value) is dict:
        return {key: copy_json(item) for key, item in value.items()}
    if type(value) is list:
        return [copy_json(item) for item in value]
    return copy.deepcopy(value)


@lru_cache(maxsize=256)
def program_of(definition: str) -> Any:
    """The interpretable form of a definition; it holds no state of any execution."""
    return seams.AmazonStateLanguageParser.parse(definition)[0]


def install() -> None:
    """Put the quicker copies and caches into the interpreter."""
    quick_copy = SimpleNamespace(deepcopy=copy_json, copy=copy.copy)
    for module in seams.COPY_USERS:
        seams.rebind(module, "copy", quick_copy)
    parse = lru_cache(maxsize=4096)(seams.json_path.parse)
    seams.rebind(seams.json_path, "parse", parse)
    for noisy in ("_log_failure_event_exception", "_log_exception", "_log_evaluation_step"):
        seams.rebind(seams.EvalComponent, noisy, _say_nothing)


def _say_nothing(*_args: Any, **_kwargs: Any) -> None:
    """Failures of states are in the execution's history; the text of a whole program is not."""
