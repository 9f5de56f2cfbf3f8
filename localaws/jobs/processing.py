"""Processing jobs: inputs to folders, the entrypoint, outputs to S3 at the end."""

from localaws.forkserver.child_spec import ChildSpec
from localaws.jobs import network as job_network
from localaws.jobs.environment import base_environment, threads_per_job
from localaws.jobs.execution import Result, failure_text, stopped_end
from localaws.jobs.folder import JobFolder
from localaws.jobs.state import End, Job, Status
from localaws.jobs.transfer import S3Uri
from localaws.sagemaker.store import Document

DEFAULT_MAX_RUNTIME_S = 86_400


def limit_s(job: Job) -> float:
    """Seconds the job may run."""
    condition = job.request.get("StoppingCondition") or {}
    return float(condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S))


def prepare(job: Job, folder: JobFolder) -> ChildSpec:
    """Fetch the inputs and lay out /opt/ml; raises JobFailed."""
    network = job_network.of(job.request.get("NetworkConfig") or {})
    job_network.attach(network, job.role_arn, job.place)
    _write_configuration(job, folder)
    for item in job.request.get("ProcessingInputs") or []:
        source = item["S3Input"]
        job.courier.download_prefix(source["S3Uri"], folder.folder(source["LocalPath"]))
    for output in _outputs(job):
        folder.folder(output["S3Output"]["LocalPath"])
    app = job.request["AppSpecification"]
    return ChildSpec(
        program="run",
        argv=[*app["ContainerEntrypoint"], *(app.get("ContainerArguments") or [])],
        environment={
            **base_environment(folder, job.place, job.role_arn, is_isolated=network.is_isolated),
            **(job.request.get("Environment") or {}),
        },
        root=str(folder.root),
        scratch=str(folder.mounts),
        # parity: the image's working directory is /; here it is the job's own temporary folder.
        cwd=str(folder.tmp),
        threads=threads_per_job(),
        has_network=not network.is_isolated,
    )


def finish(job: Job, folder: JobFolder, result: Result) -> End:
    """Store the outputs of a script that ended well; say how the job ended."""
    if result.interrupted:
        return stopped_end(result)
    if result.exit_code != 0:
        reason = f"AlgorithmError: {failure_text(result)}, exit code: {result.status_code}"
        return End(Status.FAILED, reason, exit_message=_exit_message(folder))
    kms_key = (job.request.get("ProcessingOutputConfig") or {}).get("KmsKeyId")
    for output in _outputs(job):
        target = output["S3Output"]
        local = folder.at(target["LocalPath"])
        job.courier.store_folder(local, S3Uri.parse(target["S3Uri"]), kms_key=kms_key)
    return End(Status.COMPLETED, exit_message=_exit_message(folder))


def _outputs(job: Job) -> list[Document]:
    outputs: list[Document] = (job.request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    return [output for output in outputs if "S3Output" in output]


def _exit_message(folder: JobFolder) -> str | None:
    """What the script left in /opt/ml/output/message, at most 1 KB."""
    message = folder.at("/opt/ml/output/message")
    return message.read_text("utf-8", "replace")[:1024] if message.is_file() else None


def _write_configuration(job: Job, folder: JobFolder) -> None:
    request = job.request
    resources = request["ProcessingResources"]["ClusterConfig"]
    folder.write_json(
        "/opt/ml/config/processingjobconfig.json",
        {
            "ProcessingJobArn": job.arn,
            "ProcessingJobName": job.name,
            **{
                key: request[key]
                for key in (
                    "AppSpecification",
                    "Environment",
                    "ProcessingInputs",
                    "ProcessingOutputConfig",
                    "ProcessingResources",
                    "RoleArn",
                    "StoppingCondition",
                )
                if key in request
            },
        },
    )
    folder.write_json(
        "/opt/ml/config/resourceconfig.json",
        {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": resources.get("InstanceType"),
        },
    )
    folder.folder("/opt/ml/output")
