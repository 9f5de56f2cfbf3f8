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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery import settings, toml_writing
from delivery.model import ENVIRONMENT_ROLES, OPERATIONS_ROLES, Settings
from localaws import inbox
from localaws.clients import developer_client
from localaws.iam import service as iam
from localaws.iam.record import Record, denials, from_json
from localaws.server import LaptopServer
from tests.contracts import repository
from tests.delivery.conftest import deploy
from tests.scenarios import iam_evidence
from tests.scenarios.iam_listed import Row, listed

UNEXERCISED = "Granted to the delivery, and not exercised on the laptop"
UNNEEDED = "Statements about the delivery that nothing in its run needs"
LONGEST_S = 240
SECOND = "eu-west-1"
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


@pytest.fixture(scope="module")
def found() -> Settings:
    """The example settings, with a second region for prod."""
    known = settings.load()
    prod = replace(known.environments["prod"], regions=("us-east-1", SECOND))
    return replace(known, environments={**known.environments, "prod": prod})


def source_archive(found: Settings) -> bytes:
    """The committed files with these settings, as a Git host's archive has them."""
    content, own = io.BytesIO(), toml_writing.files(found)
    with zipfile.ZipFile(content, "w") as archive:
        for path in repository.committed_files():
            if path.name not in own or path.parent != Path("delivery/environments"):
                archive.write(repository.ROOT / path, str(path))
        for name, text in own.items():
            archive.writestr(f"delivery/environments/{name}", text)
    return content.getvalue()


@pytest.fixture(scope="module")
def run(laptop: LaptopServer, accounts: dict[str, dict[str, str]], found: Settings) -> Run:
    """The delivery pipeline deployed, a commit released, approved, and come to its end."""
    told = replace(found, checks="help", approvers="you@laptop.invalid")
    (pipeline,) = (d for d in settings.deployments(told) if d.name == "pipeline")
    deploy(pipeline, accounts)
    developer_client("s3", account=found.operations.account).put_object(
        Bucket=found.artifact_bucket, Key="source/source.zip", Body=source_archive(found)
    )
    asked = approve(found)
    status = ended(found)
    mails = laptop.config.state_dir / inbox.FOLDER
    return Run(found, laptop.url, mails, asked, status, recorded(laptop.url))


def recorded(url: str) -> list[Record]:
    """Everything that IAM has decided so far."""
    with urllib.request.urlopen(f"{url}/_localaws/decisions") as answer:
        lines = answer.read().decode().splitlines()
    return [from_json(line) for line in lines if line]


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
    details = client.list_action_executions(pipelineName=f"{found.app}-delivery")
    last = details["actionExecutionDetails"][0]
    assert latest["status"] != "InProgress", json.dumps(last, default=str)
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


def test_the_same_commit_reaches_every_region_of_prod(run: Run) -> None:
    """Region after region; each has its own packages, stores and roles, and no promotion."""
    prod = run.found.environments["prod"]
    client = developer_client("cloudformation", SECOND, account=prod.account)
    (stack,) = client.describe_stacks(StackName=prod.stack_name)["Stacks"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=prod.stack_name)
    kinds = [r["ResourceType"] for page in pages for r in page["StackResourceSummaries"]]
    functions = developer_client("lambda", SECOND, account=prod.account).list_functions()

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["RoleARN"] == run.found.role_arn("prod", "cloudformation", SECOND)
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    assert settings.parameters(run.found, "prod", SECOND).items() <= given.items()
    assert given["PermissionsBoundary"] == prod.boundary_arn(SECOND)
    # All but the one that receives versions: models are promoted between home regions.
    assert kinds.count("AWS::Lambda::Function") == len(functions["Functions"]) == 12
    arns = [one["FunctionArn"] for one in functions["Functions"]]
    assert {tuple(arn.split(":")[3:5]) for arn in arns} == {(SECOND, prod.account)}


def test_a_region_is_deployed_to_when_the_one_before_it_stands(run: Run) -> None:
    client = developer_client("codepipeline", account=run.found.operations.account)
    details = client.list_action_executions(pipelineName="signalbox-delivery")
    done = [d for d in details["actionExecutionDetails"] if d["stageName"] == "Prod"]
    order = [d["actionName"] for d in sorted(done, key=lambda d: d["startTime"])]
    regions = {d["actionName"]: d["input"]["region"] for d in done}

    assert set(order[:2]) == {"PrepareChanges", "PrepareChangesInSecondRegion"}
    assert order[2:] == ["Review", "ApproveForProd", "Deploy", "DeployInSecondRegion"]
    assert regions["Deploy"] == "us-east-1"
    assert regions["DeployInSecondRegion"] == SECOND


def test_the_person_is_asked_with_the_evidence(run: Run) -> None:
    question = run.asked["CustomData"]

    assert "50 rows as the evaluation predicted them" in question
    assert f"s3/buckets/signalbox-staging-workflow-{run.found.environments['staging'].account}" in (
        question
    )
    would = [
        rf"signalbox-prod in {region}: \d{{2,3}} Add; 0 replaced\."
        for region in ("us-east-1", SECOND)
    ]
    assert re.search(" ".join([*would, "Tried out"]), question)
    assert "commit unknown" not in question
    assert len(question) <= 1000


def test_every_role_of_the_control_plane_is_bounded(run: Run) -> None:
    prod = run.found.environments["prod"]
    client = developer_client("iam", account=prod.account)
    pages = client.get_paginator("list_roles").paginate()
    names = [r["RoleName"] for page in pages for r in page["Roles"]]
    names = [name for name in names if name.endswith(f"-{prod.region}")]
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


def test_an_environment_reads_its_own_packages_and_those_of_the_pipeline(run: Run) -> None:
    bucket, found = run.found.artifact_bucket, run.found
    folders = {
        "own": found.packages_prefix("staging"),
        "pipeline": f"packages/{found.operations.account}",
        "prod": found.packages_prefix("prod"),
    }
    person = developer_client("s3", account=found.operations.account)
    for folder in folders.values():
        for key in (f"{folder}/read.zip", f"{folder}/previews/read.json"):
            person.put_object(Bucket=bucket, Key=key, Body=b"x")
    delivery = session(run, "staging", "delivery")("s3")
    preview = session(run, "staging", "preview")("s3")

    for folder in (folders["own"], folders["pipeline"]):
        assert delivery.get_object(Bucket=bucket, Key=f"{folder}/read.zip")["Body"].read() == b"x"
    assert refused(delivery.get_object, Bucket=bucket, Key=f"{folders['prod']}/read.zip") == (
        "AccessDenied"
    )
    preview.get_object(Bucket=bucket, Key=f"{folders['own']}/previews/read.json")
    for folder in folders.values():
        assert refused(preview.get_object, Bucket=bucket, Key=f"{folder}/read.zip") == (
            "AccessDenied"
        )


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


def reads_data_sets(run: Run, name: str) -> str:
    """What a role of staging's account gets of the data bucket: "" or the code of the refusal."""
    found, account = run.found, run.found.environments["staging"].account
    key, data = "sets/a.csv", developer_client("s3", account=run.found.data.account)
    data.put_object(Bucket=found.data_bucket, Key=key, Body=b"1,2")
    client = developer_client("iam", account=account)
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    arn = client.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"}
    client.put_role_policy(
        RoleName=name,
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reading]}),
    )
    sts = developer_client("sts", account=account)
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    s3 = _clients(run, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])("s3")
    try:
        assert s3.get_object(Bucket=found.data_bucket, Key=key)["Body"].read() == b"1,2"
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_data_sets_are_read_by_roles_of_the_application(run: Run) -> None:
    assert reads_data_sets(run, "signalbox-staging-other-reader") == ""
    assert reads_data_sets(run, "reader") == "AccessDenied"


def held_by(arn: str) -> dict[str, Any]:
    """Documents of a role's own policies and of those that are attached to it."""
    client, role = developer_client("iam", account=arn.split(":")[4]), arn.rpartition("/")[2]
    documents = {
        name: client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in client.list_role_policies(RoleName=role)["PolicyNames"]
    }
    for policy in client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        found = client.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]
        version = client.get_policy_version(
            PolicyArn=policy["PolicyArn"], VersionId=found["DefaultVersionId"]
        )
        documents[policy["PolicyName"]] = version["PolicyVersion"]["Document"]
    return documents


def of_store(account: str, bucket: str, alias: str) -> Iterator[tuple[str, Any]]:
    """ARN and policy of a bucket and of its key."""
    s3, kms = (developer_client(service, account=account) for service in ("s3", "kms"))
    yield f"arn:aws:s3:::{bucket}", json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (key,) = (
        one["TargetKeyId"] for one in kms.list_aliases()["Aliases"] if one["AliasName"] == alias
    )
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    yield kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"], json.loads(policy)


def of_resources(found: Settings, roles: dict[str, str]) -> dict[str, tuple[str, Any]]:
    """Bucket, key and trust policies of the account set-up: ARN -> name here and document."""
    policies: dict[str, tuple[str, Any]] = {}
    for name, account, bucket, alias in (
        ("Packages", found.operations.account, found.artifact_bucket, "alias/signalbox-delivery"),
        ("Data", found.data.account, found.data_bucket, "alias/signalbox-data"),
    ):
        for kind, (arn, document) in zip(
            ("Bucket", "Key"), of_store(account, bucket, alias), strict=True
        ):
            policies[arn] = (f"{name}{kind}", document)
    for role, name in roles.items():
        client = developer_client("iam", account=role.split(":")[4])
        described = client.get_role(RoleName=role.rpartition("/")[2])["Role"]
        policies[role] = (name, described["AssumeRolePolicyDocument"])
    return policies


TRUSTED = {**HOLDERS, ("staging", "cloudformation"): "CloudFormationRole"}


@dataclass(frozen=True)
class Evidence:
    """What was decided up to here, by which policies."""

    records: list[Record]
    held: dict[str, dict[str, Any]]
    resources: dict[str, tuple[str, Any]]


@pytest.fixture(scope="module")
def evidence(run: Run) -> Evidence:
    """After all that the tests above have asked for as the roles of the delivery."""
    reads_data_sets(run, "signalbox-staging-reader")
    names = {run.found.role_arn(*who): logical for who, logical in TRUSTED.items()}
    records = recorded(run.url)
    readers = {r.role for r in records if r.role.endswith("-reader")}
    held = {role: held_by(role) for role in readers | {*names}}
    return Evidence(records, held, of_resources(run.found, names))


def test_every_statement_about_bucket_key_and_trust_is_needed(evidence: Evidence) -> None:
    unused = {
        Row(name, narrowing.statement, "")
        for holder, (name, document) in evidence.resources.items()
        for narrowing in iam_evidence.statements_removed(holder, document)
        if not iam_evidence.changes_something(narrowing, document, evidence.records, evidence.held)
    }

    assert sorted(map(str, unused - listed(UNNEEDED))) == []
    assert sorted(map(str, listed(UNNEEDED) - unused)) == []


def test_every_condition_about_bucket_key_and_trust_keeps_somebody_out(evidence: Evidence) -> None:
    """A request that was let in is refused with another value of the key, by that condition."""
    conditions = [
        (name, wider, key, document)
        for holder, (name, document) in evidence.resources.items()
        for wider, key in iam_evidence.conditions_removed(holder, document)
    ]

    idle = {
        Row(name, f"{wider.statement}: {wider.lost}", "")
        for name, wider, key, document in conditions
        if Row(name, wider.statement, "") not in listed(UNNEEDED)
        and not iam_evidence.keeps_somebody_out(wider, key, document, evidence.records)
    }

    assert sorted(map(str, idle)) == []
    assert len(conditions) > 20


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
