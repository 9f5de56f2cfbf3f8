"""Quotas, connections and images, as far as the laptop has them: enough to look at."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import connections, container_registry, service_quotas
from localaws.sagemaker.store import Place
from tests.localaws.conftest import Developer
from tests.localaws.iam_roles import ACCOUNT, allow, role

HERE = Place(ACCOUNT, "us-east-1")
SKLEARN = "683313688378"
IMAGE = f"{SKLEARN}.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"


def quotas(developer: Developer) -> dict[str, Any]:
    pages = developer("service-quotas").get_paginator("list_service_quotas")
    found = pages.paginate(ServiceCode="sagemaker", PaginationConfig={"PageSize": 50})
    return {one["QuotaName"]: one for page in found for one in page["Quotas"]}


def test_quotas_are_listed_page_by_page_and_raised_on_request(developer: Developer) -> None:
    name = "ml.g5.xlarge for training job usage"
    before = quotas(developer)[name]
    assert before["Value"] == 0.0

    answer = developer("service-quotas").request_service_quota_increase(
        ServiceCode="sagemaker", QuotaCode=before["QuotaCode"], DesiredValue=2
    )

    assert answer["RequestedQuota"]["Status"] == "APPROVED"
    assert quotas(developer)[name]["Value"] == 2.0
    elsewhere = Place(ACCOUNT, "eu-west-1")
    service_quotas.set_quota(elsewhere, name, 5.0)
    assert quotas(developer)[name]["Value"] == 2.0


def test_a_quota_that_is_not_there_is_refused(developer: Developer) -> None:
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        developer("service-quotas").get_service_quota(ServiceCode="sagemaker", QuotaCode="L-1")
    with pytest.raises(ClientError, match="UnsupportedByLocalAws"):
        developer("service-quotas").list_service_quotas(ServiceCode="ec2")


def test_a_connection_is_pending_until_somebody_logs_in(developer: Developer) -> None:
    client = developer("codestar-connections")
    arn = client.create_connection(ConnectionName="git", ProviderType="GitHub")["ConnectionArn"]
    assert client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "PENDING"

    connections.complete(arn)

    found = client.list_connections()["Connections"]
    assert [one["ConnectionStatus"] for one in found] == ["AVAILABLE"]
    client.delete_connection(ConnectionArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_connection(ConnectionArn=arn)


def test_an_image_of_sagemaker_can_be_looked_at_until_it_is_taken_away(
    developer: Developer,
) -> None:
    wanted = {
        "registryId": SKLEARN,
        "repositoryName": "sagemaker-scikit-learn",
        "imageIds": [{"imageTag": "1.4-2-cpu-py3"}],
    }
    found = developer("ecr").batch_get_image(**wanted)
    assert found["images"][0]["imageId"]["imageDigest"].startswith("sha256:")

    container_registry.take_away(IMAGE)
    gone = developer("ecr").batch_get_image(**wanted)
    container_registry.restore()

    assert [one["failureCode"] for one in gone["failures"]] == ["ImageNotFound"]


def test_a_role_pulls_only_what_its_policy_names(laptop: Any) -> None:
    del laptop
    repository = f"arn:aws:ecr:us-east-1:{SKLEARN}:repository/sagemaker-scikit-learn"
    wanted = {"registryId": SKLEARN, "imageIds": [{"imageTag": "1"}]}
    client = role(allow("ecr:BatchGetImage", repository)).client("ecr")

    client.batch_get_image(repositoryName="sagemaker-scikit-learn", **wanted)
    with pytest.raises(ClientError, match="ecr:BatchGetImage"):
        client.batch_get_image(repositoryName="sagemaker-xgboost", **wanted)
