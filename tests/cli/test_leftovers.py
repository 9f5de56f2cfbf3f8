"""After an environment was destroyed: what is left is found, what belongs to others is not."""

import json
from collections.abc import Callable, Iterator

import pytest

from localaws.clients import developer_client
from localaws.context import ACCOUNT_ID, REGION
from signalbox_cli.destroying import Doomed, remove_packages
from signalbox_cli.doctor.patients import Patient
from signalbox_cli.leftovers import Leftover, leftovers
from signalbox_cli.target import Target
from tests.cli.conftest import Answer
from tests.cli.doctor_world import environment
from tests.inventory import names

IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.4-2"
Run = Callable[..., Answer]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
EMPTY = b"PK\x05\x06" + bytes(18)
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
BY_HAND = {"forgotten": "mine", "copied": "theirs", "signalbox-dev-prod-y": "ours"}
"""Endpoints that tests made by hand from what is the environment's, and their models."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    with environment(tmp_path_factory.mktemp("laptop")) as patient:
        yield patient


def left(target: Target) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in leftovers(target)]


def orphan(name: str, *, model: str, role: str, bucket: str = "elsewhere", count: int = 2) -> None:
    """An endpoint somebody made by hand; it comes up by itself."""
    sagemaker = developer_client("sagemaker")
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/{role}",
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
    )
    variant = {
        "VariantName": "primary",
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": count,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-c")


def found_endpoint(target: Target, name: str) -> Leftover:
    (one,) = [one for one in leftovers(target) if (one.kind, one.name) == ("endpoint", name)]
    return one


def test_an_endpoint_that_runs_under_the_environment_s_role_is_found(deployed: Patient) -> None:
    orphan("forgotten", model="mine", role="signalbox-dev-hosting-us-east-1")

    one = found_endpoint(deployed.target, "forgotten")

    assert one.why == "it runs under the role signalbox-dev-hosting-us-east-1"
    assert one.usd_per_month == pytest.approx(2 * 0.115 * 730)  # 167.90 USD
    assert one.remedy == "aws sagemaker delete-endpoint --endpoint-name forgotten"


def test_an_endpoint_whose_model_lies_in_the_environment_s_bucket_is_found(
    deployed: Patient,
) -> None:
    bucket = f"signalbox-dev-workflow-{ACCOUNT_ID}-{REGION}"
    orphan("copied", model="theirs", role="somebody", bucket=bucket)

    assert found_endpoint(deployed.target, "copied").why == f"its model comes from {bucket}"


def test_an_endpoint_of_somebody_else_is_not_ours(deployed: Patient) -> None:
    orphan("other", model="others", role="somebody")
    orphan("signalbox-dev-prod-x", model="others-2", role="signalbox-dev-prod-hosting-us-east-1")
    orphan("signalbox-dev-prod-y", model="ours", role="signalbox-dev-hosting-us-east-1")

    names = [name for _, name in left(deployed.target)]

    assert "other" not in names
    # An app may be called signalbox-dev: this is its prod.
    assert "signalbox-dev-prod-x" not in names
    assert "signalbox-dev-prod-y" in names  # and a workload may be called prod-y


def test_what_belongs_to_the_account_s_set_up_is_spared(deployed: Patient) -> None:
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "signalbox-dev-delivery-us-east-1",
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                },
            }
        }
    }
    stack = {"StackName": "signalbox-dev-account", "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    cloudformation = developer_client("cloudformation")
    role = ("role", "signalbox-dev-delivery-us-east-1")
    cloudformation.create_stack(**stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="signalbox-dev-account")

    assert role not in left(deployed.target)
    assert ("role", "signalbox-dev-job-us-east-1") in left(deployed.target)


REMEDIES = [
    ("layer", "signalbox-dev-hand", "delete-layer-version --layer-name {} --version-number 2"),
    ("rule", "signalbox-dev-hand", "remove-targets --rule {0} --ids t && aws events delete-rule"),
    ("role", "signalbox-dev-hand", "delete-role-policy --role-name {0} --policy-name p && aws iam"),
    ("bucket", "signalbox-dev-hand", "rb s3://{}"),
    ("policy", "signalbox-dev-hand", "delete-policy-version --policy-arn"),
    ("key alias", "signalbox-dev-hand", "delete-alias --alias-name alias/{}"),
    ("stack", "signalbox-dev-network", "delete-stack --stack-name {}"),
    ("state machine", "signalbox-dev-hand", "delete-state-machine --state-machine-arn arn:aws:"),
]


def make_by_hand(target: Target) -> None:
    """One of each kind whose deletion takes more than one command, or that the stack never has."""
    name, nobody = "signalbox-dev-hand", json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
    iam, events = target.client("iam"), target.client("events")
    for _ in range(2):
        target.client("lambda").publish_layer_version(LayerName=name, Content={"ZipFile": EMPTY})
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:nobody"
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": queue}])
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=nobody)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=nobody)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=nobody)
    s3 = target.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    key = target.client("kms").create_key()["KeyMetadata"]["KeyId"]
    target.client("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    target.client("stepfunctions").create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn=role["Arn"],
    )
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    target.client("cloudformation").create_stack(
        StackName="signalbox-dev-network", TemplateBody=topic
    )
    target.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="signalbox-dev-network"
    )


def clear_away(target: Target) -> None:
    """The remedies, by hand."""
    name, iam, events = "signalbox-dev-hand", target.client("iam"), target.client("events")
    for number in (1, 2):
        target.client("lambda").delete_layer_version(LayerName=name, VersionNumber=number)
    events.remove_targets(Rule=name, Ids=["t"])
    events.delete_rule(Name=name)
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    policy = f"arn:aws:iam::{ACCOUNT_ID}:policy/{name}"
    (other,) = [
        one["VersionId"]
        for one in iam.list_policy_versions(PolicyArn=policy)["Versions"]
        if not one["IsDefaultVersion"]
    ]
    iam.delete_policy_version(PolicyArn=policy, VersionId=other)
    iam.delete_policy(PolicyArn=policy)
    target.client("s3").delete_bucket(Bucket=name)
    alias = f"alias/{name}"
    key = target.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
    target.client("kms").delete_alias(AliasName=alias)
    target.client("kms").schedule_key_deletion(KeyId=key)
    machine = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{name}"
    target.client("stepfunctions").delete_state_machine(stateMachineArn=machine)
    cloudformation = target.client("cloudformation")
    cloudformation.delete_stack(StackName="signalbox-dev-network")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="signalbox-dev-network")


def test_every_leftover_comes_with_the_commands_that_really_delete_it(deployed: Patient) -> None:
    make_by_hand(deployed.target)

    found = {(one.kind, one.name): one.remedy for one in leftovers(deployed.target)}
    clear_away(deployed.target)

    for kind, name, command in REMEDIES:
        assert command.format(name) in found[kind, name]
    assert found["role", "signalbox-dev-hand"].endswith(
        "aws iam delete-role --role-name signalbox-dev-hand"
    )
    assert "signalbox-dev-hand" not in {name for _, name in left(deployed.target)}


def test_what_sam_has_uploaded_for_the_environment_is_found_and_no_other(
    deployed: Patient,
) -> None:
    """aws-sam-cli keeps one bucket for each region, in a stack of its own."""
    s3, cloudformation = deployed.client("s3"), deployed.client("cloudformation")
    properties = {"BucketName": "sam-source", "VersioningConfiguration": {"Status": "Enabled"}}
    template = {
        "Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}},
        "Outputs": {"SourceBucket": {"Value": {"Ref": "B"}}},
    }
    stack = "aws-sam-cli-managed-default"
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)
    for key in ("signalbox-dev/a", "signalbox-dev/b", "signalbox-dev-prod/c", "other/d"):
        s3.put_object(Bucket="sam-source", Key=key, Body=b"1")

    assert ("packages", "s3://sam-source/signalbox-dev/") in left(deployed.target)
    doomed = Doomed((), (), (), (), (), (), "")
    said = list(remove_packages(deployed.target, doomed))

    assert said == ["2 packages in s3://sam-source/signalbox-dev/"]
    kept = s3.list_object_versions(Bucket="sam-source")["Versions"]
    assert [one["Key"] for one in kept] == ["other/d", "signalbox-dev-prod/c"]
    assert "packages" not in {kind for kind, _ in left(deployed.target)}


@pytest.fixture
def destroy(signalbox: Run, deployed: Patient, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`signalbox destroy` as dev's developer, through the variables that every AWS client reads."""
    target = deployed.target
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(target.endpoint_url))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", str(target.access_key_id))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", str(target.secret_access_key))
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return lambda *arguments: signalbox("destroy", *arguments)


def test_destroying_reports_the_orphan_and_its_price_and_nothing_else(
    deployed: Patient, destroy: Run
) -> None:
    """The last test of the environment: from here on it is gone."""
    target = deployed.target
    target.client("s3").put_object(
        Bucket=f"signalbox-dev-workflow-{ACCOUNT_ID}-{REGION}",
        Key="runs/r/manifest.json",
        Body=b"{}",
    )
    target.client("logs").create_log_group(logGroupName="/aws/sagemaker/Endpoints/signalbox-dev-x")
    for name in ("copied", "other"):
        target.client("sagemaker").delete_endpoint(EndpointName=name)

    answer = destroy("--yes", "--verify", "--json")

    assert answer.code == 1
    assert "7 things of signalbox-dev are still there, about 167.90 USD a month" in answer.stderr
    assert "signalbox-dev-prod-x" not in answer.stderr
    assert "endpoints: signalbox-dev-prod-y" in answer.stderr
    told = json.loads(answer.stdout)
    assert {(one["kind"], one["name"]) for one in told["left"]} == {
        ("endpoint", "forgotten"),
        *(("endpoint configuration", f"{name}-c") for name in BY_HAND),
        *(("model", model) for model in BY_HAND.values()),
    }
    assert told["left"][0]["usdPerMonth"] == pytest.approx(167.9)
    assert "deleted stack signalbox-dev" in told["done"]
    assert "deleted log group /aws/sagemaker/Endpoints/signalbox-dev-x" in told["done"]
    assert told["kept"][0].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/")


def test_a_second_time_nothing_is_missed_and_the_key_can_go(
    deployed: Patient, destroy: Run
) -> None:
    sagemaker = deployed.target.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName="forgotten")
    for name, model in BY_HAND.items():
        sagemaker.delete_endpoint_config(EndpointConfigName=f"{name}-c")
        sagemaker.delete_model(ModelName=model)

    kept = destroy("--yes", "--verify")
    gone = destroy("--yes", "--verify", "--delete-key")

    assert kept.code == 0, kept.stderr
    assert "Nothing of signalbox-dev is left but the key, 1.00 USD a month" in kept.stdout
    assert gone.code == 0, gone.stderr
    assert "Nothing of signalbox-dev is left or billed" in gone.stdout
    assert left(deployed.target) == []
    # Asked of the services themselves: what is called so is of another app, or of the account.
    named = {one for one in names(deployed.target.client) if "signalbox-dev" in one[1]}
    assert named == {
        ("endpoints", "signalbox-dev-prod-x"),
        ("configurations", "signalbox-dev-prod-x-c"),
        ("iam", "signalbox-dev-delivery-us-east-1"),
        ("stacks", "signalbox-dev-account"),
    }
    keys = deployed.client("kms").list_keys()["Keys"]
    states = {
        deployed.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"]
        for key in keys
    }
    assert states == {"PendingDeletion"}


def test_prod_is_safe(signalbox: Run) -> None:
    answer = signalbox("destroy", "-e", "prod", "--yes", "--verify")

    assert answer.code == 1
    assert "prod is never destroyed without --allow-prod; nothing was deleted" in answer.stderr
