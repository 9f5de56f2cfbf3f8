"""`signalbox demo-delivery`: two commits on their way through five accounts, told as it happens.

The accounts are set up from nothing. The first commit brings a workload that answers otherwise in
use than in its evaluation: the inference test in staging finds it, and nothing reaches prod. The
second one puts it right, is approved with the stock AWS CLI, and is deployed; delivered once more,
it changes nothing. What must hold is checked on the way: a story that does not come out as told
raises RunFailed.
"""

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from delivery import settings as delivery_settings
from delivery.model import Settings
from signalbox_cli import aws_cli
from signalbox_cli.account_sessions import Accounts
from signalbox_cli.bootstrapping import Bootstrap
from signalbox_cli.console import Output, duration
from signalbox_cli.delivered import Environment
from signalbox_cli.delivery_runs import APPROVAL, DeliveryPipeline, DeliveryRun, said
from signalbox_cli.demo_commits import Commit, Repository, settings_files
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.laptop import Up

SCRIPT = "workloads/diabetes/inference.py"
# A fault that reviews miss: the evaluation reads a table, only requests are CSV text.
_EXACT = 'return np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)\n    except'
_ROUNDED = 'return np.loadtxt(lines, delimiter=",", comments=None, ndmin=2).round(1)\n    except'
_SHOWN_CHANGES = 3
_WAY_TO_PROD = ("Source", "Build", "Staging")
_TEST = ("Staging", "InferenceTest")


class DeliveryDemo:
    """The story in the checkout of a folder; `checks` are the make targets a commit must pass.

    Raises, before anything is started, when the workload, git or the AWS CLI is not there.
    """

    def __init__(self, folder: Path, checks: str, output: Output) -> None:
        aws_cli.find_aws()
        self._folder, self._output = folder, output
        self._good = (folder / SCRIPT).read_text(encoding="utf-8")
        if _EXACT not in self._good:
            raise CommandError(
                f"{folder / SCRIPT} is not the script that this story makes faulty: it does not "
                "have the lines that read CSV text"
            )
        self._settings = _as_a_story(delivery_settings.load(), checks)
        self._timings: list[tuple[str, float]] = []

    def run(self, up: Up) -> dict[str, Any]:
        """Tell the whole story; what came out, as JSON."""
        self._open(up)
        with tempfile.TemporaryDirectory() as scratch:
            repository = Repository(self._folder, Path(scratch))
            with self._timed("five accounts set up"):
                stacks = self._set_up()
            with self._timed("first commit: stopped by the inference test in staging"):
                stopped = self._stopped(self._faulty_commit(repository))
            fixed = repository.commit("diabetes: read CSV rows as they are", {SCRIPT: self._good})
            with self._timed("second commit: approved, and deployed to prod"):
                delivered = self._delivered(fixed)
            with self._timed("second commit once more: changes nothing"):
                again = self._delivered_again(fixed)
        self._report_timings()
        return {
            "accounts": {name: keys["account"] for name, keys in up.environments.items()},
            "stacks": stacks,
            "stopped": stopped,
            "delivered": delivered,
            "again": again,
            "seconds": {name: round(seconds, 3) for name, seconds in self._timings},
        }

    def _open(self, up: Up) -> None:
        found = {name: keys["account"] for name, keys in up.environments.items()}
        self._settings = delivery_settings.relocated(self._settings, found, up.region)
        keys = {one["account"]: one for one in up.environments.values()}
        self._accounts = Accounts(endpoint_url=up.url, keys=keys)
        self._operations = self._accounts.target("operations", self._settings.operations)
        self._pipeline = DeliveryPipeline(
            self._operations, f"{self._settings.app}-delivery", self._output
        )
        self._staging, self._prod = (self._environment(name) for name in ("staging", "prod"))

    def _environment(self, name: str) -> Environment:
        known = self._settings.environments[name]
        place = dataclasses.replace(
            self._settings.operations, account=known.account, region=known.region
        )
        return Environment(name, known.stack_name, self._accounts.target(name, place))

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._timings.append((name, time.monotonic() - started))

    def _heading(self, text: str) -> None:
        self._output.note(f"\n[bold underline]{text}[/bold underline]")

    # ------------------------------------------------------------------------------ accounts

    def _set_up(self) -> list[str]:
        """The stacks of the account set-up, in the order in which they were made."""
        self._heading("Five accounts, set up as by `signalbox bootstrap`")
        bootstrap = Bootstrap(self._settings, self._accounts, self._folder)
        made = []
        for step in bootstrap.deploy(list(bootstrap.plan())):
            one = step.deployment
            made.append(one.stack_name)
            self._output.note(
                f"  [green]✓[/green] {one.name:<11} account {one.place.account}  {one.stack_name}"
            )
        return made

    # -------------------------------------------------------------------------- first commit

    def _faulty_commit(self, repository: Repository) -> Commit:
        changed = self._good.replace(_EXACT, _ROUNDED)
        accounts = settings_files(self._settings)
        repository.commit("Signalbox as it is in this checkout, in the laptop's accounts", accounts)
        return repository.commit("diabetes: one decimal is enough for CSV rows", {SCRIPT: changed})

    def _stopped(self, commit: Commit) -> dict[str, Any]:
        self._heading("The first commit: its endpoint answers otherwise than its evaluation")
        run = self._released(commit)
        failed = run.actions[-1]
        if run.status != "Failed" or failed.place != _TEST:
            raise RunFailed(
                f"delivery {run.id} of the faulty commit is {run.status} at {failed.stage}, "
                f"{failed.name}, not stopped by its test: {self._pipeline.last_words(failed)}"
            )
        words = self._pipeline.last_words(failed)
        self._output.say(f"  {said(words)}")
        if "answered otherwise" not in words or commit.id not in words:
            raise RunFailed(f"the inference test does not say what differs in {commit.id}: {words}")
        self._staging.check_deployed(commit.id)
        self._prod.check_untouched()
        self._output.say(
            f"[green]✓[/green] {commit.short} has stopped in staging; nobody was asked, and in "
            "prod there is nothing"
        )
        return {"commit": commit.id, "stage": failed.stage, "action": failed.name, "cause": words}

    def _released(self, commit: Commit) -> DeliveryRun:
        """A commit brought to the pipeline, and its run up to its end or to its approval."""
        self._output.note(f"    {commit.short} {escape(commit.subject)}")
        bucket = self._settings.artifact_bucket
        call = ("s3", "cp", str(commit.archive), f"s3://{bucket}/source/source.zip")
        shown = (*call[:2], commit.archive.name[:7] + ".zip", call[3])
        self._output.note(escape(f"    $ {aws_cli.shown(shown)}"))
        execution = self._pipeline.started_by(lambda: aws_cli.call(self._operations, *call))
        return self._pipeline.follow(execution)

    # ------------------------------------------------------------------------- second commit

    def _delivered(self, commit: Commit) -> dict[str, Any]:
        self._heading("The second commit: put right")
        run = self._released(commit)
        question = self._asked(run, commit)
        self._staging.check_deployed(commit.id)
        preview = self._pipeline.changes(run)
        self._output.say(f"  [bold]asked[/bold]    {said(question)}")
        for line in preview[:_SHOWN_CHANGES]:
            self._output.say(f"  preview  {said(line)}")
        self._output.say(f"  preview  ... {len(preview)} changes in all")
        self._prod.check_untouched()
        ended = self._approved(run, "staging answers as evaluated")
        deployed = self._prod.check_deployed(commit.id)
        self._output.say(
            f"[green]✓[/green] prod (account {self._prod.account}): {deployed.stack} "
            f"{deployed.status}, {len(deployed.functions)} functions, commit {commit.short}"
        )
        return {
            "commit": commit.id,
            "status": ended.status,
            "question": question,
            "preview": preview,
            "prod": dataclasses.asdict(deployed),
        }

    def _asked(self, run: DeliveryRun, commit: Commit) -> str:
        """The question of the approval; raises RunFailed when the run does not wait there."""
        if not run.waits:
            last = run.actions[-1]
            words = self._pipeline.last_words(last)
            raise RunFailed(f"{commit.short} did not come to its approval: {last.stage}: {words}")
        stages = tuple(dict.fromkeys(one.stage for one in run.actions))
        if stages != (*_WAY_TO_PROD, APPROVAL[0]):
            raise RunFailed(f"the pipeline went another way: {', '.join(stages)}")
        question = self._pipeline.question(run)
        if commit.id not in question or "passed in staging" not in question:
            raise RunFailed(f"the approval does not show the evidence: {question}")
        return question

    def _approved(self, run: DeliveryRun, reason: str) -> DeliveryRun:
        """A person approves with the stock AWS CLI; the run when it has ended."""
        call = (
            *("codepipeline", "put-approval-result", "--pipeline-name", self._pipeline.name),
            *("--stage-name", APPROVAL[0], "--action-name", APPROVAL[1]),
            *("--result", f"status=Approved,summary={reason}"),
        )
        self._output.note("    a person in operations approves:")
        self._output.note(escape(f"    $ {aws_cli.shown((*call, '--token', '...'))}"))
        aws_cli.call(self._operations, *call, "--token", self._pipeline.token(run))
        ended = self._pipeline.follow(run.id, past_approval=True)
        if ended.status != "Succeeded":
            last = ended.actions[-1]
            raise RunFailed(f"delivery {run.id} is {ended.status}: {last.stage}: {last.cause}")
        return ended

    # ----------------------------------------------------------------------------- once more

    def _delivered_again(self, commit: Commit) -> dict[str, Any]:
        self._heading("The same commit once more")
        places = (self._staging, self._prod)
        before = [one.newest_event() for one in places]
        run = self._released(commit)
        self._asked(run, commit)
        preview = self._pipeline.changes(run)
        ended = self._approved(run, "nothing changes")
        changed = [
            one.name
            for one, event in zip(places, before, strict=True)
            if one.newest_event() != event
        ]
        if changed:
            raise RunFailed(f"the same commit has changed {', '.join(changed)}")
        self._output.say(f"[green]✓[/green] {said(preview[0])}: no stack has a new event")
        return {"status": ended.status, "preview": preview}

    def _report_timings(self) -> None:
        self._output.say("\nHow long each part took")
        for name, seconds in self._timings:
            self._output.say(f"  {duration(seconds):>10}  {name}")


def _as_a_story(found: Settings, checks: str) -> Settings:
    """The checkout's settings, with commits that come as archives; raises CommandError."""
    missing = [name for name in ("staging", "prod") if name not in found.environments]
    if missing:
        raise CommandError(
            f"this story takes commits to staging and prod, and delivery/environments has no "
            f"{missing[0]}.toml; SIGNALBOX_SETTINGS=tests/delivery/environments has both"
        )
    by_archive = dataclasses.replace(found.repository, connection="")
    return dataclasses.replace(found, checks=checks, repository=by_archive)
