"""Workload archives: read without trust, written reproducibly."""

import gzip
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import archive
from signalbox.archive import Limits, WorkloadArchive
from signalbox.errors import WorkloadArchiveError

TEN_GIGABYTES = 10 * 1024**3
NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True)
FILES = st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5)


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in files.items():
            written.writestr(name, content)
    return packed


def zip_with(member: zipfile.ZipInfo, content: bytes = b"") -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        written.writestr("manifest.json", b"{}")
        written.writestr(member, content)
    return packed


def zip_of_zeros(size_bytes: int, *, declared_bytes: int) -> io.BytesIO:
    """A zip whose one member inflates to zeros, whatever its headers declare (APPNOTE.TXT 4.3).

    One compressed megabyte is repeated: a full flush ends on a byte and forgets what was before.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = megabyte * (size_bytes // 1024**2) + packer.flush()
    name = b"zeros.bin"
    sizes = struct.pack("<HHQQ", 1, 16, declared_bytes, len(data))
    fixed = struct.pack(
        "<HHHHHIIIHH", 45, 0, 8, 0, 33, 0, 2**32 - 1, 2**32 - 1, len(name), len(sizes)
    )
    local = b"PK\x03\x04" + fixed + name + sizes
    central = b"PK\x01\x02" + struct.pack("<H", 45) + fixed + struct.pack("<HHHII", 0, 0, 0, 0, 0)
    central += name + sizes
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return io.BytesIO(local + data + central + b"PK\x05\x06" + end)


def test_a_manifest_at_the_root_is_the_workload():
    found = WorkloadArchive(zipped({"manifest.json": b"{}", "train.py": b"1"})).pick("auto")

    assert found.folder == ""
    assert found.files == {"manifest.json": b"{}", "train.py": b"1"}


def test_the_only_folder_with_a_manifest_is_the_workload():
    files = {"README.md": b"", "w/diabetes/manifest.json": b"{}", "w/diabetes/lib/a.py": b"1"}

    found = WorkloadArchive(zipped(files)).pick("auto")

    assert found.folder == "w/diabetes"
    assert found.files == {"manifest.json": b"{}", "lib/a.py": b"1"}


TWO = {
    "w/diabetes/manifest.json": b'{"name": "sugar"}',
    "w/cancer/manifest.json": b'{"name": "breast-cancer"}',
    "w/diabetes2/manifest.json": b"not json",
}


@pytest.mark.parametrize(
    ("wanted", "folder"),
    [
        ("w/diabetes", "w/diabetes"),
        ("/w/diabetes/", "w/diabetes"),
        ("diabetes", "w/diabetes"),
        ("sugar", "w/diabetes"),
        ("breast-cancer", "w/cancer"),
    ],
)
def test_a_workload_is_picked_by_path_folder_or_name(wanted, folder):
    assert WorkloadArchive(zipped(TWO)).pick(wanted).folder == folder


def test_several_workloads_need_a_choice_and_are_listed():
    with pytest.raises(WorkloadArchiveError, match="one of: w/cancer, w/diabetes, w/diabetes2"):
        WorkloadArchive(zipped(TWO)).pick("auto")


def test_a_workload_that_is_not_there_lists_those_that_are():
    expected = 'the workload "heart" is not in it; the archive holds: w/cancer, w/diabetes'
    with pytest.raises(WorkloadArchiveError, match=expected):
        WorkloadArchive(zipped(TWO)).pick("heart")


def test_a_name_that_two_folders_claim_is_refused():
    twice = {"a/x/manifest.json": b"{}", "b/x/manifest.json": b"{}"}
    with pytest.raises(WorkloadArchiveError, match="more than once; the archive holds: a/x, b/x"):
        WorkloadArchive(zipped(twice)).pick("x")


def test_an_archive_without_a_manifest_says_what_it_has():
    with pytest.raises(WorkloadArchiveError, match=r"holds no manifest\.json; it has: train\.py"):
        WorkloadArchive(zipped({"train.py": b""})).pick("auto")


def test_caches_and_hidden_files_are_left_out():
    files = {
        "manifest.json": b"{}",
        "__pycache__/train.pyc": b"",
        "train.pyc": b"",
        ".git/config": b"",
        "__MACOSX/manifest.json": b"",
    }

    assert list(WorkloadArchive(zipped(files)).pick("auto").files) == ["manifest.json"]


ESCAPES = [
    "../train.py",
    "a/../../train.py",
    "/etc/passwd",
    "C:/train.py",
    "a\\..\\train.py",
    "a//b.py",
    "./train.py",
    "..",
    "a\nb.py",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_names_that_leave_the_folder_are_refused(name):
    member = zipfile.ZipInfo("placeholder")
    member.filename = name

    with pytest.raises(WorkloadArchiveError, match="the archive was refused"):
        WorkloadArchive(zip_with(member))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(kind):
    member = zipfile.ZipInfo("train.py")
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16

    with pytest.raises(WorkloadArchiveError, match=r'"train\.py" is a link or a special file'):
        WorkloadArchive(zip_with(member, b"/etc/passwd"))


def test_a_name_written_twice_is_refused():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        written.writestr("manifest.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            written.writestr("manifest.json", b"[]")

    with pytest.raises(WorkloadArchiveError, match=r'has "manifest\.json" twice'):
        WorkloadArchive(packed)


def test_encrypted_members_are_refused():
    packed = bytearray(zipped({"manifest.json": b"{}"}).getvalue())
    packed[packed.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(WorkloadArchiveError, match="pack it without a password"):
        WorkloadArchive(io.BytesIO(bytes(packed)))


def test_what_is_no_zip_is_refused():
    with pytest.raises(WorkloadArchiveError, match="not a readable zip file"):
        WorkloadArchive(io.BytesIO(b"Rar!"))


def test_too_many_members_are_refused():
    files = {f"{number}.py": b"" for number in range(4)}
    with pytest.raises(WorkloadArchiveError, match="has 4 members; at most 3 are read"):
        WorkloadArchive(zipped(files), limits=Limits(members=3))


def test_a_member_above_its_bound_is_refused():
    files = {"manifest.json": b"{}", "big.bin": b"x" * 11}

    with pytest.raises(WorkloadArchiveError, match=r'"big\.bin" \(11 bytes declared\)'):
        WorkloadArchive(zipped(files), limits=Limits(member_bytes=10)).pick("auto")


def test_what_lies_outside_the_picked_workload_is_never_extracted():
    """A Git source brings the whole repository along, large files too."""
    files = {"data/big.bin": b"x" * 11, "w/manifest.json": b"{}"}

    found = WorkloadArchive(zipped(files), limits=Limits(member_bytes=10)).pick("auto")

    assert list(found.files) == ["manifest.json"]


def test_members_above_the_bound_together_are_refused():
    files = {"manifest.json": b"{}", "a.py": b"x" * 6, "b.py": b"x" * 6}
    opened = WorkloadArchive(zipped(files), limits=Limits(member_bytes=10, total_bytes=10))

    with pytest.raises(WorkloadArchiveError, match=r'"b\.py"'):
        opened.pick("auto")


@pytest.mark.parametrize("declared", [TEN_GIGABYTES, 1000])
def test_ten_gigabytes_of_zeros_are_refused_before_they_exist(declared):
    """Whether the header tells the truth or lies; the peak is a few times the archive's 10 MB."""
    packed = zip_of_zeros(TEN_GIGABYTES, declared_bytes=declared)
    assert len(packed.getvalue()) < 11 * 1024**2
    tracemalloc.start()

    with pytest.raises(WorkloadArchiveError, match=r'"zeros\.bin"'):
        WorkloadArchive(packed).read("zeros.bin")

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 30 * 1024**2


def test_the_zip_of_zeros_is_a_real_one():
    """With honest headers and a small size, Python's own reader inflates it."""
    packed = zip_of_zeros(2 * 1024**2, declared_bytes=2 * 1024**2)

    with zipfile.ZipFile(packed) as opened, opened.open("zeros.bin") as stream:
        assert stream.read(1024**2) == bytes(1024**2)


@given(FILES)
def test_equal_files_give_equal_archives_and_digests(files):
    shuffled = dict(reversed(files.items()))

    assert archive.source_archive(files) == archive.source_archive(shuffled)
    assert archive.code_digest(files) == archive.code_digest(shuffled)


def test_a_source_archive_carries_no_time():
    """RFC 1952, 2.3: bytes 4 to 7 are the time of packing; tar has it in bytes 136 to 147."""
    packed = archive.source_archive({"train.py": b"1"})

    assert packed[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed)[136:147] == b"00000000000"


@given(FILES, FILES)
def test_other_files_have_another_digest(files, others):
    assert (files == others) == (archive.code_digest(files) == archive.code_digest(others))


@given(FILES)
def test_a_source_archive_holds_what_was_packed(files):
    with tarfile.open(fileobj=io.BytesIO(archive.source_archive(files))) as opened:
        streams = [(member.name, opened.extractfile(member)) for member in opened]
        held = {name: stream.read() for name, stream in streams if stream}

    assert held == files


def test_the_manifest_comes_out_of_an_artifact_as_it_went_in():
    assert archive.manifest_in_artifact(archive.artifact(b'{"a": 1}')) == b'{"a": 1}'
    assert archive.artifact(b"{}") == archive.artifact(b"{}")
