"""Makes the interpreter quick: values copied as JSON, paths and definitions parsed once.

What changes is cost only, never a result: a run's manifest is copied some ten times per state, and
each JSONPath would be parsed again at every use.
"""

import copy
import marshal
import re
from collections.abc import Callable
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

from localaws.moto_seams import machines as seams


def copy_json(value: Any) -> Any:
    """A deep copy; through the interpreter's own serialisation when that can hold the value."""
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302 - what was dumped just now
    except ValueError:
        return copy.deepcopy(value)


@lru_cache(maxsize=256)
def program_of(definition: str) -> Any:
    """The interpretable form of a definition; it holds no state of any execution."""
    return seams.AmazonStateLanguageParser.parse(definition)[0]


_PLAIN_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)+")


def put_at(document: dict[str, Any], path: str, value: Any) -> bool:
    """Put `value` at a plain path such as `$.a.b`; False for any other path, nothing done."""
    if not _PLAIN_PATH.fullmatch(path):
        return False
    *parents, last = path.split(".")[1:]
    place = document
    for name in parents:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    place[last] = value
    return True


def _put_result(path: Any, env: Any) -> None:
    if path.result_path_src not in (None, "$") and isinstance(
        env.states._states_data["input"], dict
    ):
        document = env.states.get_input()
        if put_at(document, path.result_path_src, env.stack[-1]):
            env.stack[-1] = document
            return
    _put_result_slowly(path, env)


_put_result_slowly = seams.ResultPath._eval_body


@cache
def _remembering(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same function, which knows its results; a path means the same to every laptop."""
    return lru_cache(maxsize=4096)(parse)


def install() -> None:
    """Put the quicker copies and caches into the interpreter."""
    quick_copy = SimpleNamespace(deepcopy=copy_json, copy=copy.copy)
    for module in seams.COPY_USERS:
        seams.rebind(module, "copy", quick_copy)
    for module in (seams.json_path, seams.result_path):
        seams.rebind(module, "parse", _remembering(module.parse))
    seams.rebind(seams.ResultPath, "_eval_body", _put_result)
    seams.rebind(
        seams.StepFunctionsParserBackend, "_validate_definition", staticmethod(_check_grammar)
    )
    for noisy in ("_log_failure_event_exception", "_log_exception", "_log_evaluation_step"):
        seams.rebind(seams.EvalComponent, noisy, _say_nothing)


def _check_grammar(definition: str) -> None:
    """Parse a new definition, once: its first execution finds it parsed."""
    try:
        program_of(definition)
    except seams.ASLParserException as error:
        said = f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {error}'"
        raise seams.api.InvalidDefinition(message=said) from error
    except (ValueError, RuntimeError, TypeError) as error:
        said = f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {error!r}'"
        raise seams.api.InvalidDefinition(message=said) from error


def _say_nothing(*_args: Any, **_kwargs: Any) -> None:
    """Failures of states are in the execution's history; the text of a whole program is not."""
