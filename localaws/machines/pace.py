"""Time inside an execution: waits, back-offs, time limits, and being interrupted.

A Wait state and the pause before a retry pass on the laptop's clock; `TimeoutSeconds` bounds real
work and is not scaled. Stopping an execution, or a sibling branch failing, ends every wait and
abandons every task at once, as on AWS; moto's interpreter would finish the running task first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from localaws import clock
from localaws.moto_seams import machines as seams

_WAKERS = "_localaws_wakers"


@contextmanager
def wakers(env: Any, wake: threading.Event) -> Iterator[threading.Event]:
    """Within the block, `wake` is set as soon as `env` stops running for whatever reason.

    An environment is one task attempt, branch, iteration or whole execution.
    """
    registered: list[threading.Event] = env.__dict__.setdefault(_WAKERS, [])
    registered.append(wake)
    if not env.is_running():
        wake.set()
    try:
        yield wake
    finally:
        registered.remove(wake)


def pause(env: Any, seconds: float) -> None:
    """Pass a wait of `seconds`, less if the execution ends meanwhile."""
    if seconds > 0:
        with wakers(env, threading.Event()) as interrupted:
            clock.wait(seconds, cancelled=interrupted)


def install() -> None:
    """Put the laptop's time into the interpreter."""
    for change in ("set_ended", "set_error", "set_timed_out", "set_stop"):
        _signal_after(change)
    seams.rebind(seams.WaitFunction, "_wait_interval", _wait_interval)
    seams.rebind(seams.Timestamp, "_get_wait_seconds", _seconds_until)
    seams.rebind(seams.RetrierDecl, "_eval_body", _retry_or_not)
    seams.rebind(seams.ExecutionState, "_evaluate_with_timeout", _attempt)
    seams.rebind(seams.Program, "eval", _run_program)


def _signal_after(change: str) -> None:
    original = getattr(seams.Environment, change)

    def changed(env: Any, *args: Any, **kwargs: Any) -> None:
        original(env, *args, **kwargs)
        if not env.is_running():
            for wake in list(env.__dict__.get(_WAKERS, ())):
                wake.set()

    seams.rebind(seams.Environment, change, changed)


def _wait_interval(_wait: Any, env: Any, wait_seconds: float) -> None:
    pause(env, wait_seconds)


def _seconds_until(timestamp: Any, env: Any) -> float:
    timestamp.string.eval(env=env)
    text = env.stack.pop()
    if timestamp._from_timestamp_string(text) is None:
        raise seams.FailureEventException(timestamp._create_failure_event(env, text))
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    return (moment - clock.now()).total_seconds()


def _retry_or_not(retrier: Any, env: Any) -> None:
    retrier.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(seams.RetrierOutcome.Skipped)
        return
    retrier.max_attempts.eval(env=env)
    if env.stack.pop() == seams.MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(seams.RetrierOutcome.Failed)
        return
    for part in ("interval_seconds", "backoff_rate", "max_delay_seconds", "jitter_strategy"):
        getattr(retrier, part).eval(env=env)
    pause(env, env.stack.pop())
    env.stack.append(seams.RetrierOutcome.Executed)


class AttemptHistory:
    """An attempt's access to the history of its execution, until it is left behind.

    AWS records nothing of a task after its execution was stopped or its time was over; moto's task
    would still tell that it succeeded.
    """

    def __init__(self, history: Any, frame: Any) -> None:
        self._history = history
        self._frame = frame
        self._lock = threading.Lock()
        self._is_silent = False

    def add_event(self, *args: Any, **kwargs: Any) -> int:
        """The id of the new event; 0 for one that came too late to be kept."""
        with self._lock:
            if self._is_silent or not self._frame.is_running():
                return 0
            event_id: int = self._history.add_event(*args, **kwargs)
            return event_id

    def silence(self) -> None:
        """Keep nothing from now on."""
        with self._lock:
            self._is_silent = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._history, name)


class _Attempt:
    """One try of a Task, Map or Parallel state, in a thread that can be left behind."""

    def __init__(self, state: Any, frame: Any) -> None:
        self._state = state
        self.frame = frame
        self.over = threading.Event()
        self.error: BaseException | None = None
        self.finished = False
        threading.Thread(target=self._run, name=f"state {state.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._state._eval_execution(self.frame)
        except Exception as error:  # noqa: BLE001 - the thread's edge; raised again by the waiter
            self.error = error
        self.finished = True
        self.over.set()


def _attempt(state: Any, env: Any) -> None:
    state.timeout.eval(env=env)
    limit_s = env.stack.pop()
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = seams.execute_state.copy.deepcopy(env.stack)
    frame.event_manager = voice = AttemptHistory(frame.event_manager, frame)
    attempt = _Attempt(state, frame)
    with wakers(frame, attempt.over):
        attempt.over.wait(min(limit_s, threading.TIMEOUT_MAX))
    voice.silence()
    finished = attempt.finished
    frame.set_ended()
    env.close_frame(frame)
    if not env.is_running():
        return
    if not finished:
        raise seams.EvalTimeoutError
    if attempt.error is not None:
        raise attempt.error
    _take_result(state, env, frame.stack.pop())


def _take_result(state: Any, env: Any, result: Any) -> None:
    env.stack.append(result)
    if not state._is_language_query_jsonpath():
        env.states.set_result(result)
    for step in (state.assign_decl, state.result_selector):
        if step:
            step.eval(env=env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _run_program(program: Any, env: Any) -> None:
    """Run a machine, branch or iteration in the calling thread, within its `TimeoutSeconds`."""
    # Stopped before its thread came so far, an execution has no next state: its loop tells the end.
    with suppress(RuntimeError):
        env.next_state_name = program.start_at.start_at_name
    limit = program.timeout_seconds
    if limit is None:
        program._eval_body(env)
        return
    alarm = threading.Timer(limit.timeout_seconds, env.set_timed_out)
    alarm.daemon = True
    alarm.start()
    try:
        program._eval_body(env)
    finally:
        alarm.cancel()
