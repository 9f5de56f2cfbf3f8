"""up, env, demo."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from signalbox_cli import laptop
from signalbox_cli.console import Output
from signalbox_cli.errors import TargetUnreachableError
from signalbox_cli.options import json_option
from signalbox_cli.target import announced_laptop

_PORT_NUMBER = click.IntRange(0, 65535)
_PORT = click.option(
    "--port",
    type=_PORT_NUMBER,
    default=laptop.DEFAULT_PORT,
    show_default=True,
    help="0 takes any free port.",
)
_SCALE = click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=laptop.DEFAULT_TIME_SCALE,
    show_default=True,
    help="Waits (not work) pass this many times faster than on AWS.",
)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


@click.command("up", short_help="Serve the laptop's AWS with Signalbox deployed on it.")
@_PORT
@_SCALE
@json_option
def up_command(port: int, time_scale: float, as_json: bool) -> None:
    """Serve the laptop's AWS with Signalbox deployed on it, until Ctrl-C.

    \b
    signalbox up
    signalbox up --port 0 --time-scale 1

    In another shell, --local leads every command to it. For any other AWS client:

    \b
    eval "$(signalbox env)"
    aws sagemaker list-model-packages --model-package-group-name signalbox-dev-diabetes
    """
    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale)
    with laptop.serving(options, output.note) as up, _announced(up, output) as local:
        output.result({"ready": True, "url": up.url, "pid": up.pid})
        output.say(f"[bold]The laptop's AWS serves at {up.url}[/bold] (Ctrl-C stops it)\n")
        for line in up.exports():
            output.say(f"  {line}")
        output.say(f"\nIn another shell: signalbox release workloads/diabetes{local}")
        _serve_until_interrupted(output)


@contextlib.contextmanager
def _announced(up: laptop.Up, output: Output) -> Iterator[str]:
    """Announce the laptop for `--local`, unless another one of this folder was first.

    The flag with which commands reach this one comes back, empty when only its address leads to it.
    """
    first = announced_laptop()
    if first is None:
        with laptop.announced(up):
            yield " --local"
        return
    output.note(
        f"Another laptop's AWS is up in this folder: --local means that one, at {first['url']}. "
        "Reach this one with the variables below"
    )
    yield ""


def _serve_until_interrupted(output: Output) -> None:
    """Ctrl-C is how serving ends: not a failure, so the exit code is 0."""
    try:
        laptop.wait_for_interrupt()
    except KeyboardInterrupt:
        output.note("\nStopping")


@click.command("env", short_help="Shell lines that point AWS clients at the laptop.")
def env_command() -> None:
    """Shell lines that point any AWS client at the laptop that is up in this folder.

    \b
    eval "$(signalbox env)"
    """
    up = announced_laptop()
    if up is None:
        raise TargetUnreachableError(
            f"no laptop's AWS is up in {Path.cwd()}; start one there with `signalbox up`"
        )
    for line in laptop.Up(**up).exports():
        click.echo(line)


@click.command("demo", short_help="The whole story on this machine, in one go.")
@click.option(
    "--workload",
    "folder",
    default=Path("workloads/diabetes"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The workload's folder.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own training data; needed with a workload of your own.",
)
@click.option(
    "--inference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own rows to predict (no header, no label).",
)
@click.option("--keep", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option("--port", type=_PORT_NUMBER, default=0, help="0, the default, takes any free port.")
@_SCALE
@json_option
def demo_command(
    *,
    folder: Path,
    data: Path | None,
    inference: Path | None,
    keep: bool,
    port: int,
    time_scale: float,
    as_json: bool,
) -> None:
    """The whole story on this machine: deploy, release, train, judge, approve, predict.

    \b
    signalbox demo
    signalbox demo --workload workloads/breast_cancer --keep
    signalbox demo --workload my_workload --data source.csv --inference rows.csv
    """
    from signalbox_cli.demo import Demo

    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale)
    demo = Demo(folder, data, inference, output)
    with laptop.serving(options, output.note) as up:
        output.result(demo.run(up.target(options)))
        if keep:
            with _announced(up, output):
                output.say(f"\nStill up at {up.url} (Ctrl-C stops it)\n")
                for line in up.exports():
                    output.say(f"  {line}")
                _serve_until_interrupted(output)
