"""Where a model version stands on its way to serving, why, and what comes next."""

from collections.abc import Iterator, Mapping
from typing import Any

from signalbox_cli.documents import promotion_record, serving_record
from signalbox_cli.models import ModelVersion, describe
from signalbox_cli.promoting import ROLLED_BACK_THERE, how_to_approve, promotion_path
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.served import endpoint_names, read_endpoint
from signalbox_cli.target import Target

_NOT_YET = "not yet"
_MEANS = {
    "registered": "copied and registered there; its deployment has not begun",
    "waiting": "waits for a person there",
    "deploying": "is being deployed there",
    "promoted": "is in use there",
    "released": "its code was released there; that run trains with the data of the environment",
    "failed": "failed",
    "withdrawn": "was withdrawn here before anybody decided there",
}


def version_story(target: Target, version: ModelVersion) -> list[str]:
    """What is known of a version: decision, rollout here, promotion elsewhere, what next."""
    return [
        f"{version.name}: {version.approval}{f' ({version.reason})' if version.reason else ''}",
        *_rolled_back(version),
        *rollout_lines(target, version),
        *promotion_lines(target, version),
    ]


def _rolled_back(version: ModelVersion) -> list[str]:
    mark = version.metadata.get("rolled_back")
    return [f"It was rolled back: {mark}. No event deploys or promotes it again."] if mark else []


def rollout_lines(target: Target, version: ModelVersion) -> list[str]:
    """What became of a version at its own environment's endpoint."""
    record = serving_record(target, version.group)
    deployed = [d for d in record.deployments if d.model_package_arn == version.arn]
    if not deployed:
        return []
    latest = deployed[-1]
    why = f" ({latest.reason})" if latest.reason else ""
    lines = [
        f"In {target.environment}, endpoint {record.endpoint}: {latest.status} since "
        f"{latest.at}{why}."
    ]
    if record.endpoint in endpoint_names(target):
        lines += _live(target, record.endpoint, latest.endpoint_config)
    if latest.status == "serving":
        lines.append(
            f"To go back: signalbox rollback {record.endpoint.removeprefix(f'{target.prefix}-')} "
            "--reason WHY"
        )
    return lines


def _live(target: Target, endpoint: str, config: str) -> Iterator[str]:
    live = read_endpoint(target, endpoint)
    if live.rollout:
        yield f"An update is under way {live.rollout}; it is {live.status}."
    elif live.status != "InService":
        yield f"The endpoint is {live.status}: {live.reason or 'no reason given'}."
    elif live.config != config:
        yield f"The endpoint serves configuration {live.config} now."
    for alarm in (a for a in live.alarms if a.state == "ALARM"):
        yield f"Alarm {alarm.name}: {alarm.reason or 'no reason given'}"


def promotion_lines(target: Target, version: ModelVersion) -> list[str]:
    """How far a version has come on the promotion path, and what comes next."""
    path = [str(entry.get("environment")) for entry in promotion_path(target)]
    if not path:
        return []
    record = promotion_record(target, version.arn) or {}
    entries: Mapping[str, Any] = record.get("targets", {})
    lines = [f"Promotion path: {' -> '.join([target.environment, *path])}"]
    for environment in path:
        lines += _target_lines(environment, entries.get(environment, {}))
    return [*lines, *_next(version, path, entries)]


def _target_lines(environment: str, entry: Mapping[str, Any]) -> list[str]:
    status = str(entry.get("status", "")) or _NOT_YET
    since = f" since {entry['at']}" if entry.get("at") else ""
    lines = [f"  {environment:<8} {status}{since}: {_MEANS.get(status, 'nothing has begun there')}"]
    if entry.get("cause"):
        error = f"{entry['error']}: " if entry.get("error") else ""
        lines.append(f"           {error}{entry['cause']}")
    if status == "waiting":
        lines.append(f"           {how_to_approve(environment, dict(entry))}")
    return lines


def _next(version: ModelVersion, path: list[str], entries: Mapping[str, Any]) -> list[str]:
    if version.is_rolled_back:
        return ["Next: release a better version."]
    if version.approval == "PendingManualApproval":
        return ["Next: approve or reject it; approval starts its promotion."]
    if version.approval != "Approved":
        return ["It was rejected and is not promoted. Next: release a better version."]
    for environment in path:
        entry = entries.get(environment, {})
        status = str(entry.get("status", ""))
        if status in ("promoted", "released"):
            continue
        if entry.get("error") == ROLLED_BACK_THERE:
            return [f"It was rolled back in {environment}. Next: release a better version."]
        if status in ("", "failed"):
            return [f"Next: signalbox promote {version.name} --to {environment}"]
        return [f"Next: nothing to do but wait for {environment}."]
    return ["It has come to the end of the path; nothing is left to do."]


def run_lines(target: Target, run: RunView) -> list[str]:
    """What has become of the version that a run registered, and of an update that it is at."""
    if not run.run_id:
        return []
    manifest = read_manifest(target, run)
    lines = _update_lines(target, run, str(manifest["names"]["endpoint"]))
    version = _registered_by(target, manifest)
    if version is None:
        return lines
    return [*lines, *rollout_lines(target, version), *promotion_lines(target, version)]


def _update_lines(target: Target, run: RunView, endpoint: str) -> list[str]:
    """How far the endpoint's update is while the run waits for it."""
    stage = run.action("Inference")
    if stage is None or stage.status != "InProgress" or endpoint not in endpoint_names(target):
        return []
    live = read_endpoint(target, endpoint)
    return [f"Endpoint {endpoint} is {live.status}{f' {live.rollout}' if live.rollout else ''}."]


def _registered_by(target: Target, manifest: Mapping[str, Any]) -> ModelVersion | None:
    """The version that a run registered last, if it did and it is there."""
    arns = [
        str(entry["arn"])
        for entry in manifest.get("history", [])
        if (entry.get("phase"), entry.get("status")) == ("training", "registered")
    ]
    return describe(target, arns[-1]) if arns else None
