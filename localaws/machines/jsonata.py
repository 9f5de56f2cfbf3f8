"""JSONata, and every `$variable`: moto ships the grammar but no evaluator.

The evaluator is jsonata-python; it is imported when the first expression is evaluated, because
machines written in JSONPath without variables never need it.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from localaws.moto_seams import machines as seams

_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


def install() -> None:
    """Give the interpreter an evaluator and the functions that Step Functions adds."""
    seams.rebind(seams.jsonata_bridge, "_eval_jsonata", evaluate)
    seams.rebind(seams.jsonata_bridge, "_ILLEGAL_VARIABLE_REFERENCES", set())
    declarations = seams.jsonata_intrinsics._DECLARATION_BY_VARIABLE_REFERENCE
    kept = {name: text for name, text in declarations.items() if name[1:] not in _FUNCTIONS}
    seams.rebind(seams.jsonata_intrinsics, "_DECLARATION_BY_VARIABLE_REFERENCE", kept)
    for module in (seams.jsonata_bridge, seams.variable_store, seams.eval_states):
        seams.rebind(module, "encode_jsonata_variable_declarations", declare)


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression that declares its own variables."""
    from jsonata import jsonata
    from jsonata.jexception import JException

    compiled = jsonata.Jsonata(expression)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    try:
        return _plain(compiled.evaluate(None))
    except JException as error:
        raise seams.jsonata_bridge.JSONataException("UNKNOWN", str(error)) from error


def declare(bindings: dict[str, Any]) -> str:
    """JSONata declarations of variables; strings are quoted as JSON does."""
    return "".join(
        f"{name}:={seams.to_json_str(value, separators=(',', ':'))};"
        for name, value in bindings.items()
    )


def _hash(text: Any, algorithm: Any) -> str:
    return hashlib.new(_HASHES[str(algorithm)], str(text).encode()).hexdigest()


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "uuid": lambda: str(uuid.uuid4()),
    "hash": _hash,
    "parse": json.loads,
}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
