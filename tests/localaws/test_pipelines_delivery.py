"""CodeBuild and CloudFormation actions of pipelines, on the whole laptop."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.clients import developer_client
from localaws.server import LaptopServer
from tests.localaws.build_bench import ENVIRONMENT, build_role
from tests.localaws.iam_roles import allow
from tests.localaws.pipeline_bench import (
    ACCOUNT,
    REGION,
    PipelineBench,
    action,
    approval,
    client,
    stage,
)

BUILDSPEC = """
version: 0.2
env:
  exported-variables: [VERDICT]
phases:
  build:
    commands:
      - mkdir out
      - cp input.json out/seen.json
      - export VERDICT="good $COLOUR"
artifacts:
  base-directory: out
  files: ["**/*"]
"""


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Iterator[PipelineBench]:
    made = PipelineBench(str(request.node.name).removeprefix("test_").replace("[", "-").strip("]"))
    yield made
    made.heard.stop()


def project(
    bench: PipelineBench, buildspec: str, *, account: str = ACCOUNT, **settings: Any
) -> dict[str, Any]:
    """Make a project that the pipeline may build; returns the action that builds it."""
    name = f"{bench.name[:50]}-build"
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bench.bucket}/*")
    developer_client("codebuild", account=account).create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": buildspec},
        artifacts={"type": "CODEPIPELINE"},
        environment=ENVIRONMENT,
        serviceRole=build_role(name, objects, account=account),
        **settings,
    )
    return action(
        "Build",
        "Build",
        "CodeBuild",
        namespace="Build",
        inputArtifacts=["Zip"],
        outputArtifacts=["Made"],
        configuration={"ProjectName": name},
    )


def may_build(bench: PipelineBench) -> None:
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/*"
    bench.grant("codebuild:StartBuild", arn)
    bench.grant("codebuild:BatchGetBuilds", arn)


def opened(bench: PipelineBench, artifact: dict[str, Any]) -> dict[str, str]:
    """The files of an artifact."""
    place = artifact["s3location"]
    body = client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def failure(bench: PipelineBench, name: str) -> str:
    return str(bench.action_state(name)["errorDetails"]["message"])


def test_a_build_gets_the_source_and_hands_on_its_artifact_and_variables(bench: PipelineBench):
    may_build(bench)
    build = project(bench, BUILDSPEC)
    build["configuration"]["EnvironmentVariables"] = json.dumps(
        [{"name": "COLOUR", "value": "#{Source.ObjectKey}", "type": "PLAINTEXT"}]
    )
    gate = approval("Gate", configuration={"CustomData": "#{Build.VERDICT}"})
    bench.create(stage("Build", build), stage("Gate", gate))
    execution = bench.start()
    bench.begins("Gate", execution)

    done = bench.actions(execution)
    (made,) = done["Build"]["output"]["outputArtifacts"]
    external = done["Build"]["output"]["executionResult"]["externalExecutionId"]
    told = client("codebuild").batch_get_builds(ids=[external])["builds"][0]
    assert opened(bench, made) == {"seen.json": '{"from": "file"}'}
    assert done["Gate"]["input"]["resolvedConfiguration"]["CustomData"] == "good in.zip"
    assert told["initiator"] == f"codepipeline/{bench.name}"
    assert (
        told["resolvedSourceVersion"]
        == done["Source"]["output"]["executionResult"]["externalExecutionId"]
    )
