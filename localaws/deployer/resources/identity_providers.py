"""AWS::IAM::OIDCProvider."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    dropped_tags,
    tags,
)
from localaws.deployer.schema import TAGS, TEXT, TEXTS, Record

_PROVIDER = Record(
    {"Url": TEXT, "ClientIdList": TEXTS, "ThumbprintList": TEXTS, "Tags": TAGS}, ("Url",)
)


def _create(site: Site, _logical_id: str, properties: Properties) -> Made:
    arn = site.client("iam").create_open_id_connect_provider(
        Url=properties["Url"],
        ClientIDList=properties.get("ClientIdList", []),
        ThumbprintList=properties.get("ThumbprintList", []),
        Tags=tags(site, properties),
    )["OpenIDConnectProviderArn"]
    return Made(arn, {"Arn": arn})


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    iam, arn = site.client("iam"), existing.physical_id
    before = set(existing.properties.get("ClientIdList", []))
    after = set(new.get("ClientIdList", []))
    for client_id in sorted(after - before):
        iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=arn, ClientID=client_id
        )
    for client_id in sorted(before - after):
        iam.remove_client_id_from_open_id_connect_provider(
            OpenIDConnectProviderArn=arn, ClientID=client_id
        )
    if changed(existing, new, "ThumbprintList"):
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=arn, ThumbprintList=new.get("ThumbprintList", [])
        )
    _change_tags(site, existing, new)
    return existing.made()


def _change_tags(site: Site, existing: Existing, new: Properties) -> None:
    iam, arn = site.client("iam"), existing.physical_id
    gone = dropped_tags(existing, new)
    if gone:
        iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=tags(site, new))


def _delete(site: Site, existing: Existing) -> None:
    site.client("iam").delete_open_id_connect_provider(
        OpenIDConnectProviderArn=existing.physical_id
    )


TYPES = (
    ResourceType(
        "AWS::IAM::OIDCProvider", _PROVIDER, _create, _delete, _update, frozenset({"Url"}), "Url"
    ),
)
