"""Deletes resources of a stack, each before all that it needs."""

from dataclasses import replace

from botocore.exceptions import ClientError

from localaws.deployer.blueprint import Report, ResourceEvent
from localaws.deployer.errors import StackInUse
from localaws.deployer.plan import Action, Change, deletions
from localaws.deployer.resources.base import Existing, Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.state import Member, StackState
from localaws.errors import LocalAwsError

GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
    }
)
"""Codes of refusals that say that what was to be deleted is not there."""


def delete_member(site: Site, logical_id: str, member: Member) -> None:
    """Delete a resource; one that is gone already is deleted."""
    existing: Existing = member.existing(logical_id)
    try:
        CATALOGUE[member.type_name].delete(site, existing)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def destroy_members(
    state: StackState, site: Site, report: Report, *, empty_buckets: bool, retained: bool
) -> StackState:
    """Delete the stack's resources in reverse order; what remains is the new state."""
    if not empty_buckets:
        refuse_full_buckets(state, site, retained=retained)
    members = dict(state.members)
    for change in deletions(state, frozenset()):
        member = members.pop(change.logical_id)
        if change.action is Action.RETAIN and not retained:
            report(_event(change, "done"))
            continue
        if member.type_name == "AWS::S3::Bucket":
            empty_bucket(site, member.physical_id)
        report(_event(change, "started"))
        delete_member(site, change.logical_id, member)
        report(_event(change, "done"))
    return StackState(members, {})


def delete_members(
    state: StackState, site: Site, report: Report, *, kept: frozenset[str] = frozenset()
) -> StackState:
    """Delete what can be deleted, in reverse order; what remains is the new state.

    As CloudFormation does it: no bucket is emptied, a resource that is refused stays with all that
    it needs, and so do those in `kept` (which are forgotten).
    """
    members = dict(state.members)
    needed: set[str] = set()
    for change in deletions(state, frozenset()):
        member = members[change.logical_id]
        if change.logical_id in needed:
            needed.update(member.needs)
        elif change.action is Action.RETAIN or change.logical_id in kept:
            report(_event(replace(change, action=Action.RETAIN), "done"))
            del members[change.logical_id]
        elif _deleted(site, change, member, report):
            del members[change.logical_id]
        else:
            needed.update(member.needs)
    return StackState(members, state.outputs if members else {}, state.exports if members else {})


def _deleted(site: Site, change: Change, member: Member, report: Report) -> bool:
    report(_event(change, "started"))
    try:
        delete_member(site, change.logical_id, member)
    except (ClientError, LocalAwsError) as error:
        report(replace(_event(change, "failed"), reason=str(error)))
        return False
    report(_event(change, "done"))
    return True


def _event(change: Change, status: str) -> ResourceEvent:
    action, physical_id = change.action.value, change.physical_id
    return ResourceEvent(change.logical_id, change.type_name, action, status, physical_id)


def refuse_full_buckets(state: StackState, site: Site, *, retained: bool) -> None:
    """Raise StackInUse when a bucket that would be deleted holds something."""
    for change in deletions(state, frozenset()):
        deletes = change.action is Action.DELETE or retained
        if change.type_name == "AWS::S3::Bucket" and deletes:
            listed = site.client("s3").list_object_versions(Bucket=change.physical_id, MaxKeys=1)
            if listed.get("Versions") or listed.get("DeleteMarkers"):
                raise StackInUse(
                    f"bucket {change.physical_id} ({change.logical_id}) is not empty; nothing was "
                    "deleted; ask for the buckets to be emptied to delete what they hold"
                )


def empty_bucket(site: Site, bucket: str) -> None:
    """Delete every version of every object."""
    s3 = site.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
