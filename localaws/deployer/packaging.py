"""Local folders and files of a template become artifacts in a bucket, as `sam package` does it.

Function code is zipped (fixed order and times, so the same content has the same digest). A layer is
built (localaws.build_layers) and travels as a reference to its built folder: tens of megabytes
would otherwise be zipped, kept in memory and unpacked again.  # parity: layer content by reference
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.build_layers import REQUIREMENTS, LayerSource, build, files_of, is_wrapped
from localaws.deployer.errors import invalid
from localaws.deployer.intrinsics import escaped

LAYER_REFERENCE = "localaws-layer.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Artifact:
    """One object of the deployment bucket."""

    key: str
    content: bytes


@dataclass(frozen=True)
class _Local:
    """A property that may hold a local path, and how its content is packaged."""

    name: str
    pack: Callable[[Path, Mapping[str, Any], Path], bytes]
    suffix: str
    bucket: str = "Bucket"
    key: str = "Key"


@dataclass(frozen=True)
class Packaged:
    """A template whose local paths were replaced, and the objects that replace them."""

    template: dict[str, Any]
    artifacts: tuple[Artifact, ...]


def package(
    template: Mapping[str, Any],
    *,
    base: Path,
    bucket: str,
    build_dir: Path,
    prefix: str = "artifacts/",
) -> Packaged:
    """Replace each local path; `base` is the folder the paths are relative to."""
    shared = template.get("Globals", {})
    resources: dict[str, Any] = {}
    packed: dict[tuple[Path, str], Artifact] = {}
    for logical_id, resource in template["Resources"].items():
        local = _LOCALS.get(resource.get("Type"))
        resources[logical_id] = resource
        path = _local_path(resource, local, shared) if local else None
        if local and path:
            found = _found(base / path, logical_id, local.name)
            artifact = packed.get((found, local.name)) or _packed(
                local.pack(found, resource, build_dir), prefix, local.suffix
            )
            packed[found, local.name] = artifact
            resources[logical_id] = _placed(resource, local, bucket, artifact.key)
    whole = {**template, "Resources": resources}
    if shared:
        whole["Globals"] = _without_paths(shared)
    return Packaged(whole, tuple({item.key: item for item in packed.values()}.values()))


def _local_path(
    resource: Mapping[str, Any], local: _Local, shared: Mapping[str, Any]
) -> str | None:
    """The local path a resource names itself or takes from the template's Globals."""
    inherited = shared.get(resource["Type"].rpartition("::")[2], {}).get(local.name)
    path = resource.get("Properties", {}).get(local.name, inherited)
    return path if isinstance(path, str) and not path.startswith("s3://") else None


def _without_paths(shared: Mapping[str, Any]) -> dict[str, Any]:
    names = {local.name for local in _LOCALS.values()}
    return {
        section: {key: value for key, value in settings.items() if key not in names}
        for section, settings in shared.items()
    }


def _packed(content: bytes, prefix: str, suffix: str) -> Artifact:
    return Artifact(f"{prefix}{_sha256(content)}{suffix}", content)


def zipped(files: Iterator[tuple[str, bytes]]) -> bytes:
    """A zip whose bytes depend on names and contents only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _placed(resource: Mapping[str, Any], local: _Local, bucket: str, key: str) -> dict[str, Any]:
    location = {local.bucket: bucket, local.key: key}
    return {**resource, "Properties": {**resource["Properties"], local.name: location}}


def _found(path: Path, logical_id: str, name: str) -> Path:
    if not path.exists():
        pointer = f"/Resources/{escaped(logical_id)}/Properties/{name}"
        raise invalid(pointer, f"{logical_id}: {name} names {path}, which does not exist")
    return path


def _code(path: Path, _resource: Mapping[str, Any], _build_dir: Path) -> bytes:
    if path.is_file():
        return path.read_bytes()
    requirements = path / REQUIREMENTS
    if requirements.exists() and _names_something(requirements.read_text(encoding="utf-8")):
        raise invalid("", f"{requirements}: dependencies of functions go into a layer here")
    return zipped((file.as_posix(), (path / file).read_bytes()) for file in files_of(path))


def _names_something(requirements: str) -> bool:
    lines = (line.strip() for line in requirements.splitlines())
    return any(line and not line.startswith("#") for line in lines)


def _layer(path: Path, resource: Mapping[str, Any], build_dir: Path) -> bytes:
    if path.is_file():
        return path.read_bytes()
    wrapped = is_wrapped(resource.get("Metadata", {}).get("BuildMethod"))
    built = build(LayerSource(path, wrapped), build_dir)
    return zipped(iter([(LAYER_REFERENCE, json.dumps({"folder": str(built)}).encode())]))


def _definition(path: Path, _resource: Mapping[str, Any], _build_dir: Path) -> bytes:
    return path.read_bytes()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_LOCALS = {
    "AWS::Serverless::Function": _Local("CodeUri", _code, ".zip"),
    "AWS::Serverless::LayerVersion": _Local("ContentUri", _layer, ".zip"),
    "AWS::Serverless::StateMachine": _Local("DefinitionUri", _definition, ".json"),
    "AWS::Lambda::Function": _Local("Code", _code, ".zip", "S3Bucket", "S3Key"),
    "AWS::Lambda::LayerVersion": _Local("Content", _layer, ".zip", "S3Bucket", "S3Key"),
    "AWS::StepFunctions::StateMachine": _Local("DefinitionS3Location", _definition, ".json"),
}
