"""dev and staging with a champion, versions to promote at little cost, and what a promotion leaves.

A version is the champion's registered again: the same run, model and code under the next number, so
that its promotion is one of its own and nothing has to be trained.
"""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli import laptop
from tests.scenarios import promotion_stories as three
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop
from tests.scenarios.iam_evidence import recorded

ENDPOINT = "signalbox-staging-diabetes"
_ROW = "59,2,32.1,101,157,93.2,38,4,4.8598,87"
_KEPT = ("ModelPackageGroupName", "InferenceSpecification", "CustomerMetadataProperties")


@dataclass(frozen=True)
class World:
    """Two environments and the version in dev that serves in both."""

    dev: Laptop
    staging: Laptop
    champion: str

    def version(self) -> str:
        """A new version that waits for its decision."""
        sagemaker = self.dev.target.client("sagemaker")
        found = sagemaker.describe_model_package(ModelPackageName=self.champion)
        copied = {name: found[name] for name in _KEPT}
        for container in copied["InferenceSpecification"]["Containers"]:
            container.pop("ImageDigest")
        made = sagemaker.create_model_package(**copied, ModelApprovalStatus="PendingManualApproval")
        return str(made["ModelPackageArn"])

    def promoted(self, arn: str, decision: int = 1) -> dict[str, Any]:
        """The ended promotion of a version that is approved here and now."""
        three.decide(self.dev, arn, "Approved")
        ended: dict[str, Any] = three.await_promotion_end(self.dev, arn, decision)
        return ended

    def command(self, arn: str) -> str:
        """What is wrong with a promotion by hand; empty when it went well."""
        name = f"diabetes/{arn.rpartition('/')[2]}"
        done = self.dev.signalbox("promote", name, "--to", "staging", check=False)
        return done.stderr if done.returncode else ""

    def entry(self, arn: str) -> dict[str, Any]:
        """What the promotion's record has of staging."""
        found: dict[str, Any] = three.record(self.dev, arn)["targets"]["staging"]
        return found

    def serving(self) -> tuple[str, list[str], str]:
        """Configuration, all endpoints of staging, and an answer of the one that serves."""
        sagemaker = self.staging.target.client("sagemaker")
        config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
        names = [one["EndpointName"] for one in sagemaker.list_endpoints()["Endpoints"]]
        return config, names, self.answer()

    def answer(self) -> str:
        """What the endpoint says of a row."""
        called = self.staging.target.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=ENDPOINT, Body=_ROW, ContentType="text/csv"
        )
        return str(called["Body"].read().decode())

    def told(self, arn: str) -> str:
        """Everything that people were told of the run of the versions."""
        s3, bucket = self.dev.target.client("s3"), self.dev.target.wiring().workflow_bucket
        found = self.dev.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
        folder = f"runs/{found['CustomerMetadataProperties']['run_id']}/messages/"
        keys = stories.objects_under(self.dev, folder)
        texts = [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys]
        number = arn.rpartition("/")[2]
        return "\n".join(text for text in texts if f"diabetes-{number}-" in text)

    def left(self, arn: str) -> dict[str, Any]:
        """Everything that a promotion leaves, without moments and numbers of versions."""
        entry = self.entry(arn)
        sagemaker = self.staging.target.client("sagemaker")
        run_id, config = entry["runId"], self.serving()[0]
        models = sagemaker.list_models(NameContains=run_id)["Models"]
        configs = sagemaker.list_endpoint_configs(NameContains=run_id)["EndpointConfigs"]
        objects = stories.objects_under(self.staging, f"runs/{run_id}/")
        return {
            "status": entry["status"],
            "versions": self._versions(arn),
            "serves": run_id in config,
            "endpoints": self.serving()[1],
            "answer": self.answer(),
            "models": len(models),
            "configs": len(configs),
            "objects": sorted(
                key.removeprefix(f"runs/{run_id}/") for key in objects if "/messages/" not in key
            ),
        }

    def _versions(self, arn: str) -> list[tuple[str, str]]:
        """Approval and stage of every version in staging that comes from this one."""
        sagemaker = self.staging.target.client("sagemaker")
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=ENDPOINT
        )
        arns = [one["ModelPackageArn"] for p in pages for one in p["ModelPackageSummaryList"]]
        every = [sagemaker.describe_model_package(ModelPackageName=one) for one in arns]
        return [
            (one["ModelApprovalStatus"], one["ModelLifeCycle"]["StageStatus"])
            for one in every
            if one["CustomerMetadataProperties"].get("source_arn") == arn
        ]

    # ------------------------------------------------------------------ the laptop's own doors

    def own(self, method: str, path: str, document: Any = None) -> str:
        """One request to the laptop itself."""
        body = json.dumps(document).encode() if document is not None else None
        url = f"{self.dev.up.url}/_localaws/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
            return str(answer.read().decode())

    @contextmanager
    def faults(self, *faults: dict[str, Any]) -> Iterator[None]:
        """While this lasts, calls or deployments fail."""
        self.own("PUT", "faults", {"faults": list(faults)})
        try:
            yield
        finally:
            self.own("DELETE", "faults")

    def fired(self) -> int:
        """How often the first fault was met."""
        return int(json.loads(self.own("GET", "faults"))["faults"][0]["fired"])

    def processes(self, function: str, state: str) -> list[int]:
        """Process ids of a function of dev."""
        found = json.loads(self.own("GET", "functions"))
        return [
            pid
            for arn, known in found.items()
            if arn.endswith(f":{self.dev.target.prefix}-{function}")
            for pid in known[state]
        ]

    def make_cold(self, function: str) -> None:
        """The next call of a function begins with nothing in memory."""
        for pid in self.processes(function, "idle"):
            os.kill(pid, signal.SIGKILL)

    def calls_of(self, arn: str) -> list[tuple[str, str]]:
        """The distinct calls of the version's promotion, by operation and name of the role."""
        self.own("DELETE", "decisions")
        self.make_cold("promote-version")
        assert self.promoted(arn)["status"] == "SUCCEEDED"
        found = {(r.operation, r.role.rpartition("/")[2]) for r in recorded(self.dev) if r.role}
        return sorted(call for call in found if _is_of_promotion(*call))


_ROLES = (
    "signalbox-dev-promotion",
    "signalbox-dev-promote-version",
    "signalbox-staging-deploy",
    "signalbox-staging-inference",
    "signalbox-staging-probe-endpoint",
    "signalbox-staging-receive-version",
    "signalbox-staging-record-outcome",
)


def _is_of_promotion(operation: str, role: str) -> bool:
    return role.startswith(_ROLES) and not operation.startswith("logs:")


@contextmanager
def two_environments(folder: Path) -> Iterator[World]:
    """One laptop, dev and staging, with a version that serves in both."""
    options = laptop.LaptopOptions(
        port=0,
        warm_ahead=False,
        time_scale=600,
        template=REPOSITORY / "template.yaml",
        environments=("dev", "staging"),
    )
    with chdir(REPOSITORY), laptop.serving(options, lambda _line: None) as up:
        dev, staging = (Laptop(up, up.target(options, name)) for name in options.environments)
        three.put_sample(dev, folder)
        run, arn = three.release(dev)
        world = World(dev, staging, arn)
        assert world.promoted(arn)["status"] == "SUCCEEDED"
        assert stories.await_end(dev, run.execution_id).status == "Succeeded"
        yield world
