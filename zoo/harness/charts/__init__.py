"""Charts of trainings and of what models get right and wrong, for recipes and scripts.

Figures of attention and of explanations are in `ka.explain.plots`.
"""

from zoo.harness.charts.confusion import confused_pairs, confusion_matrix
from zoo.harness.charts.forecasts import error_by_step, forecast
from zoo.harness.charts.length import by_length
from zoo.harness.charts.numbers import predictions, residuals
from zoo.harness.charts.tags import tag_scores
from zoo.harness.charts.training import spread_curves, training_curves

__all__ = [
    "by_length",
    "confused_pairs",
    "confusion_matrix",
    "error_by_step",
    "forecast",
    "predictions",
    "residuals",
    "spread_curves",
    "tag_scores",
    "training_curves",
]
