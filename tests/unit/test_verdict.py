"""The verdict: bounds, the champion, and what cannot be judged."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.errors import EvaluationInvalid
from signalbox.evaluations import Evaluation, read_evaluation, read_metric
from signalbox.manifest_sections import Better, ChampionRule, Problem, QualityGate
from signalbox.verdict import Challenger, Rules, Verdict, judge
from signalbox.verdict_comparison import Champion

METRIC = "regression_metrics.rmse.value"
NUMBERS = st.floats(-1e9, 1e9)


def evaluation(value: Any) -> Evaluation:
    return Evaluation("s3://b/e.json", {"regression_metrics": {"rmse": {"value": value}}})


def judged(
    found: Evaluation,
    *,
    gates: tuple[QualityGate, ...] = (),
    rule: ChampionRule | None = None,
    champion: Champion | None = None,
    min_rows: int | None = None,
) -> Verdict:
    """A verdict on metrics alone."""
    rules = Rules(Problem.REGRESSION, gates, min_rows, (rule,) if rule else ())
    return judge(Challenger(found), rules, champion=champion, draw=lambda n: 0)


def champion(value: float) -> Champion:
    return Champion("arn:champion", evaluation(value))


def gated(value: float, low: float | None, high: float | None) -> bool:
    gate = QualityGate(metric=METRIC, min=low, max=high)
    return judged(evaluation(value), gates=(gate,)).accepted


def against(value: float, best: float, better: Better, tolerance: float = 0.0) -> bool:
    rule = ChampionRule(metric=METRIC, better=better, tolerance=tolerance)
    return judged(evaluation(value), rule=rule, champion=champion(best)).accepted


# (value, min, max, accepted): both bounds belong to what is accepted.
BOUNDS = [
    (60.0, None, 60.0, True),
    (60.001, None, 60.0, False),
    (0.8, 0.8, None, True),
    (0.79, 0.8, None, False),
    (5, 1.0, 9.0, True),
    (0, 1.0, 9.0, False),
    (10, 1.0, 9.0, False),
]


@pytest.mark.parametrize(("value", "low", "high", "accepted"), BOUNDS)
def test_a_gate_accepts_what_lies_within_its_bounds(value, low, high, accepted):
    assert gated(value, low, high) is accepted


# (value, champion, better, tolerance, accepted): equal is good enough.
COMPARISONS = [
    (50.0, 50.0, Better.LOWER, 0.0, True),
    (50.1, 50.0, Better.LOWER, 0.0, False),
    (50.5, 50.0, Better.LOWER, 0.5, True),
    (49.0, 50.0, Better.LOWER, 0.0, True),
    (0.9, 0.9, Better.HIGHER, 0.0, True),
    (0.89, 0.9, Better.HIGHER, 0.0, False),
    (0.875, 0.9, Better.HIGHER, 0.03, True),
    (0.95, 0.9, Better.HIGHER, 0.0, True),
]


@pytest.mark.parametrize(("value", "best", "better", "tolerance", "accepted"), COMPARISONS)
def test_a_challenger_is_measured_by_the_champion(value, best, better, tolerance, accepted):
    assert against(value, best, better, tolerance) is accepted


@given(NUMBERS, NUMBERS)
def test_lower_and_higher_are_mirror_images(value, best):
    assert against(value, best, Better.LOWER) == against(-value, -best, Better.HIGHER)


@given(NUMBERS, NUMBERS, st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_tolerance_never_refuses_what_less_accepts(value, best, less, more):
    assert not against(value, best, Better.LOWER, less) or against(
        value, best, Better.LOWER, less + more
    )


@given(NUMBERS)
def test_every_model_holds_against_itself(value):
    assert against(value, value, Better.LOWER)
    assert against(value, value, Better.HIGHER)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), NUMBERS)
def test_a_model_is_accepted_when_each_gate_alone_accepts_it(bounds, value):
    gates = tuple(QualityGate(metric=METRIC, min=low, max=high) for low, high in bounds)

    verdict = judged(evaluation(value), gates=gates)

    assert verdict.accepted == all(gated(value, low, high) for low, high in bounds)
    assert len(verdict.reasons) == len(gates)


def test_every_broken_rule_is_a_reason():
    gates = (QualityGate(metric=METRIC, max=1.0), QualityGate(metric=METRIC, min=9.0))
    rule = ChampionRule(metric=METRIC, better=Better.LOWER)

    verdict = judged(evaluation(5.0), gates=gates, rule=rule, champion=champion(4.0))

    assert verdict.accepted is False
    assert verdict.reasons == (
        f"{METRIC} is 5, above the most accepted 1",
        f"{METRIC} is 5, below the least accepted 9",
        f"{METRIC} 5 is worse than the champion's 4 on the same rows "
        "(lower is better, tolerance 0; arn:champion)",
    )
    assert verdict.unmet == verdict.reasons


def test_a_champion_without_the_metric_is_said_to_be_uncompared():
    rule = ChampionRule(metric=METRIC, better=Better.LOWER)
    old = Champion("arn:champion", Evaluation("s3://b/old.json", {}))

    verdict = judged(evaluation(5.0), rule=rule, champion=old)

    assert verdict.accepted is True
    assert verdict.reasons[-1] == f"Not compared with arn:champion: it has no {METRIC}"


def test_metrics_that_no_rule_names_are_shown_when_they_are_numbers():
    document = {
        "version": 0,
        "regression_metrics": {
            "rmse": {"value": 54.1, "standard_deviation": 1.0},
            "r2": {"value": math.nan},
            "mae": {"value": True},
            "note": "text",
        },
    }

    verdict = judged(Evaluation("s3://b/e", document))

    assert verdict.metrics == {METRIC: 54.1}


# (value, what is said of it)
UNJUDGEABLE = [
    (math.nan, "/regression_metrics/rmse/value is nan, not a finite number"),
    (math.inf, "/regression_metrics/rmse/value is inf, not a finite number"),
    (None, "/regression_metrics/rmse/value is a null, not a number"),
    (True, "/regression_metrics/rmse/value is a boolean, not a number"),
    ("54.1", "/regression_metrics/rmse/value is a string, not a number"),
    ({"mean": 1}, "/regression_metrics/rmse/value is a object, not a number"),
]


@pytest.mark.parametrize(("value", "expected"), UNJUDGEABLE)
def test_a_metric_that_is_no_finite_number_is_named_with_file_and_pointer(value, expected):
    with pytest.raises(EvaluationInvalid) as raised:
        gated(value, 0.0, 1.0)

    assert str(raised.value).startswith(f'metric "{METRIC}" cannot be judged in s3://b/e.json: ')
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "missing at /regression_metrics; there is: "),
        ({"regression_metrics": {"mae": {}}}, "missing at /regression_metrics/rmse; there is: mae"),
        ({"regression_metrics": 1}, "missing at /regression_metrics/rmse; there is: no object"),
    ],
)
def test_a_missing_metric_says_where_the_path_ends_and_what_is_there(document, expected):
    with pytest.raises(EvaluationInvalid, match=expected):
        read_metric(Evaluation("s3://b/e.json", document), METRIC)


def test_nan_is_read_so_that_it_can_be_named():
    """json.dumps of Python writes NaN; a parser's error would not say which metric it is."""
    found = read_evaluation(b'{"m": {"r": {"value": NaN}}}', "s3://b/e.json")

    with pytest.raises(EvaluationInvalid, match="/m/r/value is nan"):
        read_metric(found, "m.r.value")


# (rows that the evaluation states, rows that are asked for, accepted)
ROW_COUNTS = [(50, 50, True), (49, 50, False), (51, 50, True)]


@pytest.mark.parametrize(("rows", "least", "accepted"), ROW_COUNTS)
def test_a_model_measured_on_too_few_rows_is_refused(rows, least, accepted):
    found = Evaluation("s3://b/e.json", {"dataset": {"item_count": rows}})

    assert judged(found, min_rows=least).accepted is accepted


def test_a_count_of_rows_that_nobody_stated_is_asked_for():
    with pytest.raises(EvaluationInvalid, match=r"dataset\.item_count"):
        judged(evaluation(1.0), min_rows=50)
