"""The part of `moto_seams` that belongs to EventBridge: moto stores rules, the laptop runs them.

Every private name of moto's events and S3 packages that is used for events is used here and has a
smoke test in `tests/localaws/test_events_seams.py`. Decides nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.errors import UnsupportedByLocalAws
from localaws.events.s3 import StoredObject
from localaws.moto_seams import patches as moto_patches
from localaws.wire import AwsError


@dataclass(frozen=True)
class EventHooks:
    """What the laptop does instead of moto."""

    put_events: Callable[[str, str, list[dict[str, Any]]], list[dict[str, str]]]
    test_pattern: Callable[[str, str], bool]
    check_rule: Callable[[str | None, str | None], None]
    """Told pattern and schedule before a rule is stored."""
    rule_stored: Callable[[Any], None]
    """Told a rule that was made, changed or enabled."""
    check_targets: Callable[[list[str], list[dict[str, Any]]], None]
    send: Callable[[Any, dict[str, Any]], None]
    """Given a rule and an event; replaces `Rule.send_to_targets`."""


@dataclass(frozen=True)
class S3Hooks:
    """Told about objects of buckets that have EventBridge switched on."""

    created: Callable[[StoredObject, str], None]
    """With the classic notification's name."""
    deleted: Callable[[StoredObject, bool], None]
    """With True when the object is gone for good and not just marked."""


def install_events(hooks: EventHooks) -> None:
    """Route EventBridge's operations through `hooks`."""
    from moto.events.models import Rule

    moto_patches.replace(
        Rule,
        "send_to_targets",
        lambda self, event, transform_input=True: hooks.send(self, dict(event)),
    )
    _replace_operations(hooks)
    _refuse_operations()


_WRAPPED = ("put_rule", "put_targets", "enable_rule")


def _replace_operations(hooks: EventHooks) -> None:
    from moto.events.responses import EventsHandler

    originals = {name: vars(EventsHandler)[name] for name in _WRAPPED}

    def put_events(self: Any) -> tuple[str, dict[str, Any]]:
        entries = _guarded(
            hooks.put_events, self.current_account, self.region, self._get_param("Entries") or []
        )
        failed = sum("ErrorCode" in entry for entry in entries)
        return self._create_response({"FailedEntryCount": failed, "Entries": entries})  # type: ignore[no-any-return]

    def test_event_pattern(self: Any) -> tuple[str, dict[str, Any]]:
        result = _guarded(
            hooks.test_pattern, self._get_param("EventPattern"), self._get_param("Event")
        )
        return self._create_response({"Result": result})  # type: ignore[no-any-return]

    def put_rule(self: Any) -> Any:
        _guarded(
            hooks.check_rule, self._get_param("EventPattern"), self._get_param("ScheduleExpression")
        )
        answer = originals["put_rule"](self)
        hooks.rule_stored(_rule(self, self._get_param("Name")))
        return answer

    def enable_rule(self: Any) -> Any:
        answer = originals["enable_rule"](self)
        rule = _rule(self, self._get_param("Name"))
        if rule is not None:
            hooks.rule_stored(rule)
        return answer

    def put_targets(self: Any) -> Any:
        rule = _rule(self, self._get_param("Rule"))
        existing = [target["Id"] for target in rule.targets] if rule is not None else []
        _guarded(hooks.check_targets, existing, self._get_param("Targets") or [])
        return originals["put_targets"](self)

    for function in (put_events, test_event_pattern, put_rule, enable_rule, put_targets):
        moto_patches.replace(EventsHandler, function.__name__, function)


_REFUSED = ("create_archive", "start_replay", "create_api_destination", "create_connection")
"""moto stores these, but nothing here would ever act on them."""


def _refuse_operations() -> None:
    from moto.events.responses import EventsHandler

    for name in _REFUSED:
        moto_patches.replace(EventsHandler, name, _refusing(name))


def _refusing(name: str) -> Callable[[Any], None]:
    operation = "".join(part.capitalize() for part in name.split("_"))

    def refuse(_handler: Any) -> None:
        raise UnsupportedByLocalAws("events", operation)

    return refuse


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    from moto.core.exceptions import JsonRESTError

    try:
        return function(*arguments)
    except AwsError as error:
        raise JsonRESTError(error.code, error.message) from error


def _rule(handler: Any, name: str) -> Any:
    bus = str(handler._get_param("EventBusName") or "default").rpartition("/")[2]
    return find_rule(handler.current_account, handler.region, bus, name)


def find_rule(account: str, region: str, bus: str, name: str) -> Any:
    """The stored rule, or None."""
    return next((rule for rule in rules_of(account, region, bus) if rule.name == name), None)


def rules_of(account: str, region: str, bus: str) -> list[Any]:
    """The rules of a bus; raises AwsError for a bus that does not exist."""
    from moto.events.models import events_backends

    found = events_backends[account][region].event_buses.get(bus)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    return list(found.rules.values())


def install_s3(hooks: S3Hooks) -> None:
    """Report objects created and deleted; classic notifications stay as moto sends them."""
    from moto.s3 import notifications
    from moto.s3.models import S3Backend

    original_send, original_delete = notifications.send_event, S3Backend.delete_object

    def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        name = str(event_name.value)
        # moto reports the assembled object of a multipart upload a first time as a plain put
        if key is None or (name == "s3:ObjectCreated:Put" and key.multipart is not None):
            return
        original_send(account_id, event_name, bucket, key)
        # the last version that is deleted may be a marker, which has neither ETag nor size
        if name.startswith("s3:ObjectCreated:") and _to_event_bridge(bucket):
            hooks.created(_stored(account_id, bucket, key), name)

    def delete_object(self: Any, bucket_name: str, key_name: str, *rest: Any, **named: Any) -> Any:
        bucket = self.get_bucket(bucket_name)
        version = named.get("version_id", rest[0] if rest else None)
        existed = key_name in bucket.keys
        done, meta = original_delete(self, bucket_name, key_name, *rest, **named)
        if done and _to_event_bridge(bucket) and (existed or bucket.is_versioned):
            gone = version is not None or not bucket.is_versioned
            version_id = str(version or meta.get("version-id") or "")
            about = _about(self.account_id, bucket, key_name, version_id)
            hooks.deleted(about, gone)
        return done, meta

    moto_patches.replace(notifications, "send_event", send_event)
    moto_patches.replace(notifications, "_send_event_bridge_message", lambda *_: None)
    moto_patches.replace(S3Backend, "delete_object", delete_object)


def _to_event_bridge(bucket: Any) -> bool:
    configuration = bucket.notification_configuration
    return configuration is not None and configuration.event_bridge is not None


def _about(account: str, bucket: Any, key: str, version_id: str) -> StoredObject:
    return StoredObject(bucket.name, account, bucket.region_name, key, version_id)


def _stored(account: str, bucket: Any, key: Any) -> StoredObject:
    return StoredObject(
        bucket=bucket.name,
        account=account,
        region=bucket.region_name,
        key=key.name,
        version_id=str(key.version_id) if bucket.is_versioned else "",
        etag=key.etag.replace('"', ""),
        size=key.size,
    )
