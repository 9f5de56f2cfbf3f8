"""Batch transform jobs: objects below a prefix through a model, predictions beside their names."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from localaws.forkserver import server as forkserver
from localaws.forkserver.child_spec import ChildSpec
from localaws.jobs.environment import threads_per_job
from localaws.jobs.execution import Helper, Result, failure_text
from localaws.jobs.folder import JobFolder
from localaws.jobs.state import End, Job, Status
from localaws.jobs.transfer import S3Uri
from localaws.models import containers as model_containers
from localaws.models.containers import ResolvedModel
from localaws.sagemaker.store import Document

_MB = 1 << 20
_UNLIMITED_MB = 100
"""MaxPayloadInMB 0 means a stream without limit; here it is sent in blocks of this size."""


def limit_s(job: Job) -> float:
    """Transform jobs have no limit of their own; this is SageMaker's for any job, 28 days."""
    del job
    return 28 * 86_400.0


@dataclass(frozen=True)
class _Object:
    """One object on its way."""

    key: str
    input: Path
    output: Path
    target: S3Uri


def prepare(job: Job, folder: JobFolder) -> ChildSpec:
    """Fetch the model and the objects; raises JobFailed."""
    model: ResolvedModel = job.details["model"]
    variables = _variables(job)
    spec = model_containers.prepare(
        model,
        model.containers[0],
        folder,
        program="batch_transform",
        threads=threads_per_job(),
        variables=variables,
    )
    objects = _fetch_objects(job, folder)
    job.details["objects"] = objects
    task = {
        "plan": _plan(job, folder),
        "objects": [
            {"key": o.key, "input": str(o.input), "output": str(o.output)} for o in objects
        ],
    }
    return replace(spec, task=task)


def start_helpers(job: Job, folder: JobFolder, stack: ExitStack) -> list[Helper]:
    """Start the further containers of a serial model, to be ended with the stack."""
    model: ResolvedModel = job.details["model"]
    return [_start_helper(job, folder, n, stack) for n in range(1, len(model.containers))]


def _start_helper(job: Job, parent: JobFolder, number: int, stack: ExitStack) -> Helper:
    model: ResolvedModel = job.details["model"]
    spec = model_containers.prepare(
        model,
        model.containers[number],
        JobFolder.create(parent.base / "containers", str(number)),
        program="server",
        threads=1,
        variables=_variables(job),
    )
    ours, theirs = socket.socketpair()
    with theirs:
        child = forkserver.spawn(spec, [theirs.fileno()])
    stack.callback(child.close)
    stack.callback(ours.close)
    return Helper(child, ours)


def finish(job: Job, folder: JobFolder, result: Result) -> End:
    """Store the predictions; say how the job ended."""
    if result.interrupted:
        return End(Status.STOPPED)
    if result.exit_code != 0:
        written = folder.scratch / "failure"
        told = written.read_text("utf-8")[:900] if written.is_file() else failure_text(result)
        return End(Status.FAILED, f"AlgorithmError: See job logs for more information. {told}")
    kms_key = job.request["TransformOutput"].get("KmsKeyId")
    for item in job.details["objects"]:
        job.courier.store(item.output, item.target, kms_key=kms_key)
    return End(Status.COMPLETED)


def _variables(job: Job) -> dict[str, str]:
    request = job.request
    return {
        **(request.get("Environment") or {}),
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": request.get("BatchStrategy", "MultiRecord").upper(),
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(request.get("MaxPayloadInMB", 6)),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(request.get("MaxConcurrentTransforms", 1)),
    }


def _plan(job: Job, folder: JobFolder) -> Document:
    request = job.request
    megabytes = request.get("MaxPayloadInMB", 6) or _UNLIMITED_MB
    return {
        "content_type": request["TransformInput"].get("ContentType", "application/octet-stream"),
        "accept": request["TransformOutput"].get("Accept") or "application/json",
        "split": request["TransformInput"].get("SplitType", "None"),
        "single_record": request.get("BatchStrategy") == "SingleRecord",
        "assemble_lines": request["TransformOutput"].get("AssembleWith") == "Line",
        "max_payload_bytes": megabytes * _MB,
        "failure_file": str(folder.scratch / "failure"),
    }


def _fetch_objects(job: Job, folder: JobFolder) -> list[_Object]:
    uri = job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    source = S3Uri.parse(uri)
    output = S3Uri.parse(job.request["TransformOutput"]["S3OutputPath"])
    inputs, outputs = folder.base / "in", folder.base / "out"
    job.courier.download_prefix(uri, inputs)
    files = sorted(path for path in inputs.rglob("*") if path.is_file())
    return [
        _Object(
            key=str(S3Uri(source.bucket, name)),
            input=file,
            output=outputs / f"{name}.out",
            target=output.joined(f"{name}.out"),
        )
        for file in files
        for name in [file.relative_to(inputs).as_posix()]
    ]
