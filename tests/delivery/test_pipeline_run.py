"""A commit goes from the source archive to prod, by the templates of delivery/ and their roles.

The laptop decides every request by the policies of delivery/account.yaml; the record of decisions
then shows that the grants are needed.
"""

import io
import json
import re
import time
import urllib.request
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery import settings
from delivery.model import ENVIRONMENT_ROLES, OPERATIONS_ROLES, Settings
from localaws import iam, inbox
from localaws.clients import developer_client
from localaws.iam_record import Record, denials, from_json
from localaws.server import LaptopServer
from tests.contracts import repository
from tests.delivery.conftest import deploy
from tests.scenarios.iam_listed import Row, listed

UNEXERCISED = "Granted to the delivery, and not exercised on the laptop"
LONGEST_S = 240
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Run:
    """What one commit left behind."""

    found: Settings
    url: str
    inbox: Path
    asked: dict[str, str]
    """What the person was asked before prod."""
    status: str
    records: list[Record]


def source_archive() -> bytes:
    """The committed files, as a Git host's archive has them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in repository.committed_files():
            archive.write(repository.ROOT / path, str(path))
    return content.getvalue()


@pytest.fixture(scope="module")
def run(laptop: LaptopServer, accounts: dict[str, dict[str, str]], found: Settings) -> Run:
    """The delivery pipeline deployed, a commit released, approved, and come to its end."""
    told = replace(found, checks="help", approvers="you@laptop.invalid")
    (pipeline,) = (d for d in settings.deployments(told) if d.name == "pipeline")
    deploy(pipeline, accounts)
    developer_client("s3", account=found.operations.account).put_object(
        Bucket=found.artifact_bucket, Key="source/source.zip", Body=source_archive()
    )
    asked = approve(found)
    status = ended(found)
    with urllib.request.urlopen(f"{laptop.url}/_localaws/decisions") as answer:
        lines = answer.read().decode().splitlines()
    mails = laptop.config.state_dir / inbox.FOLDER
    return Run(found, laptop.url, mails, asked, status, [from_json(line) for line in lines if line])


def approve(found: Settings) -> dict[str, str]:
    """Wait for the approval and give it; what was asked."""
    client = developer_client("codepipeline", account=found.operations.account)
    name, deadline = f"{found.app}-delivery", time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        stages = {s["stageName"]: s for s in client.get_pipeline_state(name=name)["stageStates"]}
        actions = {a["actionName"]: a for a in stages["Prod"]["actionStates"]}
        latest = actions["ApproveForProd"].get("latestExecution", {})
        if latest.get("token"):
            break
        assert_nothing_failed(stages)
        time.sleep(0.3)
    details = client.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    (approval,) = (d for d in details if d["actionName"] == "ApproveForProd")
    client.put_approval_result(
        pipelineName=name,
        stageName="Prod",
        actionName="ApproveForProd",
        token=latest["token"],
        result={"summary": "looks good", "status": "Approved"},
    )
    asked: dict[str, str] = approval["input"]["resolvedConfiguration"]
    return asked


def assert_nothing_failed(stages: dict[str, Any]) -> None:
    for stage in stages.values():
        for action in stage["actionStates"]:
            latest = action.get("latestExecution", {})
            assert latest.get("status") != "Failed", (action["actionName"], latest)


def ended(found: Settings) -> str:
    client = developer_client("codepipeline", account=found.operations.account)
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        (latest,) = client.list_pipeline_executions(pipelineName=f"{found.app}-delivery")[
            "pipelineExecutionSummaries"
        ]
        if latest["status"] != "InProgress":
            break
        time.sleep(0.3)
    return str(latest["status"])


def test_a_commit_reaches_staging_and_prod(run: Run) -> None:
    assert run.status == "Succeeded"
    for name in ("staging", "prod"):
        environment = run.found.environments[name]
        client = developer_client("cloudformation", account=environment.account)
        (stack,) = client.describe_stacks(StackName=environment.stack_name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        assert stack["RoleARN"] == run.found.role_arn(name, "cloudformation")
        given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
        assert environment.parameters.items() <= given.items()


def test_the_person_is_asked_with_the_evidence(run: Run) -> None:
    question = run.asked["CustomData"]

    assert "50 rows as the evaluation predicted them" in question
    assert f"s3/buckets/signalbox-staging-workflow-{run.found.environments['staging'].account}" in (
        question
    )
    assert re.search(r"signalbox-prod in us-east-1: \d{2,3} Add; 0 replaced\. Tried out", question)
    assert "commit unknown" not in question
    assert len(question) <= 1000


def test_every_role_of_the_control_plane_is_bounded(run: Run) -> None:
    prod = run.found.environments["prod"]
    client = developer_client("iam", account=prod.account)
    pages = client.get_paginator("list_roles").paginate()
    names = [r["RoleName"] for page in pages for r in page["Roles"]]
    own = {run.found.role_name("prod", k) for k in ENVIRONMENT_ROLES if k != "acceptance"}
    deployed = [n for n in names if n.startswith(f"{prod.stack_name}-") and n not in own]

    stack = developer_client("cloudformation", account=prod.account)
    made = stack.get_paginator("list_stack_resources").paginate(StackName=prod.stack_name)
    members = [r for page in made for r in page["StackResourceSummaries"]]
    roles = [r["PhysicalResourceId"] for r in members if r["ResourceType"] == "AWS::IAM::Role"]
    assert len(roles) >= 20
    assert sorted(deployed) == sorted(roles)
    for name in deployed:
        boundary = client.get_role(RoleName=name)["Role"]["PermissionsBoundary"]
        assert boundary["PermissionsBoundaryArn"] == prod.boundary_arn()


def test_packages_are_encrypted_with_their_key_and_deployed_by_version(run: Run) -> None:
    """So what a later build writes under the same key is not what prod was approved with."""
    place, prod = run.found.operations, run.found.environments["prod"]
    deployed = developer_client("cloudformation", account=prod.account).get_template(
        StackName=prod.stack_name, TemplateStage="Processed"
    )["TemplateBody"]["Resources"]
    (key,) = (
        alias["TargetKeyId"]
        for alias in developer_client("kms", account=place.account).list_aliases()["Aliases"]
        if alias["AliasName"] == "alias/signalbox-delivery"
    )
    codes = [
        r["Properties"]["Code"] for r in deployed.values() if r["Type"] == "AWS::Lambda::Function"
    ]

    assert len(codes) >= 13
    s3 = developer_client("s3", account=place.account)
    for code in codes:
        head = s3.head_object(
            Bucket=code["S3Bucket"], Key=code["S3Key"], VersionId=code["S3ObjectVersion"]
        )
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"].endswith((key, "alias/signalbox-delivery"))


def session(run: Run, environment: str, kind: str) -> Any:
    """A maker of clients of a role that another account's role assumes."""
    by = {"delivery": "pipeline", "preview": "build"}[kind]
    services = {"pipeline": "codepipeline", "build": "codebuild"}
    place = run.found.operations
    resource = {"pipeline": "signalbox-delivery", "build": "project/signalbox-delivery-build"}[by]
    keys = iam.assume_service_role(
        run.found.role_arn("operations", by),
        f"{services[by]}.amazonaws.com",
        session_name="test",
        source_arn=f"arn:aws:{services[by]}:{place.region}:{place.account}:{resource}",
    )
    first = _clients(run, keys.access_key_id, keys.secret_access_key, keys.session_token)
    arn = run.found.role_arn(environment, kind)
    second = first("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return _clients(run, second["AccessKeyId"], second["SecretAccessKey"], second["SessionToken"])


def _clients(run: Run, key: str, secret: str, token: str) -> Any:
    import boto3

    opened = boto3.Session(key, secret, token, region_name=run.found.operations.region)
    return lambda service: opened.client(service, endpoint_url=run.url)


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_a_preview_can_deploy_nothing(run: Run) -> None:
    clients = session(run, "prod", "preview")
    cloudformation, stack = clients("cloudformation"), "signalbox-prod"
    role = run.found.role_arn("prod", "cloudformation")
    body = {"TemplateBody": '{"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}'}

    calls = [
        refused(cloudformation.execute_change_set, StackName=stack, ChangeSetName="preview-x"),
        refused(cloudformation.create_change_set, StackName=stack, ChangeSetName="other", **body),
        refused(cloudformation.update_stack, StackName=stack, RoleARN=role, **body),
        refused(cloudformation.delete_stack, StackName=stack),
        refused(
            cloudformation.create_change_set,
            **{"StackName": stack, "ChangeSetName": "preview-y", "RoleARN": role, **body},
        ),
        refused(
            clients("s3").put_object,
            Bucket=run.found.artifact_bucket,
            Key=f"{run.found.packages_prefix('prod')}/templates/x.yaml",
        ),
    ]
    assert {code.removesuffix("Exception") for code in calls} == {"AccessDenied"}


def test_an_environment_writes_packages_of_its_own_only(run: Run) -> None:
    s3 = session(run, "staging", "delivery")("s3")
    bucket, found = run.found.artifact_bucket, run.found
    own, others = (f"{found.packages_prefix(name)}/x.zip" for name in ("staging", "prod"))

    s3.put_object(Bucket=bucket, Key=own, Body=b"x")
    assert refused(s3.put_object, Bucket=bucket, Key=others, Body=b"x") == "AccessDenied"
    assert refused(s3.put_object, Bucket=bucket, Key="source/source.zip") == "AccessDenied"


@pytest.mark.parametrize(
    ("name", "bounded"),
    [("signalbox-dev-more", False), ("signalbox-dev-delivery-x", True), ("other", True)],
)
def test_cloudformation_makes_bounded_roles_of_its_environment_only(
    run: Run, name: str, bounded: bool
) -> None:
    """A template that tries more is refused under the execution role, and leaves nothing."""
    dev = run.found.environments["dev"]
    boundary = {"PermissionsBoundary": dev.boundary_arn()} if bounded else {}
    properties = {
        "RoleName": name,
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "Policies": [{"PolicyName": "p", "PolicyDocument": _ANYTHING}],
        **boundary,
    }
    client = developer_client("cloudformation", account=dev.account)
    client.create_stack(
        StackName=dev.stack_name,
        TemplateBody=json.dumps(
            {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}
        ),
        RoleARN=run.found.role_arn("dev", "cloudformation"),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    (stack,) = client.describe_stacks(StackName=dev.stack_name)["Stacks"]
    client.delete_stack(StackName=dev.stack_name)
    client.get_waiter("stack_delete_complete").wait(StackName=dev.stack_name)

    assert stack["StackStatus"].startswith("ROLLBACK")
    roles = developer_client("iam", account=dev.account).list_roles()["Roles"]
    assert name not in [role["RoleName"] for role in roles]


_ANYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}

# What CloudFormation's role may is compared with AWS's own handlers (test_account.py).
HOLDERS = {
    **{("operations", kind): f"{kind.title()}Role" for kind in OPERATIONS_ROLES},
    ("operations", "acceptance"): "AcceptanceBuildRole",
    ("staging", "delivery"): "DeliveryRole",
    ("staging", "preview"): "PreviewRole",
    ("staging", "acceptance"): "AcceptanceRole",
}


def test_every_granted_action_is_needed_by_the_run(run: Run) -> None:
    names = {run.found.role_arn(*who): logical for who, logical in HOLDERS.items()}
    policies: dict[str, dict[str, Any]] = {}
    for arn in names:
        client, role = developer_client("iam", account=arn.split(":")[4]), arn.rpartition("/")[2]
        policies[arn] = {
            name: client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in client.list_role_policies(RoleName=role)["PolicyNames"]
        }
    found = denials(run.records, policies)
    rows = {r: Row(names[r.role], r.statement.rpartition("#")[2], r.action) for r in found}
    unused = {rows[removal] for removal, denied in found.items() if not denied}

    assert sorted(map(str, unused - listed(UNEXERCISED))) == []
    assert sorted(map(str, listed(UNEXERCISED) & (set(rows.values()) - unused))) == []
    assert len(found) - len(unused) > 40


def test_a_stack_is_changed_in_place_and_deleted_under_the_role_that_made_it(run: Run) -> None:
    """What holds data stays; the role may do all that takes."""
    staging = run.found.environments["staging"]
    client = developer_client("cloudformation", account=staging.account)
    name = staging.stack_name
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    changed = {**given, "LogRetentionDays": "60", "ReconcileEveryMinutes": "30"}
    client.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in changed.items()],
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_update_complete").wait(StackName=name)
    (group, *_) = developer_client("logs", account=staging.account).describe_log_groups(
        logGroupNamePrefix=f"/aws/lambda/{name}-"
    )["logGroups"]
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(StackName=name)

    assert group["retentionInDays"] == 60
    buckets = developer_client("s3", account=staging.account).list_buckets()["Buckets"]
    assert len([b for b in buckets if b["Name"].startswith(f"{name}-")]) == 3


def mails(run: Run) -> list[str]:
    """What was sent by e-mail."""
    return [path.read_text() for path in run.inbox.glob("*")]


def test_the_approvers_are_asked_and_told_of_a_failure_by_e_mail(run: Run) -> None:
    developer_client("s3", account=run.found.operations.account).put_object(
        Bucket=run.found.artifact_bucket, Key="source/source.zip", Body=b"no archive"
    )
    deadline = time.monotonic() + LONGEST_S
    while (
        not any("failed or was rejected" in m for m in mails(run)) and time.monotonic() < deadline
    ):
        time.sleep(0.2)

    (failed,) = (mail for mail in mails(run) if "failed or was rejected" in mail)
    client = developer_client("codepipeline", account=run.found.operations.account)
    name = f"{run.found.app}-delivery"
    newest = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][0]
    assert (newest["status"], newest["pipelineExecutionId"] in failed) == ("Failed", True)
    assert any("ApproveForProd" in mail for mail in mails(run))
