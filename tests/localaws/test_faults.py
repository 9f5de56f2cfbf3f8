"""`/_localaws/faults` makes single calls fail as AWS does, and nothing else."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.context import Config
from localaws.server import LaptopServer
from tests.localaws.iam_roles import allow, role


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LaptopServer(Config(port=0, state_dir=tmp_path_factory.mktemp("state"))) as served:
        yield f"{served.url}/_localaws/faults"


@pytest.fixture(autouse=True)
def cleared(url: str) -> Iterator[None]:
    yield
    call(url, "DELETE")


def call(url: str, method: str, document: Any = None) -> dict[str, Any]:
    body = json.dumps(document).encode() if document is not None else None
    request = urllib.request.Request(url, body, method=method)
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def put(url: str, *faults: dict[str, Any]) -> None:
    call(url, "PUT", {"faults": list(faults)})


def codes(operation: Any, count: int, **parameters: Any) -> list[str]:
    """The error codes of so many calls, "" for one that went well."""
    found = []
    for _ in range(count):
        try:
            operation(**parameters)
            found.append("")
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    return found


def test_the_nth_call_of_an_operation_fails_once(url: str) -> None:
    put(url, {"operation": "sagemaker:ListModels", "nth": 2, "code": "ThrottlingException"})
    listing = clients.developer_client("sagemaker").list_models
    assert codes(listing, 4) == ["", "ThrottlingException", "", ""]
    assert call(url, "GET")["faults"][0] == {
        "operation": "sagemaker:ListModels",
        "nth": 2,
        "times": 1,
        "code": "ThrottlingException",
        "message": "refused by /_localaws/faults",
        "status": 400,
        "role": "",
        "when": "before",
        "seen": 4,
        "fired": 1,
    }


def test_a_quota_is_a_fault_without_an_end(url: str) -> None:
    put(
        url,
        {"operation": "sagemaker:CreateEndpoint", "times": 0, "code": "ResourceLimitExceeded"},
    )
    create = clients.developer_client("sagemaker").create_endpoint
    found = codes(create, 3, EndpointName="one", EndpointConfigName="none")
    assert found == ["ResourceLimitExceeded"] * 3
    call(url, "DELETE")
    assert codes(create, 1, EndpointName="one", EndpointConfigName="none") == [
        "ValidationException"
    ]


def test_only_calls_of_the_named_role_are_counted(url: str) -> None:
    holder = role(allow("s3:*"))
    put(url, {"operation": "s3:*", "role": holder.arn.rpartition("/")[2], "code": "SlowDown"})
    assert codes(clients.developer_client("s3").list_buckets, 2) == ["", ""]
    assert codes(holder.client("s3").list_buckets, 2) == ["SlowDown", ""]


def test_a_call_can_be_carried_out_and_its_answer_be_lost(url: str) -> None:
    put(
        url,
        {
            "operation": "s3:CreateBucket",
            "when": "after",
            "code": "InternalError",
            "status": 500,
        },
    )
    s3 = clients.developer_client("s3")
    assert codes(s3.create_bucket, 1, Bucket="lost-answer") == ["InternalError"]
    assert s3.head_bucket(Bucket="lost-answer")["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "expected"),
        ({"faults": [{"code": "X"}]}, "needs an operation or a deployment"),
        ({"faults": [{"operation": "s3:GetObject", "nht": 2}]}, "nht is not known"),
        ({"faults": [{"operation": "s3:GetObject", "when": "later"}]}, "before or after"),
        ({"faults": [{"deployment": "Exploded"}]}, "Exploded"),
    ],
)
def test_a_fault_that_is_not_understood_is_refused(url: str, document: Any, complaint: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(url, "PUT", document)
    with caught.value as answer:
        assert answer.code == 400
        assert complaint in json.loads(answer.read())["error"]
    assert call(url, "GET") == {"faults": []}
