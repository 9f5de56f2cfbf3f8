"""The network that jobs and models of an environment run in.

Rules only: imports no AWS client.
"""

from dataclasses import dataclass

from signalbox.json_documents import JsonObject


@dataclass(frozen=True)
class JobNetwork:
    """Subnets and security groups come together; none of both is SageMaker's own network."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    is_isolated: bool

    @property
    def is_in_vpc(self) -> bool:
        """Whether requests carry a VpcConfig."""
        return bool(self.subnets)


def described(network: JobNetwork) -> JsonObject:
    """What the state machines put into their requests, spelled as SageMaker's API does.

    `vpc` is missing outside a VPC: no request takes an empty one.

    >>> described(JobNetwork((), (), is_isolated=False))
    {'isInVpc': False, 'isIsolated': False, 'processing': {'EnableNetworkIsolation': False}}
    """
    vpc: JsonObject = {
        "Subnets": list(network.subnets),
        "SecurityGroupIds": list(network.security_groups),
    }
    processing: JsonObject = {"EnableNetworkIsolation": network.is_isolated}
    answer: JsonObject = {"isInVpc": network.is_in_vpc, "isIsolated": network.is_isolated}
    if not network.is_in_vpc:
        return {**answer, "processing": processing}
    return {**answer, "processing": {**processing, "VpcConfig": vpc}, "vpc": vpc}
