"""`signalbox`: release, decide, look and predict, on a laptop and on AWS alike."""

import difflib
import importlib
import os
import sys

import click

from signalbox_cli.errors import CommandError
from signalbox_cli.options import explain_fault

_COMMANDS = {
    "demo": "laptop",
    "demo-promotion": "laptop",
    "demo-delivery": "laptop",
    "up": "laptop",
    "env": "laptop",
    "release": "runs",
    "status": "runs",
    "watch": "runs",
    "logs": "runs",
    "report": "runs",
    "upload": "gates",
    "gates": "waiting",
    "explain": "waiting",
    "inbox": "inbox",
    "approve": "gates",
    "reject": "gates",
    "models": "registry",
    "promote": "registry",
    "rollback": "serving",
    "endpoints": "serving",
    "traffic": "serving",
    "predict": "registry",
    "plan": "workloads",
    "check": "workloads",
    "import": "workloads",
    "acceptance": "acceptance",
    "bootstrap": "bootstrap",
    "cost": "cost",
    "doctor": "doctor",
    "destroy": "environments",
}

_EPILOG = """\b
The usual way:
  signalbox demo                                 the whole story in one go
  signalbox demo-promotion                       the same from dev to staging and prod
  signalbox demo-delivery                        two commits through the delivery pipeline
  signalbox up                                   serve the laptop's AWS; in another shell:
  signalbox release workloads/diabetes --local   start a run
  signalbox gates --local                        what waits, on whom, until when
  signalbox check data.csv --workload workloads/diabetes
  signalbox upload data.csv --local              bring the data it waits for
  signalbox watch --local --until-gate           follow it to the next decision
  signalbox approve --local --reason "rmse 56 is good enough"
  signalbox models --local                       what it measured, where it serves
  signalbox rollback diabetes --local --reason "predictions drift"
  signalbox cost workloads/diabetes              what it would cost
  signalbox doctor --local                       what is wrong with the environment

\b
Exit codes: 0 done · 1 could not · 2 wrong usage · 3 the run was refused by its quality gates ·
  4 the run failed · 5 nobody to talk to · 130 interrupted
"""


class _LazyGroup(click.Group):
    """Imports a command's module only when it is asked for: `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            close = difflib.get_close_matches(cmd_name, _COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"No such command {cmd_name!r}.{hint}", ctx)
        module = importlib.import_module(f"signalbox_cli.commands.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command


@click.group(
    cls=_LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="signalbox")
def cli() -> None:
    """Signalbox: an event-driven control plane for machine learning, on AWS and on a laptop.

    Commands talk to AWS, or to the laptop with --local (or AWS_ENDPOINT_URL).
    """


def main() -> None:
    """Run the command and turn what went wrong into one message and an exit code."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong_usage:
        wrong_usage.show()
        sys.exit(wrong_usage.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except CommandError as fault:
        _fail(str(fault), fault.exit_code)
    except BrokenPipeError:
        _leave_the_pipe()
    except Exception as fault:  # noqa: BLE001 - the process edge: known faults are explained
        _explain_or_raise(fault)


def _leave_the_pipe() -> None:
    """The reader (`| head`) has seen enough: end without a word, as other commands do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)


def _explain_or_raise(fault: Exception) -> None:
    from signalbox.errors import SignalboxError

    if isinstance(fault, SignalboxError):
        _fail(str(fault), 1)
    explained = explain_fault(fault)
    if explained is None:
        raise fault
    _fail(str(explained), explained.exit_code)


def _fail(message: str, exit_code: int) -> None:
    click.echo(f"signalbox: {message}", err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
