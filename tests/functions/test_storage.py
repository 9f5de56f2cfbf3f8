"""The S3 adapter: bounded reads; conditional writes that lose nothing and end in any case."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from signalbox.aws import storage
from signalbox.errors import ObjectMissingError, ObjectTooLargeError, WriteContendedError

WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"
KEY = "runs/r/manifest.json"


def refuse_puts(world: Any, status: int, code: str, *, times: int) -> list[str]:
    """Answer the next conditional puts with an error of S3; returns the keys that were asked."""
    asked: list[str] = []

    def answer(**_: object) -> Any:
        asked.append(KEY)
        if len(asked) > times:
            return None
        parsed = {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return SimpleNamespace(status_code=status), parsed

    world.s3.meta.events.register_first("before-call.s3.PutObject", answer)
    return asked


def test_only_the_first_of_two_creations_succeeds(world):
    assert storage.create(WORKFLOW, KEY, b"first") is True
    assert storage.create(WORKFLOW, KEY, b"second") is False
    assert storage.read(WORKFLOW, KEY).content == b"first"


def test_a_creation_during_another_write_is_asked_again(world):
    asked = refuse_puts(world, 409, "ConditionalRequestConflict", times=2)

    assert storage.create(WORKFLOW, KEY, b"x") is True
    assert len(asked) == 3


def test_an_update_during_another_write_is_done_again(world):
    storage.write(WORKFLOW, KEY, b"a")
    asked = refuse_puts(world, 409, "ConditionalRequestConflict", times=2)

    updated = storage.update(WORKFLOW, KEY, lambda content: content + b"b")

    assert (updated.content, updated.was_written, len(asked)) == (b"ab", True, 3)
    assert storage.read(WORKFLOW, KEY).content == b"ab"


def test_an_update_that_changes_nothing_writes_nothing(world):
    storage.write(WORKFLOW, KEY, b"a")
    asked = refuse_puts(world, 500, "InternalError", times=0)

    assert storage.update(WORKFLOW, KEY, lambda content: content).was_written is False
    assert asked == []


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_an_update_gives_up_after_a_bounded_number_of_attempts(world, code):
    storage.write(WORKFLOW, KEY, b"a")
    asked = refuse_puts(world, 412, code, times=1000)

    with pytest.raises(WriteContendedError, match=f"s3://{WORKFLOW}/{KEY} was changed by others"):
        storage.update(WORKFLOW, KEY, lambda content: content + b"b")

    assert len(asked) == storage.UPDATE_ATTEMPTS


def test_an_error_that_is_none_of_ours_passes_through(world):
    storage.write(WORKFLOW, KEY, b"a")
    refuse_puts(world, 403, "AccessDenied", times=1)

    with pytest.raises(ClientError, match="AccessDenied"):
        storage.update(WORKFLOW, KEY, lambda content: content + b"b")


def test_a_missing_object_is_named(world):
    with pytest.raises(ObjectMissingError, match=f"s3://{WORKFLOW}/{KEY} does not exist"):
        storage.read(WORKFLOW, KEY)


def test_an_object_above_the_limit_is_not_read(world):
    storage.write(WORKFLOW, KEY, b"x" * 11)

    with pytest.raises(ObjectTooLargeError, match="has 11 bytes; at most 10 are read"):
        storage.read(WORKFLOW, KEY, limit_bytes=10)


def test_a_listing_names_the_current_versions_below_a_prefix(world):
    storage.write(WORKFLOW, "p/b.csv", b"old")
    storage.write(WORKFLOW, "p/b.csv", b"new!")
    storage.write(WORKFLOW, "p/a.csv", b"1")
    storage.write(WORKFLOW, "p/", b"")
    storage.write(WORKFLOW, "q/c.csv", b"1")
    world.s3.put_object(Bucket=WORKFLOW, Key="p/gone.csv", Body=b"x")
    world.s3.delete_object(Bucket=WORKFLOW, Key="p/gone.csv")

    found = storage.current_objects(WORKFLOW, "p/")

    assert [(o.name, o.size_bytes) for o in found] == [("a.csv", 1), ("b.csv", 4)]
    assert storage.digest_of(found) != storage.digest_of(found[:1])


@pytest.mark.parametrize(
    ("content", "expected", "is_whole"),
    [(b"abcdef", b"abc", False), (b"abc", b"abc", True), (b"a", b"a", True), (b"", b"", True)],
)
def test_the_beginning_of_an_object_says_whether_it_is_all(world, content, expected, is_whole):
    storage.write(WORKFLOW, KEY, content)

    found = storage.beginning(WORKFLOW, KEY, length_bytes=3)

    assert (found.content, found.is_whole) == (expected, is_whole)


def test_the_beginning_of_nothing_is_a_missing_object(world):
    with pytest.raises(ObjectMissingError):
        storage.beginning(WORKFLOW, KEY, length_bytes=3)
