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
