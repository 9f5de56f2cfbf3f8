"""One process may serve a laptop, stop it and serve another; moto is its own again in between."""

import inspect
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.events import service as events
from localaws.moto_seams import patches as moto_patches
from localaws.server import Config, LaptopServer
from tests.localaws import machine_bench as bench
from tests.localaws.iam_roles import allow, role

START = {
    "StartAt": "Work",
    "States": {
        "Work": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
            "Parameters": {"Name": "/done", "Value.$": "$.by", "Type": "String"},
            "ResultPath": None,
            "End": True,
        }
    },
}


def use(by: str) -> list[str]:
    """Run a machine and store an object; what EventBridge told of both."""
    told: list[str] = []
    over = threading.Event()

    def hear(event: dict[str, Any]) -> None:
        told.append(f"{event['detail-type']} {event['detail'].get('status', '')}".strip())
        if event["detail"].get("status") == "SUCCEEDED":
            over.set()

    events.subscribe(hear)
    s3 = bench.client("s3")
    s3.create_bucket(Bucket="used")
    s3.put_bucket_notification_configuration(
        Bucket="used", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_object(Bucket="used", Key=by, Body=b"1")
    s3.delete_object(Bucket="used", Key=by)
    assert bench.output_of(START, {"by": by}) == {"by": by}
    assert over.wait(60)
    return told


def left_in_moto() -> Iterator[str]:
    """Everything in moto's modules and classes that was made by the laptop."""
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "__file__", None):
            yield from ours_in(module)
            for owner in vars(module).values():
                if inspect.isclass(owner) and owner.__module__ == name:
                    yield from ours_in(owner)


def ours_in(owner: ModuleType | type) -> Iterator[str]:
    for name, value in vars(owner).items():
        inner = inspect.unwrap(getattr(value, "__func__", value))
        if str(getattr(inner, "__module__", "")).startswith("localaws"):
            yield f"{owner.__name__}.{name}"


def test_a_laptop_can_be_used_stopped_and_used_again(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    told = []
    for turn in ("first", "second"):
        with LaptopServer(Config(port=0, state_dir=tmp_path / turn, time_scale=100_000.0)):
            assert list(left_in_moto()) != []
            assert bench.client("s3").list_buckets()["Buckets"] == []
            told.append(use(turn))
        assert list(left_in_moto()) == []
        assert {t.name for t in set(threading.enumerate()) - threads if t.is_alive()} == set()

    assert told[0] == told[1]
    assert sorted(told[0]) == [
        "Object Created",
        "Object Deleted",
        "Step Functions Execution Status Change RUNNING",
        "Step Functions Execution Status Change SUCCEEDED",
    ]


def test_a_start_that_fails_leaves_moto_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way of the folder")

    with pytest.raises(OSError, match="jobs"):
        LaptopServer(Config(port=0, state_dir=tmp_path)).start()

    assert list(left_in_moto()) == []
    with LaptopServer(Config(port=0, state_dir=tmp_path / "other")) as laptop:
        assert laptop.url


def test_a_session_ends_with_its_laptop(tmp_path: Path) -> None:
    with LaptopServer(Config(port=0, state_dir=tmp_path / "first")):
        holder = role(allow("s3:*"))
        assert holder.client("s3").list_buckets()["Buckets"] == []
    with (
        LaptopServer(Config(port=0, state_dir=tmp_path / "second")),
        pytest.raises(ClientError, match=r"InvalidAccessKeyId|InvalidToken"),
    ):
        holder.client("s3").list_buckets()


class Owner:
    kept: dict[str, Any] = json.loads('{"a": 1}')

    @staticmethod
    def fixed() -> str:
        return "fixed"


class Heir(Owner):
    pass


@pytest.fixture
def patches() -> Iterator[None]:
    yield
    moto_patches.restore()


@pytest.mark.usefixtures("patches")
def test_the_last_replacement_is_undone_first() -> None:
    first = moto_patches.replace(Owner, "fixed", staticmethod(lambda: "one"))
    second = moto_patches.replace(Owner, "fixed", staticmethod(lambda: "two"))
    moto_patches.replace(Heir, "fixed", staticmethod(lambda: "heir"))
    moto_patches.add(Owner, "new", 1)
    moto_patches.put(Owner.kept, "a", 2)
    moto_patches.put(Owner.kept, "b", 3)
    said: list[Callable[[], str]] = [first, second, Owner.fixed, Heir.fixed]
    assert [say() for say in said] == ["fixed", "one", "two", "heir"]

    moto_patches.restore()

    assert (Owner.fixed(), Owner().fixed(), Heir.fixed()) == ("fixed", "fixed", "fixed")
    assert "fixed" not in vars(Heir)
    assert not hasattr(Owner, "new")
    assert Owner.kept == {"a": 1}


@pytest.mark.usefixtures("patches")
def test_a_name_that_moto_does_not_have_is_an_error() -> None:
    with pytest.raises(AttributeError, match="gone"):
        moto_patches.replace(Owner, "gone", 1)
