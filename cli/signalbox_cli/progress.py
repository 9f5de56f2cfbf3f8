"""Following a run: what is new since the last look, as lines, and what goes on now.

Lines are printed once and stay; on a terminal a moving line below them shows the state that runs,
how long it has, and the last line its job printed.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.markup import escape

from signalbox_cli.console import Output, duration
from signalbox_cli.errors import RunFailed, RunRefused
from signalbox_cli.logs import last_line
from signalbox_cli.run_states import StateView, read_states
from signalbox_cli.runs import ActionView, RunView, read_run
from signalbox_cli.target import Target

# Tasks that only look or keep the books; a person following a run is not told about each.
_QUIET_STATES = ("Begin", "Describe", "Find", "Inspect", "Confirm", "Record")


class Feed:
    """Turns successive views of one run into the lines a person has not seen yet."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen: set[tuple[str, str]] = set()
        self._states_printed: dict[str, int] = {}

    def news(self, run: RunView) -> Iterator[str]:
        """Lines for everything that began or ended since the last call."""
        for action in run.actions:
            yield from self._action_news(action)

    def _action_news(self, action: ActionView) -> Iterator[str]:
        if self._is_new(action.action_execution_id, "InProgress"):
            yield f"[bold]{action.stage}[/bold]"
        if action.external_id and action.stage in ("Train", "Inference"):
            yield from self._state_news(action)
        if action.status != "InProgress" and self._is_new(
            action.action_execution_id, action.status
        ):
            yield _ending(action)

    def _state_news(self, action: ActionView) -> Iterator[str]:
        printed = self._states_printed.get(action.external_id, 0)
        if self._is_closed(action):
            return
        states = read_states(self._target, action.external_id)
        done = [s for s in states if s.exited_at is not None]
        for state in done[printed:]:
            if state.is_task and not state.name.startswith(_QUIET_STATES):
                yield f"    {state.name:<28} {_state_time(state)}"
        self._states_printed[action.external_id] = len(done)

    def _is_closed(self, action: ActionView) -> bool:
        return (action.action_execution_id, action.status) in self._seen and (
            action.status != "InProgress"
        )

    def _is_new(self, key: str, status: str) -> bool:
        if (key, status) in self._seen:
            return False
        self._seen.add((key, status))
        return True


def _state_time(state: StateView) -> str:
    if state.exited_at is None:
        return ""
    return duration((state.exited_at - state.entered_at).total_seconds())


def _ending(action: ActionView) -> str:
    mark = {"Succeeded": "[green]✓[/green]", "Failed": "[red]✗[/red]"}.get(action.status, "·")
    # Why it failed is said once, at the end, by whoever follows the run.
    return f"  {mark} {action.stage} {action.status.lower()} in {duration(action.duration_s)}"


def current_activity(target: Target, run: RunView) -> str:
    """What runs at this moment, with its job's last line; empty when nothing does."""
    if run.waiting_gate:
        waited = sum(a.duration_s for a in run.actions if a.stage == run.waiting_gate)
        return f"{run.waiting_gate} › waits for a decision {duration(waited)}"
    running = [a for a in run.actions if a.status == "InProgress"]
    if not running:
        return ""
    action = running[-1]
    if not action.external_id or action.stage not in ("Train", "Inference"):
        return f"{action.stage} {duration(action.duration_s)}"
    open_states = [s for s in read_states(target, action.external_id) if s.exited_at is None]
    return _describe_state(target, action, open_states)


def _describe_state(target: Target, action: ActionView, open_states: list[StateView]) -> str:
    if not open_states:
        return action.stage
    state = open_states[-1]
    elapsed = duration((datetime.now(UTC) - state.entered_at).total_seconds())
    line = last_line(target, state.job_name) if state.job_name else ""
    return f"{action.stage} › {state.name} {elapsed}  [dim]{escape(line[:80])}[/dim]"


def follow(
    target: Target,
    execution_id: str,
    output: Output,
    *,
    stop_at_gate: str | None = None,
    feed: Feed | None = None,
) -> RunView:
    """Print a run's progress until it ends (or waits at `stop_at_gate`, `"any"` for any gate).

    A `feed` from an earlier call goes on where that one stopped.
    """
    feed = feed or Feed(target)
    with _status_line(output) as show:
        while True:
            run = read_run(target, execution_id)
            for line in feed.news(run):
                output.note(line)
            if run.is_finished or _is_at(run, stop_at_gate):
                return run
            if output.progress.is_terminal:
                show(current_activity(target, run))
            time.sleep(target.poll_s)


def raise_for_outcome(run: RunView) -> None:
    """Raises RunRefused or RunFailed when a run has ended, and not well."""
    if run.is_refused:
        reasons = run.error.removeprefix("QualityGateFailed: ")
        raise RunRefused(f"run {run.name} was refused: {reasons}")
    if run.is_finished and run.status != "Succeeded":
        why = f": {run.error}" if run.error else ""
        raise RunFailed(f"run {run.name} {run.status.lower()}{why}")


def _is_at(run: RunView, gate: str | None) -> bool:
    return bool(gate) and bool(run.waiting_gate) and gate in ("any", run.waiting_gate)


@contextlib.contextmanager
def _status_line(output: Output) -> Iterator[Callable[[str], None]]:
    if output.quiet or not output.progress.is_terminal:
        yield lambda _text: None
        return
    with output.progress.status("") as status:
        yield status.update
