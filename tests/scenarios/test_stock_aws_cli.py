"""A run from release to predictions with nothing but the stock AWS CLI (`aws --endpoint-url`)."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox_cli.packaging import pack
from signalbox_cli.sample_data import SampleData
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

AWS = shutil.which("aws", path=str(Path(sys.executable).parent)) or "aws"


class Shell:
    """A user's second shell: the AWS CLI and its answers."""

    def __init__(self, served: Laptop) -> None:
        self._environment = served.environment()
        self._url = self._environment.pop("AWS_ENDPOINT_URL")

    def aws(self, *arguments: str) -> Any:
        """One call; its JSON answer, or the text where it is none."""
        done = subprocess.run(
            [AWS, *arguments, "--endpoint-url", self._url],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=stories.PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"aws {' '.join(arguments)}: {done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def await_gate(self, pipeline: str, execution: str, gate: str) -> tuple[str, dict[str, Any]]:
        """The token of the gate once the execution waits there, and the action's state."""
        for _ in range(300):
            state = self.aws("codepipeline", "get-pipeline-state", "--name", pipeline)
            stage = next(s for s in state["stageStates"] if s["stageName"] == gate)
            latest = stage["actionStates"][0].get("latestExecution", {})
            holder = stage.get("latestExecution", {}).get("pipelineExecutionId")
            if holder == execution and latest.get("status") == "InProgress":
                return latest["token"], stage["actionStates"][0]
            failed = [s for s in state["stageStates"] if _failed(s, execution)]
            if failed:
                pytest.fail(json.dumps(failed[0], indent=1))
            time.sleep(0.2)
        return pytest.fail(f"{gate} never waited")

    def approve(self, pipeline: str, gate: str, token: str) -> None:
        """Open a gate."""
        self.aws(
            "codepipeline", "put-approval-result", "--pipeline-name", pipeline,
            "--stage-name", gate, "--action-name", gate, "--token", token,
            "--result", "summary=looks good,status=Approved",
        )  # fmt: skip


def _failed(stage: dict[str, Any], execution: str) -> bool:
    latest = stage.get("latestExecution", {})
    return latest.get("pipelineExecutionId") == execution and latest.get("status") == "Failed"


@pytest.mark.slow
def test_a_run_from_release_to_an_endpoint_with_the_stock_aws_cli(
    served: Laptop, sample: Callable[[str], SampleData], tmp_path: Path
) -> None:
    shell = Shell(served)
    wiring = served.target.wiring()
    files = sample("breast_cancer")
    archive = tmp_path / "workload.zip"
    archive.write_bytes(pack(REPOSITORY / "workloads" / "breast_cancer"))

    shell.aws("s3", "cp", str(archive), f"s3://{wiring.source_bucket}/workloads/breast-cancer.zip")
    started = shell.aws(
        "codepipeline", "start-pipeline-execution", "--name", wiring.pipeline,
        "--source-revisions",
        "actionName=Source,revisionType=S3_OBJECT_KEY,revisionValue=workloads/breast-cancer.zip",
    )  # fmt: skip
    execution = started["pipelineExecutionId"]

    _, action = shell.await_gate(wiring.pipeline, execution, "UploadSourceData")
    actions = shell.aws(
        "codepipeline", "list-action-executions", "--pipeline-name", wiring.pipeline,
        "--filter", f"pipelineExecutionId={execution}",
    )["actionExecutionDetails"]  # fmt: skip
    variables = next(a for a in actions if a["stageName"] == "Prepare")["output"]["outputVariables"]
    shell.aws("s3", "cp", str(files.source), f"{variables['source_uri'].rstrip('/')}/data.csv")

    token, _ = shell.await_gate(wiring.pipeline, execution, "ApproveModel")
    assert action["actionName"] == "UploadSourceData"
    executions = shell.aws(
        "stepfunctions", "list-executions", "--state-machine-arn", wiring.training_machine_arn
    )["executions"]
    described = shell.aws(
        "stepfunctions", "describe-execution", "--execution-arn", executions[0]["executionArn"]
    )
    assert described["status"] == "SUCCEEDED"
    history = shell.aws(
        "stepfunctions", "get-execution-history", "--execution-arn", described["executionArn"]
    )["events"]
    assert history[-1]["type"] == "ExecutionSucceeded"

    packages = shell.aws(
        "sagemaker", "list-model-packages", "--model-package-group-name",
        f"{wiring.prefix}-breast-cancer",
    )["ModelPackageSummaryList"]  # fmt: skip
    assert packages[0]["ModelApprovalStatus"] == "PendingManualApproval"
    shell.approve(wiring.pipeline, "ApproveModel", token)

    _await_success(shell, wiring.pipeline, execution)
    output = tmp_path / "prediction.csv"
    shell.aws(
        "sagemaker-runtime", "invoke-endpoint",
        "--endpoint-name", f"{wiring.prefix}-breast-cancer",
        "--content-type", "text/csv", "--accept", "text/csv",
        "--body", f"fileb://{files.inference}", str(output),
    )  # fmt: skip
    rows = files.inference.read_text().splitlines()
    assert len(output.read_text().splitlines()) == len(rows)

    group = "/aws/sagemaker/TrainingJobs"
    streams = shell.aws("logs", "describe-log-streams", "--log-group-name", group)["logStreams"]
    events = shell.aws(
        "logs", "get-log-events", "--log-group-name", group,
        "--log-stream-name", streams[-1]["logStreamName"],
    )["events"]  # fmt: skip
    assert events


def _await_success(shell: Shell, pipeline: str, execution: str) -> None:
    for _ in range(300):
        status = shell.aws(
            "codepipeline", "get-pipeline-execution", "--pipeline-name", pipeline,
            "--pipeline-execution-id", execution,
        )["pipelineExecution"]["status"]  # fmt: skip
        if status == "Succeeded":
            return
        assert status == "InProgress"
        time.sleep(0.2)
    pytest.fail("the run did not end")
