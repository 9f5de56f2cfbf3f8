"""Lays out /opt/ml for a model's container: the artifact, the inference code, the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localaws.forkserver.child_spec import ChildSpec
from localaws.jobs import network as job_network
from localaws.jobs.environment import base_environment
from localaws.jobs.folder import JobFolder
from localaws.jobs.network import SAGEMAKERS_OWN, Network
from localaws.jobs.requirements import unsatisfied
from localaws.jobs.transfer import Courier, JobFailed
from localaws.sagemaker.store import Place


@dataclass(frozen=True)
class Container:
    """One container of a model, whatever way it was described."""

    image: str
    model_data_url: str | None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResolvedModel:
    """A model with its containers in the order a request passes them."""

    name: str
    place: Place
    role_arn: str
    containers: tuple[Container, ...]
    network: Network = SAGEMAKERS_OWN

    @property
    def courier(self) -> Courier:
        """Fetches with the model's execution role."""
        return Courier(self.role_arn, self.place.region, self.place.account)


def prepare(
    model: ResolvedModel,
    container: Container,
    folder: JobFolder,
    *,
    program: str,
    threads: int,
    variables: Mapping[str, str] | None = None,
) -> ChildSpec:
    """Fetch what the container needs; the spec of its child. Raises JobFailed."""
    job_network.attach(model.network, model.role_arn, model.place)
    artifact = folder.folder("/opt/ml/model")
    if container.model_data_url:
        model.courier.fetch_archive(container.model_data_url, artifact, scratch=folder.scratch)
    _fetch_code(model, container, folder)
    return ChildSpec(
        program=program,
        environment={
            **base_environment(
                folder, model.place, model.role_arn, is_isolated=model.network.is_isolated
            ),
            "OMP_NUM_THREADS": str(threads),
            **container.environment,
            **(variables or {}),
        },
        root=str(folder.root),
        scratch=str(folder.mounts),
        # parity: the image's working directory is /; here it is the container's temporary folder.
        cwd=str(folder.tmp),
        threads=threads,
        has_network=not model.network.is_isolated,
    )


def _fetch_code(model: ResolvedModel, container: Container, folder: JobFolder) -> None:
    location = container.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    code = folder.folder("/opt/ml/code")
    if location.startswith("s3://"):
        if model.network.is_isolated:
            raise JobFailed(job_network.code_out_of_reach(location))
        model.courier.fetch_archive(location, code, scratch=folder.scratch)
    for place in (code, folder.at("/opt/ml/model/code")):
        _check_requirements(place / "requirements.txt")


def _check_requirements(path: Path) -> None:
    missing = unsatisfied(path.read_text("utf-8")) if path.is_file() else []
    if missing:
        raise JobFailed(
            f"requirements.txt of the inference code asks for {', '.join(missing)}, which this "
            "laptop does not have; install it in the environment that runs the laptop's AWS"
        )
