"""Starting a run: pack a workload, upload it, start the pipeline on exactly that version."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli.errors import CommandError
from signalbox_cli.packaging import pack, workload_name
from signalbox_cli.target import Target


@dataclass(frozen=True)
class Release:
    """A started run and exactly what it runs."""

    execution_id: str
    bucket: str
    key: str
    version_id: str
    digest: str

    def document(self) -> dict[str, str]:
        """The release as JSON."""
        return {
            "executionId": self.execution_id,
            "bucket": self.bucket,
            "key": self.key,
            "versionId": self.version_id,
            "digest": self.digest,
        }


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """`inference.mode=endpoint` and the like, as a JSON merge patch of the manifest.

    A value is JSON where it parses as JSON (`300`, `true`, `[1]`, `"a"`), else a string.
    """
    patch: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not all(path.split(".")):
            raise CommandError(
                f"--set {setting!r} is not NAME=VALUE; for example --set inference.mode=endpoint"
            )
        _put(patch, path.split("."), _value(text))
    return patch


def _put(patch: dict[str, Any], path: list[str], value: Any) -> None:
    for depth, part in enumerate(path[:-1], start=1):
        patch = patch.setdefault(part, {})
        if not isinstance(patch, dict):
            raise CommandError(
                f"--set gives {'.'.join(path[:depth])} a value and --set {'.'.join(path)} a part; "
                "only one of them can be meant"
            )
    patch[path[-1]] = value


def run_options(options_json: str | None, settings: tuple[str, ...]) -> dict[str, Any]:
    """What `--options` and `--set` change together, as a JSON merge patch; `--set` wins."""
    try:
        options = json.loads(options_json or "{}")
    except ValueError as error:
        raise CommandError(f"--options is not JSON: {error}") from None
    if not isinstance(options, dict):
        raise CommandError(f"--options must be a JSON object, not {options_json}")
    return _merged(options, parse_settings(settings))


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two patches as one. A null stays: it removes a key from the manifest, or is its value."""
    both = dict(first)
    for key, value in second.items():
        before = both.get(key)
        is_part = isinstance(before, dict) and isinstance(value, dict)
        both[key] = _merged(before, value) if is_part and before else value
    return both


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def release(
    target: Target, folder: Path, *, options: dict[str, Any], token: str | None = None
) -> Release:
    """Upload the workload and start a run of exactly that object version.

    The key is outside the one that starts the pipeline by itself, so one release is one run. The
    same `token` (1-128 of [a-zA-Z0-9-]) twice starts one run.
    """
    key = f"workloads/{workload_name(folder)}.zip"
    return release_archive(target, pack(folder), key=key, options=options, token=token)


def release_archive(
    target: Target, archive: bytes, *, key: str, options: dict[str, Any], token: str | None = None
) -> Release:
    """The same for an archive that is packed already."""
    wiring = target.wiring()
    stored = target.client("s3").put_object(Bucket=wiring.source_bucket, Key=key, Body=archive)
    started = target.client("codepipeline").start_pipeline_execution(
        name=wiring.pipeline,
        variables=_variables(options),
        clientRequestToken=token or str(uuid.uuid4()),
        sourceRevisions=[
            _revision("S3_OBJECT_KEY", key),
            _revision("S3_OBJECT_VERSION_ID", stored["VersionId"]),
        ],
    )
    return Release(
        started["pipelineExecutionId"],
        wiring.source_bucket,
        key,
        stored["VersionId"],
        f"sha256:{hashlib.sha256(archive).hexdigest()}",
    )


def _variables(options: dict[str, Any]) -> list[dict[str, str]]:
    # CodePipeline: a variable's value has 1 to 1,000 characters.
    text = json.dumps(options, separators=(",", ":"))
    if len(text) > 1000:
        raise CommandError(
            f"the options are {len(text)} characters as JSON and a pipeline variable holds 1,000; "
            "put them into the workload's manifest.json instead"
        )
    return [{"name": "Options", "value": text}]


def _revision(kind: str, value: str) -> dict[str, str]:
    return {"actionName": "Source", "revisionType": kind, "revisionValue": value}
