"""What a stack consists of, kept as one object beside the stack's artifacts.

It lives in the laptop's own S3, so it is gone exactly when the resources it speaks of are gone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.packaging import Artifact
from localaws.deployer.resources.base import Clients, Existing
from localaws.deployer.template import Surroundings

_ABSENT = frozenset({"NoSuchBucket", "NoSuchKey", "404"})


@dataclass(frozen=True)
class Member:
    """One resource of a deployed stack."""

    type_name: str
    physical_id: str
    attributes: Mapping[str, str]
    properties: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"

    def existing(self, logical_id: str) -> Existing:
        """The same, as resource types take it."""
        return Existing(logical_id, self.physical_id, self.attributes, self.properties)


@dataclass(frozen=True)
class StackState:
    """All resources of a stack by logical id, and its outputs."""

    members: Mapping[str, Member] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)
    """Names under which other stacks find outputs, by the name of the output."""

    @property
    def exists(self) -> bool:
        """Whether anything was ever deployed under this name."""
        return bool(self.members)


@dataclass(frozen=True)
class Source:
    """What a stack was deployed from."""

    template: str = ""
    """The template's text, with its local paths replaced."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployed:
    """A stack's resources and what they were deployed from."""

    state: StackState
    source: Source = field(default_factory=Source)


def as_document(deployed: Deployed) -> bytes:
    """A stack as it is kept: JSON."""
    return json.dumps(asdict(deployed)).encode()


def read_document(body: bytes) -> Deployed:
    """What `as_document` wrote."""
    document = json.loads(body)
    state = document["state"]
    members = {
        name: Member(**{**item, "needs": tuple(item["needs"])})
        for name, item in state["members"].items()
    }
    kept = StackState(members, state["outputs"], state["exports"])
    return Deployed(kept, Source(**document["source"]))


class DeploymentBucket:
    """The bucket that holds artifacts and the state of stacks."""

    def __init__(self, clients: Clients, surroundings: Surroundings) -> None:
        self.name = bucket_name(surroundings)
        self._region = surroundings.region
        self._key = f"stacks/{surroundings.stack_name}.json"
        self._s3 = clients("s3")

    def read_state(self) -> StackState:
        """The stack as last deployed; empty when there is none."""
        return self.read_deployed().state

    def read_deployed(self) -> Deployed:
        """The stack as last deployed, and what it was deployed from."""
        try:
            body = self._s3.get_object(Bucket=self.name, Key=self._key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return Deployed(StackState())
            raise
        return read_document(body)

    def write_state(self, state: StackState, source: Source | None = None) -> None:
        """Keep `state`, or forget the stack when nothing is left of it."""
        if not state.members:
            self._s3.delete_object(Bucket=self.name, Key=self._key)
            return
        body = as_document(Deployed(state, source or Source()))
        self._s3.put_object(Bucket=self.name, Key=self._key, Body=body)

    def upload(self, artifacts: tuple[Artifact, ...]) -> None:
        """Put the artifacts that are not there yet; makes the bucket when there is none."""
        present = self._present_keys()
        for artifact in artifacts:
            if artifact.key not in present:
                self._s3.put_object(Bucket=self.name, Key=artifact.key, Body=artifact.content)

    def _present_keys(self) -> frozenset[str]:
        try:
            listed = self._s3.list_objects_v2(Bucket=self.name, Prefix="artifacts/")
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT:
                raise
            self._create()
            return frozenset()
        return frozenset(item["Key"] for item in listed.get("Contents", []))

    def _create(self) -> None:
        place = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
        configuration = {"CreateBucketConfiguration": place} if place else {}
        self._s3.create_bucket(Bucket=self.name, **configuration)


def bucket_name(surroundings: Surroundings) -> str:
    """Name of the deployment bucket of an account and region."""
    return f"localaws-deployments-{surroundings.account}-{surroundings.region}"
