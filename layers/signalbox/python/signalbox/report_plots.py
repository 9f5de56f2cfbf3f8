"""Which plots a report shows, by the kind of problem. Rules only."""

from dataclasses import dataclass

from markupsafe import Markup

from signalbox import prediction_metrics, report_charts, report_curves
from signalbox.manifest_sections import Problem
from signalbox.prediction_metrics import Outcomes
from signalbox.predictions import Predictions
from signalbox.report_charts import Axis, number
from signalbox.report_curves import Point

# More points than this say no more, and a page of megabytes opens slowly.
SHOWN_POINTS = 2_000
# A larger table of classes cannot be read.
SHOWN_CLASSES = 12
RESIDUAL_BINS = 25


@dataclass(frozen=True)
class Plot:
    """A drawing with its heading and what to look for."""

    title: str
    note: str
    drawing: Markup


def plots(
    problem: Problem, label: str, challenger: Predictions | None, champion: Predictions | None
) -> list[Plot]:
    """The plots of the challenger's predictions, the champion's beside them where that is plain."""
    if challenger is None or not len(challenger):
        return []
    found = prediction_metrics.outcomes(problem, challenger)
    if problem is Problem.REGRESSION:
        other = prediction_metrics.outcomes(problem, champion) if champion else None
        return [*_regression(found, label), _errors(found, other, label)]
    matrix = _confusion(challenger)
    if challenger.probability is None:
        return matrix
    if problem is Problem.MULTICLASS_CLASSIFICATION:
        return [*matrix, _confidence(challenger, champion)]
    other = prediction_metrics.outcomes(problem, champion) if champion else None
    return [*_binary(found, other), *matrix]


def _regression(found: Outcomes, label: str) -> list[Plot]:
    step = max(1, -(-len(found.expected) // SHOWN_POINTS))
    actual, predicted = found.expected[::step], found.predicted[::step]
    errors = report_curves.residuals(found)
    low, high = _range((*found.expected, *found.predicted))
    worst = max(map(abs, errors)) * 1.05 or 1.0
    off = report_charts.scatter(
        "Predicted against actual",
        Axis(f"actual {label}", low, high),
        Axis(f"predicted {label}", low, high),
        list(zip(actual, predicted, strict=True)),
        guide=((low, low), (high, high)),
    )
    lean = report_charts.scatter(
        "Residuals against prediction",
        Axis(f"predicted {label}", *_range(found.predicted)),
        Axis(f"predicted − actual {label}", -worst, worst),
        list(zip(predicted, errors[::step], strict=True)),
        guide=((_range(found.predicted)[0], 0), (_range(found.predicted)[1], 0)),
    )
    spread = report_charts.bars(
        "Residuals",
        f"predicted − actual {label}",
        "rows",
        report_curves.histogram(errors, -worst, worst, RESIDUAL_BINS),
    )
    mean = sum(errors) / len(errors)
    return [
        Plot("Predicted against actual", "On the dashed line the prediction is right.", off),
        Plot("Residuals against prediction", "A slope or a funnel is structure left over.", lean),
        Plot("Residuals", f"Mean {number(mean)}: near zero, the model does not lean.", spread),
    ]


def _errors(found: Outcomes, champion: Outcomes | None, label: str) -> Plot:
    models = [("champion", champion), ("challenger", found)]
    lines = [
        (kind, _thinned(report_curves.within(report_curves.residuals(one))))
        for kind, one in models
        if one is not None
    ]
    drawing = report_charts.curves(
        "Rows within an error",
        (f"error of {label}, either way", "share of rows"),
        lines,
        widest=max(points[-1][0] for _, points in lines) or 1.0,
    )
    return Plot("Rows within an error", "The higher the line, the better.", drawing)


def _thinned(points: list[Point]) -> list[Point]:
    step = max(1, len(points) // 400)
    return [*points[::step], points[-1]]


def _range(values: tuple[float, ...]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.04 or 1.0
    return low - margin, high + margin


def _binary(found: Outcomes, champion: Outcomes | None) -> list[Plot]:
    models = [("champion", champion), ("challenger", found)]
    shown = [(kind, one) for kind, one in models if one is not None and one.probability is not None]
    base = sum(value == 1 for value in found.expected) / len(found.expected)
    roc = report_charts.curves(
        "ROC curve",
        ("false positive rate", "true positive rate"),
        [(kind, report_curves.roc(one)) for kind, one in shown],
        guide=((0, 0), (1, 1)),
    )
    recall = report_charts.curves(
        "Precision-recall curve",
        ("recall", "precision"),
        [(kind, report_curves.precision_recall(one)) for kind, one in shown],
        guide=((0, base), (1, base)),
    )
    calibration = report_charts.calibration_chart(
        [
            (kind, report_curves.calibration(one.probability or (), _positive(one)))
            for kind, one in shown
        ],
        ("predicted probability", "share that is positive"),
    )
    return [
        Plot("ROC curve", "The dashed line is chance.", roc),
        Plot(
            "Precision and recall",
            f"The dashed line is chance: {base:.0%} are positive.",
            recall,
        ),
        Plot("Calibration", "On the dashed line probabilities come true.", calibration),
    ]


def _positive(found: Outcomes) -> list[bool]:
    return [value == 1 for value in found.expected]


def _confusion(predictions: Predictions) -> list[Plot]:
    classes, counts = report_curves.confusion(predictions.expected, predictions.predicted)
    if len(classes) > SHOWN_CLASSES:
        return []
    drawing = report_charts.confusion_chart(classes, counts)
    return [Plot("Confusion matrix", "Rows by actual and predicted class.", drawing)]


def _confidence(challenger: Predictions, champion: Predictions | None) -> Plot:
    models = [("champion", champion), ("challenger", challenger)]
    lines = [
        (kind, report_curves.calibration(one.probability, _right(one)))
        for kind, one in models
        if one is not None and one.probability is not None
    ]
    drawing = report_charts.calibration_chart(
        lines, ("probability of the predicted class", "share that is right")
    )
    note = "On the dashed line the model is right as often as it says."
    return Plot("Calibration", note, drawing)


def _right(predictions: Predictions) -> list[bool]:
    return [
        one == other for one, other in zip(predictions.expected, predictions.predicted, strict=True)
    ]
