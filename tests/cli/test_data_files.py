"""A data file is read to its end before anybody relies on it."""

import gzip
from pathlib import Path

import pytest

from signalbox.errors import DatasetError
from signalbox_cli.data_files import first_row, scan
from signalbox_cli.errors import CommandError
from signalbox_cli.uploading import check

TEXT = b"age,sex,target\n1,M,2\n3,F,4\n"
DECLARED = {"format": "csv", "label": "target", "columns": {"age": "number", "sex": "category"}}


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", TEXT),
        ("windows.csv", TEXT.replace(b"\n", b"\r\n")),
        ("with_mark.csv", b"\xef\xbb\xbf" + TEXT),
        ("quoted.csv", TEXT.replace(b"age", b'"age"')),
        ("packed.csv.gz", gzip.compress(TEXT, mtime=0)),
        ("unended.csv", TEXT.rstrip(b"\n")),
    ],
)
def test_reads_the_first_row_and_counts_the_lines(
    tmp_path: Path, name: str, content: bytes
) -> None:
    found = scan(written(tmp_path, name, content))

    assert [field.strip() for field in found.first_row] == ["age", "sex", "target"]
    assert found.lines == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\n\n", "is empty"),
        ("late.csv", b"\n" + TEXT, "begins with an empty line"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("latin.csv", TEXT.replace(b"age", b"\xe2ge"), r"line 1 is not UTF-8 \(byte 0xe2\)"),
        ("utf16.csv", TEXT.decode().encode("utf-16"), "is UTF-16"),
        ("cut.csv.gz", gzip.compress(TEXT, mtime=0)[:-9], "cut off"),
        ("hidden.csv", gzip.compress(TEXT, mtime=0), "rename it to hidden.csv.gz"),
        ("plain.csv.gz", TEXT, "is not compressed with gzip"),
    ],
)
def test_says_what_is_wrong_with_a_file(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = written(tmp_path, name, content)

    with pytest.raises(CommandError, match=said) as told:
        scan(path)

    assert str(path) in str(told.value)


def test_finds_another_encoding_far_from_the_beginning(tmp_path: Path) -> None:
    """5,000,003 bytes: beyond the first block that is read."""
    path = written(tmp_path, "late.csv", TEXT + b"1,M,2\n" * 833_333 + b"1,\xe2,2\n")

    with pytest.raises(CommandError, match="line 833337 is not UTF-8"):
        scan(path)


def test_a_letter_may_lie_across_two_blocks(tmp_path: Path) -> None:
    block = 4 * 1024 * 1024
    content = b"name\n" + b"x" * (block - 6) + "é".encode() + b"\n"
    assert content[block - 1 : block + 1] == "é".encode()

    assert scan(written(tmp_path, "wide.csv", content)).lines == 2


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        first_row(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"age,target\n1,2\n", 'the column "sex" is missing'),
        (b"age,sex\n1,M\n", 'the label "target" is missing'),
        (TEXT.replace(b",", b";"), "separates its fields with ';'"),
        (b"age,sex,target\n", "a header and no rows"),
    ],
)
def test_training_data_is_compared_with_the_manifest(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises((CommandError, DatasetError), match=said):
        check(written(tmp_path, "source.csv", content), DECLARED, "UploadSourceData")


def test_rows_to_predict_carry_no_header(tmp_path: Path) -> None:
    check(written(tmp_path, "rows.csv", b"1,M\n"), DECLARED, "UploadInferenceData")

    with pytest.raises(DatasetError, match="begins with a header"):
        check(written(tmp_path, "bad.csv", b"age,sex\n1,M\n"), DECLARED, "UploadInferenceData")


def test_formats_other_than_csv_are_not_looked_into(tmp_path: Path) -> None:
    check(written(tmp_path, "x.parquet", b"\xff\xfe"), {"format": "other"}, "UploadSourceData")
