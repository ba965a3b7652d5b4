"""Texts of users in charts are drawn as they are."""

import numpy as np
import pytest

from tests.explain.plots.contract import check_texts_are_literal
from zoo.harness import charts
from zoo.tasks.q_learning import pictures

pytestmark = pytest.mark.runs_on("torch")


def ones(*shape):
    return np.ones(shape, np.float32)


CHARTS = {
    "curves": lambda t: charts.training_curves({"loss": [1.0], "val_loss": [1.0]}, held_out=t),
    "spread": lambda t: charts.spread_curves({t: [[1.0, 2.0]]}, label=t, title=t),
    "confusion": lambda t: charts.confusion_matrix([0], [1], [t, t], title=t),
    "lengths": lambda t: charts.by_length({t: {t: {1: 2.0, 2: 3.0}}}, title=t, length=t),
    "series": lambda t: charts.forecast(
        ones(3, 1), ones(2, 1), {t: ones(2, 1)}, [t], title=t, step=t
    ),
    "errors": lambda t: charts.error_by_step({t: ones(3)}, title=t, step=t),
    "numbers": lambda t: charts.predictions(ones(3), ones(3), title=t, unit=t),
    "tags": lambda t: charts.tag_scores([0, 0], [0, 1], [t, t], title=t),
    "pairs": lambda t: charts.confused_pairs([0], [1], [t, t], title=t),
    "values": lambda t: pictures.draw_advantage(
        lambda x: ones(len(x), 2), lambda a, v: a, actions=[t, t], title=t, size=3
    ),
    "timeline": lambda t: pictures.draw_timeline(ones(3, 2), ones(3, 2), ["a", "b"], title=t),
}


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_every_chart_draws_what_it_is_given(draw):
    check_texts_are_literal(draw)
