"""The network of jobs and models: whether what JobSubnets and JobSecurityGroups name can be used.

SageMaker puts interfaces without a public address into the subnets and brings data through them
(SageMaker Developer Guide, "Give SageMaker training jobs access to resources in your Amazon VPC").
Every call describes; what it needs of EC2 beyond the environment's own services is in `READS`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from signalbox_cli.doctor.findings import Finding, NothingToLookAt
from signalbox_cli.doctor.patients import Patient

READS = (
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcEndpoints",
)
SERVICES = (
    *("s3", "kms", "logs", "monitoring", "sts"),
    *("sagemaker.api", "sagemaker.runtime", "ecr.api", "ecr.dkr"),
)
"""Endpoints of delivery/network.yaml, by the last part of their service's name."""
OF_SAGEMAKER = ("s3",)
"""What SageMaker itself needs there; the containers of an isolated job speak with nobody."""

_CORRECT = "correct [network] in delivery/environments and deploy again"
_REPAIR = "deploy delivery/network.yaml again, or add it to the network of your own"
_EVERYWHERE = "0.0.0.0/0"
_HTTPS = 443
_GONE = ("deleting", "deleted")  # still listed for a while
_WAYS_OUT = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId")

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class _Network:
    """What EC2 says of the subnets and of what is around them."""

    subnets: tuple[Answer, ...]
    groups: tuple[Answer, ...]
    endpoints: tuple[Answer, ...]
    tables: Mapping[str, Answer]
    """Route tables by subnet id."""
    endpoint_groups: Mapping[str, Answer]
    """Security groups of the endpoints, by id."""


def network(patient: Patient) -> Iterator[Finding]:
    """Jobs can start in the subnets, and reach from there the services that they call."""
    wanted = _listed(patient.parameter("JobSubnets"))
    if not wanted:
        raise NothingToLookAt("jobs and models are in SageMaker's own network")
    named = _listed(patient.parameter("JobSecurityGroups"))
    ec2 = patient.client("ec2")
    subnets = _found(ec2, "describe_subnets", "Subnets", "subnet-id", wanted)
    groups = _found(ec2, "describe_security_groups", "SecurityGroups", "group-id", named)
    yield from _absent("subnet", wanted, (one["SubnetId"] for one in subnets))
    yield from _absent("security group", named, (one["GroupId"] for one in groups))
    yield from _unusable(subnets)
    vpcs = sorted({one["VpcId"] for one in (*subnets, *groups)})
    if len(vpcs) > 1:
        what = f"subnets and security groups are of {', '.join(vpcs)}: a job takes those of one"
        yield Finding("JobSubnets", what, _CORRECT)
    elif subnets and groups:
        services = OF_SAGEMAKER if patient.parameter("JobNetworkIsolation") == "true" else SERVICES
        yield from _around(ec2, vpcs[0], subnets, groups, services)


def _listed(value: str) -> tuple[str, ...]:
    return tuple(one for one in value.split(",") if one)


def _found(ec2: Any, operation: str, key: str, name: str, ids: Iterable[str]) -> tuple[Answer, ...]:
    """Those of the ids that there are: a filter does not fail for the others."""
    pages = ec2.get_paginator(operation).paginate(Filters=[{"Name": name, "Values": list(ids)}])
    return tuple(one for page in pages for one in page[key])


def _absent(kind: str, wanted: Iterable[str], found: Iterable[str]) -> Iterator[Finding]:
    there = set(found)
    for one in wanted:
        if one not in there:
            yield Finding(one, f"the {kind} does not exist here: no job can start", _CORRECT)


def _unusable(subnets: Iterable[Answer]) -> Iterator[Finding]:
    for subnet in subnets:
        if subnet["State"] != "available":
            yield Finding(subnet["SubnetId"], f"the subnet is {subnet['State']}", _CORRECT)
        elif subnet["AvailableIpAddressCount"] == 0:
            what = "the subnet has no free address: no job can start in it"
            yield Finding(subnet["SubnetId"], what, "stop what holds them, or add a larger subnet")


def _around(
    ec2: Any,
    vpc: str,
    subnets: tuple[Answer, ...],
    groups: tuple[Answer, ...],
    services: tuple[str, ...],
) -> Iterator[Finding]:
    """What lies between the subnets and the services."""
    read = _read(ec2, vpc, subnets, groups)
    closed = [one["SubnetId"] for one in subnets if not _leads_out(read.tables[one["SubnetId"]])]
    if not closed:  # a NAT gateway, say: every service is reached by its public name
        yield from _closed_to_all(read)
        return
    region = ec2.meta.region_name
    yield from _names(ec2, vpc)
    for service in services:
        yield from _service(read, f"{region}.{service}", closed)


def _read(ec2: Any, vpc: str, subnets: tuple[Answer, ...], groups: tuple[Answer, ...]) -> _Network:
    listed = _found(ec2, "describe_vpc_endpoints", "VpcEndpoints", "vpc-id", [vpc])
    endpoints = tuple(one for one in listed if one["State"].lower() not in _GONE)
    tables = _found(ec2, "describe_route_tables", "RouteTables", "vpc-id", [vpc])
    ids = sorted({g["GroupId"] for one in endpoints for g in one.get("Groups", [])})
    around = (
        _found(ec2, "describe_security_groups", "SecurityGroups", "group-id", ids) if ids else ()
    )
    return _Network(
        subnets,
        groups,
        endpoints,
        {one["SubnetId"]: _table(tables, one["SubnetId"]) for one in subnets},
        {one["GroupId"]: one for one in around},
    )


def _table(tables: Iterable[Answer], subnet: str) -> Answer:
    """The table that a subnet was given, or else its network's main one."""
    main: Answer = {"RouteTableId": "", "Routes": []}
    for table in tables:
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet:
                return table
            main = table if association.get("Main") else main
    return main


def _leads_out(table: Answer) -> bool:
    """Whether the table has a way to everywhere that serves who has no public address."""
    return any(map(_is_way_out, table["Routes"]))


def _is_way_out(route: Answer) -> bool:
    if route.get("DestinationCidrBlock") != _EVERYWHERE or route.get("State") == "blackhole":
        return False
    by_gateway = str(route.get("GatewayId", "")).startswith("vgw-")  # an igw- needs an address
    return by_gateway or any(route.get(way) for way in _WAYS_OUT)


def _names(ec2: Any, vpc: str) -> Iterator[Finding]:
    """Names of services lead to endpoints only where the network answers for names."""
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        found = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
        if not found[attribute[0].upper() + attribute[1:]]["Value"]:
            what = f"{attribute} is off: names of services do not lead to their endpoints"
            yield Finding(vpc, what, _REPAIR)


def _service(read: _Network, name: str, closed: list[str]) -> Iterator[Finding]:
    """One finding at most: what keeps jobs from a service."""
    there = [one for one in read.endpoints if one["ServiceName"].endswith(f".{name}")]
    if not there:
        what = f"there is no endpoint of {name}, and no other way to it: jobs cannot reach it"
        yield Finding(name, what, _REPAIR)
        return
    problems = [_problem(read, one, closed) for one in there]
    if all(problems):  # one endpoint that is well is enough
        yield Finding(str(there[0]["VpcEndpointId"]), f"endpoint of {name}: {problems[0]}", _REPAIR)


def _problem(read: _Network, endpoint: Answer, closed: list[str]) -> str:
    """What is wrong with an endpoint, empty for nothing."""
    state = str(endpoint["State"])
    if state.lower() != "available":
        return f"it is {state}"
    if endpoint["VpcEndpointType"] == "Gateway":
        return _gateway(read, endpoint, closed)
    if not endpoint.get("PrivateDnsEnabled"):
        return "its private names are off: the service's name leads outside"
    inside = {group["GroupId"] for group in endpoint.get("Groups", [])}
    if not any(_goes(rule, read, inside) for rule in _rules(read.groups, "IpPermissionsEgress")):
        return "no security group of jobs lets port 443 out to it"
    around = [read.endpoint_groups[one] for one in sorted(inside) if one in read.endpoint_groups]
    own = {group["GroupId"] for group in read.groups}
    if not any(_goes(rule, read, own) for rule in _rules(around, "IpPermissions")):
        return "its security groups do not let jobs in at port 443"
    return ""


def _gateway(read: _Network, endpoint: Answer, closed: list[str]) -> str:
    tables = set(endpoint.get("RouteTableIds", []))
    without = [one for one in closed if read.tables[one]["RouteTableId"] not in tables]
    if without:
        return f"no route from {', '.join(without)} leads to it"
    if not any(map(_goes_everywhere, _rules(read.groups, "IpPermissionsEgress"))):
        return "no security group of jobs lets port 443 out to its addresses"
    return ""


def _closed_to_all(read: _Network) -> Iterator[Finding]:
    if not any(map(_goes_everywhere, _rules(read.groups, "IpPermissionsEgress"))):
        names = ", ".join(group["GroupId"] for group in read.groups)
        yield Finding(names, "no security group of jobs lets port 443 out", _REPAIR)


def _rules(groups: Iterable[Answer], direction: str) -> Iterator[Answer]:
    """The rules of groups for HTTPS."""
    for group in groups:
        for rule in group[direction]:
            if rule["IpProtocol"] == "-1" or (
                rule["IpProtocol"] == "tcp" and rule["FromPort"] <= _HTTPS <= rule["ToPort"]
            ):
                yield rule


def _goes_everywhere(rule: Answer) -> bool:
    """S3's addresses change: all of them, or its own list of prefixes."""
    open_to = [one["CidrIp"] for one in rule.get("IpRanges", [])]
    return _EVERYWHERE in open_to or bool(rule.get("PrefixListIds"))


def _goes(rule: Answer, read: _Network, groups: set[str]) -> bool:
    """Whether a rule speaks of one of the groups, or of addresses of the jobs' network."""
    if groups & {pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])}:
        return True
    homes = [IPv4Network(subnet["CidrBlock"]) for subnet in read.subnets]
    ranges = [IPv4Network(one["CidrIp"], strict=False) for one in rule.get("IpRanges", [])]
    return any(home.subnet_of(one) for home in homes for one in ranges)
