"""Flat manifests of 2023 turned into the author's manifest of today.

A flat manifest is one level of PascalCase keys: names of jobs, locations and images that a script
filled in before each run (`ProcessingJobName`, `TrainingImageUri`, `EndpointType`, ...). What an
author decided is taken over; what Signalbox works out for each run is left out, with the reason.
Rules only: imports no AWS client.
"""

import json
import re
from dataclasses import dataclass

from pydantic import JsonValue

from signalbox.errors import ManifestError
from signalbox.json_documents import JsonObject, merge_patch
from signalbox.manifest import read_object, validate
from signalbox.manifest_checks import check
from signalbox.manifest_migration import CURRENT_VERSION

ALL_STEPS = ("preprocess", "train", "evaluate", "inference")
_STEP_PREFIXES = {
    "Processing": ("preprocess",),
    "Training": ("train",),
    "Evaluation": ("evaluate",),
    "Inference": ("inference",),
    "Transform": ("inference",),
    "Endpoint": ("inference",),
    "": ALL_STEPS,
}
_VALUES = {
    "InstanceType": "instanceType",
    "InstanceCount": "instanceCount",
    "VolumeSizeInGB": "volumeSizeGb",
    "MaxRuntimeInSeconds": "maxRuntimeSeconds",
    "ImageUri": "image",
    "CodeUri": "script",
    "Environment": "environment",
}
_HAS_KEY = {
    "instanceCount": ("train", "inference"),
    "volumeSizeGb": ("preprocess", "train", "evaluate"),
    "image": ALL_STEPS,
    "script": ALL_STEPS,
}
_MODES = {
    "batch": "batch",
    "sagemakerendpoint": "endpoint",
    "endpoint": "endpoint",
    "serverless": "serverless",
    "none": "none",
}
_LEFT_OUT = {
    "JobName": "every run names its own jobs, so that two never collide",
    "Location": "every run has its own folder in the workflow bucket",
    "SubmitDirectory": "the code of a run is packed from the workload folder",
    "EndpointName": "named after app, environment and workload",
    "EndpointConfigName": "a new one for each change",
    "ModelName": "taken for the workload's name; models are named for each run",
}
# The built-in images that the environment resolves for its region (template.yaml, Mappings).
_BUILT_IN_IMAGE = re.compile(r"/sagemaker-scikit-learn:")
_DATE_AT_END = re.compile(r"(-\d+)+$")


@dataclass(frozen=True)
class Imported:
    """The author's manifest, and why each key that is not in it was left out."""

    manifest: JsonObject
    dropped: dict[str, str]


def import_flat(text: bytes, *, source: str = "manifest.json") -> Imported:
    """Convert a flat manifest; raises ManifestError when it is none or holds unusable values."""
    flat = read_object(text, source)
    if "schemaVersion" in flat:
        raise ManifestError(
            ("/schemaVersion: this is a Signalbox manifest already; nothing to import",),
            document=source,
        )
    if not any(key[:1].isupper() for key in flat):
        raise ManifestError(
            ("(document): no key of a flat manifest, such as TrainingImageUri",), document=source
        )
    imported = _convert(flat)
    check(validate(imported.manifest, source=f"{source}, converted"))
    return imported


def _convert(flat: JsonObject) -> Imported:
    dropped: dict[str, str] = {}
    manifest: JsonValue = _skeleton(flat)
    # Values for all steps first, so that those for one step come on top.
    for key in sorted(flat, key=lambda name: _steps_of(name) != ALL_STEPS):
        patch, reason = _take(key, flat[key])
        manifest = merge_patch(manifest, patch)
        if reason:
            dropped[key] = reason
    dropped["problem"] = "not in a flat manifest; regression is assumed, correct it if it is wrong"
    dropped["data"] = "not in a flat manifest; add label and columns to have data files checked"
    return Imported(manifest if isinstance(manifest, dict) else {}, dropped)


def _skeleton(flat: JsonObject) -> JsonObject:
    named = flat.get("EndpointName")
    return {
        "schemaVersion": CURRENT_VERSION,
        "name": _workload_name(flat.get("ModelName")),
        "problem": "regression",
        "data": {"format": "csv"},
        "inference": {"mode": "endpoint" if named else "batch"},
    }


def _workload_name(value: JsonValue) -> str:
    """A workload name out of a model's: lower case, no date at its end.

    >>> _workload_name("ML_Core-model-21-11-2023-09-30")
    'ml-core-model'
    """
    text = re.sub(r"[^a-z0-9]+", "-", str(value or "").lower())
    name = _DATE_AT_END.sub("", text.strip("-")).lstrip("-0123456789")[:31].strip("-")
    return name or "imported"


def _take(key: str, value: JsonValue) -> tuple[JsonObject, str]:
    """What a flat key contributes, and the reason when that is nothing."""
    if value in ("", None):
        return {}, "empty"
    if key == "TrainingHyperParameters":
        return {"train": _training(value)}, ""
    if key == "EndpointType":
        return _mode(value)
    reason = next((why for end, why in _LEFT_OUT.items() if key.endswith(end)), "")
    return ({}, reason) if reason else _step_value(key, value)


def _mode(value: JsonValue) -> tuple[JsonObject, str]:
    mode = _MODES.get(str(value).lower())
    if mode is None:
        return {}, f'"{value}" is no inference mode; one of: {", ".join(sorted(set(_MODES)))}'
    return {"inference": {"mode": mode}}, ""


def _training(value: JsonValue) -> JsonObject:
    """Hyperparameters as they were meant, and the script that they name."""
    given = _plain(value)
    if not isinstance(given, dict):
        raise ManifestError(("/TrainingHyperParameters: expected an object, or one as JSON text",))
    taken = {key: _plain(text) for key, text in given.items() if not _is_platform(key)}
    program = given.get("sagemaker_program")
    script: JsonObject = {"script": str(_plain(program))} if program else {}
    return {**script, "hyperparameters": taken}


def _is_platform(key: str) -> bool:
    """Set for every job by the platform; model_dir was an S3 location of one run."""
    return key.startswith("sagemaker_") or key == "model_dir"


def _plain(value: JsonValue) -> JsonValue:
    """SageMaker's hyperparameters are texts: the value that a text stands for.

    >>> _plain("100"), _plain('"adam"'), _plain("adam")
    (100, 'adam', 'adam')
    """
    if not isinstance(value, str):
        return value
    try:
        meant: JsonValue = json.loads(value, parse_constant=str)
    except ValueError:
        return value
    return meant


def _steps_of(key: str) -> tuple[str, ...]:
    prefix = next((p for p in _STEP_PREFIXES if p and key.startswith(p)), "")
    return _STEP_PREFIXES[prefix]


def _step_value(key: str, value: JsonValue) -> tuple[JsonObject, str]:
    target = next((new for old, new in _VALUES.items() if key.endswith(old)), None)
    if target is None:
        return {}, "not known from flat manifests"
    if target == "image" and _BUILT_IN_IMAGE.search(str(value)):
        return {}, "a built-in image; the environment resolves it for its region"
    if target == "script" and not str(value).endswith(".py"):
        return {}, "names no script; the folder's own file is used"
    taken = str(value).rpartition("/")[2] if target == "script" else value
    steps = [step for step in _steps_of(key) if step in _HAS_KEY.get(target, ALL_STEPS)]
    return {step: {target: taken} for step in steps}, ""
