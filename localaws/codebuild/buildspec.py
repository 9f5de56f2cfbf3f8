"""Reads a buildspec. Pure: text in, a checked description out.

The keys are those of the CodeBuild user guide, "Build specification reference" (read 2026-11-21).
What AWS takes and the laptop does not is refused by name, never skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import yaml  # type: ignore[import-untyped]

PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
_RUNTIMES = frozenset({"python", "nodejs"})
_ARTIFACT_KEYS = frozenset({"files", "name", "discard-paths", "base-directory", "exclude-paths"})
_ELSEWHERE = {
    "": frozenset({"run-as", "proxy", "batch", "reports"}),
    "/env": frozenset({"git-credential-helper"}),
    "/phases": frozenset({"run-as", "steps"}),
    "/artifacts": frozenset({"enable-symlinks", "s3-prefix"}),
    "/cache": frozenset({"key", "fallback-keys", "action"}),
}
"""Keys that CodeBuild knows and the laptop does not, by the kind of place they stand in."""


class BuildspecInvalid(Exception):
    """The buildspec is none; the message says where and what is wrong."""


class BuildspecUnsupported(Exception):
    """CodeBuild would take this, the laptop does not; the message names it."""


class OnFailure(StrEnum):
    """What follows a phase that has failed, where the buildspec says so."""

    ABORT = "ABORT"
    CONTINUE = "CONTINUE"


@dataclass(frozen=True)
class Phase:
    """The commands of one phase."""

    commands: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()
    """`finally`: run whatever became of the commands."""
    on_failure: OnFailure | None = None
    runtimes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """Which files are an artifact."""

    files: tuple[str, ...]
    base_directory: str = ""
    exclude: tuple[str, ...] = ()
    discard_paths: bool = False
    name: str = ""


@dataclass(frozen=True)
class Buildspec:
    """A buildspec of version 0.2."""

    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Variable to the name of a parameter of Systems Manager."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable to `secret-id:json-key:version-stage:version-id`."""
    exported: tuple[str, ...] = ()
    phases: Mapping[str, Phase] = field(default_factory=dict)
    output: Output | None = None
    outputs: Mapping[str, Output] = field(default_factory=dict)
    """Secondary artifacts by identifier."""
    cache_paths: tuple[str, ...] = ()


def read(text: str) -> Buildspec:
    """The buildspec; raises BuildspecInvalid and BuildspecUnsupported."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecInvalid(f"the buildspec is no YAML: {error}") from error
    document = _mapping(found, "")
    _check_keys(document, "", {"version", "env", "phases", "artifacts", "cache"})
    if str(document.get("version")) != "0.2":
        raise BuildspecInvalid(f"version is {document.get('version')!r}; write version: 0.2")
    if "phases" not in document:
        raise BuildspecInvalid("the buildspec has no phases")
    output, outputs = _artifacts(document.get("artifacts"))
    cache = _mapping(document.get("cache") or {}, "/cache")
    _check_keys(cache, "/cache", {"paths"})
    return Buildspec(
        **_environment(_mapping(document.get("env") or {}, "/env")),
        phases=_phases(_mapping(document["phases"] or {}, "/phases")),
        output=output,
        outputs=outputs,
        cache_paths=_texts(cache.get("paths"), "/cache/paths"),
    )


def _environment(env: Mapping[str, Any]) -> dict[str, Any]:
    known = {"shell", "variables", "parameter-store", "secrets-manager", "exported-variables"}
    _check_keys(env, "/env", known)
    shell = str(env.get("shell") or "sh")
    if shell not in SHELLS:
        raise BuildspecUnsupported(f"/env/shell {shell}; sh and bash are supported")
    return {
        "shell": shell,
        "variables": _variables(env, "variables"),
        "parameters": _variables(env, "parameter-store"),
        "secrets": _variables(env, "secrets-manager"),
        "exported": _texts(env.get("exported-variables"), "/env/exported-variables"),
    }


def _variables(env: Mapping[str, Any], name: str) -> dict[str, str]:
    place = f"/env/{name}"
    found = {
        key: _text(value, f"{place}/{key}")
        for key, value in _mapping(env.get(name) or {}, place).items()
    }
    for key in found:
        if key.startswith("CODEBUILD_"):
            raise BuildspecInvalid(f"{place}/{key}: names with CODEBUILD_ are CodeBuild's own")
    return found


def _phases(phases: Mapping[str, Any]) -> dict[str, Phase]:
    _check_keys(phases, "/phases", set(PHASES))
    return {
        name: _phase(name, _mapping(phase, f"/phases/{name}")) for name, phase in phases.items()
    }


def _phase(name: str, phase: Mapping[str, Any]) -> Phase:
    place = f"/phases/{name}"
    known = {"commands", "finally", "on-failure"} | (
        {"runtime-versions"} if name == "install" else set()
    )
    _check_keys(phase, place, known, of="/phases")
    runtimes = _mapping(phase.get("runtime-versions") or {}, f"{place}/runtime-versions")
    for runtime in sorted(runtimes.keys() - _RUNTIMES):
        raise BuildspecUnsupported(f"{place}/runtime-versions/{runtime}")
    commands = _texts(phase.get("commands"), f"{place}/commands")
    if not commands and not runtimes:
        raise BuildspecInvalid(f"{place} has no commands")
    return Phase(
        commands,
        _texts(phase.get("finally"), f"{place}/finally"),
        _on_failure(phase.get("on-failure"), place),
        {key: str(value) for key, value in runtimes.items()},
    )


def _on_failure(given: Any, place: str) -> OnFailure | None:
    if given is None:
        return None
    if str(given).startswith("RETRY"):
        raise BuildspecUnsupported(f"{place}/on-failure {given}")
    if given not in ("ABORT", "CONTINUE"):
        raise BuildspecInvalid(f"{place}/on-failure is {given!r}; write ABORT or CONTINUE")
    return OnFailure(given)


def _artifacts(given: Any) -> tuple[Output | None, dict[str, Output]]:
    if given is None:
        return None, {}
    place = "/artifacts"
    artifacts = _mapping(given, place)
    _check_keys(artifacts, place, {*_ARTIFACT_KEYS, "secondary-artifacts"})
    further = _mapping(artifacts.get("secondary-artifacts") or {}, f"{place}/secondary-artifacts")
    outputs = {
        name: _output(_mapping(each, f"{place}/secondary-artifacts/{name}"), name)
        for name, each in further.items()
    }
    if not further and "files" not in artifacts:
        raise BuildspecInvalid(f"{place} has no files")
    return (_output(artifacts, "") if "files" in artifacts else None), outputs


def _output(artifact: Mapping[str, Any], name: str) -> Output:
    place = f"/artifacts/secondary-artifacts/{name}" if name else "/artifacts"
    _check_keys(artifact, place, {*_ARTIFACT_KEYS, "secondary-artifacts"}, of="/artifacts")
    files = _texts(artifact.get("files"), f"{place}/files")
    if not files:
        raise BuildspecInvalid(f"{place} has no files")
    return Output(
        files,
        _text(artifact.get("base-directory") or "", f"{place}/base-directory"),
        _texts(artifact.get("exclude-paths"), f"{place}/exclude-paths"),
        _flag(artifact.get("discard-paths"), f"{place}/discard-paths"),
        _text(artifact.get("name") or "", f"{place}/name"),
    )


def _check_keys(given: Mapping[str, Any], place: str, known: set[str], *, of: str = "") -> None:
    for key in given:
        if key in known:
            continue
        if key in _ELSEWHERE.get(of or place, frozenset()):
            raise BuildspecUnsupported(f"{place}/{key}")
        raise BuildspecInvalid(
            f"{place}/{key} is not known; here may stand {', '.join(sorted(known))}"
        )


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BuildspecInvalid(f"{place or 'the buildspec'} must be a mapping, not {value!r}")
    return {str(key): item for key, item in value.items()}


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    given = value if isinstance(value, list) else [value]
    return tuple(_text(item, f"{place}/{number}") for number, item in enumerate(given))


def _text(value: Any, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list) or value is None:
        # `- echo a: b` is a mapping in YAML: the mistake that every buildspec makes once.
        raise BuildspecInvalid(f"{place} must be a text; put quotes around it: {value!r}")
    return str(value)


def _flag(value: Any, place: str) -> bool:
    text = str(value).lower() if value is not None else "no"
    if text not in ("yes", "no", "true", "false"):
        raise BuildspecInvalid(f"{place} is {value!r}; write yes or no")
    return text in ("yes", "true")
