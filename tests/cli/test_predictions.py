"""Rows go to an endpoint in blocks of whole lines; two lists of predictions are compared by row."""

from pathlib import Path

import pytest

from signalbox_cli.demo import differing_rows
from signalbox_cli.errors import CommandError
from signalbox_cli.predicting import _BLOCK_BYTES, _blocks


def test_a_large_file_goes_in_blocks_of_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1.5,2.5,3.5\n" * 1_000_000)

    blocks = _blocks(path)

    assert b"".join(blocks) == path.read_bytes()
    assert all(block.endswith(b"\n") for block in blocks)
    # A serverless endpoint takes a body of at most 4 MB (SageMaker guide, "Serverless Inference").
    assert max(map(len, blocks)) < _BLOCK_BYTES + 100


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()

    with pytest.raises(CommandError, match="is empty"):
        _blocks(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        (["1.0", "2.0"], ["1.0", "2.00000000001"], []),
        (["1.0", "2.0"], ["1.0", "2.1"], [1]),
        (["M", "B"], ["M", "M"], [1]),
        (["1"], ["1", "2", "3"], [1, 2]),
        ([], [], []),
        (["nan"], ["nan"], []),
        (["0.5"], ["nan"], [0]),
    ],
)
def test_rows_that_differ_are_named(first: list[str], second: list[str], rows: list[int]) -> None:
    assert differing_rows(first, second) == rows
