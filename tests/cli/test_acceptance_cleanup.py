"""No endpoint of an acceptance goes on to cost, whatever has gone wrong."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from signalbox_cli import acceptance_cleanup
from signalbox_cli.acceptance_cleanup import leaving_nothing, take_down
from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target, Wiring

ENDPOINT = "signalbox-staging-diabetes-acceptance"


def refused(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


class SageMaker:
    """Tells one status after the other, and refuses to delete what is being changed."""

    def __init__(self, *statuses: str) -> None:
        self._statuses, self.status = iter(statuses), ""
        self.deleted: list[str] = []

    def describe_endpoint(self, **given: str) -> dict[str, str]:
        self.status = next(self._statuses, self.status)
        if not self.status:
            raise refused("DescribeEndpoint", f'Could not find endpoint "{given["EndpointName"]}".')
        return {"EndpointStatus": self.status}

    def delete_endpoint(self, **given: str) -> None:
        if self.status in ("Creating", "Updating", "RollingBack"):
            raise refused("DeleteEndpoint", "Cannot update in-progress endpoint")
        self.deleted.append(given["EndpointName"])


class Storage:
    """A workflow bucket without records."""

    def get_object(self, **_given: str) -> Any:
        raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "none"}}, "GetObject")


class Pipeline:
    """Refuses to be stopped."""

    def stop_pipeline_execution(self, **_given: Any) -> None:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "Stop")


def staging(sagemaker: SageMaker) -> Target:
    target = Target(environment="staging", endpoint_url="http://127.0.0.1:9")
    clients = {"sagemaker": sagemaker, "s3": Storage(), "codepipeline": Pipeline()}
    target._memo.update({"wiring": Wiring(*"abcdefg"), **clients})
    return target


@pytest.mark.parametrize(
    ("statuses", "deleted"),
    [
        (("InService",), [ENDPOINT]),
        (("Creating", "Creating", "InService"), [ENDPOINT]),
        (("Updating", "RollingBack", "InService"), [ENDPOINT]),
        (("Creating", "Failed"), [ENDPOINT]),
        (("Deleting",), []),
        (("",), []),
    ],
)
def test_an_endpoint_is_deleted_once_nobody_changes_it(
    statuses: tuple[str, ...], deleted: list[str]
) -> None:
    sagemaker = SageMaker(*statuses)

    take_down(staging(sagemaker), ENDPOINT, Output(quiet=True))

    assert sagemaker.deleted == deleted


def test_one_that_is_made_forever_is_said_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptance_cleanup, "PATIENCE_S", 0.0)

    with pytest.raises(CommandError, match=rf"still Creating .*--endpoint-name {ENDPOINT}"):
        take_down(staging(SageMaker("Creating")), ENDPOINT, Output(quiet=True))


def test_the_endpoint_is_deleted_although_the_run_cannot_be_stopped() -> None:
    """And the first fault is the one that is told."""
    sagemaker = SageMaker("InService")

    with (
        pytest.raises(ZeroDivisionError),
        leaving_nothing(staging(sagemaker), "c2be", Output(quiet=True), endpoint=ENDPOINT),
    ):
        raise ZeroDivisionError

    assert sagemaker.deleted == [ENDPOINT]


def test_an_endpoint_that_a_stopped_machine_was_just_making_is_deleted() -> None:
    """StopExecution does not take back a call that is on its way."""
    sagemaker = SageMaker("", "", "Creating", "InService")

    with (
        pytest.raises(KeyboardInterrupt),
        leaving_nothing(staging(sagemaker), "c2be", Output(quiet=True), endpoint=ENDPOINT),
    ):
        raise KeyboardInterrupt

    assert sagemaker.deleted == [ENDPOINT]


def test_a_clean_up_that_fails_after_good_work_is_a_fault() -> None:
    sagemaker = SageMaker("Creating")
    sagemaker.describe_endpoint = lambda **_given: {"EndpointStatus": "InService"}  # type: ignore[method-assign]
    sagemaker.status = "Updating"

    with (
        pytest.raises(ClientError, match="in-progress"),
        leaving_nothing(staging(sagemaker), "c2be", Output(quiet=True), endpoint=ENDPOINT),
    ):
        pass
