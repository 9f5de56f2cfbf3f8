"""The event buses: builds events, finds the rules that want them, checks what callers ask for.

Rules and targets are stored by moto and read through `moto_seams_events`; matching, rendering and
delivery are the laptop's own. The decision about a request is IAM's and is made before.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from localaws import clock
from localaws.events import input as event_input
from localaws.events import patterns as event_patterns
from localaws.events import targets as event_targets
from localaws.events.delivery import Deliveries
from localaws.events.input import InvalidTargetInput, RuleFacts
from localaws.events.matchers import InvalidEventPattern
from localaws.events.targets import Delivery, Rule
from localaws.iam.identity import calling_account
from localaws.moto_seams import events as moto_seams_events
from localaws.wire import AwsError

_log = logging.getLogger("localaws.events")
_MAX_ENTRIES = 10
_MAX_ENTRY_BYTES = 1_048_576
_MAX_TARGETS = 5
_ENABLED = {"ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}
Event = dict[str, Any]
Listener = Callable[[Event], None]


@dataclass(frozen=True)
class BusPlace:
    """One bus: events of an account may come to the bus of another."""

    account: str
    region: str
    name: str = "default"

    @property
    def arn(self) -> str:
        """The bus's ARN."""
        return f"arn:aws:events:{self.region}:{self.account}:event-bus/{self.name}"


class EventBuses:
    """All buses of all accounts and regions."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of each event of a default bus; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: Event, bus: BusPlace | None = None) -> None:
        """Give the event to the listeners, now, and to the rules' targets, soon.

        To the default bus of the event's own account and region, unless told another; listeners
        hear of an event where it began and not again on a bus that it is forwarded to.
        """
        home = BusPlace(event["account"], event["region"])
        bus = bus or home
        if bus == home:
            for listener in list(self._listeners):
                _tell(listener, event)
        for rule in moto_seams_events.rules_of(bus.account, bus.region, bus.name):
            pattern = rule.event_pattern.dump()
            if rule.state in _ENABLED and pattern and _wants(rule.arn, pattern, event):
                self.deliver(rule, event)

    def deliver(self, rule: Any, event: Event) -> None:
        """Send the event to each target of the rule, whatever its pattern says."""
        owner = Rule(rule.arn, rule.name, rule.account_id, rule.region_name)
        facts = RuleFacts(rule.arn, rule.name, iso(clock.now()))
        for target in list(rule.targets):
            payload = event_input.render(target, event, facts)
            self._deliveries.add(Delivery(owner, dict(target), event, payload))

    def put_events(
        self, account: str, region: str, entries: list[dict[str, Any]]
    ) -> list[dict[str, str]]:
        """The PutEvents operation; raises AwsError."""
        if not 1 <= len(entries) <= _MAX_ENTRIES:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value at 'entries' failed to satisfy constraint: "
                f"Member must have length from 1 to {_MAX_ENTRIES}",
            )
        if sum(len(str(entry.get("Detail") or "")) for entry in entries) > _MAX_ENTRY_BYTES:
            raise AwsError("ValidationException", "Total size of the entries is over the limit.")
        # The account that the request acts in is the bus's; the event is its sender's.
        sender = calling_account() or account
        return [self._put(BusPlace(sender, region), entry) for entry in entries]

    def _put(self, home: BusPlace, entry: Mapping[str, Any]) -> dict[str, str]:
        bus = _bus_of(entry, home)
        forwarded = _forwarded(bus)
        if forwarded is not None:
            self.publish(forwarded, bus)
            return {"EventId": forwarded["id"]}
        problem = _problem(entry)
        if problem is not None:
            return problem
        event = make_event(
            entry["Source"],
            entry["DetailType"],
            json.loads(entry["Detail"]),
            resources=entry.get("Resources") or [],
            account=home.account,
            region=home.region,
            time=_moment(entry.get("Time")),
        )
        self.publish(event, bus)
        return {"EventId": event["id"]}


def make_event(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    *,
    resources: Iterable[str],
    account: str,
    region: str,
    time: datetime | None = None,
) -> Event:
    """An event in EventBridge's envelope, with an id of its own."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": iso(time or clock.now()),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }


def iso(moment: datetime) -> str:
    """Seconds, UTC, with Z, as EventBridge writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell(listener: Listener, event: Event) -> None:
    try:
        listener(event)
    except Exception:  # noqa: BLE001 - the edge: an emitter must not fail for a listener
        _log.exception("a listener failed on %s from %s", event["detail-type"], event["source"])


def _wants(rule_arn: str, pattern: str, event: Event) -> bool:
    try:
        return event_patterns.matches(pattern, event)
    except InvalidEventPattern as error:
        _log.error("rule %s: %s", rule_arn, error)
        return False


def _bus_of(entry: Mapping[str, Any], home: BusPlace) -> BusPlace:
    """The bus that an entry names, by name in the sender's account or by ARN in any."""
    given = str(entry.get("EventBusName") or "default")
    name = given.rpartition("/")[2]
    if not given.startswith("arn:"):
        return replace(home, name=name)
    region, account = given.split(":")[3:5]
    return BusPlace(account, region, name)


def _forwarded(bus: BusPlace) -> Event | None:
    """The event itself when the entry comes from a rule whose target is this bus."""
    delivery = event_targets.current_delivery()
    if delivery is None or delivery.target_arn != bus.arn:
        return None
    return delivery.event


def _moment(given: Any) -> datetime | None:
    if given is None:
        return None
    if isinstance(given, int | float):
        return datetime.fromtimestamp(given, UTC)
    return datetime.fromisoformat(str(given))


def _problem(entry: Mapping[str, Any]) -> dict[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    if str(entry["Source"]).lower().startswith("aws."):
        message = f"Not authorized for the source {entry['Source']}."
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": message}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def test_event_pattern(pattern: str, event: str) -> bool:
    """The TestEventPattern operation; raises AwsError."""
    try:
        parsed = json.loads(event)
    except ValueError as error:
        raise AwsError("ValidationException", f"Event is not valid JSON: {error}") from error
    needed = ("id", "account", "source", "time", "region", "resources", "detail-type")
    missing = [name for name in needed if name not in parsed]
    if missing:
        raise AwsError("ValidationException", f"Event has no {', '.join(missing)}")
    check_pattern(pattern)
    return event_patterns.matches(pattern, parsed)


def check_pattern(pattern: str | None) -> None:
    """Refuse what PutRule refuses; raises AwsError."""
    if not pattern:
        return
    try:
        event_patterns.compile_pattern(pattern)
    except InvalidEventPattern as error:
        raise AwsError("InvalidEventPatternException", str(error)) from error


def check_targets(existing: Iterable[str], targets: list[dict[str, Any]]) -> None:
    """Refuse what PutTargets refuses; raises AwsError or UnsupportedByLocalAws."""
    if len({*existing, *(target["Id"] for target in targets)}) > _MAX_TARGETS:
        message = f"The requested resource exceeds the maximum of {_MAX_TARGETS} targets per rule."
        raise AwsError("LimitExceededException", message)
    for target in targets:
        if event_targets.needs_role(target["Arn"]) and not target.get("RoleArn"):
            message = f"RoleArn is required for target {target['Arn']}."
            raise AwsError("ValidationException", message)
        try:
            event_input.check(target)
        except InvalidTargetInput as error:
            raise AwsError("ValidationException", f"Target {target['Id']}: {error}") from error
