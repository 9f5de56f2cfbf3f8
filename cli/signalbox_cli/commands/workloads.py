"""plan, check, import."""

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from signalbox_cli.checking import check_files
from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError, DataWasRefused
from signalbox_cli.options import app_option, environment_option, json_option
from signalbox_cli.planning import Plan, plan
from signalbox_cli.releasing import run_options


@click.command("plan", short_help="Check a workload and say what its run would do.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="As in `signalbox release`."
)
@click.option("--options", "options_json", metavar="JSON", help="As in `signalbox release`.")
@environment_option
@app_option
@json_option
def plan_command(
    folder: Path,
    *,
    settings: tuple[str, ...],
    options_json: str | None,
    environment: str,
    app: str,
    as_json: bool,
) -> None:
    """Check the workload in FOLDER and say what its run would do; calls nothing, changes nothing.

    \b
    signalbox plan workloads/diabetes
    signalbox plan workloads/diabetes --set train.instanceType=ml.m5.xlarge --json
    """
    output = Output(as_json=as_json)
    options = run_options(options_json, settings)
    planned = plan(folder, options, prefix=f"{app}-{environment}", environment=environment)
    output.result(planned.document())
    _show(planned, output)


def _show(planned: Plan, output: Output) -> None:
    output.say(f"[bold]{planned.workload}[/bold] is a valid workload of {len(planned.files)} files")
    output.say("\n[bold]Jobs[/bold]")
    output.table(
        ("step", "script", "instances", "at most", "image"),
        [
            (j.step, j.script, f"{j.count} × {j.instance}", f"{j.limit_h:g} h", j.image)
            for j in planned.jobs
        ],
    )
    output.say(f"together at most {planned.instance_hours:g} instance hours")
    _show_pairs(output, "Gates", planned.gates)
    _show_pairs(output, "Names", planned.names)
    _show_pairs(output, "Defaults taken", _by_section(planned.defaults))


def _show_pairs(output: Output, heading: str, pairs: dict[str, str]) -> None:
    if pairs:
        output.say(f"\n[bold]{heading}[/bold]")
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        output.say(f"  {name:<{width}}  {escape(value)}")


def _by_section(defaults: dict[str, Any]) -> dict[str, str]:
    """Defaults in lines, one for each object: `inference.rollout` → `percent 10, ...`."""
    lines: dict[str, list[str]] = {}
    for pointer, value in defaults.items():
        section, _, name = pointer.removeprefix("/").replace("/", ".").rpartition(".")
        if value not in (None, {}, []):
            text = value if isinstance(value, str) else json.dumps(value)
            lines.setdefault(section or name, []).append(f"{name} {text}" if section else text)
    return {section: ", ".join(values) for section, values in lines.items()}


@click.command("check", short_help="Check data files by the rules of their arrival.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--workload",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with the manifest that the data must match.",
)
@click.option("--inference", is_flag=True, help="These are rows to predict, not to train on.")
@json_option
def check_command(*, files: tuple[Path, ...], folder: Path, inference: bool, as_json: bool) -> None:
    """Check FILES as data_intake checks them when they are uploaded; nothing is uploaded.

    \b
    signalbox check data.csv --workload workloads/diabetes
    """
    output = Output(as_json=as_json)
    checked = check_files(files, folder, inference=inference)
    for file in checked:
        for sentence in file.findings:
            output.say(f"[red]✗[/red] {escape(sentence)}")
        if file.is_accepted:
            counted = "" if file.rows is None else f": {file.rows:,} rows"
            output.say(f"[green]✓[/green] {escape(file.name)}{counted}")
    output.result({file.name: file.document() for file in checked})
    refused = sum(not file.is_accepted for file in checked)
    if refused:
        raise DataWasRefused(f"{refused} of {len(checked)} files cannot be used with {folder}")


@click.command("import", short_help="Convert a flat manifest of 2023.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write manifest.json; otherwise it is printed.",
)
@json_option
def import_command(file: Path, out: Path | None, *, as_json: bool) -> None:
    """Turn a flat 2023-style manifest (ProcessingJobName, TrainingImageUri, ...) into this one's.

    What could not be taken over is listed with the reason.

    \b
    signalbox import old/manifest.json --out my_workload/manifest.json
    """
    from signalbox.importer import import_flat

    output = Output(as_json=as_json)
    imported = import_flat(file.read_bytes(), source=str(file))
    text = json.dumps(imported.manifest, indent=2) + "\n"
    if out is not None and out.exists():
        raise CommandError(f"{out} exists already; choose another name with --out")
    if out is not None:
        out.write_text(text, encoding="utf-8")
    elif not as_json:
        click.echo(text, nl=False)
    output.result({"manifest": imported.manifest, "dropped": imported.dropped})
    if not as_json:
        for key, reason in imported.dropped.items():
            output.note(escape(f"left out {key}: {reason}"))
