"""CodeBuild and CloudFormation actions of pipelines, on the whole laptop."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.clients import developer_client
from localaws.server import LaptopServer
from tests.localaws.account_world import STAGING, make_role, root, unused
from tests.localaws.build_bench import ENVIRONMENT, build_role, logs, put_policy
from tests.localaws.iam_roles import allow, document, trust
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
    name = str(request.node.name).removeprefix("test_").partition("[")[0]
    made = PipelineBench(unused(name[:36].strip("_")))
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


def test_a_failed_build_stops_the_pipeline_and_says_which_command(bench: PipelineBench):
    may_build(bench)
    build = project(bench, "version: 0.2\nphases: {build: {commands: [test -f no.json]}}\n")
    del build["outputArtifacts"]
    bench.create(stage("Build", build), stage("Gate", approval("Gate")))

    assert bench.ends(bench.start()) == "FAILED"
    assert failure(bench, "Build") == (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, "
        "Message: Error while executing command: test -f no.json. Reason: exit status 1"
    )
    assert "latestExecution" not in bench.state()["Gate"]


def test_several_artifacts_go_in_and_out_by_name(bench: PipelineBench):
    may_build(bench)
    first = project(bench, BUILDSPEC)
    two = {
        "version": 0.2,
        "phases": {"build": {"commands": ["cp $CODEBUILD_SRC_DIR_Made/seen.json a", "cp a b"]}},
        "artifacts": {"secondary-artifacts": {"A": {"files": ["a"]}, "B": {"files": ["b"]}}},
    }
    second = action(
        "Both",
        "Test",
        "CodeBuild",
        inputArtifacts=["Zip", "Made"],
        outputArtifacts=["A", "B"],
        configuration={
            **first["configuration"],
            "PrimarySource": "Zip",
            "BuildspecOverride": json.dumps(two) + "\n",
        },
    )
    bench.create(stage("Build", first), stage("Both", second))
    execution = bench.start()

    assert bench.ends(execution) == "SUCCEEDED"
    made = bench.actions(execution)["Both"]["output"]["outputArtifacts"]
    assert {each["name"]: opened(bench, each) for each in made} == {
        "A": {"a": '{"from": "file"}'},
        "B": {"b": '{"from": "file"}'},
    }


@pytest.mark.parametrize("missing", ["codebuild:StartBuild", "codebuild:BatchGetBuilds"])
def test_a_role_that_may_not_build_fails_the_action_by_name(bench: PipelineBench, missing: str):
    both = {"codebuild:StartBuild", "codebuild:BatchGetBuilds"}
    (given,) = both - {missing}
    bench.grant(given, "*")
    bench.create(stage("Build", project(bench, BUILDSPEC)))

    assert bench.ends(bench.start()) == "FAILED"
    assert bench.action_state("Build")["errorDetails"]["code"] == "PermissionError"
    assert missing in failure(bench, "Build")


def encrypted_store(bench: PipelineBench) -> tuple[str, dict[str, Any]]:
    """A key of the account, and a store that encrypts with it."""
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    store = {"type": "S3", "location": bench.bucket, "encryptionKey": {"id": key, "type": "KMS"}}
    bench.grant("kms:*", key)
    return str(key), store


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [([], "kms:Decrypt"), (["kms:Decrypt"], "kms:GenerateDataKey"), (["kms:*"], "")],
)
def test_a_build_reads_and_writes_artifacts_with_the_store_s_key(
    bench: PipelineBench, allowed: list[str], missing: str
):
    may_build(bench)
    key, store = encrypted_store(bench)
    build = project(bench, BUILDSPEC)
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bench.bucket}/*")
    keys = [allow(allowed, key)] if allowed else []
    put_policy(build["configuration"]["ProjectName"], objects, logs(), *keys)
    bench.create(stage("Build", build), artifactStore=store)
    execution = bench.start()

    ended = bench.ends(execution)

    if missing:
        assert (ended, missing in failure(bench, "Build")) == ("FAILED", True)
        return
    (made,) = bench.actions(execution)["Build"]["output"]["outputArtifacts"]
    place = made["s3location"]
    head = client("s3").head_object(Bucket=place["bucket"], Key=place["key"])
    assert head["SSEKMSKeyId"] == key


def test_an_action_s_role_builds_in_another_account(bench: PipelineBench):
    """The pipeline's role assumes the action's role; the other account's role does the rest."""
    build = project(bench, BUILDSPEC, account=STAGING)
    name = build["configuration"]["ProjectName"]
    project_arn = f"arn:aws:codebuild:{REGION}:{STAGING}:project/{name}"
    builds = allow(["codebuild:StartBuild", "codebuild:BatchGetBuilds"], project_arn)
    role = make_role(STAGING, builds, trusted=trust({"AWS": bench.role}))
    objects = f"arn:aws:s3:::{bench.bucket}/*"
    share = allow(["s3:GetObject", "s3:PutObject"], objects, Principal=root(STAGING))
    client("s3").put_bucket_policy(Bucket=bench.bucket, Policy=document(share))
    bench.create(stage("Build", {**build, "roleArn": role}))

    refused = bench.start()
    assert bench.ends(refused) == "FAILED"
    assert "sts:AssumeRole" in failure(bench, "Build")
    bench.grant("sts:AssumeRole", role)
    execution = bench.start()

    assert bench.ends(execution) == "SUCCEEDED"
    external = bench.actions(execution)["Build"]["output"]["executionResult"]
    elsewhere = developer_client("codebuild", account=STAGING)
    assert elsewhere.batch_get_builds(ids=[external["externalExecutionId"]])["builds"]
