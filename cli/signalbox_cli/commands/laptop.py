"""up, env, demo, demo-promotion, demo-delivery."""

import contextlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from signalbox_cli import laptop
from signalbox_cli.console import Output
from signalbox_cli.errors import TargetUnreachableError
from signalbox_cli.laptop_environments import ENVIRONMENTS, in_order
from signalbox_cli.options import environment_option, json_option
from signalbox_cli.target import announced_laptop, app_here, laptop_target

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


def _environments(
    context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """The names of a comma-separated list, in the order of promotion."""
    if value is None:
        return () if context.params.get("delivery") else ("dev",)
    names = [name.strip() for name in value.split(",")]
    for name in names:
        if name not in ENVIRONMENTS:
            raise click.BadParameter(
                f"{name!r} is no environment: choose from {', '.join(ENVIRONMENTS)}"
            )
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is there twice")
    return in_order(names)


def _interrupt(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


@click.command("up", short_help="Serve the laptop's AWS with Signalbox deployed on it.")
@click.option(
    "--delivery",
    is_flag=True,
    is_eager=True,
    help="Five accounts to deliver to by `signalbox bootstrap`: operations and data as well.",
)
@click.option(
    "--environments",
    callback=_environments,
    metavar="NAME,NAME",
    help="Which of dev, staging and prod to deploy, each into an account of its own.  "
    "[default: dev; none with --delivery]",
)
@_PORT
@_SCALE
@json_option
def up_command(
    environments: tuple[str, ...], delivery: bool, port: int, time_scale: float, as_json: bool
) -> None:
    """Serve the laptop's AWS with Signalbox deployed on it, until Ctrl-C.

    \b
    signalbox up
    signalbox up --port 0 --time-scale 1
    signalbox up --environments dev,staging,prod
    signalbox up --delivery

    In another shell, --local leads every command to it. With several environments, each has a
    stack in an AWS account of its own, approved models are promoted from the first to the others
    (into prod once a person approves there, too), and -e chooses the environment of a command
    with its account. For any other AWS client:

    \b
    eval "$(signalbox env)"
    eval "$(signalbox env -e staging)"
    aws sagemaker list-model-packages --model-package-group-name signalbox-dev-diabetes
    """
    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(
        port=port, time_scale=time_scale, environments=environments, delivery=delivery
    )
    with laptop.serving(options, output.note) as up, _announced(up, output) as local:
        accounts = {name: keys["account"] for name, keys in up.environments.items()}
        output.result({"ready": True, "url": up.url, "pid": up.pid, "environments": accounts})
        output.say(f"[bold]The laptop's AWS serves at {up.url}[/bold] (Ctrl-C stops it)\n")
        for line in up.exports():
            output.say(f"  {line}")
        _say_accounts(accounts, environments, local, output)
        first = "release workloads/diabetes" if environments else "bootstrap"
        output.say(f"\nIn another shell: signalbox {first}{local}")
        _serve_until_interrupted(output)


def _say_accounts(
    accounts: Mapping[str, str], deployed: Sequence[str], local: str, output: Output
) -> None:
    """Which environment is in which account, when there is more than one."""
    if len(accounts) < 2:
        return
    output.say("")
    for name, account in accounts.items():
        command = f"   signalbox status{local} -e {name}" if name in deployed else ""
        output.say(f"  {name:10} account {account}{command}")


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
@environment_option
def env_command(environment: str) -> None:
    """Shell lines that point any AWS client at the laptop that is up in this folder.

    \b
    eval "$(signalbox env)"
    eval "$(signalbox env -e staging)"
    """
    up = announced_laptop()
    if up is None:
        raise TargetUnreachableError(
            f"no laptop's AWS is up in {Path.cwd()}; start one there with `signalbox up`"
        )
    laptop_target(environment, app_here())  # refuses an environment that is not served
    for line in laptop.Up(**up).exports(environment):
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
            _stay_up(up, output)


def _stay_up(up: laptop.Up, output: Output) -> None:
    """Serve on until Ctrl-C, announced for `--local`."""
    with _announced(up, output):
        output.say(f"\nStill up at {up.url} (Ctrl-C stops it)\n")
        for line in up.exports():
            output.say(f"  {line}")
        _serve_until_interrupted(output)


@click.command("demo-promotion", short_help="Three models through three accounts, in one go.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option("--port", type=_PORT_NUMBER, default=0, help="0, the default, takes any free port.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Waits (not work) pass this many times faster than on AWS.",
)
@json_option
def demo_promotion_command(*, keep: bool, port: int, time_scale: float, as_json: bool) -> None:
    """Three models on their way through dev, staging and prod, each an account of its own.

    The first is approved with the stock AWS CLI, in dev and again in prod, and serves. The second
    is worse and is refused. The third is forced through with a fault: its alarm takes it back in
    prod while requests come in.

    \b
    signalbox demo-promotion
    signalbox demo-promotion --keep
    """
    from signalbox_cli.demo_promotion import ENVIRONMENTS as PATH
    from signalbox_cli.demo_promotion import PromotionDemo

    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale, environments=PATH)
    demo = PromotionDemo(Path("workloads/diabetes"), output)
    with laptop.serving(options, output.note) as up:
        output.result(demo.run({name: up.target(options, name) for name in PATH}, time_scale))
        if keep:
            _stay_up(up, output)


@click.command("demo-delivery", short_help="Two commits through five accounts, in one go.")
@click.option(
    "--checks",
    default="lint",
    show_default=True,
    help="Make targets that a commit must pass; an organisation's are `check test`.",
)
@click.option("--keep", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option("--port", type=_PORT_NUMBER, default=0, help="0, the default, takes any free port.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Waits (not work) pass this many times faster than on AWS.",
)
@json_option
def demo_delivery_command(
    *, checks: str, keep: bool, port: int, time_scale: float, as_json: bool
) -> None:
    """Two commits of Signalbox on their way through operations, staging and prod.

    Five accounts are set up from nothing. The first commit breaks a workload: the inference test in
    staging stops it before prod. The second one puts it right, is approved with the stock AWS CLI
    and deployed; once more, it changes nothing.

    \b
    signalbox demo-delivery
    signalbox demo-delivery --checks check
    """
    from signalbox_cli.demo_delivery import DeliveryDemo

    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(as_json=as_json)
    options = laptop.LaptopOptions(port=port, time_scale=time_scale, environments=(), delivery=True)
    demo = DeliveryDemo(Path.cwd(), checks, output)
    with laptop.serving(options, output.note) as up:
        output.result(demo.run(up))
        if keep:
            _stay_up(up, output)
