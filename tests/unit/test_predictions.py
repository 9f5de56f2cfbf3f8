"""Predictions and what is computed from them; expected numbers come from scikit-learn."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from signalbox import prediction_metrics, report_curves
from signalbox.errors import EvaluationInvalid
from signalbox.manifest_sections import Better, ChampionRule, Problem, SliceRule
from signalbox.prediction_metrics import Outcomes, outcomes
from signalbox.predictions import MAX_ROWS, read_predictions, sample
from signalbox.verdict_comparison import bootstrap, compare, failure_reason, holds_against
from signalbox.verdict_slices import judge_slice

NUMBERS = st.floats(-1e6, 1e6)
REGRESSION = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40)
BINARY = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), min_size=2, max_size=60
).filter(lambda rows: len({expected for expected, _ in rows}) == 2)


def first(_: int) -> int:
    """A draw that always takes the first."""
    return 0


def read(*lines: str):
    return read_predictions(lines, "s3://b/p.csv", first)


@given(REGRESSION)
def test_errors_of_a_regression_are_scikit_learns(rows):
    found = Outcomes(*zip(*rows, strict=True), None)
    everything = range(len(rows))

    expected, predicted = zip(*rows, strict=True)
    for name, reference in (
        ("mse", metrics.mean_squared_error),
        ("rmse", metrics.root_mean_squared_error),
        ("mae", metrics.mean_absolute_error),
    ):
        ours = prediction_metrics.metric_for(Problem.REGRESSION, f"regression_metrics.{name}.value")
        assert ours(found, everything) == pytest.approx(reference(expected, predicted), rel=1e-9)


@given(BINARY)
def test_shares_of_a_classification_are_scikit_learns(rows):
    expected = tuple(row[0] for row in rows)
    probability = tuple(row[1] for row in rows)
    predicted = tuple(float(value >= 0.5) for value in probability)
    found, everything = Outcomes(expected, predicted, probability), range(len(rows))

    ours = {
        name: prediction_metrics.metric_for(Problem.BINARY_CLASSIFICATION, name)(found, everything)
        for name in prediction_metrics.names(Problem.BINARY_CLASSIFICATION)
    }

    assert ours["auc"] == pytest.approx(metrics.roc_auc_score(expected, probability))
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(expected, predicted))
    for name in ("precision", "recall", "f1"):
        reference = getattr(metrics, f"{name}_score")(expected, predicted, zero_division=0.0)
        assert (ours[name] or 0.0) == pytest.approx(reference)


@given(BINARY)
def test_the_area_under_the_drawn_curve_is_the_auc(rows):
    found = Outcomes(tuple(r[0] for r in rows), (), tuple(r[1] for r in rows))

    points = np.array(report_curves.roc(found))

    area = np.trapezoid(points[:, 1], points[:, 0])
    assert area == pytest.approx(prediction_metrics.auc(found, range(len(rows))))


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (prediction_metrics.r2, Outcomes((1.0, 1.0), (0.0, 1.0), None)),
        (prediction_metrics.precision, Outcomes((1.0, 0.0), (0.0, 0.0), None)),
        (prediction_metrics.recall, Outcomes((0.0, 0.0), (1.0, 0.0), None)),
        (prediction_metrics.auc, Outcomes((1.0, 1.0), (1.0, 1.0), (0.5, 0.6))),
        (prediction_metrics.auc, Outcomes((1.0, 0.0), (1.0, 1.0), None)),
    ],
)
def test_a_metric_that_the_rows_leave_undefined_is_no_number(metric, found):
    assert metric(found, range(2)) is None


def test_columns_beside_the_three_are_slices():
    found = read("expected,predicted,probability,sex,age", "1,0,0.4,f,old", "0,0,0.1,m,young")

    assert found.probability == (0.4, 0.1)
    assert found.slices == {"sex": ("f", "m"), "age": ("old", "young")}
    assert found.total_rows == len(found) == 2


UNREADABLE = [
    (["expected,guess", "1,2"], "has no column predicted"),
    ([], "has no column expected"),
    (["expected,predicted,expected", "1,2,3"], "names a column twice"),
    (["expected,predicted", "1,2", "3"], "line 3: 1 fields, expected 2"),
    (["expected,predicted,probability", "1,1,1.5"], "line 2: probability is no number from 0 to 1"),
    (["expected,predicted,probability", "1,1,nan"], "line 2: probability is no number from 0 to 1"),
]


@pytest.mark.parametrize(("lines", "expected"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_with_its_line(lines, expected):
    with pytest.raises(EvaluationInvalid, match=expected) as raised:
        read(*lines)

    assert "s3://b/p.csv" in str(raised.value)


@pytest.mark.parametrize(
    ("problem", "row", "expected"),
    [
        (Problem.REGRESSION, "1,inf", "column predicted is not a finite number"),
        (Problem.REGRESSION, "x,1", "column expected is not a finite number"),
        (Problem.BINARY_CLASSIFICATION, "2,1", "column expected is not 0 or 1"),
    ],
)
def test_a_value_of_the_wrong_kind_names_its_column(problem, row, expected):
    with pytest.raises(EvaluationInvalid, match=expected):
        outcomes(problem, read("expected,predicted", row))


@given(st.integers(0, 300), st.integers(1, 50), st.integers())
def test_a_sample_is_bounded_in_order_and_the_same_for_the_same_seed(count, limit, seed):
    kept, total = sample(range(count), limit, random.Random(seed).randrange)

    assert total == count
    assert len(kept) == min(count, limit)
    assert kept == sorted(set(kept))
    assert (kept, total) == sample(range(count), limit, random.Random(seed).randrange)


def test_a_long_file_is_sampled_and_says_how_long_it_was():
    lines = (f"{row},{row}" for row in range(MAX_ROWS + 500))

    found = read_predictions(("expected,predicted", *lines), "s3://b/p.csv", lambda n: n - 1)

    assert (len(found), found.total_rows) == (MAX_ROWS, MAX_ROWS + 500)


@settings(max_examples=20)
@given(REGRESSION, st.integers())
def test_a_model_does_not_differ_from_itself_in_any_resample(rows, seed):
    found = Outcomes(*zip(*rows, strict=True), None)
    draw = random.Random(seed).randrange

    interval = bootstrap(
        {"m": prediction_metrics.rmse}, found, found, list(range(len(rows))), draw
    )["m"]

    assert (interval.low, interval.high) == (0.0, 0.0)


def test_the_interval_is_that_of_a_bootstrap_with_numpy():
    """Both draw at random, so that the bounds agree only about as well as resampling does."""
    chance = np.random.default_rng(3)
    expected = chance.normal(size=300)
    one, other = expected + chance.normal(size=300), expected + chance.normal(scale=1.3, size=300)
    drawn = chance.integers(0, 300, size=(4000, 300))
    differences = (np.abs(one - expected) - np.abs(other - expected))[drawn].mean(axis=1)

    found = bootstrap(
        {"mae": prediction_metrics.mae},
        Outcomes(tuple(expected), tuple(one), None),
        Outcomes(tuple(expected), tuple(other), None),
        list(range(300)),
        random.Random(1).randrange,
    )["mae"]

    assert found.low == pytest.approx(np.percentile(differences, 2.5), abs=0.03)
    assert found.high == pytest.approx(np.percentile(differences, 97.5), abs=0.03)


@given(NUMBERS, NUMBERS, st.floats(0, 1e3), st.sampled_from(Better))
def test_of_two_models_one_at_least_holds_against_the_other(one, other, tolerance, better):
    rule = ChampionRule(metric="m", better=better, tolerance=tolerance)

    assert holds_against(one, other, rule) or holds_against(other, one, rule)


def test_rows_that_are_not_the_champions_give_no_interval():
    from signalbox.evaluations import Evaluation
    from signalbox.verdict_comparison import Champion

    rule = ChampionRule(metric="rmse", better=Better.LOWER)
    mine, theirs = (read("expected,predicted", f"{label},1", "2,2") for label in (1, 9))
    champion = Champion("arn", Evaluation("s3://b/e", {"rmse": 1.0}), theirs)

    _, (found,) = compare({"rmse": 1.0}, mine, (rule,), Problem.REGRESSION, champion, draw=first)

    assert found.interval is None


def test_a_value_with_few_rows_is_shown_and_not_judged():
    predictions = read("expected,predicted,g", "1,1,a", "1,1,a", "1,9,b")
    rule = SliceRule(column="g", metric="regression_metrics.mae.value", max=1.0, minRows=2)

    (finding,), results = judge_slice(
        rule, Problem.REGRESSION, predictions, outcomes(Problem.REGRESSION, predictions)
    )

    assert finding.kept
    assert [(one.value, one.measured, one.kept) for one in results] == [
        ("a", 0.0, True),
        ("b", 8.0, None),
    ]
    assert "1 of 2 values" in finding.reason


@pytest.mark.parametrize(
    ("rule", "lines", "expected"),
    [
        (SliceRule(column="h", metric="mae", max=1.0), ["1,1,a"], 'no column "h" to slice by'),
        (
            SliceRule(column="g", metric="mae", max=1.0),
            [f"1,1,{row}" for row in range(51)],
            "has 51 values; at most 50",
        ),
    ],
)
def test_a_column_that_cannot_be_sliced_by_is_named(rule, lines, expected):
    predictions = read("expected,predicted,g", *lines)

    with pytest.raises(EvaluationInvalid, match=expected):
        judge_slice(
            rule, Problem.REGRESSION, predictions, outcomes(Problem.REGRESSION, predictions)
        )


@pytest.mark.parametrize(
    ("error", "cause", "expected"),
    [
        ("States.TaskFailed", '{"FailureReason": "boom"}', "its evaluation failed (boom)"),
        ("States.Timeout", "", "its evaluation failed (States.Timeout)"),
        ("E", "no JSON", "its evaluation failed (no JSON)"),
        ("E", "[1]", "its evaluation failed ([1])"),
    ],
)
def test_why_the_champion_was_not_evaluated_is_told_in_a_few_words(error, cause, expected):
    assert failure_reason(error, cause) == expected


@given(st.lists(st.floats(-100, 100), min_size=1), st.integers(1, 30))
def test_every_value_is_in_exactly_one_bin(values, bins):
    shown = report_curves.histogram(values, -100.0, 100.0, bins)

    assert sum(shown.counts) == len(values)
    assert len(shown.edges) == len(shown.counts) + 1


@given(st.floats(-1e6, 1e6), st.floats(1, 1e9))
def test_ticks_lie_within_their_range_and_are_few(low, span):
    found = report_curves.ticks(low, low + span)

    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in found)
    assert len(found) <= 12
