"""Evaluates CloudWatch alarms on the laptop's clock and tells who is to be told.

A period of 60 seconds passes as fast as the laptop's waits do (see clock). Windows slide and end
now; AWS aligns them to its own minutes and waits for late data.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from localaws import clients, clock
from localaws.context import Context
from localaws.errors import AccessDeniedByLocalAws
from localaws.monitoring.alarm_rules import ALARM, COMPARISONS, INSUFFICIENT, OK, AlarmRule
from localaws.monitoring.metrics import METRICS, MetricKey
from localaws.moto_seams import metrics as moto_seams_metrics
from localaws.moto_seams.metrics import AlarmView
from localaws.sagemaker.store import Place

_SERVICE = "cloudwatch.amazonaws.com"
_EVERY_S = 10.0
"""AWS's seconds between two looks at all alarms."""
_SHORTEST_WINDOW_S = 0.25
"""Real seconds: at a high time scale a period would end before one request is answered."""
_log = logging.getLogger("localaws.alarms")

Gather = Callable[[], None]


class _Evaluator:
    """The thread that looks at all alarms, and what it needs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.gather: list[Gather] = []
        self.held: dict[str, tuple[str, float]] = {}
        """Alarm ARN -> the state the laptop gave it last, and until when another one stands."""


_evaluator = _Evaluator()


def install(context: Context) -> None:
    """Keep what is put, evaluate from now on."""
    del context
    METRICS.clear()
    moto_seams_metrics.listen_to_metrics(_keep)
    _evaluator.held.clear()
    _evaluator.stop = threading.Event()
    _evaluator.thread = threading.Thread(target=_run, name="localaws-alarms", daemon=True)
    _evaluator.thread.start()


def shutdown() -> None:
    """Stop evaluating."""
    _evaluator.stop.set()
    if _evaluator.thread is not None:
        _evaluator.thread.join(5.0)
        _evaluator.thread = None


def before_each_look(gather: Gather) -> None:
    """Have `gather` called before alarms are evaluated, to bring its newest values."""
    if gather not in _evaluator.gather:
        _evaluator.gather.append(gather)


def firing(place: Place, names: list[str]) -> list[str]:
    """Of the named alarms those that are in ALARM now; a name without an alarm is none of them."""
    _gather()
    found = [moto_seams_metrics.alarm(place.account, place.region, name) for name in names]
    return [alarm.name for alarm in found if alarm is not None and _evaluated(alarm) == ALARM]


def _run() -> None:
    stop = _evaluator.stop
    while not stop.wait(max(clock.scaled_s(_EVERY_S), 0.1)):
        _gather()
        for alarm in moto_seams_metrics.alarms():
            _evaluated(alarm)


def _gather() -> None:
    for gather in _evaluator.gather:
        gather()


def _keep(account: str, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
    """Remember what PutMetricData brought, under the time it came."""
    now = time.time()
    for one in data:
        dimensions = {d["Name"]: d["Value"] for d in one.get("Dimensions") or []}
        key = MetricKey.of(Place(account, region), namespace, one["MetricName"], dimensions)
        METRICS.add(key, now, _values(one))


def _values(one: dict[str, Any]) -> list[float]:
    if one.get("Values"):
        counts = one.get("Counts") or [1] * len(one["Values"])
        pairs = zip(one["Values"], counts, strict=True)
        return [float(value) for value, count in pairs for _ in range(int(float(count)))]
    if one.get("StatisticValues"):
        stated = one["StatisticValues"]
        count = max(1, int(float(stated["SampleCount"])))
        return [float(stated["Sum"]) / count] * count
    return [float(one.get("Value", 0.0))]


def _evaluated(alarm: AlarmView) -> str:
    """The alarm's state after a look at its metric; tells of a change."""
    stored = alarm.stored
    if stored.comparison_operator not in COMPARISONS or not stored.period:
        return alarm.state
    with _evaluator.lock:
        before = alarm.state
        if _stands(alarm, before):
            return before
        values = _last_values(alarm)
        state = _rule(stored).state(values, before)
        _evaluator.held[alarm.arn] = (state, 0.0)
        if state == before:
            return state
        alarm.enter(state, _reason(alarm, state, values), json.dumps({"version": "1.0"}))
    _tell(alarm, before, state)
    return state


def _stands(alarm: AlarmView, state: str) -> bool:
    """Whether someone else (SetAlarmState) changed the state within the last period."""
    ours, until = _evaluator.held.get(alarm.arn, (INSUFFICIENT, 0.0))
    if state == ours or str(alarm.stored.state_reason).startswith("Unchecked"):
        return False
    if until == 0.0:
        until = time.monotonic() + max(_window_s(alarm.stored.period), 1.0)
        _evaluator.held[alarm.arn] = (ours, until)
    return time.monotonic() < until


def _rule(stored: Any) -> AlarmRule:
    periods = int(stored.evaluation_periods)
    return AlarmRule(
        stored.comparison_operator,
        float(stored.threshold),
        periods,
        int(stored.datapoints_to_alarm or periods),
        stored.treat_missing_data or "missing",
    )


def _window_s(period: Any) -> float:
    return max(clock.scaled_s(float(period)), _SHORTEST_WINDOW_S)


def _last_values(alarm: AlarmView) -> list[float | None]:
    stored, place = alarm.stored, Place(alarm.account, alarm.region)
    key = MetricKey.of(place, stored.namespace, stored.metric_name, alarm.dimensions)
    window_s, now = _window_s(stored.period), time.time()
    found = []
    for number in reversed(range(int(stored.evaluation_periods))):
        end = now - number * window_s
        sample = METRICS.window(key, end - window_s, end)
        found.append(sample.statistic(alarm.statistic) if sample else None)
    return found


def _reason(alarm: AlarmView, state: str, values: list[float | None]) -> str:
    shown = ", ".join("no data" if value is None else f"{value:g}" for value in values)
    return (
        f"{state}: {alarm.statistic} of {alarm.stored.metric_name} in the last "
        f"{len(values)} period(s) of {alarm.stored.period} s: {shown}; "
        f"{alarm.stored.comparison_operator} {alarm.stored.threshold:g}"
    )


def _tell(alarm: AlarmView, before: str, state: str) -> None:
    from localaws.events import service as events

    now = clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    detail = {
        "alarmName": alarm.name,
        "state": {"value": state, "reason": alarm.stored.state_reason, "timestamp": now},
        "previousState": {"value": before, "timestamp": now},
        "configuration": {"metrics": [_metric(alarm)]},
    }
    events.emit(
        "aws.cloudwatch",
        "CloudWatch Alarm State Change",
        detail,
        resources=[alarm.arn],
        account=alarm.account,
        region=alarm.region,
    )
    if alarm.stored.actions_enabled:
        _publish(alarm, before, state)


def _metric(alarm: AlarmView) -> dict[str, Any]:
    metric = {
        "namespace": alarm.stored.namespace,
        "name": alarm.stored.metric_name,
        "dimensions": alarm.dimensions,
    }
    stat = {"metric": metric, "period": alarm.stored.period, "stat": alarm.statistic}
    return {"id": "m1", "metricStat": stat, "returnData": True}


def _publish(alarm: AlarmView, before: str, state: str) -> None:
    stored = alarm.stored
    actions = {OK: stored.ok_actions, ALARM: stored.alarm_actions}
    for arn in actions.get(state, stored.insufficient_data_actions) or []:
        if not str(arn).startswith("arn:aws:sns:"):
            _log.warning("alarm %s: the action %s is not carried out here", alarm.name, arn)
            continue
        message = {
            "AlarmName": alarm.name,
            "AlarmArn": alarm.arn,
            "AWSAccountId": alarm.account,
            "NewStateValue": state,
            "OldStateValue": before,
            "NewStateReason": stored.state_reason,
        }
        try:
            clients.client_as_service(
                _SERVICE,
                "sns",
                region=alarm.region,
                source_arn=alarm.arn,
                source_account=alarm.account,
            ).publish(
                TopicArn=arn, Subject=f"{state}: {alarm.name}"[:100], Message=json.dumps(message)
            )
        except (ClientError, AccessDeniedByLocalAws) as error:
            _log.warning("alarm %s could not tell %s: %s", alarm.name, arn, error)
