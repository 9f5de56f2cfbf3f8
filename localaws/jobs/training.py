"""Training jobs in script mode, as the scikit-learn container runs them.

The container's own part is done here: the code archive is fetched and unpacked to /opt/ml/code,
hyperparameters become command-line arguments and SM_* variables say where everything is (SageMaker
Training Toolkit, README, read 2026-11).
"""

import json
from pathlib import Path
from typing import Any

from localaws.forkserver.child_spec import ChildSpec
from localaws.jobs import archives as job_archives
from localaws.jobs import network as job_network
from localaws.jobs.environment import base_environment, threads_per_job
from localaws.jobs.execution import TIMED_OUT, Result, failure_text
from localaws.jobs.folder import JobFolder
from localaws.jobs.requirements import unsatisfied
from localaws.jobs.state import End, Job, Status
from localaws.jobs.training_variables import (
    RESERVED,
    channel_configuration,
    resource_configuration,
    training_variables,
)
from localaws.jobs.transfer import JobFailed, S3Uri

DEFAULT_MAX_RUNTIME_S = 86_400
_CODE = "/opt/ml/code"
_REASON_LENGTH = 1024


def limit_s(job: Job) -> float:
    """Seconds the job may run."""
    return float(job.request["StoppingCondition"].get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S))


def prepare(job: Job, folder: JobFolder) -> ChildSpec:
    """Fetch data and code and lay out /opt/ml; raises JobFailed."""
    hyperparameters = job.request.get("HyperParameters") or {}
    decoded = {key: decode(value) for key, value in hyperparameters.items()}
    program = decoded.get("sagemaker_program")
    if not program:
        raise JobFailed(
            "AlgorithmError: framework error: the hyperparameter sagemaker_program, which names "
            "the script to run, is missing"
        )
    network = job_network.of(job.request)
    job_network.attach(network, job.role_arn, job.place)
    _write_configuration(job, folder, hyperparameters)
    for channel in job.request.get("InputDataConfig") or []:
        target = folder.folder(f"/opt/ml/input/data/{channel['ChannelName']}")
        job.courier.download_prefix(channel["DataSource"]["S3DataSource"]["S3Uri"], target)
    for path in ("/opt/ml/model", "/opt/ml/output/data", _CODE):
        folder.folder(path)
    fetch_code(job, folder, decoded.get("sagemaker_submit_directory"))
    check_requirements(folder.at(_CODE) / "requirements.txt")
    arguments = to_arguments(decoded)
    return ChildSpec(
        program="run",
        argv=["python3", f"{_CODE}/{program}", *arguments],
        environment={
            **base_environment(folder, job.place, job.role_arn, is_isolated=network.is_isolated),
            **training_variables(job, decoded, arguments),
            **(job.request.get("Environment") or {}),
        },
        root=str(folder.root),
        scratch=str(folder.mounts),
        cwd=_CODE,
        threads=threads_per_job(),
        has_network=not network.is_isolated,
    )


def decode(value: str) -> Any:
    """A hyperparameter: JSON if it is JSON, else the text itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def to_arguments(decoded: dict[str, Any]) -> list[str]:
    """`--name value` for each hyperparameter that is not SageMaker's own, sorted by name."""
    arguments: list[str] = []
    for name in sorted(decoded):
        if not name.startswith(RESERVED):
            dashes = "-" if len(name) == 1 else "--"
            arguments += [f"{dashes}{name}", "" if decoded[name] is None else str(decoded[name])]
    return arguments


def fetch_code(job: Job, folder: JobFolder, location: Any) -> None:
    """Unpack the source archive named by sagemaker_submit_directory to /opt/ml/code.

    It may be an object in S3, or a file that a channel brought. Raises JobFailed.
    """
    location = str(location or "")
    if location.startswith("s3://"):
        if job_network.of(job.request).is_isolated:
            raise JobFailed(job_network.code_out_of_reach(location))
        job.courier.fetch_archive(location, folder.at(_CODE), scratch=folder.scratch)
    elif location.endswith(".tar.gz"):
        try:
            job_archives.unpack(folder.at(location), folder.at(_CODE))
        except job_archives.ArchiveRefused as error:
            raise JobFailed(f"AlgorithmError: {error}") from error


def check_requirements(path: Path) -> None:
    """Accept a requirements.txt that is satisfied already; raises JobFailed for any other."""
    # parity: the container would download and install what is missing.
    missing = unsatisfied(path.read_text("utf-8")) if path.is_file() else []
    if missing:
        raise JobFailed(
            f"AlgorithmError: requirements.txt asks for {', '.join(missing)}, which this laptop "
            "does not have, and the laptop's AWS does not download packages; install it in the "
            "environment that runs the laptop's AWS"
        )


def _write_configuration(job: Job, folder: JobFolder, hyperparameters: dict[str, str]) -> None:
    config = "/opt/ml/input/config"
    folder.write_json(f"{config}/hyperparameters.json", hyperparameters)
    folder.write_json(f"{config}/inputdataconfig.json", channel_configuration(job))
    folder.write_json(f"{config}/resourceconfig.json", resource_configuration(job))


def finish(job: Job, folder: JobFolder, result: Result) -> End:
    """Store the artifacts and say how the job ended."""
    job.step("Uploading", "Uploading generated training model")
    ended_well = result.exit_code == 0 or result.interrupted
    if _has_files(folder.at("/opt/ml/output/data")):
        _store(job, folder, "/opt/ml/output/data", "output.tar.gz")
    # An empty model folder still makes an archive: SageMaker completes such a job, too.
    if ended_well and (not result.interrupted or _has_files(folder.at("/opt/ml/model"))):
        job.model_artifacts = _store(job, folder, "/opt/ml/model", "model.tar.gz")
    return _end(folder, result)


def _end(folder: JobFolder, result: Result) -> End:
    if result.cause == TIMED_OUT:
        return End(Status.STOPPED, secondary="MaxRuntimeExceeded")
    if result.interrupted:
        return End(Status.STOPPED)
    if result.exit_code == 0:
        return End(Status.COMPLETED)
    return End(Status.FAILED, _failure(folder, result)[:_REASON_LENGTH])


def _failure(folder: JobFolder, result: Result) -> str:
    written = folder.at("/opt/ml/output/failure")
    if written.is_file():
        return f"AlgorithmError: {written.read_text('utf-8', 'replace')}"
    return (
        f"AlgorithmError: ExecuteUserScriptError: ExitCode {result.status_code}, "
        f"{failure_text(result)}, exit code: {result.status_code}"
    )


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _store(job: Job, folder: JobFolder, path: str, name: str) -> str:
    output = job.request["OutputDataConfig"]
    target = S3Uri.parse(output["S3OutputPath"]).joined(f"{job.name}/output/{name}")
    job.courier.store_archive(
        folder.folder(path), target, scratch=folder.scratch, kms_key=output.get("KmsKeyId")
    )
    return str(target)
