"""After an environment was destroyed: what is left is found, what belongs to others is not."""

import json
from collections.abc import Callable, Iterator

import pytest

from localaws.clients import developer_client
from localaws.context import ACCOUNT_ID, REGION
from signalbox_cli.doctor.patients import Patient
from signalbox_cli.leftovers import Leftover, leftovers
from signalbox_cli.target import Target
from tests.cli.conftest import Answer
from tests.cli.doctor_world import environment

IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.4-2"
Run = Callable[..., Answer]


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
    (one,) = [one for one in leftovers(target) if one.name == name]
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
    assert "1 things of signalbox-dev are still there, about 167.90 USD a month" in answer.stderr
    assert "signalbox-dev-prod-x" not in answer.stderr
    assert "endpoints: signalbox-dev-prod-y" in answer.stderr
    told = json.loads(answer.stdout)
    assert [(one["kind"], one["name"]) for one in told["left"]] == [("endpoint", "forgotten")]
    assert told["left"][0]["usdPerMonth"] == pytest.approx(167.9)
    assert "deleted stack signalbox-dev" in told["done"]
    assert "deleted log group /aws/sagemaker/Endpoints/signalbox-dev-x" in told["done"]
    assert told["kept"][0].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/")


def test_a_second_time_nothing_is_missed_and_the_key_can_go(
    deployed: Patient, destroy: Run
) -> None:
    deployed.target.client("sagemaker").delete_endpoint(EndpointName="forgotten")

    kept = destroy("--yes", "--verify")
    gone = destroy("--yes", "--verify", "--delete-key")

    assert kept.code == 0, kept.stderr
    assert "Nothing of signalbox-dev is left but the key, 1.00 USD a month" in kept.stdout
    assert gone.code == 0, gone.stderr
    assert "Nothing of signalbox-dev is left or billed" in gone.stdout
    assert left(deployed.target) == []
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
