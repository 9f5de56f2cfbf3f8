"""All stacks of the laptop: those made through CloudFormation, and those that `signalbox up` made.

The latter are deployed by a process of their own, which keeps what they consist of in the
deployment bucket of their account (localaws.deployer.state). They are read from there, and what
CloudFormation makes of them is written back, so that both speak of the same stacks.
"""

import threading
from typing import Any

from localaws import clock
from localaws.clients import developer_client
from localaws.cloudformation.model import STACK_TYPE, Stack, StackEvent, Status, Wanted
from localaws.cloudformation.templates import parsed, values
from localaws.deployer.state import Deployed, Source, StackState, as_document, bucket_name
from localaws.deployer.state import read_document as read
from localaws.deployer.template import Surroundings
from localaws.iam.requirement import Place
from localaws.moto_seams import iam as moto_seams_iam

_PREFIX = "stacks/"


class StackStore:
    """Stacks by account and region."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._stacks: dict[Place, dict[str, Stack]] = {}
        self._seen: dict[tuple[str, str], str] = {}

    def clear(self) -> None:
        """Forget all stacks."""
        with self._lock:
            self._stacks.clear()
            self._seen.clear()

    def add(self, stack: Stack) -> None:
        """Know a stack from now on."""
        with self._lock:
            self._stacks.setdefault(stack.place, {})[stack.id] = stack

    def forget(self, stack: Stack) -> None:
        """Drop a stack that never was more than a proposal."""
        with self._lock:
            self._stacks.get(stack.place, {}).pop(stack.id, None)

    def all(self, place: Place) -> list[Stack]:
        """Every stack of a place, the deleted ones too; the oldest first."""
        with self._lock:
            self._adopt(place)
            return list(self._stacks.get(place, {}).values())

    def find(self, place: Place, name: str) -> Stack | None:
        """A stack by its ARN, or by its name unless it is deleted."""
        return _named(self.all(place), name)

    def exports(self, place: Place, without: Stack | None = None) -> dict[str, str]:
        """What the stacks of a place export, by the export's name."""
        return {
            export: stack.state.outputs[output]
            for stack in self.all(place)
            if stack is not without and stack.status is not Status.DELETE_COMPLETE
            for output, export in stack.state.exports.items()
        }

    def importing(self, place: Place, names: frozenset[str]) -> list[tuple[str, str]]:
        """Pairs of an export and a stack that uses it."""
        return [
            (name, stack.name)
            for stack in self.all(place)
            if stack.status is not Status.DELETE_COMPLETE
            for name in sorted(stack.imports & names)
        ]

    def written(self, stack: Stack) -> None:
        """Keep the stack in the deployment bucket as well, when its account has one."""
        bucket, key = _bucket(stack.place), f"{_PREFIX}{stack.name}.json"
        with self._lock:
            if not moto_seams_iam.bucket_owner(bucket):
                return
            s3 = developer_client("s3", stack.place.region, account=stack.place.account)
            if stack.state.members:
                source = Source(stack.wanted.template, stack.wanted.parameters, stack.wanted.tags)
                body = as_document(Deployed(stack.state, source))
                self._seen[bucket, key] = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]
            elif self._seen.pop((bucket, key), None):
                s3.delete_object(Bucket=bucket, Key=key)

    def _adopt(self, place: Place) -> None:
        """Take over what was deployed past CloudFormation since the last look."""
        bucket = _bucket(place)
        if moto_seams_iam.bucket_owner(bucket) != place.account:
            return
        s3 = developer_client("s3", place.region, account=place.account)
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=_PREFIX).get("Contents", [])
        for item in listed:
            self._take(s3, bucket, item, place)
        keys = {item["Key"] for item in listed}
        for (where, key), _ in list(self._seen.items()):
            if where == bucket and key not in keys:
                self._drop(place, bucket, key)

    def _take(self, s3: Any, bucket: str, item: dict[str, Any], place: Place) -> None:
        key = item["Key"]
        if self._seen.get((bucket, key)) == item["ETag"]:
            return
        name = key.removeprefix(_PREFIX).removesuffix(".json")
        stacks = self._stacks.setdefault(place, {})
        known = _named(list(stacks.values()), name)
        if known is not None and known.status.is_moving:
            return
        stack = known or Stack(place, name, uid="laptop", created=item["LastModified"])
        deployed = read(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        _become(stack, deployed, Status.UPDATE_COMPLETE if known else Status.CREATE_COMPLETE)
        stacks[stack.id] = stack
        self._seen[bucket, key] = item["ETag"]

    def _drop(self, place: Place, bucket: str, key: str) -> None:
        del self._seen[bucket, key]
        name = key.removeprefix(_PREFIX).removesuffix(".json")
        stack = _named(list(self._stacks.get(place, {}).values()), name)
        if stack is not None and not stack.status.is_moving:
            stack.status, stack.deleted, stack.state = (
                Status.DELETE_COMPLETE,
                clock.now(),
                StackState(),
            )


def _bucket(place: Place) -> str:
    return bucket_name(Surroundings("", place.account, place.region))


def _named(stacks: list[Stack], name: str) -> Stack | None:
    for stack in reversed(stacks):
        if stack.id == name:
            return stack
        if stack.name == name and stack.status is not Status.DELETE_COMPLETE:
            return stack
    return None


def _become(stack: Stack, deployed: Deployed, status: Status) -> None:
    """Let a stack be what was deployed."""
    source = deployed.source
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in source.parameters.items()]
    parameters = values(parsed(source.template), given, None)
    with stack.turn:
        stack.state, stack.status = deployed.state, status
        stack.wanted = Wanted(source.template, parameters, source.tags)
        stack.resources = {
            name: StackEvent(name, member.physical_id, member.type_name, "CREATE_COMPLETE")
            for name, member in deployed.state.members.items()
        }
        if status is Status.UPDATE_COMPLETE:
            stack.updated = clock.now()
        stack.events.append(StackEvent(stack.name, stack.id, STACK_TYPE, status.value))
        stack.turn.notify_all()
