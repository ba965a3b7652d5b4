"""Whether explanations are faithful: does the model read what they say it reads?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attention.explain.attribution import methods as ways
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.evaluation.measured import (
    FRACTIONS,
    Faithfulness,
    Measured,
)
from keras_attention.explain.evaluation.ranks import RANDOM, REVERSED
from keras_attention.ops import checks

Method = str | Callable[..., Explanation] | Explanation

METHODS = (
    "relevance",
    "rollout",
    "attention",
    "attention_gradient",
    "gradient_x_input",
    "integrated_gradients",
    "leave_one_out",
)


def faithfulness(
    model: keras.Model,
    inputs: Any,
    methods: Mapping[str, Method] | Sequence[Method] | Method | None = None,
    *,
    target: Any = None,
    position: Any = None,
    steps: int = 20,
    draws: int = 5,
    insertion_from: Any = None,
    seed: int = 0,
    batch_size: int = 64,
    **how: Any,
) -> Faithfulness:
    """Takes away what explanations call important, and looks at the probability of the target.

    ```python
    found = ka.explain.faithfulness(model, texts)
    print(found.table())
    found.compare("relevance", "rollout").wins      # on which share of the texts
    ```

    Of every ranking of the elements, beside random ones and beside its reverse:

    - Deletion and insertion of Petsiuk et al., 2018 (https://arxiv.org/abs/1806.07421, section
      4.1): the area under the probability as elements are removed, or as they alone are kept, the
      most important ones first. In fractions of each input's own elements.
    - Comprehensiveness and sufficiency of DeYoung et al., 2020
      (https://aclanthology.org/2020.acl-main.408, section 4): what the probability loses without
      the top 1, 5, 10, 20 and 50 % of the elements, or with them alone; rounded up, so one element
      at least. Their mean is the paper's AOPC, whose sum also has a term for no elements.
    - Spearman's rank correlation with leave-one-out, which is a diagnostic and no measure: both
      see the effect of one element at a time.

    Removed elements become what `elements` says. Inputs without them may be unlike any that the
    model knows, so numbers are to be compared with those of random rankings, not read alone.
    Elements with the same score follow each other at random.

    Args:
        model: functional.
        inputs: a batch, as `elements` takes it.
        methods: names, functions like those of `ka.explain`, or explanations of this batch; a
            mapping names them. All of `ka.explain` that apply to the model if `None`.
        target: index of the output, or one for each input; the highest one if `None`.
        position: as of `relevance`.
        steps: points of a curve beside the first; an input with fewer elements has one for each.
        draws: random rankings of each input, of which the mean is taken.
        insertion_from: what stands for elements that are not inserted yet, if something else than
            for those that are removed: a `replacement` of `elements`, such as `"blur"`.
        seed: of random rankings and of ties.
        batch_size: inputs computed at a time; each batch has this size, so that the model is
            compiled once.
        how: `name`, `replacement` and `grid`, see `elements`.

    Raises:
        ValueError: there is no such method, two have the same name, an explanation is of another
            batch, target or position, or an input has no elements.
    """
    checks.positive_int(steps=steps, draws=draws, batch_size=batch_size)
    question = Question(model, inputs, target, position, how)
    present = question.elements.present
    sizes = present.sum(axis=1)
    if not sizes.all():
        raise ValueError(
            f"Each input must have {question.elements.kind}. Received: none in the inputs "
            f"{np.flatnonzero(sizes == 0).tolist()}"
        )
    blank = question
    if insertion_from is not None:
        other = {**how, "replacement": insertion_from}
        arrays = question.elements.inputs
        blank = Question(model, arrays, question.target, question.position, other)

    whole, empty, alone = question.singly(batch_size=batch_size)
    explanations: dict[str, Explanation] = {}
    skipped: dict[str, str] = {}
    for name, method in named(methods):
        if method == "leave_one_out":
            found = question.answered("leave_one_out", alone)
        else:
            try:
                found = explained(question, method, batch_size=batch_size, **how)
            except ValueError as error:
                if methods is not None:
                    raise
                skipped[name] = str(error)
                continue
        name = name or found.method
        if name in (*explanations, RANDOM):
            raise ValueError(f"Two rankings have the name {name!r}. Pass a mapping of names.")
        explanations[name] = found

    rng = np.random.default_rng(seed)
    ties = rng.random(present.shape)
    scores = {name: found.scores for name, found in explanations.items()}
    scores |= {f"{RANDOM} {i}": rng.random(present.shape) for i in range(draws)}
    scores |= {name + REVERSED: -found.scores for name, found in explanations.items()}
    places = {
        name: ranks.ranking(of, present, -ties if name.endswith(REVERSED) else ties)
        for name, of in scores.items()
    }
    curves = _curves(question, blank, places, steps, batch_size)
    measured = {
        name: _measured(curves[name], whole, sizes, steps, ranks.spearman(of, alone, present))
        for name, of in scores.items()
    }
    drawn = [measured.pop(f"{RANDOM} {i}") for i in range(draws)]
    random = Measured(*(np.mean([vars(m)[key] for m in drawn], axis=0) for key in vars(drawn[0])))
    return Faithfulness(
        measured={
            **{name: measured[name] for name in explanations},
            RANDOM: random,
            **{name + REVERSED: measured[name + REVERSED] for name in explanations},
        },
        explanations=explanations,
        whole=whole,
        empty=empty,
        sizes=sizes,
        draws=draws,
        seed=seed,
        skipped=skipped,
    )


def explained(
    question: Question, method: Method, *, batch_size: int = 64, **how: Any
) -> Explanation:
    """What a method says of the inputs of a question, `batch_size` of them at a time.

    Raises:
        ValueError: there is no such method; or this is an explanation of something else.
    """
    batch = len(question.target)
    if isinstance(method, Explanation):
        if (
            method.scores.shape != question.elements.present.shape
            or not np.array_equal(method.target, question.target)
            or not np.array_equal(np.asarray(method.position), np.asarray(question.position))
        ):
            raise ValueError(
                f"The explanation {method.method!r} is of another batch, target or position: of "
                f"scores {method.scores.shape} for targets {method.target.tolist()}, where these "
                f"are {question.elements.present.shape} and {question.target.tolist()}."
            )
        return method
    if isinstance(method, str):
        checks.one_of("methods", method, METHODS)
    explain = getattr(ways, method) if isinstance(method, str) else method
    found = []
    for start in range(0, batch, batch_size):
        # The last rows again and again in the last batch, which so has the size of the others.
        rows = np.minimum(np.arange(start, start + min(batch_size, batch)), batch - 1)
        inputs = question.elements.inputs
        some = (
            {name: array[rows] for name, array in inputs.items()}
            if isinstance(inputs, Mapping)
            else inputs[rows]
        )
        at = None if question.position is None else question.position[rows]
        found.append(
            explain(question.model, some, target=question.target[rows], position=at, **how)
        )
    scores = np.concatenate([each.scores for each in found])[:batch]
    return question.answered(found[0].method, scores)


def named(
    methods: Mapping[str, Method] | Sequence[Method] | Method | None,
) -> list[tuple[str, Method]]:
    """Methods with their names, empty where the explanation has it."""
    if methods is None:
        return [(name, name) for name in METHODS]
    if isinstance(methods, Mapping):
        return list(methods.items())
    if isinstance(methods, (str, Explanation)) or callable(methods):
        return [("", methods)]
    return [("", method) for method in methods]


Curves = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray]]


def _curves(
    question: Question,
    blank: Question,
    places: Mapping[str, np.ndarray],
    steps: int,
    batch_size: int,
) -> dict[str, Curves]:
    """By ranking, for each input: probabilities at `ranks.counts` of removed and of inserted
    elements, and with the `FRACTIONS` removed and kept."""
    present = question.elements.present
    sizes = present.sum(axis=1)
    points = [ranks.counts(size, steps) for size in sizes]
    shares = [np.array([ranks.share(f, size) for f in FRACTIONS]) for size in sizes]
    # All rankings at once: many of their sets of elements are the same.
    wanted: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {False: [], True: []}
    for of in places.values():
        for kept, counts, other in (
            (False, points, False),
            (True, points, blank is not question),
            (False, shares, False),
            (True, shares, False),
        ):
            rows = np.repeat(np.arange(len(counts)), [len(c) for c in counts])
            first = of[rows] < np.concatenate(counts)[:, None]
            wanted[other].append((rows, (first != kept) & present[rows]))
    found = {}
    for other, requests in wanted.items():
        if requests:
            values = (blank if other else question).probabilities(
                np.concatenate([removed for _, removed in requests]),
                np.concatenate([rows for rows, _ in requests]),
                batch_size=batch_size,
            )
            ends = np.cumsum([len(rows) for rows, _ in requests])[:-1]
            found[other] = iter(np.split(values, ends))
    at_points, at_shares = (np.cumsum([len(c) for c in x])[:-1] for x in (points, shares))
    return {
        name: (
            np.split(next(found[False]), at_points),
            np.split(next(found[blank is not question]), at_points),
            np.split(next(found[False]), at_shares),
            np.split(next(found[False]), at_shares),
        )
        for name in places
    }


def _measured(
    curves: Curves, whole: np.ndarray, sizes: np.ndarray, steps: int, correlation: np.ndarray
) -> Measured:
    deleted, inserted, without, alone = curves
    fractions = [ranks.counts(size, steps) / size for size in sizes]
    grid = np.linspace(0, 1, steps + 1)

    def curve(values: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.interp(grid, x, y) for x, y in zip(fractions, values, strict=True)])

    def areas(values: list[np.ndarray]) -> np.ndarray:
        return np.array([ranks.area(y, x) for x, y in zip(fractions, values, strict=True)])

    return Measured(
        deletion_curve=curve(deleted),
        insertion_curve=curve(inserted),
        deletion=areas(deleted),
        insertion=areas(inserted),
        comprehensiveness_at=whole[:, None] - np.stack(without),
        sufficiency_at=whole[:, None] - np.stack(alone),
        leave_one_out=correlation,
    )
