"""Measures how faithful explanations of a recipe's model are; see `scripts/faithfulness.py`."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention import prediction, roles
from keras_attention.explain.attribution.neighborhoods import neighborhoods
from keras_attention.explain.evaluation.measured import MEASURES, Faithfulness
from keras_attention.explain.evaluation.measures import faithfulness
from keras_attention.explain.evaluation.randomization import randomization
from keras_attention.explain.evaluation.ranks import RANDOM
from zoo.harness.experiment import Recipe

# What is said to be better than the next one: section 5 of Chefer et al., 2021.
ORDER = ("relevance", "rollout", RANDOM)
REACH = (5, 50)  # papers, or whatever nodes are, that one to be explained can see


def questions(model: keras.Model, recipe: Recipe, count: int, seed: int = 0) -> dict[str, Any]:
    """Returns arguments of `faithfulness`: `count` random inputs of the recipe's test data.

    Of a graph these are nodes, each with the nodes that it can see. There must be enough of those
    to take some away, and few enough to do so often. Insertion into an image begins with a
    blurred one, as in the paper.
    """
    rng = np.random.default_rng(seed)
    x = recipe.data.test[0]
    if isinstance(x, Mapping) and "edges" in x:
        weights = recipe.data.test[2][0]
        hops = sum(map(roles.attends, model.layers))
        nodes = np.flatnonzero(weights)
        sizes = (neighborhoods(x, nodes, hops).nodes >= 0).sum(axis=1)
        candidates = nodes[(sizes >= REACH[0]) & (sizes <= REACH[1])]
        if not len(candidates):
            raise ValueError(f"No node of the test data can see {REACH[0]} to {REACH[1]} nodes.")
        chosen = rng.choice(candidates, min(count, len(candidates)), replace=False)
        seen = neighborhoods(x, chosen, hops)
        return {"inputs": seen.inputs, "position": seen.position}
    rows = rng.choice(len(recipe.data.test[1]), min(count, len(recipe.data.test[1])), replace=False)
    inputs = ka.encode(model, x[rows])
    if inputs.dtype.kind == "i":  # without the padding of the longest test text
        (encoder,) = prediction.encoders(model).values()
        inputs = inputs[:, (inputs != roles.padding_id(encoder)).any(axis=0)]
    images = inputs.ndim == 4
    return {"inputs": inputs, **({"insertion_from": "blur"} if images else {})}


def measure(
    model: keras.Model, asked: Mapping[str, Any], methods: Sequence[str] | None, **settings: Any
) -> tuple[Faithfulness, dict[str, Any]]:
    """Runs `faithfulness`, and `randomization` of 20 of the inputs.

    Args:
        model: of a recipe.
        asked: by `questions`.
        methods: names; all that apply if `None`.
        settings: `seed` of both, and further ones of `faithfulness`.

    Returns:
        The former, and what the page and its pictures need of both, as JSON has it, with the
        comparisons of `ORDER`.
    """
    measured = faithfulness(model, methods=methods, **asked, **settings)
    fewer = {name: asked[name] for name in ("inputs", "position") if name in asked}
    randomized = randomization(
        model,
        methods=methods,
        **keras.tree.map_structure(lambda x: x[:20], fewer),
        seed=settings.get("seed", 0),
    )
    pairs = [pair for pair in pairwise(ORDER) if set(pair) <= set(measured.measured)]
    return measured, {
        "elements": next(iter(measured.explanations.values())).elements.kind,
        "insertion_from": asked.get("insertion_from"),
        "faithfulness": summarize(measured.as_dict()),
        "comparisons": [
            {"first": a, "second": b, "measure": name, **vars(measured.compare(a, b, name))}
            for a, b in pairs
            for name in MEASURES
            if name != "leave_one_out"
        ],
        "tables": {"faithfulness": measured.table(), "randomization": randomized.table()},
        "randomization": {
            name: value for name, value in randomized.as_dict().items() if name != "correlations"
        },
    }


def summarize(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what stays of `Faithfulness.as_dict()`: means over the inputs, and mean curves."""
    return {
        **{name: measured[name] for name in ("inputs", "draws", "seed", "skipped")},
        "sizes": [min(measured["sizes"]), max(measured["sizes"])],
        **{name: float(np.mean(measured[name])) for name in ("whole", "empty")},
        "curves": {
            ranking: {name: values[f"{name}_curve"] for name in ("deletion", "insertion")}
            for ranking, values in measured["measured"].items()
        },
    }
