"""AWS::IAM::Role, AWS::IAM::Policy, AWS::IAM::RolePolicy and AWS::IAM::ManagedPolicy."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    completing,
    dropped_tags,
    generated_name,
    picked,
    tags,
)
from localaws.deployer.schema import (
    DOCUMENT,
    INT,
    TAGS,
    TEXT,
    TEXTS,
    ListOf,
    Record,
    texts,
)

_INLINE = Record({"PolicyName": TEXT, "PolicyDocument": DOCUMENT}, ("PolicyName", "PolicyDocument"))
_ROLE = Record(
    {
        "RoleName": TEXT,
        "Path": TEXT,
        "Description": TEXT,
        "AssumeRolePolicyDocument": DOCUMENT,
        "MaxSessionDuration": INT,
        "PermissionsBoundary": TEXT,
        "ManagedPolicyArns": TEXTS,
        "Policies": ListOf(_INLINE),
        "Tags": TAGS,
    },
    ("AssumeRolePolicyDocument",),
)
_POLICY = Record(
    {"PolicyName": TEXT, "PolicyDocument": DOCUMENT, "Roles": TEXTS},
    ("PolicyName", "PolicyDocument"),
)
_ROLE_POLICY = Record(
    {"PolicyName": TEXT, "PolicyDocument": DOCUMENT, "RoleName": TEXT}, ("PolicyName", "RoleName")
)
_MANAGED = Record(
    {
        **texts("ManagedPolicyName", "Path", "Description"),
        "PolicyDocument": DOCUMENT,
        "Roles": TEXTS,
    },
    ("PolicyDocument",),
)
_VERSIONS_KEPT = 5  # IAM User Guide, "Versioning IAM policies": at most five versions


def _create_role(site: Site, logical_id: str, properties: Properties) -> Made:
    iam = site.client("iam")
    name = properties.get("RoleName") or generated_name(site, logical_id)
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=as_json(properties["AssumeRolePolicyDocument"]),
        Tags=tags(site, properties),
        **picked(properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
    )["Role"]
    made = Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})
    with completing(made):
        for arn in properties.get("ManagedPolicyArns", []):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in properties.get("Policies", []):
            _put_inline(site, name, policy)
    return made


def _update_role(site: Site, existing: Existing, new: Properties) -> Made:
    iam, name = site.client("iam"), existing.physical_id
    if changed(existing, new, "AssumeRolePolicyDocument"):
        iam.update_assume_role_policy(
            RoleName=name, PolicyDocument=as_json(new["AssumeRolePolicyDocument"])
        )
    if changed(existing, new, "Description", "MaxSessionDuration"):
        iam.update_role(RoleName=name, **picked(new, "Description", "MaxSessionDuration"))
    if changed(existing, new, "PermissionsBoundary"):
        _set_boundary(site, name, new)
    _change_attachments(site, existing, new)
    _change_inline(site, existing, new)
    _change_tags(site, existing, new)
    return existing.made()


def _set_boundary(site: Site, name: str, new: Properties) -> None:
    iam, boundary = site.client("iam"), new.get("PermissionsBoundary")
    if boundary:
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    else:
        iam.delete_role_permissions_boundary(RoleName=name)


def _change_attachments(site: Site, existing: Existing, new: Properties) -> None:
    iam, name = site.client("iam"), existing.physical_id
    before = set(existing.properties.get("ManagedPolicyArns", []))
    after = set(new.get("ManagedPolicyArns", []))
    for arn in sorted(before - after):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for arn in sorted(after - before):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _change_inline(site: Site, existing: Existing, new: Properties) -> None:
    before = {policy["PolicyName"]: policy for policy in existing.properties.get("Policies", [])}
    after = {policy["PolicyName"]: policy for policy in new.get("Policies", [])}
    for policy_name in before.keys() - after.keys():
        site.client("iam").delete_role_policy(RoleName=existing.physical_id, PolicyName=policy_name)
    for policy_name, policy in after.items():
        if before.get(policy_name) != policy:
            _put_inline(site, existing.physical_id, policy)


def _change_tags(site: Site, existing: Existing, new: Properties) -> None:
    iam, gone = site.client("iam"), dropped_tags(existing, new)
    if gone:
        iam.untag_role(RoleName=existing.physical_id, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        iam.tag_role(RoleName=existing.physical_id, Tags=tags(site, new))


def _delete_role(site: Site, existing: Existing) -> None:
    iam, name = site.client("iam"), existing.physical_id
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _put_inline(site: Site, role: str, policy: Properties) -> None:
    site.client("iam").put_role_policy(
        RoleName=role,
        PolicyName=policy["PolicyName"],
        PolicyDocument=as_json(policy["PolicyDocument"]),
    )


def _create_policy(site: Site, logical_id: str, properties: Properties) -> Made:
    for role in properties.get("Roles", []):
        _put_inline(site, role, properties)
    return Made(generated_name(site, logical_id))


def _update_policy(site: Site, existing: Existing, new: Properties) -> Made:
    for role in set(existing.properties.get("Roles", [])) - set(new.get("Roles", [])):
        _drop_inline(site, role, existing)
    for role in new.get("Roles", []):
        _put_inline(site, role, new)
    return existing.made()


def _delete_policy(site: Site, existing: Existing) -> None:
    for role in existing.properties.get("Roles", []):
        _drop_inline(site, role, existing)


def _create_role_policy(site: Site, logical_id: str, properties: Properties) -> Made:
    _put_inline(site, properties["RoleName"], properties)
    return Made(generated_name(site, logical_id))


def _update_role_policy(site: Site, existing: Existing, new: Properties) -> Made:
    _put_inline(site, new["RoleName"], new)
    return existing.made()


def _delete_role_policy(site: Site, existing: Existing) -> None:
    _drop_inline(site, existing.properties["RoleName"], existing)


def _drop_inline(site: Site, role: str, existing: Existing) -> None:
    site.client("iam").delete_role_policy(
        RoleName=role, PolicyName=existing.properties["PolicyName"]
    )


def _create_managed(site: Site, logical_id: str, properties: Properties) -> Made:
    iam = site.client("iam")
    arn = iam.create_policy(
        PolicyName=properties.get("ManagedPolicyName") or generated_name(site, logical_id),
        PolicyDocument=as_json(properties["PolicyDocument"]),
        **picked(properties, "Path", "Description"),
    )["Policy"]["Arn"]
    made = Made(arn, {"PolicyArn": arn})
    with completing(made):
        for role in properties.get("Roles", []):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    return made


def _update_managed(site: Site, existing: Existing, new: Properties) -> Made:
    iam, arn = site.client("iam"), existing.physical_id
    if changed(existing, new, "PolicyDocument"):
        _make_room(site, arn)
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=as_json(new["PolicyDocument"]), SetAsDefault=True
        )
    before, after = set(existing.properties.get("Roles", [])), set(new.get("Roles", []))
    for role in sorted(before - after):
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    for role in sorted(after - before):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    return existing.made()


def _make_room(site: Site, arn: str) -> None:
    for version in _old_versions(site, arn)[_VERSIONS_KEPT - 2 :]:
        site.client("iam").delete_policy_version(PolicyArn=arn, VersionId=version)


def _old_versions(site: Site, arn: str) -> list[str]:
    """Versions beside the default one, newest first."""
    found = site.client("iam").list_policy_versions(PolicyArn=arn)["Versions"]
    others = [version["VersionId"] for version in found if not version["IsDefaultVersion"]]
    return sorted(others, key=lambda name: int(name[1:]), reverse=True)


def _delete_managed(site: Site, existing: Existing) -> None:
    iam, arn = site.client("iam"), existing.physical_id
    for role in existing.properties.get("Roles", []):
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    for version in _old_versions(site, arn):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.delete_policy(PolicyArn=arn)


TYPES = (
    ResourceType(
        "AWS::IAM::Role",
        _ROLE,
        _create_role,
        _delete_role,
        _update_role,
        frozenset({"RoleName", "Path"}),
        "RoleName",
    ),
    ResourceType(
        "AWS::IAM::Policy",
        _POLICY,
        _create_policy,
        _delete_policy,
        _update_policy,
        frozenset({"PolicyName"}),
    ),
    ResourceType(
        "AWS::IAM::RolePolicy",
        _ROLE_POLICY,
        _create_role_policy,
        _delete_role_policy,
        _update_role_policy,
        frozenset({"PolicyName", "RoleName"}),
    ),
    ResourceType(
        "AWS::IAM::ManagedPolicy",
        _MANAGED,
        _create_managed,
        _delete_managed,
        _update_managed,
        frozenset({"ManagedPolicyName", "Path", "Description"}),
        "ManagedPolicyName",
    ),
)
