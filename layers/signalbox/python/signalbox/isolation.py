"""How a run's code reaches containers that have no network, and which runs cannot do without one.

An isolated container cannot fetch its code from S3. For a training SageMaker brings it as a
channel, and the model's archive brings it for inference: as the SageMaker Python SDK does with
`enable_network_isolation` (its estimator.py and model.py, read 2026-11-21).
Rules only: imports no AWS client.
"""

from collections.abc import Mapping
from pathlib import Path

from signalbox import training_wrapper
from signalbox.errors import NetworkRefused
from signalbox.job_network import JobNetwork
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.manifest_sections import InferenceMode

CODE_CHANNEL = "code"
CODE_IN_CHANNEL = "/opt/ml/input/data/code/sourcedir.tar.gz"
CODE_IN_MODEL = "/opt/ml/model/code"
WRAPPER = "signalbox_training.py"
"""What the wrapper is called beside the author's files."""


def wrapper() -> bytes:
    """The wrapper's text, the same for every run."""
    return Path(training_wrapper.__file__).read_bytes()


def with_wrapper(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """An author's files as an isolated training needs them."""
    return {**files, WRAPPER: wrapper()}


def carries_code(manifest: ResolvedManifest) -> bool:
    """Whether the run's model has its code in its own archive."""
    environment = manifest.steps.inference.environment
    return environment["SAGEMAKER_SUBMIT_DIRECTORY"] == CODE_IN_MODEL


def check(manifest: ResolvedManifest, network: JobNetwork) -> None:
    """Raises NetworkRefused for a run that would fail later, for want of a network."""
    serverless = manifest.workload.inference.mode is InferenceMode.SERVERLESS
    if serverless and (network.is_isolated or network.is_in_vpc):
        # SageMaker Developer Guide, "Deploy models with Serverless Inference", feature exclusions.
        raise NetworkRefused(
            f"workload {manifest.workload.name} is hosted by mode serverless, for which SageMaker "
            "takes neither a VPC nor network isolation, and this environment asks for it "
            "(parameters JobSubnets, JobNetworkIsolation); use mode endpoint, async or batch"
        )
    if network.is_isolated and not carries_code(manifest):
        raise NetworkRefused(
            f"the containers of this environment have no network (JobNetworkIsolation), and run "
            f"{manifest.run.id} was resolved where they have: its code is fetched from S3. Release "
            "the workload in an environment with JobNetworkIsolation, and promote that version"
        )
