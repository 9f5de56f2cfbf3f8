"""plan, import."""

import json
from pathlib import Path

import click

from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError
from signalbox_cli.options import json_option
from signalbox_cli.planning import Plan, plan
from signalbox_cli.releasing import parse_settings


@click.command("plan")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="As in `signalbox release`."
)
@click.option("-e", "--environment", default="dev", show_default=True)
@click.option("--app", default="signalbox", show_default=True)
@json_option
def plan_command(
    folder: Path, *, settings: tuple[str, ...], environment: str, app: str, as_json: bool
) -> None:
    """Check the workload in FOLDER and say what its run would do; calls nothing, changes nothing.

    \b
    signalbox plan workloads/diabetes
    signalbox plan workloads/diabetes --set train.instanceType=ml.m5.xlarge --json
    """
    output = Output(as_json=as_json)
    options = parse_settings(settings)
    planned = plan(folder, options, prefix=f"{app}-{environment}", environment=environment)
    output.result(_document(planned))
    _show(planned, output)


def _document(planned: Plan) -> dict[str, object]:
    jobs = [vars(job) for job in planned.jobs]
    return {**vars(planned), "jobs": jobs, "instance_hours": planned.instance_hours}


def _show(planned: Plan, output: Output) -> None:
    output.say(f"[bold]{planned.workload}[/bold] is a valid workload; its run would be")
    output.table(
        ("step", "script", "instances", "at most", "image"),
        [
            (j.step, j.script, f"{j.count} × {j.instance}", f"{j.limit_h:g} h", j.image)
            for j in planned.jobs
        ],
    )
    output.say(f"at most {planned.instance_hours:g} instance hours")
    for gate, rule in planned.gates.items():
        output.say(f"  gate {gate}: {rule}")
    for kind, name in planned.names.items():
        output.say(f"  {kind}: {name}")
    output.say(f"  defaults taken: {', '.join(planned.defaults) or 'none'}")


@click.command("import")
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
    """
    from signalbox.importer import import_flat

    output = Output(as_json=as_json)
    imported = import_flat(file.read_bytes(), source=str(file))
    text = json.dumps(imported.manifest, indent=2) + "\n"
    if out is not None and out.exists():
        raise CommandError(f"{out} exists already; choose another name with --out")
    if out is not None:
        out.write_text(text)
    elif not as_json:
        click.echo(text, nl=False)
    output.result({"manifest": imported.manifest, "dropped": imported.dropped})
    for key, reason in imported.dropped.items():
        output.note(f"left out {key}: {reason}")
