"""The whole laptop as a user has it: the command's own processes, the real template deployed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from signalbox_cli import laptop
from signalbox_cli.sample_data import SampleData, export
from signalbox_cli.target import Target

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Laptop:
    """A served laptop and its deployed environment."""

    up: laptop.Up
    target: Target

    def environment(self) -> dict[str, str]:
        """Variables with which any AWS client reaches it and nothing else."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        lines = self.up.exports(self.target.environment)
        exports = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        chosen = {"SIGNALBOX_ENVIRONMENT": self.target.environment}
        quiet = {"AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
        return {**kept, **exports, **chosen, **quiet}

    def signalbox(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the command as a user would."""
        done = subprocess.run(
            [sys.executable, "-m", "signalbox_cli.main", *arguments],
            cwd=REPOSITORY,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"signalbox {' '.join(arguments)}: {done.stderr}\n{done.stdout}")
        return done


@pytest.fixture(scope="session")
def shared_laptop() -> Iterator[Laptop]:
    """One laptop for all stories; waits pass 600 times faster."""
    options = laptop.LaptopOptions(
        port=0, warm_ahead=False, time_scale=600, template=REPOSITORY / "template.yaml"
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        yield Laptop(up, up.target(options))


@pytest.fixture
def served(shared_laptop: Laptop) -> Iterator[Laptop]:
    """The shared laptop for one story, whose unfinished runs end with it."""
    yield shared_laptop
    stop_unfinished_runs(shared_laptop)


def stop_unfinished_runs(served: Laptop) -> None:
    """End what a story left, perhaps because it failed.

    The pipeline is QUEUED: a run that waits at a gate holds up the runs of every later story.
    """
    client, pipeline = served.target.client("codepipeline"), served.target.wiring().pipeline
    pages = client.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
    for execution in (e for page in pages for e in page["pipelineExecutionSummaries"]):
        if execution["status"] in ("InProgress", "Stopping"):
            with suppress(client.exceptions.PipelineExecutionNotStoppableException):  # has ended
                client.stop_pipeline_execution(
                    pipelineName=pipeline,
                    pipelineExecutionId=execution["pipelineExecutionId"],
                    abandon=True,
                )


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SampleData]:
    """Exports a workload's data set, once per session and workload."""
    exported: dict[str, SampleData] = {}

    def get(workload: str) -> SampleData:
        if workload not in exported:
            exported[workload] = export(workload, tmp_path_factory.mktemp(workload))
        return exported[workload]

    return get
