"""`signalbox demo-promotion`: three models on their way through three accounts, told as it happens.

The first is approved and comes to serve everywhere; the second is worse, and its verdict refuses
it; the third is forced through with a fault that neither evaluation nor probe meets, and its alarm
takes it back while requests come in. People decide with the stock AWS CLI, in the registry of the
account whose decision it is. What must hold is checked on the way: a story that does not come out
as told raises RunFailed.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from delivery.model import Settings
from delivery.settings import load, promotion_parameters
from signalbox_cli import aws_cli, demo_stories
from signalbox_cli.console import Output, duration
from signalbox_cli.demo_stories import WORKLOAD, Story
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.live_load import CALLERS, Load, Tally
from signalbox_cli.promoting import target_entry
from signalbox_cli.sample_data import export
from signalbox_cli.target import STATE_FOLDER, Target

ENVIRONMENTS = ("dev", "staging", "prod")
_PATH = [("staging", "none"), ("prod", "manual")]
_FOLDER = STATE_FOLDER / "demo"
# Rows for the callers: whole ones, and every third with a measurement missing. The canary gets
# every fourth request: it meets both.
_LOAD_ROWS, _EVERY = 24, 3
_LEAST_PATIENCE_S, _LONGEST_ROLLOUT_S = 180.0, 4 * 3600.0
_SETTLED = 50
"""Requests that are counted before the rollout begins, and after it has ended."""


def check_path(found: Settings) -> None:
    """Raises CommandError when the settings lead models another way than the story goes."""
    steps = json.loads(promotion_parameters(found, "dev").get("PromotionPath", "[]"))
    if [(one["environment"], one["approval"]) for one in steps] != _PATH:
        raise CommandError(
            "this story goes from dev to staging, and to prod when somebody approves there; "
            "delivery/environments leads another way. "
            "SIGNALBOX_SETTINGS=tests/delivery/environments leads this one"
        )


class PromotionDemo:
    """The story over one target for each environment.

    Raises, before anything is started, when the workload or the AWS CLI is not there.
    """

    def __init__(self, folder: Path, output: Output) -> None:
        aws_cli.find_aws()
        check_path(load())
        self._good = demo_stories.packed(folder)
        self._faulty = demo_stories.packed_with_fault(folder)
        self._output = output
        self._timings: list[tuple[str, float]] = []

    def run(self, targets: dict[str, Target], time_scale: float) -> dict[str, Any]:
        """Tell the whole story; what came out, as JSON."""
        patience_s = max(_LEAST_PATIENCE_S, _LONGEST_ROLLOUT_S / time_scale)
        self._story = Story(targets, self._output, patience_s)
        self._targets = targets
        sample = export("diabetes", _FOLDER)
        self._story.put_standing_data(sample.source)
        rows = sample.inference.read_text().splitlines()
        with self._timed("first model: approved in dev, serves in staging, then in prod"):
            champion = self._first()
        with self._timed("second model: refused by the verdict"):
            refused = self._second()
        with self._timed("third model: rolled back in prod by its alarm"):
            rolled_back = self._third(champion, load_rows(rows))
        self._report_timings()
        return {
            "accounts": {n: self._story.account(n) for n in ENVIRONMENTS},
            "promoted": champion,
            "refused": refused,
            "rolledBack": rolled_back,
            "seconds": {name: round(seconds, 3) for name, seconds in self._timings},
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._timings.append((name, time.monotonic() - started))

    # ------------------------------------------------------------------------ the first model

    def _first(self) -> dict[str, Any]:
        story = self._story
        story.heading("The first model: from dev through staging to prod")
        run, arn = story.release_to_gate(self._good, demo_stories.STANDING)
        story.approve("dev", arn, "rmse is good enough")
        story.to_end(run)
        places = {"dev": arn, "staging": story.await_promoted(arn, "staging")}
        waiting = story.await_waiting(arn, "prod")
        if story.endpoint_exists("prod"):
            raise RunFailed("prod serves although nobody has approved there")
        story.approve("prod", waiting, "seen in staging")
        places["prod"] = story.await_promoted(arn, "prod")
        story.await_promotion_end(arn, "SUCCEEDED")
        compared = {name: self._compare(arn, name) for name in ENVIRONMENTS}
        return {"run": run.name, "modelPackageArns": places, "predictionsCompared": compared}

    def _compare(self, arn: str, environment: str) -> int:
        """An endpoint's answers beside what the evaluation wrote down; how many there are."""
        count, different = self._story.answers_beside_evaluation(arn, environment, _FOLDER)
        if different:
            raise RunFailed(
                f"{environment} answers {len(different)} of {count} rows otherwise than the "
                f"evaluation did, first row {different[0] + 1}"
            )
        self._output.say(
            f"[green]✓[/green] {environment} answers {count} rows of the evaluation's "
            "probe/rows.csv as its probe/predictions.csv says"
        )
        return count

    # ----------------------------------------------------------------------- the second model

    def _second(self) -> dict[str, Any]:
        story = self._story
        story.heading("The second model: worse than what serves (alpha = 500)")
        before = story.version_count("dev")
        run = story.release_to_end(self._good, demo_stories.WORSE)
        if not run.is_refused:
            raise RunFailed(f"run {run.name} has ended as {run.headline}, not refused: {run.error}")
        for reason in story.unmet(run):
            self._output.say(f"  verdict  {escape(reason)}")
        if story.version_count("dev") != before:
            raise RunFailed("the refused model was registered all the same")
        self._output.say(f"[green]✓[/green] run {run.name} was refused; nothing was registered")
        return {"run": run.name, "status": run.headline, "unmet": story.unmet(run)}

    # ------------------------------------------------------------------------ the third model

    def _third(self, champion: dict[str, Any], rows: list[str]) -> dict[str, Any]:
        story = self._story
        story.heading("The third model: forced through, with a fault that its probe does not meet")
        run, arn = story.release_to_gate(self._faulty, demo_stories.FORCED)
        story.approve("dev", arn, "we need it today")
        story.to_end(run)
        story.await_promoted(arn, "staging")
        waiting = story.await_waiting(arn, "prod")
        load = Load(self._targets["prod"], story.endpoint("prod"), rows)
        with load.running():
            before = load.await_answers(_SETTLED)
            self._output.note(f"    {CALLERS} callers ask prod without a pause")
            story.approve("prod", waiting, "we need it today")
            ended = story.await_promotion_end(arn, "FAILED")
            during, after = load.take(), load.await_answers(_SETTLED)
        check_load(before, during, after)
        self._report_load(before, during, after)
        entry = target_entry(self._targets["dev"], arn, "prod")
        found = story.rolled_back(waiting, entry, champion["modelPackageArns"]["prod"])
        self._report_rollback(ended, found)
        return {
            "run": entry["runId"],
            "modelPackageArn": waiting,
            "error": ended["error"],
            **found,
            "load": {"before": before.document(), "during": during.document()}
            | {"after": after.document()},
        }

    def _report_load(self, before: Tally, during: Tally, after: Tally) -> None:
        said = ", ".join(sorted(during.complaints))
        self._output.say(
            f"  load     before the rollout {before.by_old} requests, all answered by the first "
            f"model\n  load     during it {during.sent}: {during.by_old} answered by the first "
            f"model, {during.by_new} by the third, {during.model_errors} failed in the third "
            f"({escape(said)})\n  load     after it {after.by_old}, all answered by the first model"
        )
        self._output.say("[green]✓[/green] not one request was left unanswered by the old fleet")

    def _report_rollback(self, ended: dict[str, Any], found: dict[str, Any]) -> None:
        self._output.say(f"  promotion  {ended['status']}: {ended['error']}")
        self._output.say(f"  machine    {found['execution']}")
        self._output.say(f"  run        {found['status']}: {escape(found['cause'])}")
        self._output.say(f"  registry   {found['stage']}; marked: no event deploys it again")
        self._output.say(
            f"[green]✓[/green] the run says {found['status']}, not succeeded, and prod serves "
            f"version {found['serves'].rpartition('/')[2]} as before"
        )
        self._output.hint(
            "dev and staging, where nobody sent such a row, serve the third model still: "
            f"`signalbox rollback {WORKLOAD} -e staging --reason WHY` would take it back there"
        )

    def _report_timings(self) -> None:
        self._output.say("\nHow long each part took")
        for name, seconds in self._timings:
            self._output.say(f"  {duration(seconds):>10}  {name}")


def load_rows(rows: list[str]) -> list[str]:
    """Rows for callers: of every three the last has no measurement in its third column.

    >>> load_rows(["1,2,3,4"] * 3)[-2:]
    ['1,2,3,4', '1,2,,4']
    """
    chosen = list(rows[:_LOAD_ROWS])
    for index in range(_EVERY - 1, len(chosen), _EVERY):
        cells = chosen[index].split(",")
        chosen[index] = ",".join([*cells[:2], "", *cells[3:]])
    return chosen


def check_load(before: Tally, during: Tally, after: Tally) -> None:
    """Raises RunFailed when a request was lost, or failed that the old fleet had to answer."""
    for when, tally in (("before", before), ("during", during), ("after", after)):
        if tally.unanswered:
            raise RunFailed(
                f"{len(tally.unanswered)} requests {when} the rollout got no answer: "
                f"{tally.unanswered[0]}"
            )
    for when, tally in (("before", before), ("after", after)):
        if tally.sent != tally.by_old or not tally.sent:
            raise RunFailed(f"{when} the rollout not every answer is the old fleet's: {tally}")
    if any("could not convert" not in complaint for complaint in during.complaints):
        raise RunFailed(f"requests failed otherwise than by the fault: {during.complaints}")
    if any(",," not in row for row in during.failed_rows):
        raise RunFailed(f"whole rows failed: {sorted(during.failed_rows)[:3]}")
    if not during.by_old or not during.model_errors:
        raise RunFailed(f"the rollout met no load that shows anything: {during}")
