"""Why a model gave its answers: relevance beside weights, and what deleting elements does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention import prediction
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.methods import attention, integrated_gradients, relevance
from keras_attention.explain.attribution.names import class_names
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.pages.positions import Positions, name_input_of
from keras_attention.explain.pages.sequences import describe_items

_STEPS = 8  # points of a curve beside the first
# By kind the methods with their titles. The second is for where no attention is known to lead from
# the elements to the output.
_METHODS: dict[str, Sequence[tuple[Callable[..., Explanation], str]]] = {
    "relevance": (
        (relevance, "Relevance: weights times gradients, through all layers"),
        (integrated_gradients, "Relevance: integrated gradients, which need no attention"),
    ),
    "weights": ((attention, "Weights of the last layer alone, mean over heads"),),
}
_SHOWN = 3  # elements that a panel names in words


def describe_reasons(
    model: keras.Model, positions: Positions, position: np.ndarray | None
) -> list[list[dict[str, Any]]]:
    """Returns for each input of a batch the reasons that its elements are, as JSON has them: an
    entry for each input of the model that has elements.

    Args:
        model: functional.
        positions: of the batch.
        position: `(B,)` of the outputs that are explained; `None` where there is one for each.
    """
    batch = len(next(iter(positions.elements.values())).present) if positions.elements else 0
    reasons: list[list[dict[str, Any]]] = [[] for _ in range(batch)]
    beside = {name for found in positions.elements.values() for name in found.beside}
    for name in positions.elements:
        if name in beside:
            continue
        titles, explanations = _explain(model, positions, name, position)
        if not explanations:
            continue
        described = _describe(model, positions, name, explanations, titles, position)
        for row, entry in enumerate(described):
            reasons[row].append(entry)
    return reasons


def _explain(
    model: keras.Model, positions: Positions, name: str, position: np.ndarray | None
) -> tuple[dict[str, str], dict[str, Explanation]]:
    """Returns titles and explanations by kind, those that there are for an input."""
    titles, explanations = {}, {}
    how: dict[str, Any] = {"name": name, "position": position}
    for kind, ways in _METHODS.items():
        for method, title in ways:
            try:
                explanations[kind] = method(model, positions.elements[name].inputs, **how)
            except ValueError:  # no attention is known to lead from these elements to the output
                continue
            titles[kind] = title
            break
    return titles, explanations


def _describe(
    model: keras.Model,
    positions: Positions,
    name: str,
    explanations: Mapping[str, Explanation],
    titles: Mapping[str, str],
    position: np.ndarray | None,
) -> list[dict[str, Any]]:
    elements = positions.elements[name]
    targets = _name_targets(model, next(iter(explanations.values())))
    counts: list[np.ndarray] = []
    curves: dict[str, list[np.ndarray]] = {}
    places = _rank(explanations, elements.present)
    if class_names(model):
        question = Question(model, elements.inputs, None, position, {"name": name})
        counts, curves = _delete(question, places)
    entries = []
    for row, target in enumerate(targets):
        items = positions.of_elements(name, row)
        kept = [i for i, item in enumerate(items) if item is not None]
        shown = [item for item in items if item is not None]
        methods = []
        for kind, of_elements in places.items():
            order = np.argsort(of_elements[row][kept], kind="stable")
            method: dict[str, Any] = {"name": kind, "order": order.tolist()}
            if kind in explanations:
                scores = explanations[kind].scores[row][kept]
                shares = scores / max(np.abs(scores).max(initial=0), 1e-12)
                method |= {"title": titles[kind], "shares": np.round(shares, 3).tolist()}
                method["says"] = f"Largest score: {np.abs(scores).max(initial=0):.3g}."
            if curves:
                method["curve"] = [round(float(p), 5) for p in curves[kind][row]]
            methods.append(method)
        entry = {
            "of": name_input_of(name),
            "kind": elements.kind,
            "target": target,
            "parts": describe_items(shown),
            "methods": methods,
        }
        entries.append({**entry, "counts": counts[row].tolist()} if curves else entry)
    return entries


def _name_targets(model: keras.Model, explanation: Explanation) -> list[str]:
    position = explanation.position
    names = class_names(model) or getattr(prediction.decoder(model), "names", ())
    targets = [str(names[target]) if names else f"output {target}" for target in explanation.target]
    if position is None or explanation.elements.kind == "nodes":
        return targets
    return [f"{target} at {place + 1}" for target, place in zip(targets, position, strict=True)]


def _rank(explanations: Mapping[str, Explanation], present: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the places `(B, E)` of the elements by each method, and by chance."""
    rng = np.random.default_rng(0)
    ties = rng.permuted(np.tile(np.arange(present.shape[1]), (len(present), 1)), axis=1)
    scores = {kind: explanation.scores for kind, explanation in explanations.items()}
    scores[ranks.RANDOM] = np.zeros(present.shape)
    return {kind: ranks.ranking(values, present, ties) for kind, values in scores.items()}


def _delete(
    question: Question, places: dict[str, np.ndarray]
) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]]]:
    """Returns for each input how many elements are taken away at each point, and by ranking the
    probabilities of the target at these points."""
    present = question.elements.present
    counts = [ranks.counts(size, _STEPS) for size in present.sum(axis=1)]
    sizes = list(map(len, counts))
    rows = np.repeat(np.arange(len(counts)), sizes)
    flat = np.concatenate(counts)[:, None]
    removed = [(of_elements[rows] < flat) & present[rows] for of_elements in places.values()]
    values = question.probabilities(np.concatenate(removed), np.tile(rows, len(removed)))
    curves = np.split(values, len(removed))
    return counts, {
        kind: np.split(curve, np.cumsum(sizes)[:-1])
        for kind, curve in zip(places, curves, strict=True)
    }
