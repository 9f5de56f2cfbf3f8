"""Data files: the header of source data, the first row of inference data."""

import pytest

from signalbox.dataset import check_inference_row, check_source_header
from signalbox.errors import DatasetError

DECLARED = {
    "format": "csv",
    "label": "target",
    "columns": {"age": "number", "sex": "category", "target": "number"},
    "source": None,
}


def test_a_header_with_every_column_and_more_is_fine():
    check_source_header(["id", "sex", " age ", "target"], DECLARED, file="a.csv")


# (header, what is said)
BAD_HEADERS = [
    (["sex", "target"], 'the column "age" is missing'),
    (["age", "sex"], 'the label "target" is missing'),
    (["age", "sexx", "target"], r'the column "sex" is missing \(did you mean "sexx"\?\)'),
    (["age", "sex", "target", "age"], 'the column "age" occurs 2 times'),
    (["34", "1", "20.5"], 'the column "age" is missing.*Its header is: 34, 1, 20.5'),
]


@pytest.mark.parametrize(("header", "expected"), BAD_HEADERS)
def test_a_header_that_does_not_match_is_named(header, expected):
    with pytest.raises(DatasetError, match=rf"a\.csv does not match the manifest: .*{expected}"):
        check_source_header(header, DECLARED, file="a.csv")


def test_all_missing_columns_are_named_at_once():
    with pytest.raises(DatasetError) as raised:
        check_source_header(["x"], DECLARED, file="a.csv")

    assert all(f'"{name}" is missing' in str(raised.value) for name in ("age", "sex", "target"))


@pytest.mark.parametrize("row", [["34", "f"], ["3.4e1", ""], ["", "m"], ["-1", "age"]])
def test_a_row_of_the_features_is_fine(row):
    check_inference_row(row, DECLARED, file="new.csv")


# (first row, what is said)
BAD_ROWS = [
    (["age", "sex"], "begins with a header"),
    (["age", "sex", "target"], "begins with a header"),
    (["34", "f", "20"], 'Is the label "target" still in it'),
    (["34"], r"has 1 fields in its first row, the manifest has 2 columns \(age, sex\)"),
    (["f", "34"], 'field 1 of the first row is "f", but the column "age" holds numbers'),
]


@pytest.mark.parametrize(("row", "expected"), BAD_ROWS)
def test_a_row_that_does_not_match_is_named(row, expected):
    with pytest.raises(DatasetError, match=rf"new\.csv.*{expected}"):
        check_inference_row(row, DECLARED, file="new.csv")


def test_a_manifest_without_columns_checks_the_label_only():
    declared = {"format": "csv", "label": "y", "columns": {}}

    check_source_header(["a", "y"], declared, file="a.csv")
    check_inference_row(["1", "2", "3"], declared, file="a.csv")
    with pytest.raises(DatasetError, match='the label "y" is missing'):
        check_source_header(["a"], declared, file="a.csv")
