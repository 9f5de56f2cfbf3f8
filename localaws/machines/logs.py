"""Execution logs: history events written to the log group of the machine's LoggingConfiguration.

On AWS the log delivery service writes them, not the machine's role; here they are put straight into
the store, and a missing log group loses them.
"""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from localaws import clock
from localaws.moto_seams import machines as seams

_streams: dict[str, str] = {}
_streams_lock = threading.Lock()


def session_for(machine: Any, execution_arn: str) -> "LogSession | None":
    """Where the execution's events go; None when logging is off."""
    configuration = machine.loggingConfiguration or {}
    group_arn = destination(configuration)
    if configuration.get("level", "OFF") == "OFF" or group_arn is None:
        return None
    return LogSession(machine, execution_arn, group_arn)


def destination(configuration: dict[str, Any]) -> str | None:
    """ARN of the log group that a LoggingConfiguration names."""
    for target in configuration.get("destinations") or ():
        arn = target.get("cloudWatchLogsLogGroup", {}).get("logGroupArn")
        return str(arn) if arn else None
    return None


class _Configuration:
    """The part of a LoggingConfiguration that the interpreter reads."""

    def __init__(self, *, include_execution_data: bool) -> None:
        self.include_execution_data = include_execution_data


class LogSession:
    """The log of one execution, in the shape of the interpreter's logging session."""

    def __init__(self, machine: Any, execution_arn: str, group_arn: str) -> None:
        _, _, _, region, account, _, group = group_arn.split(":")[:7]
        self.execution_arn = execution_arn
        self._level = machine.loggingConfiguration.get("level", "OFF")
        include = bool(machine.loggingConfiguration.get("includeExecutionData"))
        self.configuration = _Configuration(include_execution_data=include)
        self._store = seams.logs_backends[account][region]
        self._group, self._machine = group, machine.name

    def log_level_filter(self, history_event_type: str) -> bool:
        """Whether an event of that type is logged at the machine's level."""
        return bool(seams.is_logging_enabled_for(self._level, history_event_type))

    def publish_history_log(self, history_log: dict[str, Any]) -> None:
        """Write one event; a missing log group loses it, as log delivery does."""
        moment = _moment(history_log["event_timestamp"])
        line = {**history_log, "event_timestamp": str(moment), "redrive_count": "0"}
        entry = {"timestamp": moment, "message": json.dumps(line, default=str)}
        try:
            self._store.put_log_events(self._group, self._stream(), [entry])
        except ClientError:
            return
        except seams.AWSError:
            return

    def _stream(self) -> str:
        key = f"{self._group}\n{self._machine}"
        with _streams_lock:
            name = _streams.get(key)
            if name is None or name not in self._store.groups[self._group].streams:
                minute = clock.now().strftime("%Y-%m-%d-%H-%M")
                name = f"states/{self._machine}/{minute}/{uuid.uuid4().hex[:8]}"
                self._store.create_log_stream(self._group, name)
                _streams[key] = name
            return name


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
