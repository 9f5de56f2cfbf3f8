"""Probes: what may be cut, and which answers agree."""

import math

import pytest

from signalbox import probes
from signalbox.errors import ProbeFailed

CSV, LINES = "text/csv", "application/jsonlines"


@pytest.mark.parametrize(
    ("expected", "answered", "accept", "difference"),
    [
        ("1\n2", "1\n2\n", CSV, 0.0),
        ("1,0.5", "1, 0.5", CSV, 0.0),
        ("1000", "1001", CSV, 0.001),  # relative above 1
        ("0.5", "0.501", CSV, 0.001),  # absolute below
        ("yes,0.9", '"yes",0.9', CSV, 0.0),
        ('{"prediction": 1}', '{"prediction": 1.001}', LINES, 0.001),
        ('[1, {"a": true}]', '[1, {"a": true}]', LINES, 0.0),
        ("nan", "nan", CSV, 0.0),
    ],
)
def test_answers_that_agree(expected, answered, accept, difference):
    found = probes.largest_difference(expected, answered, accept, tolerance=0.01)

    assert math.isclose(found, difference, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("expected", "answered", "accept"),
    [
        ("1", "2", CSV),
        ("1", "1,1", CSV),
        ("yes", "no", CSV),
        ("1", "nan", CSV),
        ("inf", "1", CSV),
        ('{"a": 1}', '{"b": 1}', LINES),
        ("true", "1", LINES),
        ("1\n2", "1", CSV),
    ],
)
def test_answers_that_do_not_agree(expected, answered, accept):
    with pytest.raises(ProbeFailed):
        probes.largest_difference(expected, answered, accept, tolerance=0.01)


def test_a_body_that_is_no_lines_is_sent_whole():
    probe = probes.cut('{"rows": [\n1,\n2]}', "1\n2", "application/json", most=1)

    assert probe.rows == '{"rows": [\n1,\n2]}'
    assert probe.predictions == "1\n2"
