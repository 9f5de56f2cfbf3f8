"""Rules of the job runner that need no process: archives, requirements, keys, blocks, limits."""

import io
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.jobs import archives as job_archives
from localaws.jobs import logs as job_logs
from localaws.jobs import requirements as job_requirements
from localaws.jobs import transfer as job_transfer
from localaws.jobs.archives import ArchiveRefused
from localaws.jobs.logs import LogStream, MetricDefinition, Recorder
from localaws.jobs.training import decode, to_arguments
from localaws.jobs.transfer import Courier, S3Uri
from localaws.models import batch_transform
from localaws.models.batch_transform import Plan, TransformFailed


def tar_with(member: tarfile.TarInfo, folder: Path, body: bytes = b"") -> Path:
    path = folder / "made.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(body))
    return path


def linked(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (tarfile.TarInfo("../up.txt"), "outside its folder"),
        (tarfile.TarInfo("a/../../up.txt"), "outside its folder"),
        (tarfile.TarInfo("/etc/up.txt"), "outside its folder"),
        (linked("soft", tarfile.SYMTYPE), "a link or a device"),
        (linked("hard", tarfile.LNKTYPE), "a link or a device"),
        (linked("null", tarfile.CHRTYPE), "a link or a device"),
        (linked("pipe", tarfile.FIFOTYPE), "a link or a device"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_an_archive_cannot_reach_outside_its_folder(
    tmp_path: Path, member: tarfile.TarInfo, complaint: str
) -> None:
    with pytest.raises(ArchiveRefused, match=complaint):
        job_archives.unpack(tar_with(member, tmp_path), tmp_path / "out")


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_archives, "MAX_UNPACKED_BYTES", 10)
    member = tarfile.TarInfo("zeros")
    member.size = 11
    with pytest.raises(ArchiveRefused, match="more than 10 bytes"):
        job_archives.unpack(tar_with(member, tmp_path, b"\0" * 11), tmp_path / "out")
    assert not (tmp_path / "out" / "zeros").exists()


def test_what_is_no_archive_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.tar.gz").write_text("hello")
    with pytest.raises(ArchiveRefused, match=r"text\.tar\.gz"):
        job_archives.unpack(tmp_path / "text.tar.gz", tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "satisfied"),
    [
        # Rules of PEP 440, against the versions set below: numpy 2.4.6.
        ("numpy", True),
        ("numpy==2.4.6", True),
        ("numpy == 2.4", False),
        ("numpy>=2,<3", True),
        ("numpy~=2.4.1", True),
        ("numpy~=2.3.1", False),
        ("numpy~=2.3", True),
        ("numpy==2.4.*", True),
        ("numpy!=2.4.*", False),
        ("numpy[extra]>=1.0", True),
        ("numpy>2.4.6", False),
        ("missing-thing", False),
        ("git+https://example.com/x.git", False),
        ("-r other.txt", False),
        ("numpy>=2 ; python_version >= '3'", True),
    ],
)
def test_requirements_are_compared_with_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, line: str, satisfied: bool
) -> None:
    def version(name: str) -> str:
        if name == "numpy":
            return "2.4.6"
        raise job_requirements.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(job_requirements.metadata, "version", version)
    assert job_requirements.is_satisfied(line) is satisfied


def test_comments_and_blank_lines_ask_for_nothing() -> None:
    assert job_requirements.unsatisfied("\n# nothing\n   \nno-such-thing  # why\n") == [
        "no-such-thing"
    ]


@pytest.mark.parametrize(
    ("prefix", "key", "expected"),
    [
        ("data/", "data/a.csv", "a.csv"),
        ("data", "data/deep/a.csv", "deep/a.csv"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data/part", "data/part-1.csv", "part-1.csv"),
        ("da", "data/a.csv", "data/a.csv"),
        ("", "data/a.csv", "data/a.csv"),
        ("data/", "data/deep/", None),
    ],
)
def test_objects_land_below_the_prefix_they_were_found_by(
    tmp_path: Path, prefix: str, key: str, expected: str | None
) -> None:
    found = job_transfer._local_path(tmp_path, prefix, key)
    assert found == (tmp_path / expected if expected is not None else None)


def test_addresses_are_joined_with_one_slash() -> None:
    assert str(S3Uri.parse("s3://bucket/a/").joined("b")) == "s3://bucket/a/b"
    assert str(S3Uri.parse("s3://bucket").joined("b")) == "s3://bucket/b"


def plan_of(size_bytes: int, *, single: bool = False) -> Plan:
    return Plan("text/csv", "text/csv", "Line", single, True, size_bytes, "unused")


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"") + b"x\n")),
    size=st.integers(min_value=30, max_value=80),
    single=st.booleans(),
)
def test_blocks_hold_every_line_whole_in_order_and_within_the_limit(
    lines: list[bytes], size: int, single: bool
) -> None:
    content = b"".join(lines)
    blocks = list(batch_transform.blocks(plan_of(size, single=single), io.BytesIO(content)))
    assert b"".join(blocks) == content
    assert all(block.endswith(b"\n") and len(block) <= size for block in blocks)
    if single:
        assert blocks == lines


def test_a_line_that_fits_no_block_is_refused() -> None:
    with pytest.raises(TransformFailed, match="larger than MaxPayloadInMB"):
        list(batch_transform.blocks(plan_of(10), io.BytesIO(b"1\n" + b"x" * 11 + b"\n")))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", 3), ("0.5", 0.5), ('"3"', "3"), ("abc", "abc"), ("null", None), ("[1]", [1])],
)
def test_a_hyperparameter_is_json_or_itself(value: str, expected: object) -> None:
    assert decode(value) == expected


def test_hyperparameters_of_sagemakers_own_are_no_arguments() -> None:
    decoded = {"sagemaker_program": "train.py", "b": 1, "alpha": None}
    assert to_arguments(decoded) == ["--alpha", "", "-b", "1"]


class Kept(LogStream):
    """A stream that keeps its messages."""

    def __init__(self) -> None:
        super().__init__(Courier("role", "region", "account"), "group", "stream")
        self.messages: list[str] = []

    def write(self, events: list[dict[str, object]]) -> None:
        self.messages += [str(event["message"]) for event in events]


def test_lines_are_put_together_from_pieces_and_a_long_one_is_cut() -> None:
    stream = Kept()
    recorder = Recorder(stream)
    for piece in (b"one\ntw", b"o\n\n", b"y" * 40_000, b"end"):
        recorder.feed(piece)
    recorder.close()
    assert stream.messages[:3] == ["one", "two", " "]
    assert "".join(stream.messages[3:]) == "y" * 40_000 + "end"
    assert max(len(message) for message in stream.messages) <= job_logs._MAX_LINE_BYTES


def test_output_past_the_limit_is_counted_and_its_end_kept() -> None:
    stream = Kept()
    recorder = Recorder(stream, limit_bytes=100)
    for number in range(10_000):
        recorder.feed(f"line {number}\n".encode())
    recorder.close()
    recorder.close()
    notes = [message for message in stream.messages if "were left out" in message]
    assert len(notes) == 1
    assert stream.messages[0] == "line 0"
    assert stream.messages[-1] == "line 9999"
    assert len(stream.messages) < 3_000


def test_metrics_are_found_in_each_line_by_their_first_group() -> None:
    recorder = Recorder(Kept(), definitions=[MetricDefinition("a", re.compile(r"a=(\S+)"))])
    recorder.feed(b"a=1 a=2\nb=9\na=oops\na=nan\n")
    assert str(recorder.metrics["a"].value) == "nan"
