"""CodeBuild on the whole laptop: builds run for real, under the service role of their project."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from localaws.codebuild import builds as codebuild_builds
from localaws.jobs import logs as job_logs
from localaws.server import LaptopServer
from tests.localaws.account_world import REGION, make_role, session_of, unused
from tests.localaws.build_bench import (
    ENVIRONMENT,
    BuildBench,
    context,
    phases,
    printed,
    put_policy,
)
from tests.localaws.iam_roles import allow, trust
from tests.localaws.pipeline_bench import ACCOUNT, zip_of
from tests.localaws.sagemaker_world import comes_true

PASSING = ("DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Iterator[BuildBench]:
    made = BuildBench(str(request.node.name).removeprefix("test_").partition("[")[0])
    yield made
    made.close()


def spec(*commands: str, **more: Any) -> str:
    """A buildspec whose build phase runs these commands; other phases as lists of commands."""
    document: dict[str, Any] = {"version": 0.2, "phases": {"build": {"commands": list(commands)}}}
    for name in ("install", "pre_build", "post_build"):
        if name in more:
            document["phases"][name] = {"commands": more.pop(name)}
    document["phases"]["build"].update(more.pop("build", {}))
    document.update(more)
    # JSON is YAML; the line end makes it a buildspec and not the path of one.
    return json.dumps(document) + "\n"


def bucket(bench: BuildBench, **settings: Any) -> str:
    """A versioned bucket whose objects the build may read and write."""
    name = unused("build-bucket")
    s3 = developer_client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    bench.grant(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{name}/*"))
    return name


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(ClientError) as error:
        call(**request)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_build_runs_its_phases_in_one_shell_as_the_service_role(bench: BuildBench):
    who = "python -c \"import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])\""
    built = bench.build(
        spec(
            'echo "$SEEN in $(basename "$PWD")"',
            who,
            install=["mkdir deep && cd deep", "export SEEN=installed"],
            post_build=["echo $CODEBUILD_BUILD_SUCCEEDING"],
        )
    )

    uuid = built["id"].partition(":")[2]
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{bench.name}/AWSCodeBuild-{uuid}"
    assert printed(bench.log(built["id"])) == ["installed in deep", role, "1"]
    assert built["buildStatus"] == "SUCCEEDED"
    assert {phases(built)[name] for name in PASSING} == {"SUCCEEDED"}
    assert (built["buildNumber"], built["initiator"]) == (1, "developer")


def test_layers_that_a_build_makes_outlive_it(laptop: LaptopServer, bench: BuildBench):
    """A function of the laptop uses its layers in place."""
    built = bench.build(spec('echo "$SIGNALBOX_BUILD_DIR"'))

    assert printed(bench.log(built["id"])) == [str(laptop.config.state_dir.resolve() / "build")]


def test_after_a_failed_build_phase_post_build_still_runs(bench: BuildBench):
    built = bench.build(
        spec(
            "echo first",
            "sh -c 'exit 3'",
            "echo never",
            build={"finally": ["echo finally"]},
            post_build=["echo succeeding=$CODEBUILD_BUILD_SUCCEEDING"],
        )
    )

    assert printed(bench.log(built["id"])) == ["first", "finally", "succeeding=0"]
    assert built["buildStatus"] == "FAILED"
    assert phases(built)["POST_BUILD"] == "SUCCEEDED"
    assert context(built, "BUILD") == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: sh -c 'exit 3'. Reason: exit status 3",
    }


def test_a_failed_command_of_finally_fails_its_phase(bench: BuildBench):
    built = bench.build(spec("true", build={"finally": ["test -f no.txt"]}))

    assert built["buildStatus"] == "FAILED"
    assert "test -f no.txt" in context(built, "BUILD")["message"]


@pytest.mark.parametrize(
    ("failing", "rule", "following"),
    [
        # User guide: build phase transitions; phases/*/on-failure
        ("install", None, []),
        ("pre_build", None, []),
        ("build", None, ["POST_BUILD", "UPLOAD_ARTIFACTS"]),
        ("install", "CONTINUE", ["PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"]),
        ("build", "ABORT", []),
        ("post_build", None, ["UPLOAD_ARTIFACTS"]),
    ],
)
def test_what_follows_a_failed_phase(
    bench: BuildBench, failing: str, rule: str | None, following: list[str]
):
    named = {
        name: {"commands": ["true"]} for name in ("install", "pre_build", "build", "post_build")
    }
    phase: dict[str, Any] = {"commands": ["false"]}
    named[failing] = phase | ({"on-failure": rule} if rule else {})

    built = bench.build(json.dumps({"version": 0.2, "phases": named}) + "\n")

    gone_through = list(phases(built))
    after = gone_through[gone_through.index(failing.upper()) + 1 :]
    assert after == [*following, "FINALIZING", "COMPLETED"]
    assert built["buildStatus"] == "FAILED"


def test_the_start_s_variables_win_over_the_project_s_over_the_buildspec_s(bench: BuildBench):
    env = {"variables": {"A": "spec", "B": "spec", "C": "spec"}, "exported-variables": ["A", "D"]}
    given = [{"name": name, "value": "project"} for name in ("A", "B")]
    bench.create(
        spec("echo $A $B $C", "export D=42", env=env),
        environment={**ENVIRONMENT, "environmentVariables": given},
    )

    built = bench.ended(bench.start(environmentVariablesOverride=[{"name": "A", "value": "start"}]))

    assert printed(bench.log(built["id"])) == ["start project spec"]
    assert built["exportedEnvironmentVariables"] == [
        {"name": "A", "value": "start"},
        {"name": "D", "value": "42"},
    ]


def test_parameters_and_secrets_are_read_by_the_role_and_starred_out(bench: BuildBench):
    name, secret = f"/{bench.name}/key", f"{bench.name}-db"
    developer_client("ssm").put_parameter(Name=name, Value="from-ssm", Type="SecureString")
    arn = developer_client("secretsmanager").create_secret(
        Name=secret, SecretString='{"password": "from-secrets"}'
    )["ARN"]
    env = {"parameter-store": {"KEY": name}, "secrets-manager": {"WORD": f"{arn}:password"}}
    bench.create(
        spec("echo $KEY $WORD $OTHER", 'test "$WORD" = from-secrets', env=env),
        environment={
            **ENVIRONMENT,
            "environmentVariables": [{"name": "OTHER", "value": name, "type": "PARAMETER_STORE"}],
        },
    )

    denied = bench.ended(bench.start())
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"
    bench.grant(allow("ssm:GetParameters", parameter), allow("secretsmanager:GetSecretValue", arn))
    built = bench.ended(bench.start())

    assert "ssm:GetParameters" in context(denied, "DOWNLOAD_SOURCE")["message"]
    assert printed(bench.log(built["id"])) == ["*** *** ***"]
    assert built["buildStatus"] == "SUCCEEDED"


def test_the_role_s_keys_are_starred_out_too(bench: BuildBench):
    built = bench.build(spec("test ${#AWS_SECRET_ACCESS_KEY} -gt 20", "env | grep ^AWS_S | sort"))

    assert printed(bench.log(built["id"])) == [
        "AWS_SECRET_ACCESS_KEY=***",
        "AWS_SESSION_TOKEN=***",
    ]


def test_a_parameter_that_is_not_there_fails_the_build_by_name(bench: BuildBench):
    bench.grant(allow("ssm:GetParameters", "*"))

    built = bench.build(spec("true", env={"parameter-store": {"KEY": "/nowhere"}}))

    assert context(built, "DOWNLOAD_SOURCE") == {
        "statusCode": "Decrypted Variables Error",
        "message": "there is no parameter /nowhere in Systems Manager",
    }


def test_builds_a_source_from_s3_into_a_zip_in_s3(bench: BuildBench):
    name = bucket(bench)
    source = zip_of(buildspec__yml=spec("cat a.txt > b.txt", artifacts={"files": ["b.txt"]}))
    with zipfile.ZipFile(buffer := io.BytesIO(source), "a") as archive:
        archive.writestr("a.txt", "from the source")
    s3 = developer_client("s3")
    s3.put_object(Bucket=name, Key="in.zip", Body=buffer.getvalue())

    built = bench.build(
        "",
        source={"type": "S3", "location": f"{name}/in.zip"},
        artifacts={
            "type": "S3",
            "location": name,
            "path": "out",
            "packaging": "ZIP",
            "name": "o.zip",
        },
    )

    stored = s3.get_object(Bucket=name, Key="out/o.zip")
    with zipfile.ZipFile(io.BytesIO(stored["Body"].read())) as archive:
        assert archive.read("b.txt") == b"from the source"
    assert stored["ServerSideEncryption"] == "aws:kms"
    assert built["artifacts"]["location"] == f"arn:aws:s3:::{name}/out/o.zip"
    assert len(built["artifacts"]["sha256sum"]) == 64


def test_unpacked_artifacts_go_below_the_build_s_id(bench: BuildBench):
    name = bucket(bench)

    built = bench.build(
        spec("mkdir d", "echo 1 > d/x", artifacts={"files": ["d/*"]}),
        artifacts={"type": "S3", "location": name, "namespaceType": "BUILD_ID", "name": "n"},
    )

    uuid = built["id"].partition(":")[2]
    found = developer_client("s3").list_objects_v2(Bucket=name)["Contents"]
    assert [item["Key"] for item in found] == [f"{uuid}/n/d/x"]


def test_a_source_the_role_may_not_read_fails_the_build(bench: BuildBench):
    name = bucket(bench)
    bench.grant()

    built = bench.build("", source={"type": "S3", "location": f"{name}/in.zip"})

    message = context(built, "DOWNLOAD_SOURCE")["message"]
    assert "s3:GetObject" in message
    assert f"arn:aws:s3:::{name}/in.zip" in message
    assert list(phases(built))[-2:] == ["FINALIZING", "COMPLETED"]


def test_an_artifact_that_was_not_made_fails_the_build(bench: BuildBench):
    name = bucket(bench)

    built = bench.build(
        spec("true", artifacts={"files": ["made.txt"]}),
        artifacts={"type": "S3", "location": name, "packaging": "ZIP"},
    )

    assert built["buildStatus"] == "FAILED"
    assert context(built, "UPLOAD_ARTIFACTS")["message"] == (
        "no matching artifact paths found: made.txt"
    )


def test_a_role_that_may_not_write_its_log_fails_the_build_before_anything_runs(bench: BuildBench):
    put_policy(bench.name, allow("s3:ListAllMyBuckets", "*"))

    built = bench.build(spec("true"))

    assert built["buildStatus"] == "FAILED"
    told = context(built, "PROVISIONING")
    assert told["statusCode"] == "ACCESS_DENIED"
    assert "logs:CreateLogStream" in told["message"]
    assert "DOWNLOAD_SOURCE" not in phases(built)


def test_what_is_said_before_there_is_a_log_is_in_the_log_in_the_end(
    bench: BuildBench, monkeypatch: pytest.MonkeyPatch
):
    """On a slow machine lines are due to be written before the stream has been made."""
    monkeypatch.setattr(job_logs, "_FLUSH_AFTER_S", 0.0)

    built = bench.build(spec("true"))

    assert built["buildStatus"] == "SUCCEEDED"
    assert "Entering phase PROVISIONING" in bench.log(built["id"])


def test_a_buildspec_beyond_the_laptop_fails_the_build_by_name(bench: BuildBench):
    built = bench.build(spec("true", reports={"unit": {"files": ["*.xml"]}}))

    assert context(built, "DOWNLOAD_SOURCE") == {
        "statusCode": "UnsupportedByLocalAws",
        "message": "/reports",
    }


def test_a_build_can_be_stopped(bench: BuildBench):
    bench.create(spec("sleep 1000", post_build=["echo never"]))
    build_id = bench.start()
    assert comes_true(
        lambda: (
            bench.client.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD"
        )
    )

    bench.client.stop_build(id=build_id)
    built = bench.ended(build_id)

    assert built["buildStatus"] == "STOPPED"
    assert phases(built)["BUILD"] == "STOPPED"
    assert "POST_BUILD" not in phases(built)


def test_a_build_that_takes_too_long_is_ended(bench: BuildBench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codebuild_builds.LIMITS, "minute_s", 0.4)

    built = bench.build(spec("sleep 1000"), timeoutInMinutes=5)

    assert built["buildStatus"] == "TIMED_OUT"
    (over,) = [name for name, status in phases(built).items() if status == "TIMED_OUT"]
    assert context(built, over)["statusCode"] == "BUILD_TIMED_OUT"


def test_cached_folders_come_from_the_build_before(bench: BuildBench):
    """Of the same project; the source folder itself is another one each time."""
    build = spec(
        "cat kept/count || true",
        "cat ~/.cache/pip/where || true",
        "echo again > kept/count",
        "pwd > ~/.cache/pip/where",
        'test "$(cat ~/.cache/pip/where)" = "$CODEBUILD_SRC_DIR"',
        cache={"paths": ["kept/**/*", "/root/.cache/pip/**/*", "/elsewhere/*"]},
    )
    bench.create(build, cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]})

    first = printed(bench.log(bench.ended(bench.start())["id"]))
    second = printed(bench.log(bench.ended(bench.start())["id"]))

    assert [line for line in first if "No such file" not in line] == []
    again, where = second
    assert again == "again"
    assert where.endswith("/src")


def test_two_builds_never_have_the_same_source_folder(bench: BuildBench):
    """So what knows its own place, such as a virtual environment, cannot be cached."""
    bench.create(spec('echo "$CODEBUILD_SRC_DIR"'))

    places = [printed(bench.log(bench.ended(bench.start())["id"])) for _ in range(2)]

    assert places[0] != places[1]


def test_events_tell_each_change(bench: BuildBench):
    built = bench.build(spec("false"))
    # The bus may hear of the end a moment after BatchGetBuilds tells it.
    assert comes_true(lambda: bench.heard[-1]["detail"].get("build-status") == "FAILED")

    states = [
        event["detail"]["build-status"]
        for event in bench.heard
        if event["detail-type"] == "CodeBuild Build State Change"
    ]
    failed = next(
        event["detail"]
        for event in bench.heard
        if event["detail"].get("completed-phase-status") == "FAILED"
    )
    last = bench.heard[-1]
    assert states == ["IN_PROGRESS", "FAILED"]
    assert (failed["completed-phase"], failed["version"]) == ("BUILD", "1")
    assert "COMMAND_EXECUTION_ERROR" in failed["completed-phase-context"]
    assert last["resources"] == [built["arn"]]
    assert last["detail"]["build-id"] == built["arn"]
    assert last["detail"]["additional-information"]["build-complete"] is True
    assert last["detail"]["additional-information"]["logs"] == {
        "group-name": f"/aws/codebuild/{bench.name}",
        "stream-name": built["id"].partition(":")[2],
    }


def test_the_same_token_starts_one_build(bench: BuildBench):
    bench.create(spec("true"))

    first, again = bench.start(idempotencyToken="t"), bench.start(idempotencyToken="t")
    code, _ = refused(
        bench.client.start_build,
        projectName=bench.name,
        idempotencyToken="t",
        timeoutInMinutesOverride=5,
    )

    assert first == again
    assert code == "InvalidInputException"
    assert bench.client.list_builds_for_project(projectName=bench.name)["ids"] == [first]


def test_no_more_builds_run_at_once_than_the_project_allows(bench: BuildBench):
    bench.create(spec("sleep 1000"), concurrentBuildLimit=1)
    running = bench.start()

    code, _ = refused(bench.client.start_build, projectName=bench.name)

    assert code == "AccountLimitExceededException"
    bench.client.stop_build(id=running)
    bench.ended(running)
    bench.client.stop_build(id=bench.start())


def test_a_project_is_shown_changed_and_deleted(bench: BuildBench):
    bench.create(spec("true"), description="one", tags=[{"key": "app", "value": "x"}])
    client = bench.client

    client.update_project(name=bench.name, description="two", timeoutInMinutes=7)
    found = client.batch_get_projects(names=[bench.name, "nowhere"])
    (shown,) = found["projects"]
    listed = client.list_projects()["projects"]
    client.delete_project(name=bench.name)

    assert (shown["description"], shown["timeoutInMinutes"]) == ("two", 7)
    assert (shown["source"]["type"], shown["tags"]) == (
        "NO_SOURCE",
        [{"key": "app", "value": "x"}],
    )
    assert shown["arn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{bench.name}"
    assert found["projectsNotFound"] == ["nowhere"]
    assert bench.name in listed
    assert refused(client.start_build, projectName=bench.name)[0] == "ResourceNotFoundException"


PROJECT: dict[str, Any] = {
    "source": {"type": "NO_SOURCE", "buildspec": spec("true")},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": ENVIRONMENT,
}
REFUSED = [
    ({"name": "a b"}, "InvalidInputException", "pattern"),
    ({"timeoutInMinutes": 3000}, "InvalidInputException", "timeoutInMinutes"),
    ({"source": {"type": "CODEPIPELINE"}}, "InvalidInputException", "both be of type CODEPIPELINE"),
    ({"source": {"type": "NO_SOURCE"}}, "InvalidInputException", "buildspec must be given"),
    ({"source": {"type": "S3"}}, "InvalidInputException", "location"),
    ({"serviceRole": "codebuild-role"}, "InvalidInputException", "not the ARN of a role"),
    ({"source": {"type": "GITHUB"}}, "UnsupportedByLocalAws", "source.type GITHUB"),
    ({"vpcConfig": {"vpcId": "vpc-1"}}, "UnsupportedByLocalAws", "vpcConfig"),
    ({"cache": {"type": "S3", "location": "b/p"}}, "UnsupportedByLocalAws", "cache"),
    (
        {"environment": {**ENVIRONMENT, "privilegedMode": True}},
        "UnsupportedByLocalAws",
        "environment.privilegedMode",
    ),
]


@pytest.mark.parametrize(("change", "code", "reason"), REFUSED, ids=[str(c[0]) for c in REFUSED])
def test_refuses_a_project(bench: BuildBench, change: dict[str, Any], code: str, reason: str):
    request = {"name": bench.name, "serviceRole": bench.role, **PROJECT, **change}

    told = refused(bench.client.create_project, **request)

    assert told[0] == code
    assert reason in told[1]


def test_a_role_that_does_not_trust_codebuild_makes_no_project(bench: BuildBench):
    role = make_role(ACCOUNT, trusted=trust({"Service": "lambda.amazonaws.com"}))

    told = refused(bench.client.create_project, name=bench.name, serviceRole=role, **PROJECT)

    assert told[0] == "InvalidInputException"
    assert "sts:AssumeRole" in told[1]


def test_a_pipeline_s_project_is_started_by_pipelines_only(bench: BuildBench):
    kind = {"type": "CODEPIPELINE"}
    bench.create("", source=kind, artifacts=kind)

    assert "release a pipeline" in refused(bench.client.start_build, projectName=bench.name)[1]


def test_each_request_is_decided_on_the_project(bench: BuildBench):
    bench.create(spec("true"))
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{bench.name}"
    other = arn.replace(bench.name, "other")
    actions = ["codebuild:StartBuild", "codebuild:BatchGetBuilds", "codebuild:StopBuild"]
    may = session_of(make_role(ACCOUNT, allow(actions, arn))).client("codebuild")
    may_not = session_of(make_role(ACCOUNT, allow(actions, other))).client("codebuild")

    build = may.start_build(projectName=bench.name)["build"]
    may.batch_get_builds(ids=[build["arn"]])
    may.stop_build(id=build["id"])

    for call, request in (
        (may_not.start_build, {"projectName": bench.name}),
        (may_not.batch_get_builds, {"ids": [build["id"]]}),
        (may_not.stop_build, {"id": build["arn"]}),
    ):
        code, message = refused(call, **request)
        assert code == "AccessDeniedException"
        assert arn in message


def test_who_makes_a_project_passes_its_role_on(bench: BuildBench):
    creates = allow("codebuild:CreateProject", "*")
    passes = allow(
        "iam:PassRole",
        bench.role,
        Condition={"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}},
    )
    request = {"name": bench.name, "serviceRole": bench.role, **PROJECT}
    without = session_of(make_role(ACCOUNT, creates)).client("codebuild")
    with_ = session_of(make_role(ACCOUNT, creates, passes)).client("codebuild")

    assert "iam:PassRole" in refused(without.create_project, **request)[1]
    assert with_.create_project(**request)["project"]["name"] == bench.name


def test_operations_beyond_the_laptop_are_refused_by_name(bench: BuildBench):
    code, message = refused(bench.client.retry_build, id="p:1")

    assert code == "UnsupportedByLocalAws"
    assert "codebuild:RetryBuild" in message
