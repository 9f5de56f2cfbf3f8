"""The doctor looks at the network of jobs: moto's EC2 holds what delivery/network.yaml declares."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from localaws.deployer import template as templates
from signalbox_cli.doctor.catalogue import CHECKS
from signalbox_cli.doctor.findings import Finding, Result, Status, examine
from signalbox_cli.doctor.network import OF_SAGEMAKER, READS, SERVICES
from signalbox_cli.doctor.patients import Patient, Stack
from signalbox_cli.target import Target
from tests.cli.conftest import ROOT

DOCUMENT = templates.read(ROOT / "delivery" / "network.yaml")
REGION = "us-east-1"
Ids = dict[str, str]
Break = Callable[[Any, Ids], object]


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """moto's EC2, whole: a laptop that was served in this process has left a stand-in for it."""
    if not hasattr(sys.modules.get("moto.ec2"), "__file__"):
        monkeypatch.delitem(sys.modules, "moto.ec2", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("ec2", region_name=REGION)


@pytest.fixture
def ids(ec2: Any) -> Ids:
    """The physical ids of the template's resources by their names there."""
    vpc = ec2.create_vpc(CidrBlock="10.64.0.0/20")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": properties("Vpc")[name]}})
    found = {"Vpc": vpc, "Routes": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]}
    for number, name in enumerate(("FirstSubnet", "SecondSubnet")):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.64.{4 * number}.0/22")["Subnet"]
        found[name] = made["SubnetId"]
        routes = ec2.associate_route_table(RouteTableId=found["Routes"], SubnetId=found[name])
        found[f"{name}Routes"] = routes["AssociationId"]
    for name in ("JobsSecurityGroup", "EndpointsSecurityGroup"):
        found[name] = make_group(ec2, found, name)
    for name, resource in DOCUMENT["Resources"].items():
        if resource["Type"] == "AWS::EC2::VPCEndpoint":
            made = ec2.create_vpc_endpoint(**request(found, resource["Properties"]))
            found[name] = made["VpcEndpoint"]["VpcEndpointId"]
    return found


def properties(name: str) -> Any:
    return DOCUMENT["Resources"][name]["Properties"]


def value(ids: Ids, of: Any) -> Any:
    if isinstance(of, dict) and "Ref" in of:
        return ids[of["Ref"]]
    if isinstance(of, dict) and "Fn::Sub" in of:
        return of["Fn::Sub"].replace("${AWS::Region}", REGION)
    return [value(ids, one) for one in of] if isinstance(of, list) else of


def request(ids: Ids, declared: Any) -> dict[str, Any]:
    """CreateVpcEndpoint's request, but for the policy."""
    return {k: value(ids, v) for k, v in declared.items() if k != "PolicyDocument"}


def make_group(ec2: Any, ids: Ids, name: str) -> str:
    declared = properties(name)
    made: str = ec2.create_security_group(
        GroupName=name, Description=declared["GroupDescription"], VpcId=ids["Vpc"]
    )["GroupId"]
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=made, IpPermissions=[everything])
    for direction in ("ingress", "egress"):
        for rule in declared.get(f"SecurityGroup{direction.capitalize()}", []):
            allow = getattr(ec2, f"authorize_security_group_{direction}")
            allow(GroupId=made, IpPermissions=[permission(ids, rule)])
    return made


def permission(ids: Ids, rule: Any) -> dict[str, Any]:
    made = {k: rule[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in rule}
    if "CidrIp" in rule:
        return {**made, "IpRanges": [{"CidrIp": rule["CidrIp"]}]}
    return {**made, "UserIdGroupPairs": [{"GroupId": value(ids, rule["SourceSecurityGroupId"])}]}


def look(ec2: Any, ids: Ids, **parameters: str) -> Result:
    named = {
        "JobSubnets": f"{ids['FirstSubnet']},{ids['SecondSubnet']}",
        "JobSecurityGroups": ids["JobsSecurityGroup"],
        "JobNetworkIsolation": "false",
    }
    stack = Stack("signalbox-dev", "CREATE_COMPLETE", "", named | parameters, {})
    (check,) = (one for one in CHECKS if one.name == "network")
    (result,) = examine([check], Patient(Target(_memo={"ec2": ec2}), (stack,)))
    return result


def test_the_network_of_the_template_is_well(ec2: Any, ids: Ids) -> None:
    result = look(ec2, ids)

    assert (result.status, result.findings, result.note) == (Status.OK, (), "")


def test_what_is_looked_for_is_what_the_template_makes() -> None:
    made = {
        resource["Properties"]["ServiceName"]["Fn::Sub"].partition("${AWS::Region}.")[2]
        for resource in DOCUMENT["Resources"].values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
    }

    assert set(SERVICES) == made
    assert set(OF_SAGEMAKER) <= made


def test_without_subnets_there_is_nothing_to_look_at(ec2: Any, ids: Ids) -> None:
    result = look(ec2, ids, JobSubnets="", JobSecurityGroups="")

    assert (result.status, result.note) == (
        Status.SKIPPED,
        "jobs and models are in SageMaker's own network",
    )


def no_endpoint(name: str) -> Break:
    return lambda ec2, ids: ec2.delete_vpc_endpoints(VpcEndpointIds=[ids[name]])


def closed(direction: str, group: str, rule: dict[str, Any]) -> Break:
    def do(ec2: Any, ids: Ids) -> object:
        revoke = getattr(ec2, f"revoke_security_group_{direction}")
        return revoke(GroupId=ids[group], IpPermissions=[permission(ids, rule)])

    return do


def without_private_names(ec2: Any, ids: Ids) -> object:
    no_endpoint("LogsEndpoint")(ec2, ids)
    declared = {**properties("LogsEndpoint"), "PrivateDnsEnabled": False}
    return ec2.create_vpc_endpoint(**request(ids, declared))


def another_route_table(ec2: Any, ids: Ids) -> object:
    other = ec2.create_route_table(VpcId=ids["Vpc"])["RouteTable"]["RouteTableId"]
    ec2.disassociate_route_table(AssociationId=ids["SecondSubnetRoutes"])
    return ec2.associate_route_table(RouteTableId=other, SubnetId=ids["SecondSubnet"])


def a_way_to_the_internet_for_others(ec2: Any, ids: Ids) -> object:
    """Of no use to a job: its interfaces have no public address."""
    no_endpoint("KmsEndpoint")(ec2, ids)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=ids["Vpc"])
    return ec2.create_route(
        RouteTableId=ids["Routes"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
    )


def no_names(ec2: Any, ids: Ids) -> object:
    return ec2.modify_vpc_attribute(VpcId=ids["Vpc"], EnableDnsHostnames={"Value": False})


INTO_ENDPOINTS = properties("EndpointsSecurityGroup")["SecurityGroupIngress"][0]
FAULTS = [
    (no_endpoint("S3Endpoint"), "no endpoint of us-east-1.s3, and no other way to it"),
    (no_endpoint("EcrDockerEndpoint"), "no endpoint of us-east-1.ecr.dkr"),
    (without_private_names, "us-east-1.logs: its private names are off"),
    (another_route_table, "us-east-1.s3: no route from subnet-"),
    (a_way_to_the_internet_for_others, "no endpoint of us-east-1.kms"),
    (no_names, "enableDnsHostnames is off"),
]


@pytest.mark.parametrize(
    ("fault", "said"), FAULTS, ids=[said.partition(",")[0] for _, said in FAULTS]
)
def test_finds_a_planted_fault_and_only_it(ec2: Any, ids: Ids, fault: Break, said: str) -> None:
    fault(ec2, ids)

    (finding,) = look(ec2, ids).findings

    assert said in finding.what
    assert "delivery/network.yaml" in finding.remedy


def test_endpoints_that_let_no_job_in_are_all_named(ec2: Any, ids: Ids) -> None:
    closed("ingress", "EndpointsSecurityGroup", INTO_ENDPOINTS)(ec2, ids)

    findings = look(ec2, ids).findings

    assert len(findings) == len(SERVICES) - 1  # S3's is a gateway, which has no group
    assert {"do not let jobs in at port 443" in one.what for one in findings} == {True}


def test_jobs_that_are_not_let_out_reach_nothing(ec2: Any, ids: Ids) -> None:
    (rule,) = properties("JobsSecurityGroup")["SecurityGroupEgress"]
    closed("egress", "JobsSecurityGroup", rule)(ec2, ids)

    findings = look(ec2, ids).findings

    assert len(findings) == len(SERVICES)
    assert {"lets port 443 out to" in one.what for one in findings} == {True}


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("JobSubnets", "subnet-0a1b2c3d: the subnet does not exist here: no job can start"),
        ("JobSecurityGroups", "sg-0a1b2c3d: the security group does not exist here"),
    ],
)
def test_what_does_not_exist_is_named(ec2: Any, ids: Ids, parameter: str, said: str) -> None:
    kind = "subnet" if parameter == "JobSubnets" else "sg"
    known = ids["FirstSubnet"] if parameter == "JobSubnets" else ids["JobsSecurityGroup"]

    (finding,) = look(ec2, ids, **{parameter: f"{known},{kind}-0a1b2c3d"}).findings

    assert said in told(finding)
    assert "correct [network] in delivery/environments" in finding.remedy


def told(finding: Finding) -> str:
    return f"{finding.subject}: {finding.what}"


def test_a_group_of_another_network_is_told(ec2: Any, ids: Ids) -> None:
    other = ec2.create_vpc(CidrBlock="10.80.0.0/20")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="other", Description="other", VpcId=other)

    (finding,) = look(ec2, ids, JobSecurityGroups=group["GroupId"]).findings

    assert "a job takes those of one" in finding.what


def test_isolated_containers_need_the_way_of_their_data_only(ec2: Any, ids: Ids) -> None:
    for name in ("EcrDockerEndpoint", "LogsEndpoint"):
        no_endpoint(name)(ec2, ids)
    assert look(ec2, ids, JobNetworkIsolation="true").status is Status.OK

    no_endpoint("S3Endpoint")(ec2, ids)
    (finding,) = look(ec2, ids, JobNetworkIsolation="true").findings

    assert "us-east-1.s3" in finding.what


def test_a_network_of_ones_own_with_a_nat_gateway_needs_no_endpoints(ec2: Any, ids: Ids) -> None:
    for name, resource in DOCUMENT["Resources"].items():
        if resource["Type"] == "AWS::EC2::VPCEndpoint":
            no_endpoint(name)(ec2, ids)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=ids["FirstSubnet"], AllocationId=address)
    ec2.create_route(
        RouteTableId=ids["Routes"],
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=gateway["NatGateway"]["NatGatewayId"],
    )

    assert look(ec2, ids).status is Status.OK


def test_it_only_describes(ec2: Any, ids: Ids) -> None:
    called = []
    ec2.meta.events.register("before-call", lambda model, **_: called.append(model.name))

    look(ec2, ids)

    assert {f"ec2:{name}" for name in called} == set(READS)
