"""acceptance: train and infer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from signalbox_cli import acceptance, acceptance_evidence
from signalbox_cli.errors import RunFailed
from signalbox_cli.options import Session, with_session
from signalbox_cli.target import STATE_FOLDER

_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


def _output(command: Callable[..., Any]) -> Callable[..., Any]:
    option = click.option(
        "--output",
        "output_folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=STATE_FOLDER / "acceptance",
        show_default=True,
        help="Where acceptance.json, acceptance.md and acceptance.env lie.",
    )
    return option(command)


@click.group("acceptance", short_help="Does an environment, as deployed, still train and serve?")
def acceptance_command() -> None:
    """Does an environment, as it is deployed, still train and serve? For a CI, in two steps.

    The workload is tried under the name WORKLOAD-acceptance, with a group and an endpoint of its
    own: what serves in the environment stays as it is. An environment that promotes is refused.

    \b
    signalbox acceptance train workloads/diabetes -e staging
    signalbox acceptance infer workloads/diabetes -e staging
    """


@acceptance_command.command("train", short_help="Release, bring data, judge, approve.")
@_FOLDER
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Training data; otherwise the example's own, or the manifest's data.source.",
)
@click.option(
    "--commit",
    default="",
    envvar=["SIGNALBOX_COMMIT", "CODEBUILD_RESOLVED_SOURCE_VERSION"],
    help="The commit to name in the evidence; otherwise SIGNALBOX_COMMIT, or CodeBuild's.",
)
@_output
@with_session
def train_command(
    session: Session, *, folder: Path, data: Path | None, commit: str, output_folder: Path
) -> None:
    """Train the workload in FOLDER by the environment's own pipeline, and approve the version.

    Exit code 3: the model did not meet its quality gates; 4: the run failed. A run that cannot go
    on is stopped, so that it holds up nobody else's.
    """
    found = acceptance.train(
        session.target, folder, data=data, commit=commit, output=session.output
    )
    acceptance_evidence.write(found, output_folder)
    session.output.result(found.document())
    session.output.say(f"Trained {found.model_package_arn}; wrote {output_folder}")


@acceptance_command.command("infer", short_help="A real endpoint and a real batch, compared.")
@_FOLDER
@click.option("--keep-endpoint", is_flag=True, help="Leave the endpoint; it costs by the hour.")
@_output
@with_session
def infer_command(
    session: Session, *, folder: Path, keep_endpoint: bool, output_folder: Path
) -> None:
    """Compare what a real endpoint and a real batch transform answer with the evaluation's probe.

    Takes the version that `acceptance train` of the same FOLDER approved, from acceptance.json.
    The endpoint is deleted at the end. Exit code 4: one of them answered otherwise, or not at all.
    """
    trained = acceptance_evidence.read(output_folder, session.target.environment)
    acceptance.check_workload(folder, trained)
    found = acceptance.infer(
        session.target, trained, output=session.output, keep_endpoint=keep_endpoint
    )
    acceptance_evidence.write(found, output_folder)
    acceptance.publish(session.target, found)
    session.output.result(found.document())
    if not found.is_passed:
        raise RunFailed(f"the acceptance {found.summary}; {output_folder} has the rows")
    session.output.say(f"The acceptance {found.summary}")
