"""Bad data never opens a gate, and says why; good data opens it by itself, at once."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from signalbox_cli.packaging import pack
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView, find_run, read_manifest, read_run
from signalbox_cli.sample_data import SampleData, export
from tests.localaws.iam_roles import allow, document
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

FASTEST_S = 2.0


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Header and 20,000 rows of the diabetes data."""
    sample = export("diabetes", tmp_path_factory.mktemp("rows"), 20_000, inference_rows=1)
    return sample.source.read_bytes().split(b"\n")[:-1]


@pytest.fixture
def waiting(served: Laptop) -> RunView:
    """A run that waits for its training data."""
    packed = pack(REPOSITORY / "workloads" / "diabetes")
    started = release_archive(served.target, packed, key="workloads/intake.zip", options={})
    return stories.await_stage(served, started.execution_id, "UploadSourceData")


@pytest.fixture
def messages(served: Laptop) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the notification topic sends while the test runs."""
    sqs, sns = served.target.client("sqs"), served.target.client("sns")
    url = sqs.create_queue(QueueName="intake-messages")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    delivery = allow("sqs:SendMessage", arn["QueueArn"], Principal={"Service": "sns.amazonaws.com"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(delivery)})
    subscription = sns.subscribe(
        TopicArn=topic_of(served),
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]

    def received() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        told = [json.loads(m["Message"]) for m in found if "was refused" in m.get("Subject", "")]
        return [message for message in told if message["kind"] == "quarantined"]

    yield received
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=url)


def topic_of(served: Laptop) -> str:
    found = served.target.client("ssm").get_parameter(Name="/signalbox/dev/notification-topic-arn")
    return str(found["Parameter"]["Value"])


def joined(rows: list[bytes]) -> bytes:
    return b"\n".join(rows) + b"\n"


def with_cell(rows: list[bytes], line: int, column: int, cell: bytes) -> bytes:
    """The file with one cell replaced; `line` counts the header as 1, `column` from 0."""
    cells = rows[line - 1].split(b",")
    cells[column] = cell
    return joined([*rows[: line - 1], b",".join(cells), *rows[line:]])


def without_column(rows: list[bytes], column: int) -> bytes:
    return joined([b",".join(c for i, c in enumerate(r.split(b",")) if i != column) for r in rows])


def constant_label(rows: list[bytes]) -> bytes:
    return joined([rows[0], *(row.rpartition(b",")[0] + b",151.5" for row in rows[1:])])


# (name of the file, how it comes from good rows, words that the message must have)
BAD_FILES: list[tuple[str, Callable[[list[bytes]], bytes], tuple[str, ...]]] = [
    ("no-bmi.csv", lambda r: without_column(r, 2), ("row 1", '"bmi"', "missing", "rule: column")),
    (
        "text.csv",
        lambda r: with_cell(r, 12_345, 2, b"unknown"),
        ("row 12,345", '"bmi"', '"unknown"', "rule: type"),
    ),
    (
        "latin.csv",
        lambda r: with_cell(r, 500, 1, b"m\xe4nnlich"),
        ("row 500", '"sex"', "0xe4", "rule: encoding"),
    ),
    ("empty.csv", lambda _: b"", ("empty.csv", "is empty", "rule: empty")),
    (
        "cut.csv.gz",
        lambda r: gzip.compress(joined(r), mtime=0)[:-5000],
        ("row ", "gzip", "rule: format"),
    ),
    (
        "constant.csv",
        constant_label,
        ('"progression"', '"151.5"', "20,000 rows", "rule: constant label"),
    ),
    (
        "repeated.csv",
        lambda r: joined([*r[:14_001], *r[1:6_001]]),
        ("30.0%", "20,000 rows", "rule: duplicates"),
    ),
]


@pytest.mark.slow
def test_seven_bad_files_are_quarantined_and_a_good_one_opens_the_gate(
    served: Laptop,
    waiting: RunView,
    rows: list[bytes],
    messages: Callable[[], list[dict[str, Any]]],
) -> None:
    for name, spoil, _ in BAD_FILES:
        put(served, waiting, name, spoil(rows))
    entries = await_decisions(served, waiting, len(BAD_FILES))

    told: dict[str, list[str]] = {}

    def all_are_told() -> bool:
        for message in messages():
            told[message["summary"][0].split(" ", 1)[0]] = message["sections"][0]["lines"]
        return len(told) == len(BAD_FILES)

    stories.await_true(all_are_told, "people were told of each file")
    for name, _, words in BAD_FILES:
        entry = entries[name]
        assert entry["status"] == "quarantined", name
        (finding,) = entry["detail"]["findings"][:1]
        for word in (name, *words):
            assert word in finding, finding
        assert finding in told[name]
        assert stories.objects_under(served, entry["detail"]["quarantine"].split("/", 3)[3])
    assert stories.objects_under(served, f"runs/{waiting.run_id}/source/") == []
    assert read_run(served.target, waiting.execution_id).waiting_gate == "UploadSourceData"

    started = time.monotonic()
    put(served, waiting, "good.csv", joined(rows))
    await_open(served, waiting)

    assert time.monotonic() - started < FASTEST_S
    assert stories.objects_under(served, f"runs/{waiting.run_id}/report/data-profile.json")


def put(served: Laptop, run: RunView, name: str, content: bytes) -> None:
    served.target.client("s3").put_object(
        Bucket=served.target.wiring().workflow_bucket,
        Key=f"runs/{run.run_id}/source/{name}",
        Body=content,
    )


def await_decisions(served: Laptop, run: RunView, count: int) -> dict[str, dict[str, Any]]:
    """Decisions by file name, once there are as many and what was refused has left."""
    deadline = time.monotonic() + stories.PATIENCE_S
    while time.monotonic() < deadline:
        history = read_manifest(served.target, run)["history"]
        found = {e["detail"]["file"]: e for e in history if e["phase"] == "source-data"}
        left = stories.objects_under(served, f"runs/{run.run_id}/source/")
        if len(found) == count and not left:
            return found
        time.sleep(0.05)
    return pytest.fail(f"{found}")


def await_open(served: Laptop, run: RunView) -> None:
    deadline = time.monotonic() + stories.PATIENCE_S
    while read_run(served.target, run.execution_id).waiting_gate == "UploadSourceData":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_the_command_says_what_is_wrong_with_a_file_it_has_uploaded(
    served: Laptop, waiting: RunView, rows: list[bytes], tmp_path: Any
) -> None:
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_bytes(with_cell(rows, 7, 0, b"old"))
    good.write_bytes(joined(rows))

    refused = served.signalbox("upload", str(bad), "--run", waiting.run_id, check=False)
    opened = served.signalbox("upload", str(good), "--run", waiting.run_id)

    assert refused.returncode == 1
    assert 'row 7, column "age": "old" is no number' in refused.stderr
    assert "Opened UploadSourceData" in opened.stdout


@pytest.mark.slow
def test_data_that_is_there_before_its_gate_opens_it(
    served: Laptop, sample: Callable[[str], SampleData]
) -> None:
    """Rows to predict are uploaded while the run still waits for its training data."""
    packed = pack(REPOSITORY / "workloads" / "diabetes")
    options = {"approvals": {"approveModel": "automatic"}}
    started = release_archive(served.target, packed, key="workloads/early.zip", options=options)
    run = stories.await_stage(served, started.execution_id, "UploadSourceData")
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    files = sample("diabetes")

    s3.upload_file(str(files.inference), bucket, f"runs/{run.run_id}/inference/rows.csv")
    s3.upload_file(str(files.source), bucket, f"runs/{run.run_id}/source/data.csv")

    ended = stories.await_end(served, started.execution_id)
    assert ended.status == "Succeeded", ended.error
    assert find_run(served.target, ended.run_id).status == "Succeeded"
