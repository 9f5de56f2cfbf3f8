"""up, env, demo."""

import json
import signal
from pathlib import Path
from typing import Any

import click

from signalbox_cli import laptop
from signalbox_cli.console import Output
from signalbox_cli.errors import TargetUnreachableError
from signalbox_cli.options import json_option
from signalbox_cli.target import UP_FILE

_PORT = click.option(
    "--port", default=laptop.DEFAULT_PORT, show_default=True, help="0 takes any free port."
)
_SCALE = click.option(
    "--time-scale",
    default=laptop.DEFAULT_TIME_SCALE,
    show_default=True,
    help="Waits (not work) pass this many times faster than on AWS.",
)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


@click.command("up")
@_PORT
@_SCALE
@json_option
def up_command(port: int, time_scale: float, as_json: bool) -> None:
    """Serve the laptop's AWS with Signalbox deployed on it, until Ctrl-C.

    \b
    In another shell:  eval "$(signalbox env)"  and any AWS client talks to it.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale)
    with laptop.serving(options, output.note) as up, laptop.announced(up):
        output.result({"ready": True, "url": up.url, "pid": up.pid})
        output.say(f"[bold]The laptop's AWS serves at {up.url}[/bold] (Ctrl-C stops it)\n")
        for line in up.exports():
            output.say(f"  {line}")
        output.say("\nThen: signalbox release workloads/diabetes --local --watch")
        laptop.wait_for_interrupt()


@click.command("env")
def env_command() -> None:
    """Shell lines that point AWS clients at the laptop: eval "$(signalbox env)"."""
    if not UP_FILE.exists():
        raise TargetUnreachableError("no laptop AWS is up in this folder; start `signalbox up`")
    for line in laptop.Up(**json.loads(UP_FILE.read_text())).exports():
        click.echo(line)


@click.command("demo")
@click.option(
    "--workload",
    "folder",
    default=Path("workloads/diabetes"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Your own workload's folder.",
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
@click.option("--port", default=0, help="0, the default, takes any free port.")
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
    """The whole story on this machine: deploy, release, train, judge, approve, predict."""
    from signalbox_cli.demo import Demo, DemoData

    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale)
    demo = Demo(folder, DemoData.choose(folder, data, inference), output)
    with laptop.serving(options, output.note) as up:
        demo.run(up.target(options))
        if keep:
            with laptop.announced(up):
                output.say(f"\nStill up at {up.url}; Ctrl-C stops it")
                laptop.wait_for_interrupt()
