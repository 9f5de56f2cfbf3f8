"""The network that a job or a model asks for: what its role must be allowed, what its child gets.

There is no VPC on the laptop, so a subnet is a word of the request: it is checked for its form,
described as it was given, and decided on under the execution role as SageMaker's calls to EC2.

# parity: whether subnets and groups exist, and what can be reached from them, only AWS can tell.
"""

from dataclasses import dataclass

from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import service as iam
from localaws.jobs.transfer import SERVICE, JobFailed, source_arn
from localaws.sagemaker.store import Document, Place

# SageMaker Developer Guide, "How to use SageMaker AI execution roles", CreateTrainingJob API:
# execution role permissions, with VpcConfig (read 2026-11-21).
_LOOKING = (
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterfacePermission",
)
_INTERFACE = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
)


@dataclass(frozen=True)
class Network:
    """What a request says; empty lists for SageMaker's own network."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    is_isolated: bool


SAGEMAKERS_OWN = Network((), (), is_isolated=False)


def of(request: Document) -> Network:
    """The network of CreateTrainingJob, CreateModel, or of a processing job's NetworkConfig."""
    vpc = request.get("VpcConfig") or {}
    return Network(
        subnets=tuple(vpc.get("Subnets") or ()),
        security_groups=tuple(vpc.get("SecurityGroupIds") or ()),
        is_isolated=bool(request.get("EnableNetworkIsolation")),
    )


def attach(network: Network, role_arn: str, place: Place) -> None:
    """Decide what SageMaker does in EC2 with the execution role; raises JobFailed if it may not."""
    if not network.subnets:
        return
    ec2 = f"arn:aws:ec2:{place.region}:{place.account}:"
    wanted = [iam.Requirement(action, "*") for action in _LOOKING]
    for subnet in network.subnets:
        key = {"ec2:subnetid": (subnet,)}
        wanted.append(iam.Requirement(_INTERFACE[0], f"{ec2}subnet/{subnet}", key))
    for group in network.security_groups:
        key = {"ec2:securitygroupid": (group,)}
        wanted.append(iam.Requirement(_INTERFACE[0], f"{ec2}security-group/{group}", key))
    # An id nobody knows before; a policy can only name all of them.
    made = f"{ec2}network-interface/eni-0a1b2c3d4e5f60718"
    wanted += [iam.Requirement(action, made) for action in _INTERFACE]
    try:
        iam.authorize_requirements(
            role_arn,
            SERVICE,
            wanted,
            region=place.region,
            session_name="SageMaker",
            source_arn=source_arn(place.region, place.account),
        )
    except AccessDeniedByLocalAws as error:
        raise JobFailed(f"ClientError: SageMaker could not reach the subnets: {error}") from error


def code_out_of_reach(location: str) -> str:
    """Why a container without a network cannot start: it, and not SageMaker, fetches this."""
    return (
        f"AlgorithmError: the container has no network (EnableNetworkIsolation) and cannot fetch "
        f"its code from {location}; bring the code in a channel or in the model's archive"
    )
