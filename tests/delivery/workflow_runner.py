"""A small runner of our GitHub workflows: each `run:` step is executed by bash, as on GitHub.

What stands in for something of GitHub is stated in three places: STAND_INS for `uses:`,
tests/delivery/stand_in_gh.py for `gh`, and DONE_ELSEWHERE for steps whose work the test run around
this one does already. What is in none of them is an error, so that no step passes because nobody
ran it.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.delivery import workflow_stand_ins
from tests.delivery.workflow_expressions import evaluate, filled, is_met

ROOT = Path(__file__).parents[2]
FOLDER = ".github/workflows"

DONE_ELSEWHERE = {
    "make check": "the tests around this one are what it runs, and CI runs it beside them",
    "make test": "this is it",
    "make build": "needs a network and Python 3.13; `make package` is the laptop's here",
}


@dataclass(frozen=True)
class Event:
    """What happens in the repository: a push of a branch or tag, or a pull request."""

    name: str
    ref: str
    sha: str

    @property
    def ref_name(self) -> str:
        """The ref without refs/heads/ or refs/tags/."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


@dataclass(frozen=True)
class Step:
    """A step and what came of it: success, failure or skipped."""

    job: str
    name: str
    kind: str
    outcome: str
    log: str = ""


@dataclass
class Run:
    """One run of one workflow."""

    workflow: str
    event: Event
    steps: list[Step] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    """By job: success, failure or skipped."""

    @property
    def is_success(self) -> bool:
        """Whether no job failed."""
        return "failure" not in self.results.values()

    @property
    def log(self) -> str:
        """What every step printed, under its name."""
        return "\n".join(f"== {s.job} / {s.name}: {s.outcome}\n{s.log}" for s in self.steps)

    def outcome(self, name: str) -> str:
        """The outcome of the step of that name or command; empty when it was not come to."""
        return next((s.outcome for s in self.steps if name in s.name), "")


@dataclass
class Job:
    """What is known while one job runs."""

    run: Run
    name: str
    declared: Mapping[str, Any]
    inputs: Mapping[str, Any]
    needs: Mapping[str, Any]
    permissions: Mapping[str, str]
    folder: Path
    matrix: Mapping[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Any] = field(default_factory=dict)
    has_failed: bool = False

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "workspace"

    @property
    def environment(self) -> str:
        """GitHub's environment of the job, empty for none."""
        return filled(self.declared.get("environment"), self.context())

    def context(self) -> dict[str, Any]:
        """What expressions may look at."""
        event = self.run.event
        github = {
            "sha": event.sha,
            "ref": event.ref,
            "ref_name": event.ref_name,
            "run_id": "17",
            "token": "token:" + json.dumps(dict(self.permissions)),
        }
        return {
            "github": github,
            "inputs": self.inputs,
            "needs": self.needs,
            "steps": self.steps,
            "env": self.variables,
            "matrix": self.matrix,
        }

    def status(self, name: str) -> bool:
        """success(), failure(), always(), cancelled()."""
        return {"success": not self.has_failed, "failure": self.has_failed}.get(
            name, name == "always"
        )


class Runner:
    """Runs what an event starts, against the laptop's AWS.

    `repository` is a Git repository with the commit; `aws` the variables with which the laptop is
    reached, without keys; `tools` has `python`, `signalbox` and the rest of the environment.
    """

    def __init__(self, repository: Path, folder: Path, aws: Mapping[str, str]) -> None:
        self.repository, self.folder, self.aws = repository, folder, dict(aws)
        self.runs: list[Run] = []

    def trigger(self, event: Event) -> list[Run]:
        """Run every workflow of the commit that the event starts, in the order of their names."""
        started = []
        for name, workflow in self._workflows(event.sha).items():
            if is_started_by(workflow, event):
                run = Run(name, event)
                self._run_jobs(run, workflow, {})
                self.runs.append(run)
                started.append(run)
                self._publish()
        return started

    def _workflows(self, sha: str) -> dict[str, Any]:
        listed = self._git("ls-tree", "-r", "--name-only", sha, FOLDER).split()
        return {Path(p).name: yaml.safe_load(self._git("show", f"{sha}:{p}")) for p in listed}

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _publish(self) -> None:
        """What GitHub would tell of the runs so far, for the stand-in of gh."""
        told = [
            {
                "workflow": run.workflow,
                "headBranch": run.event.ref_name,
                "commit": run.event.sha,
                "status": "success" if run.is_success else "failure",
            }
            for run in self.runs
        ]
        (self.folder / "runs.json").write_text(json.dumps(told))

    # ---------------------------------------------------------------------------------------- jobs

    def _run_jobs(
        self,
        run: Run,
        workflow: Mapping[str, Any],
        inputs: Mapping[str, Any],
        *,
        caller: Job | None = None,
    ) -> None:
        prefix = f"{caller.name} / " if caller else ""
        outputs: dict[str, Any] = {}
        for name, declared in in_order(workflow["jobs"]):
            needs = {one: outputs[one] for one in _listed(declared.get("needs"))}
            for matrix in combinations(declared, {"needs": needs, "inputs": inputs}):
                label = f" ({', '.join(matrix.values())})" if matrix else ""
                job = Job(
                    run=run,
                    name=prefix + name + label,
                    declared=declared,
                    inputs=inputs,
                    needs=needs,
                    permissions=_granted(permissions_of(workflow, declared), caller),
                    folder=self.folder / f"{len(self.runs)}-{run.workflow}-{prefix}{name}{label}",
                    matrix=matrix,
                )
                job.has_failed = any(one["result"] != "success" for one in needs.values())
                result = self._run_job(job)
                run.results[job.name] = result
                outputs[name] = {"result": result, "outputs": self._outputs(job)}
                if result == "failure":  # fail-fast: what has not begun does not begin
                    break

    def _outputs(self, job: Job) -> dict[str, str]:
        declared = job.declared.get("outputs", {})
        return {name: filled(value, job.context()) for name, value in declared.items()}

    def _run_job(self, job: Job) -> str:
        if not is_met(job.declared.get("if"), job.context(), job.status):
            return "skipped"
        if "uses" in job.declared:
            return self._call(job)
        job.workspace.mkdir(parents=True)
        for name, value in job.declared.get("env", {}).items():
            job.variables[name] = filled(value, job.context())
        for number, declared in enumerate(job.declared["steps"]):
            self._run_step(job, number, declared)
        return "failure" if job.has_failed else "success"

    def _call(self, job: Job) -> str:
        """A reusable workflow, in the order of its own jobs."""
        name = Path(job.declared["uses"]).name
        called = self._workflows(job.run.event.sha)[name]
        given = {k: filled(v, job.context()) for k, v in job.declared.get("with", {}).items()}
        inputs = dict(inputs_of(called, given))
        before = dict(job.run.results)
        self._run_jobs(job.run, called, inputs, caller=job)
        new = [r for n, r in job.run.results.items() if n not in before]
        return "failure" if "failure" in new else "success"

    # --------------------------------------------------------------------------------------- steps

    def _run_step(self, job: Job, number: int, declared: Mapping[str, Any]) -> None:
        name = str(declared.get("name") or declared.get("run") or declared["uses"])
        kind = "run" if "run" in declared else "uses"
        if not is_met(declared.get("if"), job.context(), job.status):
            job.run.steps.append(Step(job.name, name, kind, "skipped"))
            return
        try:
            log = self._done(job, number, declared)
            outcome = "success"
        except workflow_stand_ins.StepFailed as fault:
            log, outcome, job.has_failed = str(fault), "failure", True
        job.run.steps.append(Step(job.name, name, kind, outcome, log))

    def _done(self, job: Job, number: int, declared: Mapping[str, Any]) -> str:
        if "uses" in declared:
            action = declared["uses"].partition("@")[0]
            given = {k: filled(v, job.context()) for k, v in declared.get("with", {}).items()}
            return STAND_INS[action](self, job, given)
        if declared["run"].strip() in DONE_ELSEWHERE:
            return f"done elsewhere: {DONE_ELSEWHERE[declared['run'].strip()]}"
        return self._shell(job, number, declared)

    def _shell(self, job: Job, number: int, declared: Mapping[str, Any]) -> str:
        files = {name: job.folder / f"{number}-{name}" for name in ("OUTPUT", "STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        script = job.folder / f"{number}.sh"
        script.write_text(filled(declared["run"], job.context()))
        own = {k: filled(v, job.context()) for k, v in declared.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=job.workspace,
            env={
                **self._variables(job),
                **{f"GITHUB_{name}": str(file) for name, file in files.items()},
                **own,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        lines = files["OUTPUT"].read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines if "=" in line)
        if "id" in declared:
            job.steps[declared["id"]] = {"outputs": outputs}
        if done.returncode != 0:
            raise workflow_stand_ins.StepFailed(f"{done.stdout}\nexit code {done.returncode}")
        return done.stdout + files["STEP_SUMMARY"].read_text()

    def _variables(self, job: Job) -> dict[str, str]:
        event = job.run.event
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": event.sha,
            "GITHUB_REF": event.ref,
            "GITHUB_REF_NAME": event.ref_name,
            "GITHUB_EVENT_NAME": event.name,
            "GITHUB_RUN_ID": "17",
            "GITHUB_REPOSITORY": workflow_stand_ins.REPOSITORY,
            "RUNNER_TEMP": str(job.folder),
            "STAND_IN_RUNS": str(self.folder / "runs.json"),
            "SIGNALBOX_PACKAGER": "laptop",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.aws,
            **job.variables,
        }


STAND_INS: dict[str, Callable[[Runner, Job, Mapping[str, str]], str]] = {
    "actions/checkout": workflow_stand_ins.checkout,
    "actions/setup-python": workflow_stand_ins.setup_python,
    "aws-actions/configure-aws-credentials": workflow_stand_ins.configure_aws_credentials,
    "actions/upload-artifact": workflow_stand_ins.upload_artifact,
}


def triggers(workflow: Mapping[Any, Any]) -> Mapping[str, Any]:
    """The `on:` of a workflow; YAML 1.1 reads the word as true."""
    declared = workflow.get("on", workflow.get(True))
    if isinstance(declared, str):
        return {declared: {}}
    if isinstance(declared, list):
        return {name: {} for name in declared}
    return {name: (declared[name] or {}) for name in declared}


def is_started_by(workflow: Mapping[Any, Any], event: Event) -> bool:
    """Whether an event starts a workflow; a pattern's * does not cross a slash."""
    wanted = triggers(workflow).get(event.name)
    if wanted is None or event.name == "pull_request":
        return wanted is not None
    kind = "tags" if event.ref.startswith("refs/tags/") else "branches"
    other = "branches" if kind == "tags" else "tags"
    if kind not in wanted:
        return other not in wanted
    return any(_matches(pattern, event.ref_name) for pattern in wanted[kind])


def _matches(pattern: str, name: str) -> bool:
    parts, given = pattern.split("/"), name.split("/")
    return len(parts) == len(given) and all(
        p in ("*", g) for p, g in zip(parts, given, strict=True)
    )


def permissions_of(workflow: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, str]:
    """What the job's token may do; said at the job it replaces what is said for all."""
    declared = job.get("permissions", workflow.get("permissions"))
    if not isinstance(declared, Mapping):
        raise ValueError("a workflow has to say its permissions one by one")
    return dict(declared)


def _granted(wanted: dict[str, str], caller: Job | None) -> dict[str, str]:
    """GitHub starts no called workflow that asks for more than its caller may."""
    if caller is not None:
        more = {n: v for n, v in wanted.items() if v not in (caller.permissions.get(n), "none")}
        if any(v == "write" or n not in caller.permissions for n, v in more.items()):
            raise ValueError(f"{caller.name} may not give {more}")
    return wanted


def inputs_of(called: Mapping[Any, Any], given: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The inputs of a reusable workflow, typed, with their defaults."""
    declared = triggers(called)["workflow_call"]["inputs"]
    unknown = given.keys() - declared.keys()
    if unknown:
        raise ValueError(f"{unknown} are no inputs of the workflow")
    for name, one in declared.items():
        if one.get("required") and name not in given:
            raise ValueError(f"the input {name} is missing")
        value = given.get(name, one.get("default"))
        yield name, (value in (True, "true")) if one["type"] == "boolean" else value


def in_order(jobs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Jobs after those that they need."""
    done: set[str] = set()
    while len(done) < len(jobs):
        ready = [n for n, j in jobs.items() if n not in done and done >= {*_listed(j.get("needs"))}]
        if not ready:
            raise ValueError(f"jobs need each other in a circle: {set(jobs) - done}")
        yield ready[0], jobs[ready[0]]
        done.add(ready[0])


def combinations(
    declared: Mapping[str, Any], context: Mapping[str, Any]
) -> list[Mapping[str, str]]:
    """Of a job with a matrix of one dimension, one after the other; one that is empty without."""
    if "strategy" not in declared:
        return [{}]
    strategy = dict(declared["strategy"])
    if strategy.pop("max-parallel", None) != 1 or list(strategy) != ["matrix"]:
        raise ValueError(f"this runner knows jobs one after the other, not {declared['strategy']}")
    ((name, values),) = strategy["matrix"].items()
    if any(one["result"] != "success" for one in context["needs"].values()):
        return [{}]  # skipped, so it is never asked which there are
    return [{name: value} for value in evaluate(values, context, lambda _name: True)]


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
