"""Taking an endpoint back to the version that served well before, once, whoever is interrupted.

The order makes every interruption harmless: first the failed version is marked, so that no event
deploys it again; then the endpoint is updated and waited for; the serving record, from which a
second attempt reads what is left to do, changes last.

While another version is rolling out nobody can tell which of the two is meant, so the command
refuses, before it has marked or changed anything.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from signalbox_cli.documents import change_record, serving_record
from signalbox_cli.endpoint_changes import CHANGING
from signalbox_cli.errors import CommandError, NotFoundError, RunFailed
from signalbox_cli.served import find_endpoint, rollout_of
from signalbox_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from signalbox.serving import Deployment, ServingRecord

# AWS itself gives an update up to eight hours; a person who waits has Ctrl-C.
_LONGEST_S = 8 * 3600
_KEY = "rollback-"


@dataclass(frozen=True)
class Way:
    """Where a rollback leads: from one deployment to an earlier one."""

    endpoint: str
    failed: "Deployment"
    back_to: "Deployment"

    def document(self, *, is_done: bool) -> dict[str, Any]:
        """The way as JSON."""
        return {
            "endpoint": self.endpoint,
            "from": self.failed.model_package_arn,
            "to": self.back_to.model_package_arn,
            "endpointConfig": self.back_to.endpoint_config,
            "done": is_done,
        }


@dataclass(frozen=True)
class Done:
    """An earlier rollback that left nothing to do."""

    endpoint: str
    serves: "Deployment"


def find_way(target: Target, workload: str, to: int | None) -> Way | Done:
    """Where a rollback leads; Done when one has just been made and no other version is named.

    Raises NotFoundError when there is nothing to return to, CommandError when the endpoint is on
    its way to another version, or serves one that is not recorded.
    """
    from signalbox import serving

    endpoint = find_endpoint(target, workload)
    record = serving_record(target, endpoint)
    now = serving.serving(record)
    if now is None:
        raise NotFoundError(
            f"nobody has recorded what {endpoint} serves, so nobody knows what to return to; "
            f"`signalbox endpoints` shows it. Release or promote a version first"
        )
    # A deployment that failed or was rolled back by its alarm has left the one before serving:
    # there is nothing to take back, and the one that serves has done nothing wrong.
    is_taken_back = record.deployments[-1] != now or now.key.startswith(_KEY)
    if (to is None and is_taken_back) or to == now.version:
        return Done(endpoint, now)
    way = Way(endpoint, now, _destination(record, now, to))
    _refuse_another(way, target.client("sagemaker").describe_endpoint(EndpointName=endpoint))
    return way


def _destination(record: "ServingRecord", now: "Deployment", to: int | None) -> "Deployment":
    from signalbox import serving

    if to is None:
        found = serving.last_good(record)
    else:
        served = [d for d in record.deployments if d.version == to and d.status != "failed"]
        found = served[-1] if served else None
    if found is None:
        known = sorted({d.version for d in record.deployments if d.status == "superseded"})
        there = f"; versions that served: {', '.join(map(str, known))}" if known else ""
        wanted = f"version {to} never served" if to is not None else "there is no version before"
        raise NotFoundError(
            f"{record.endpoint} serves version {now.version}, and {wanted}{there}. To deploy "
            "another one, promote it or release its workload again"
        )
    return found


def roll_back(target: Target, way: Way, reason: str, note: "Callable[[str], None]") -> None:
    """Go the way, or go on where an earlier attempt stopped.

    Raises RunFailed when the endpoint does not come to serve the earlier version, CommandError when
    somebody else took it to another one.
    """
    _check_there(target, way)
    served = _await_idle(target, way, note)
    _refuse_successor(serving_record(target, way.endpoint), way)
    is_new = _mark(target, way, reason)
    note(f"Marked version {way.failed.version}: no event deploys it again")
    if served != way.back_to.endpoint_config:
        _begin(target, way, is_new_mark=is_new)
        note(f"Updating {way.endpoint} to {way.back_to.endpoint_config}")
        _check_returned(target, way, _await_idle(target, way, note))
    _write_down(target, way, reason)


def _check_returned(target: Target, way: Way, served: str) -> None:
    if served != way.back_to.endpoint_config:
        raise RunFailed(
            f"{way.endpoint} serves {served} and not {way.back_to.endpoint_config}: SageMaker "
            f"took the update back ({_reason(target, way.endpoint)}). Version "
            f"{way.failed.version} stays marked; run the same command again once the cause is "
            "out of the way"
        )


def _refuse_another(way: Way, found: dict[str, Any]) -> None:
    """CommandError when the endpoint has, or is on its way to, what neither end of the way has."""
    config, status = _heads_for(found), found["EndpointStatus"]
    is_own = config in (way.failed.endpoint_config, way.back_to.endpoint_config)
    if is_own or status not in ("InService", *CHANGING):
        return
    if status == "InService":
        raise CommandError(
            f"{way.endpoint} serves {config}, and version {way.failed.version}, which the record "
            f"says it serves, has {way.failed.endpoint_config}: a rollout has not been recorded "
            "yet, or somebody changed the endpoint by hand. Nothing was changed. Look at "
            "`signalbox endpoints`, and run the same command again once the record is right"
        )
    raise CommandError(
        f"{way.endpoint} is {status} {rollout_of(found)} with {config}: another version than "
        f"{way.failed.version} is on its way. Nothing was changed. Wait until it has ended "
        "(`signalbox endpoints`), then run the same command again: it takes back what serves then"
    )


def _refuse_successor(record: "ServingRecord", way: Way) -> None:
    """CommandError when another deployment serves by now than the one to take back."""
    from signalbox import serving

    now = serving.serving(record)
    is_taken_back = any(one.key == f"{_KEY}{way.failed.key}" for one in record.deployments)
    if now is not None and now.key != way.failed.key and not is_taken_back:
        raise CommandError(
            f"meanwhile {way.endpoint} came to serve version {now.version}: version "
            f"{way.failed.version} is not taken back any more. Run the same command again to take "
            f"back version {now.version}"
        )


def _begin(target: Target, way: Way, *, is_new_mark: bool) -> None:
    """Start the update; a rollout that was faster leaves everything as it was."""
    from botocore.exceptions import ClientError

    try:
        _update(target, way)
    except ClientError:
        found = target.client("sagemaker").describe_endpoint(EndpointName=way.endpoint)
        try:
            _refuse_another(way, found)
        except CommandError:
            if is_new_mark:
                _unmark(target, way.failed, "a rollout came before its rollback")
            raise
        if _heads_for(found) != way.back_to.endpoint_config:
            raise  # otherwise AWS took a first call whose answer was lost


def _heads_for(found: dict[str, Any]) -> str:
    """The configuration that an endpoint has, or will have when its update goes well."""
    pending = found.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    return str(pending or found["EndpointConfigName"])


def _update(target: Target, way: Way) -> None:
    """To the earlier configuration, with no fewer instances than serve now.

    What automatic scaling has made of an endpoint is in no configuration.
    """
    client = target.client("sagemaker")
    config = client.describe_endpoint_config(EndpointConfigName=way.back_to.endpoint_config)
    begins_with = sum(v.get("InitialInstanceCount", 0) for v in config["ProductionVariants"])
    serving = client.describe_endpoint(EndpointName=way.endpoint).get("ProductionVariants", [])
    request: dict[str, Any] = {}
    if sum(variant.get("DesiredInstanceCount", 0) for variant in serving) > begins_with:
        request = {
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],
        }
    client.update_endpoint(
        EndpointName=way.endpoint, EndpointConfigName=way.back_to.endpoint_config, **request
    )


def _check_there(target: Target, way: Way) -> None:
    """Before anything is changed: the configuration to return to can still be used."""
    from botocore.exceptions import ClientError

    client, name = target.client("sagemaker"), way.back_to.endpoint_config
    try:
        found = client.describe_endpoint_config(EndpointConfigName=name)
        for variant in found["ProductionVariants"]:
            name = variant["ModelName"]
            client.describe_model(ModelName=name)
    except ClientError as error:
        if "could not find" not in str(error).lower():
            raise
        raise CommandError(
            f"{way.endpoint} cannot return to version {way.back_to.version}: {name} was deleted. "
            "Choose another one with --to, or promote the version again"
        ) from None


def _mark(target: Target, way: Way, reason: str) -> bool:
    """Whether the version had no mark before."""
    from signalbox import serving

    client, arn = target.client("sagemaker"), way.failed.model_package_arn
    found = client.describe_model_package(ModelPackageName=arn)
    if found.get("CustomerMetadataProperties", {}).get(serving.ROLLED_BACK_MARK):
        return False
    client.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={
            serving.ROLLED_BACK_MARK: serving.rolled_back_mark(datetime.now(UTC), reason)
        },
        ModelLifeCycle=_stage(target, "RolledBack", reason),
    )
    return True


def _unmark(target: Target, serves: "Deployment", reason: str) -> None:
    """The version serves; chosen by name, it may have been rolled back once itself."""
    from signalbox import serving

    target.client("sagemaker").update_model_package(
        ModelPackageArn=serves.model_package_arn,
        CustomerMetadataPropertiesToRemove=[serving.ROLLED_BACK_MARK],
        ModelLifeCycle=_stage(target, "Serving", reason),
    )


def _stage(target: Target, status: str, reason: str) -> dict[str, str]:
    return {
        "Stage": target.environment,
        "StageStatus": status,
        "StageDescription": reason[:1024],
    }


def _await_idle(target: Target, way: Way, note: "Callable[[str], None]") -> str:
    """The configuration that the endpoint serves once no update is under way.

    Raises CommandError as soon as the update is another one than the way's.
    """
    told, endpoint = "", way.endpoint
    deadline = time.monotonic() + _LONGEST_S
    while True:
        found = target.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        status = found["EndpointStatus"]
        _refuse_another(way, found)
        if status == "InService":
            return str(found["EndpointConfigName"])
        if status not in CHANGING or time.monotonic() > deadline:
            raise RunFailed(
                f"{endpoint} is {status} ({found.get('FailureReason') or 'no reason given'}) and "
                "cannot be taken back by an update; look at it, then run the same command again"
            )
        said = f"{endpoint} is {status} {rollout_of(found)}".strip()
        if said != told:
            note(said)
        told = said
        time.sleep(target.poll_s)


def _reason(target: Target, endpoint: str) -> str:
    found = target.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    return str(found.get("FailureReason") or "no reason given")


def _write_down(target: Target, way: Way, reason: str) -> None:
    from signalbox import serving

    by = target.client("sts").get_caller_identity()["Arn"]
    at = datetime.now(UTC)

    def taken_back(record: "ServingRecord") -> "ServingRecord":
        _refuse_successor(record, way)
        key = f"{_KEY}{way.failed.key}"
        return serving.rolled_back(record, way.back_to, key=key, at=at, by=by, reason=reason)

    _unmark(target, way.back_to, f"returned to: {reason}")
    change_record(target, way.endpoint, taken_back)
