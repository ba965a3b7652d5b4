"""Whether explanations are faithful: does the model read the elements that they call important?"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.evaluation import ranks
from keras_attention.explain.evaluation.candidates import Methods, explain, name_methods
from keras_attention.explain.evaluation.curves import compute_curves
from keras_attention.explain.evaluation.measured import Faithfulness, Measured
from keras_attention.explain.evaluation.ranks import RANDOM, REVERSED
from keras_attention.ops import checks


def faithfulness(
    model: keras.Model,
    inputs: Any,
    methods: Methods = None,
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
    """Takes away the elements that explanations call important, and measures the probability of the
    target.

    ```python
    result = ka.explain.faithfulness(model, texts)
    print(result.table())
    result.compare("relevance", "rollout").wins      # on which share of the texts
    ```

    Every ranking of the elements is measured beside random ones and beside its reverse:

    - Deletion and insertion of Petsiuk et al., 2018 (https://arxiv.org/abs/1806.07421, section
      4.1): the area under the probability as elements are removed, or as they alone are kept, the
      most important ones first, in fractions of each input's own elements.
    - Comprehensiveness and sufficiency of DeYoung et al., 2020
      (https://aclanthology.org/2020.acl-main.408, section 4): the loss of probability without the
      top 1, 5, 10, 20 and 50 % of the elements, or with them alone. Shares are rounded up, so they
      are one element at least. Their mean is the paper's AOPC, whose sum also has a term for no
      elements.
    - Spearman's rank correlation with leave-one-out. It is a diagnostic and no measure, since
      leave-one-out sees the effect of one element at a time.

    Removed elements are replaced as `elements` says. Inputs without them may be unlike any that the
    model knows, so compare numbers with those of random rankings. Elements with the same score
    follow each other at random.

    Args:
        model: functional.
        inputs: a batch, as `elements` takes it.
        methods: names, functions like those of `ka.explain`, or explanations of this batch, or a
            mapping from names to these; all of `ka.explain` that apply to the model if `None`.
        target: index of the output, or one for each input; the highest one if `None`.
        position: as of `relevance`.
        steps: points of a curve beside the first; an input with fewer elements has one for each.
        draws: random rankings of each input, of which the mean is taken.
        insertion_from: a `replacement` of `elements` for those that are not inserted yet, such as
            `"blur"`; that of removed elements if `None`.
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

    whole, empty, losses = question.leave_each_out(batch_size=batch_size)
    explanations, skipped = _explain(question, methods, losses, batch_size, how)

    rng = np.random.default_rng(seed)
    ties = rng.random(present.shape)
    scores = {name: explanation.scores for name, explanation in explanations.items()}
    scores |= {f"{RANDOM} {i}": rng.random(present.shape) for i in range(draws)}
    scores |= {name + REVERSED: -scores[name] for name in explanations}
    places = {
        name: ranks.ranking(values, present, -ties if name.endswith(REVERSED) else ties)
        for name, values in scores.items()
    }
    curves = compute_curves(question, blank, places, steps=steps, batch_size=batch_size)
    measured = {
        name: curves[name].measure(whole, sizes, steps, ranks.spearman(values, losses, present))
        for name, values in scores.items()
    }
    random = _mean([measured.pop(f"{RANDOM} {i}") for i in range(draws)])
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


def _explain(
    question: Question,
    methods: Methods,
    losses: np.ndarray,
    batch_size: int,
    how: Mapping[str, Any],
) -> tuple[dict[str, Explanation], dict[str, str]]:
    """Returns explanations by name, and why methods that nobody named do not apply."""
    explanations: dict[str, Explanation] = {}
    skipped: dict[str, str] = {}
    for name, method in name_methods(methods):
        if method == "leave_one_out":  # which is known already
            explanation = question.answer("leave_one_out", losses)
        else:
            try:
                explanation = explain(question, method, batch_size=batch_size, **how)
            except ValueError as error:
                if methods is not None:
                    raise
                skipped[name] = str(error)
                continue
        name = name or explanation.method
        if name in (*explanations, RANDOM):
            raise ValueError(f"Two rankings have the name {name!r}. Pass a mapping of names.")
        explanations[name] = explanation
    return explanations, skipped


def _mean(measured: list[Measured]) -> Measured:
    """Returns the means of the measures of several rankings."""
    fields = vars(measured[0])
    return Measured(**{name: np.mean([vars(m)[name] for m in measured], axis=0) for name in fields})
