"""doctor."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.markup import escape

from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError
from signalbox_cli.options import Session, with_session

if TYPE_CHECKING:
    from signalbox_cli.doctor.findings import Check, Result
    from signalbox_cli.doctor.patients import Patient
    from signalbox_cli.target import Target

Subject = TypeVar("Subject")

_MARKS = {"ok": "[green]✓[/green]", "fault": "[red]✗[/red]"}
_MARKS |= {"unknown": "[yellow]?[/yellow]", "skipped": "[dim]-[/dim]"}


@click.command("doctor", short_help="Look at an environment and say what is wrong; read-only.")
@click.option("--offline", is_flag=True, help="Check the templates in this folder; call nothing.")
@click.option(
    "--stack",
    "stacks",
    multiple=True,
    metavar="NAME",
    help="A stack to look at, may be repeated; otherwise the environment's and its account's.",
)
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Whose instances the quotas must allow, may be repeated; otherwise all in workloads/.",
)
@click.option(
    "--only", multiple=True, metavar="CHECK", help="Make this check only, may be repeated."
)
@with_session
def doctor_command(
    session: Session,
    *,
    offline: bool,
    stacks: tuple[str, ...],
    workloads: tuple[Path, ...],
    only: tuple[str, ...],
) -> None:
    """Compare what is deployed with its template and say what is wrong, why it matters, what to do.

    Nothing is changed and no job is started: every call reads. What roles may do is asked of IAM's
    policy simulation; the rest (keys, grants, buckets, policies, topics, queues, rules, functions,
    machines, pipelines, connections, alarms, log groups, images, quotas, the network of jobs, the
    promotion path) of each service. What your own credentials may not read is shown as "?", and
    counts as a fault.

    With --offline the templates are checked before anything is deployed: that they expand for every
    environment, IAM's size limits, wildcards, retention, encryption, time-outs and dead-letter
    queues.

    \b
    signalbox doctor --local
    signalbox doctor -e staging --json
    signalbox doctor --only permissions --only quotas
    signalbox doctor --offline

    Exit code 0: all is well. 1: there are faults, or something could not be looked at.
    """
    from signalbox_cli.doctor import offline as templates
    from signalbox_cli.doctor.catalogue import CHECKS
    from signalbox_cli.doctor.findings import examine

    if offline:
        looks = _chosen(only, templates.CHECKS)
        _tell(session.output, examine(looks, templates.read_folder(Path.cwd())))
        return
    checks = _chosen(only, CHECKS)
    _tell(session.output, examine(checks, _patient(session, stacks, workloads)))


def _chosen(only: Sequence[str], checks: Sequence["Check[Subject]"]) -> list["Check[Subject]"]:
    names = [check.name for check in checks]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise click.UsageError(f"there is no check {unknown[0]!r}: choose from {', '.join(names)}")
    return [check for check in checks if not only or check.name in only]


def _patient(session: Session, stacks: tuple[str, ...], workloads: tuple[Path, ...]) -> "Patient":
    from signalbox_cli.doctor.patients import Patient, read_stack

    target = session.target
    names = stacks or _own_stacks(target)
    where = target.endpoint_url or "AWS"
    session.output.note(f"[dim]looking at {', '.join(names)} at {where}[/dim]")
    found = workloads or tuple(p.parent for p in sorted(Path("workloads").glob("*/manifest.json")))
    stacks_there = tuple(read_stack(target, name) for name in names)
    return Patient(target, stacks_there, found, _wanted_quotas(target.environment))


def _own_stacks(target: "Target") -> tuple[str, ...]:
    """The environment's stack, and its account's set-up where `signalbox bootstrap` made one."""
    from signalbox_cli.stack_changes import status_of

    set_up = f"{target.prefix}-account"
    return (target.prefix, set_up) if status_of(target, set_up) else (target.prefix,)


def _wanted_quotas(environment: str) -> dict[str, float]:
    """What the environment's settings ask of SageMaker, where there are settings in this folder."""
    from delivery import settings

    folder = Path("delivery") / "environments"
    if not folder.is_dir():
        return {}
    known = settings.load(folder).environments.get(environment)
    return dict(known.quotas.get("sagemaker", {})) if known else {}


def _tell(output: Output, results: "Iterable[Result]") -> None:
    shown = []
    for result in results:
        shown.append(result)
        output.say(f"{_MARKS[result.status]} {result.check:<17} {escape(_summary(result))}")
        for finding in result.findings:
            output.say(f"    [bold]{escape(finding.subject)}[/bold]: {escape(finding.what)}")
            output.say(f"    [dim]→ {escape(finding.remedy)}[/dim]")
    output.result([result.document() for result in shown])
    faults = sum(len(result.findings) for result in shown)
    unknown = [result.check for result in shown if result.status == "unknown"]
    if faults or unknown:
        told = [f"{faults} {'fault' if faults == 1 else 'faults'}"] if faults else []
        told += [f"could not look at {', '.join(unknown)}"] if unknown else []
        raise CommandError("; ".join(told))
    skipped = sum(result.status == "skipped" for result in shown)
    beside = f"; {skipped} had nothing to look at" if skipped else ""
    output.say(f"\nAll is well: {len(shown) - skipped} checks{beside}")


def _summary(result: "Result") -> str:
    return f"{result.about} ({result.note})" if result.note else result.about
