"""The author's manifest: reading it, and saying exactly what is wrong with it.

Text → document → (Options) → model. Every problem names its place by a JSON pointer, and an
unknown key comes with the key that was probably meant. Rules only: imports no AWS client.
"""

import difflib
import json
from typing import Annotated, Any, get_args

from pydantic import Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from signalbox.errors import ManifestError, NewerSchemaVersionError
from signalbox.json_documents import Document, JsonObject, kind, merge_patch, parse, pointer
from signalbox.manifest_inference import SWITCHED_OFF_BY_NULL, InferenceSection
from signalbox.manifest_migration import CURRENT_VERSION, migrate, sort_key
from signalbox.manifest_sections import (
    ApprovalsSection,
    Chosen,
    DataSection,
    EvaluateSection,
    PreprocessSection,
    Problem,
    Section,
    TrainSection,
)
from signalbox.naming import WORKLOAD_NAME_PATTERN

# Far above any manifest written by hand, far below what a function can hold in memory.
MAX_MANIFEST_BYTES = 1_000_000


class Workload(Section):
    """What is to be done, with nothing about one run in it."""

    name: Annotated[str, Field(pattern=WORKLOAD_NAME_PATTERN)] = Field(
        description="Lower-case letters, digits and hyphens, at most 31; "
        "names the endpoint and the model package group"
    )
    problem: Annotated[Problem, Chosen] = Field(
        description="The kind of question the model answers"
    )
    data: DataSection = Field(description="What the data looks like")
    preprocess: PreprocessSection = Field(
        default_factory=lambda: PreprocessSection.model_validate({}),
        description="Raw data to training, validation and test sets",
    )
    train: TrainSection = Field(
        default_factory=lambda: TrainSection.model_validate({}),
        description="Training set to model",
    )
    evaluate: EvaluateSection = Field(
        default_factory=lambda: EvaluateSection.model_validate({}),
        description="Model and test set to metrics, and the rules they have to keep",
    )
    inference: InferenceSection = Field(description="How predictions are made")
    approvals: ApprovalsSection = Field(
        default_factory=lambda: ApprovalsSection.model_validate({}),
        description="Who opens which gate",
    )


class AuthorManifest(Workload):
    """The manifest as its author writes it."""

    schema_version: Annotated[str, Field(pattern=r"^1$")] = Field(
        description="Version of this document's schema"
    )
    editor_schema: str | None = Field(
        None, alias="$schema", description="Where an editor finds the JSON Schema; not read here"
    )


def read_document(text: bytes, *, source: str = "manifest.json") -> JsonObject:
    """The author's document in the current schema version, not yet validated.

    Raises ManifestError when it is not a JSON object, NewerSchemaVersionError when it was written
    for a later Signalbox.
    """
    document = read_object(text, source)
    _check_version(document, source)
    return migrate(document)


def read_object(text: bytes, source: str) -> JsonObject:
    """The JSON object of a text, whatever its keys; raises ManifestError."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise ManifestError(
            (f"it is {len(text)} bytes long; at most {MAX_MANIFEST_BYTES} are read",),
            document=source,
        )
    return _object(_parse(text, source), source)


def _parse(text: bytes, source: str) -> JsonValue:
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ManifestError((f"{place}: not JSON: {error.msg}",), document=source) from None
    except ValueError as error:
        raise ManifestError((f"not JSON: {error}",), document=source) from None


def _object(value: JsonValue, source: str) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise ManifestError(
        (f"(document): expected an object, got a JSON {kind(value)}",), document=source
    )


def _check_version(document: JsonObject, source: str) -> None:
    version = document.get("schemaVersion")
    if version is None:
        hint = 'write "schemaVersion": "1"; a flat 2023-style manifest comes in by signalbox import'
        raise ManifestError((f"/schemaVersion: missing; {hint}",), document=source)
    if not isinstance(version, str) or not version.isdecimal():
        raise ManifestError(
            (f'/schemaVersion: expected a version such as "1", got {json.dumps(version)}',),
            document=source,
        )
    if sort_key(version) > sort_key(CURRENT_VERSION):
        raise NewerSchemaVersionError(
            (
                f'/schemaVersion: "{version}" is newer than "{CURRENT_VERSION}", the newest that '
                f"this Signalbox reads; deploy a Signalbox that reads schema version {version}",
            ),
            document=source,
        )


def apply_options(document: JsonObject, options_text: str) -> tuple[JsonObject, JsonObject]:
    """The document after the run's Options (a JSON merge patch), and the Options themselves.

    Null takes a key out of the document; where the manifest knows null as a value, it is set.
    Raises ManifestError for Options that are not a JSON object, or that touch what the run is.
    """
    source = "the pipeline variable Options"
    options = _object(_parse(options_text.encode(), source), source)
    fixed = sorted({"schemaVersion", "name"} & options.keys())
    if fixed:
        raise ManifestError(
            tuple(f"/{key}: cannot be changed for one run" for key in fixed), document=source
        )
    return _object(merge_patch(document, options, nullable=SWITCHED_OFF_BY_NULL), source), options


def validate(document: JsonObject, *, source: str = "manifest.json") -> AuthorManifest:
    """The model of a document; raises ManifestError naming every problem at once."""
    try:
        return AuthorManifest.model_validate(document)
    except ValidationError as error:
        problems = tuple(
            _as_written(_problem(detail), document) for detail in error.errors(include_url=False)
        )
        raise ManifestError(problems, document=source) from None


def _as_written(problem: str, document: JsonObject) -> str:
    """One champion rule may stand without a list: then its pointer has no index."""
    evaluate = document.get("evaluate")
    alone = isinstance(evaluate, dict) and isinstance(evaluate.get("champion"), dict)
    return problem.replace("/evaluate/champion/0", "/evaluate/champion", 1) if alone else problem


def _problem(detail: ErrorDetails) -> str:
    where = pointer(part for part in detail["loc"] if part != "[key]") or "(document)"
    if detail["type"] == "extra_forbidden":
        return f"{where}: {_unknown_key(detail['loc'])}"
    if detail["type"] == "missing":
        return f"{where}: missing"
    shown = json.dumps(detail["input"], default=str)
    message = "Input should be an object" if detail["type"] == "model_type" else detail["msg"]
    return f"{where}: {message}, got {shown if len(shown) <= 80 else shown[:77] + '...'}"


def _unknown_key(location: tuple[int | str, ...]) -> str:
    known = _keys_at(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.6)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return f"unknown key; {hint}known here: {', '.join(known)}"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[Document] = AuthorManifest
    for part in location:
        if isinstance(part, str) and part in _aliases(model):  # else a name that the author chose
            model = _submodel(model, part)
    return sorted(_aliases(model))


def _aliases(model: type[Document]) -> dict[str, Any]:
    fields = model.model_fields.items()
    return {field.alias or name: field.annotation for name, field in fields}


def _submodel(model: type[Document], key: str) -> type[Document]:
    """The model behind a key: direct, optional, or the element of a list."""
    annotation = _aliases(model)[key]
    candidates = (annotation, *get_args(annotation))
    return next(c for c in candidates if isinstance(c, type) and issubclass(c, Document))
