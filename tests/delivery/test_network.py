"""delivery/network.yaml: jobs reach the services they call, and nothing else."""

from typing import Any

from localaws.deployer import template as templates
from tests.contracts import repository

DOCUMENT = templates.read(repository.ROOT / "delivery" / "network.yaml")


def of(kind: str) -> dict[str, dict[str, Any]]:
    return repository.resources(kind, DOCUMENT)


def test_nothing_leads_to_the_internet() -> None:
    types = {resource["Type"] for resource in DOCUMENT["Resources"].values()}

    assert types.isdisjoint(
        {
            "AWS::EC2::InternetGateway",
            "AWS::EC2::NatGateway",
            "AWS::EC2::EgressOnlyInternetGateway",
            "AWS::EC2::Route",
            "AWS::EC2::EIP",
        }
    )
    assert all(not s["MapPublicIpOnLaunch"] for s in of("AWS::EC2::Subnet").values())


def test_there_is_an_endpoint_for_every_service_that_a_job_calls() -> None:
    """SageMaker Developer Guide, "Give SageMaker training jobs access to resources in your VPC"."""
    services = {
        e["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.")
        for e in of("AWS::EC2::VPCEndpoint").values()
    }

    assert services == {
        *("s3", "kms", "logs", "monitoring", "sts"),
        *("sagemaker.api", "sagemaker.runtime", "ecr.api", "ecr.dkr"),
    }


def test_jobs_reach_buckets_of_their_own_account_only() -> None:
    policy = of("AWS::EC2::VPCEndpoint")["S3Endpoint"]["PolicyDocument"]
    own = [s for s in policy["Statement"] if s["Resource"] == "*"]

    assert [s["Condition"]["StringEquals"] for s in own] == [
        {
            "aws:ResourceAccount": {"Ref": "AWS::AccountId"},
            "aws:PrincipalAccount": {"Ref": "AWS::AccountId"},
        }
    ]


def test_only_jobs_reach_the_endpoints() -> None:
    (rule,) = of("AWS::EC2::SecurityGroup")["EndpointsSecurityGroup"]["SecurityGroupIngress"]

    assert rule["SourceSecurityGroupId"] == {"Ref": "JobsSecurityGroup"}
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)


def test_s3_is_open_for_what_the_roles_of_jobs_and_models_may_and_no_more() -> None:
    """An endpoint's policy grants nothing by itself: what is not there, a job cannot do."""
    held = {
        action
        for statement in repository.role_statements()
        if statement.owner in ("JobRole", "HostingRole") and statement.allows
        for action in statement.actions
        if action.startswith("s3:")
    }
    policy = of("AWS::EC2::VPCEndpoint")["S3Endpoint"]["PolicyDocument"]
    own, layers = repository.statements_of(policy, "S3Endpoint")

    assert {"s3:GetObject", "s3:PutObject"} <= held
    assert set(own.actions) == held
    # Amazon ECR User Guide, "Minimum Amazon S3 bucket permissions for Amazon ECR".
    assert (layers.actions, layers.body["Resource"]["Fn::Sub"].rpartition(":::")[2]) == (
        ["s3:GetObject"],
        "prod-${AWS::Region}-starport-layer-bucket/*",
    )


def test_flow_logs_may_do_what_their_guide_asks_for_at_least_and_no_more() -> None:
    """VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs" (read 2026-11-21)."""
    granted = {
        (action, str(resource))
        for statement in repository.role_statements(DOCUMENT)
        for action in statement.actions
        for resource in statement.resources
    }
    own = str({"Fn::Sub": "${FlowLogGroup.Arn}"})
    in_the_group = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")

    assert granted == {
        *((f"logs:{verb}", own) for verb in in_the_group),
        ("logs:DescribeLogGroups", "*"),
    }
