"""Jobs and models in subnets, and containers without a network."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_world import (
    ROLE,
    World,
    container,
    laptop,
)

VPC = {"Subnets": ["subnet-0a1b2c3d4e5f60718"], "SecurityGroupIds": ["sg-0a1b2c3d4e5f60718"]}
ISOLATED = {"EnableNetworkIsolation": True, "VpcConfig": VPC}
LOOK_AROUND = """
    import os, socket, threading
    print("credentials", sorted(name for name in os.environ if name.startswith("AWS_")))
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
        print("laptop reached")
    except OSError as error:
        print("laptop not reached", type(error).__name__)
    print("interfaces", [name for _, name in socket.if_nameindex()])
"""
DOUBLE = """
    import os
    def model_fn(model_dir):
        return 2.0
    def input_fn(body, content_type):
        return [float(line) for line in body.splitlines()]
    def predict_fn(rows, factor):
        assert "AWS_SESSION_TOKEN" not in os.environ
        return [row * factor for row in rows]
    def output_fn(prediction, accept):
        return "".join(f"{value}\\n" for value in prediction), accept
"""
EC2 = {
    "looking": {
        "Effect": "Allow",
        "Action": [
            "ec2:DescribeVpcs",
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeSubnets",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DeleteNetworkInterfacePermission",
        ],
        "Resource": "*",
    },
    "subnet": {
        "Effect": "Allow",
        "Action": "ec2:CreateNetworkInterface",
        "Resource": "arn:aws:ec2:*:*:subnet/*",
        "Condition": {"StringEquals": {"ec2:SubnetID": VPC["Subnets"]}},
    },
    "group": {
        "Effect": "Allow",
        "Action": "ec2:CreateNetworkInterface",
        "Resource": "arn:aws:ec2:*:*:security-group/*",
        "Condition": {"StringEquals": {"ec2:SecurityGroupID": VPC["SecurityGroupIds"]}},
    },
    "interface": {
        "Effect": "Allow",
        "Action": [
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
        ],
        "Resource": "arn:aws:ec2:*:*:network-interface/*",
    },
}
OTHERS = {"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        yield served


def look_around(world: World) -> str:
    """A script that prints what it has and reaches."""
    port = world.s3.meta.endpoint_url.rpartition(":")[2]
    return LOOK_AROUND.replace("PORT", port)


@pytest.mark.parametrize(
    ("name", "config", "reached"),
    [
        ("in-the-open", {"EnableNetworkIsolation": False}, "laptop reached"),
        ("in-subnets", {"EnableNetworkIsolation": False, "VpcConfig": VPC}, "laptop reached"),
    ],
)
def test_a_job_has_credentials_and_the_network(
    world: World, name: str, config: dict[str, Any], reached: str
) -> None:
    described = world.process(name, look_around(world), NetworkConfig=config)
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    assert described["NetworkConfig"] == config
    credentials, found, _ = world.log("ProcessingJobs", f"{name}/")
    assert "AWS_SESSION_TOKEN" in credentials
    assert found == reached


def test_an_isolated_job_has_loopback_and_nothing_else(world: World) -> None:
    described = world.process("alone", look_around(world), NetworkConfig=ISOLATED)
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    assert described["NetworkConfig"] == ISOLATED
    lines = world.log("ProcessingJobs", "alone/")
    assert lines[0] == "credentials ['AWS_DEFAULT_REGION', 'AWS_REGION']"
    assert lines[1].startswith("laptop not reached")
    assert lines[2] == "interfaces ['lo']"


def test_an_isolated_training_gets_its_code_from_a_channel(world: World) -> None:
    code = world.put_archive("channel/sourcedir.tar.gz", {"train.py": look_around(world)})
    channel = {
        "ChannelName": "code",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code}},
    }
    submitted = {"sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz"}
    described = world.train(
        "alone", {}, hyperparameters=submitted, InputDataConfig=[channel], **ISOLATED
    )
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    assert (described["EnableNetworkIsolation"], described["VpcConfig"]) == (True, VPC)
    assert world.log("TrainingJobs", "alone/")[2] == "interfaces ['lo']"


def test_an_isolated_training_cannot_fetch_its_code(world: World) -> None:
    described = world.train("cut-off", {"train.py": "pass"}, EnableNetworkIsolation=True)
    assert described["TrainingJobStatus"] == "Failed"
    assert "cannot fetch its code from s3://" in described["FailureReason"]


def isolated_model(world: World, name: str, **environment: str) -> dict[str, Any]:
    url = world.put_archive(f"models/{name}/model.tar.gz", {"code/inference.py": DOUBLE})
    world.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container(url, **environment),
        **ISOLATED,
    )
    described: dict[str, Any] = world.sagemaker.describe_model(ModelName=name)
    return described


def test_an_isolated_model_predicts_with_the_code_of_its_archive(world: World) -> None:
    described = isolated_model(world, "alone")
    assert (described["EnableNetworkIsolation"], described["VpcConfig"]) == (True, VPC)
    job = world.transform("alone", "alone", world.put("rows/a.csv", "1\n2\n"))
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert world.get("predictions/alone/a.csv.out") == b"2.0\n4.0\n"
    world.config("alone", "alone")
    assert world.endpoint("alone", "alone")["EndpointStatus"] == "InService"
    assert world.invoke("alone", "21") == b"42.0\n"


def test_an_isolated_model_cannot_fetch_its_code(world: World) -> None:
    code = world.put_archive("code/far/sourcedir.tar.gz", {"inference.py": DOUBLE})
    isolated_model(world, "far", SAGEMAKER_SUBMIT_DIRECTORY=code)
    job = world.transform("far", "far", world.put("rows/b.csv", "1\n"))
    assert job["TransformJobStatus"] == "Failed"
    assert "cannot fetch its code from s3://" in job["FailureReason"]


@pytest.mark.parametrize("network", [{"VpcConfig": VPC}, {"EnableNetworkIsolation": True}])
def test_a_serverless_endpoint_takes_no_network(world: World, network: dict[str, Any]) -> None:
    name = f"serverless-{next(iter(network)).lower()}"
    url = world.put_archive(f"models/{name}/model.tar.gz", {"code/inference.py": DOUBLE})
    world.sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container(url), **network
    )
    memory = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    with pytest.raises(ClientError, match="a serverless endpoint cannot host"):
        world.config(
            name, name, ServerlessConfig=memory, InitialInstanceCount=None, InstanceType=None
        )


def test_a_role_that_may_make_interfaces_just_there_is_enough(world: World) -> None:
    role = world.role("enough", OTHERS, *EC2.values())
    described = world.process("enough", "pass", RoleArn=role, NetworkConfig=ISOLATED)
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")


@pytest.mark.parametrize("missing", sorted(EC2))
def test_a_role_that_may_not_make_interfaces_fails_the_job(world: World, missing: str) -> None:
    left = [statement for name, statement in EC2.items() if name != missing]
    role = world.role(f"without-{missing}", OTHERS, *left)
    described = world.process(f"without-{missing}", "pass", RoleArn=role, NetworkConfig=ISOLATED)
    assert described["ProcessingJobStatus"] == "Failed"
    assert "SageMaker could not reach the subnets" in described["FailureReason"]
    assert "ec2:" in described["FailureReason"]


def test_a_role_for_other_subnets_fails_the_job(world: World) -> None:
    role = world.role("elsewhere", OTHERS, *EC2.values())
    other = {**ISOLATED, "VpcConfig": {**VPC, "Subnets": ["subnet-11111111"]}}
    described = world.process("elsewhere", "pass", RoleArn=role, NetworkConfig=other)
    assert "subnet/subnet-11111111" in described["FailureReason"]
