"""Why a model predicts what it predicts: a number for each token, patch, frame or node.

Every method has the same form, `method(model, inputs, *, target=None, position=None)`, so that
`faithfulness` can compare them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_attention import roles, scope
from keras_attention.explain.attribution import propagation
from keras_attention.explain.attribution.explanation import Explanation
from keras_attention.explain.attribution.gradients import Ground, by_weights
from keras_attention.explain.attribution.question import Question
from keras_attention.explain.maps.attention_maps import to_numpy
from keras_attention.explain.maps.stream import Stream
from keras_attention.explain.maps.streams import streams
from keras_attention.ops import checks

Method = Callable[..., Explanation]


def attention(
    model: keras.Model,
    inputs: Any,
    *,
    target: Any = None,
    position: Any = None,
    head_fusion: str = "mean",
    **how: Any,
) -> Explanation:
    """Explains by what the last attention layer looks at: its raw weights, fused over heads.

    The weakest explanation, which others are compared with: it knows no layer before the last one
    and no class (Jain and Wallace, 2019, https://aclanthology.org/N19-1357).

    Args:
        model, inputs, target, position, how: see `relevance`.
        head_fusion: `"mean"`, `"max"` or `"min"`.
    """
    question = Question(model, inputs, target, position, how)
    recording = question.record()
    weights = {
        path: propagation.fuse_heads(to_numpy(x), head_fusion) for path, x in recording.maps.items()
    }
    return question.answer("attention", _last(question, recording, weights))


def attention_gradient(
    model: keras.Model, inputs: Any, *, target: Any = None, position: Any = None, **how: Any
) -> Explanation:
    """Explains by attention times gradient in the last layer: what of it speaks for the target.

    The mean over heads of the positive part of weights times their gradient, equation 5 of
    Chefer et al., 2021 (https://arxiv.org/abs/2103.15679).

    Args:
        model, inputs, target, position, how: see `relevance`.
    """
    question = Question(model, inputs, target, position, how)
    recording, weights = _positive(question)
    return question.answer("attention_gradient", _last(question, recording, weights))


def rollout(
    model: keras.Model,
    inputs: Any,
    *,
    target: Any = None,
    position: Any = None,
    head_fusion: str = "mean",
    discard_ratio: float = 0.0,
    residual: bool = True,
    **how: Any,
) -> Explanation:
    """Explains by the attention rollout of Abnar and Zuidema, 2020
    (https://aclanthology.org/2020.acl-main.385), along the streams of a model.

    The same for every target. Graph attention has no residual connection, and no identity here.

    Args:
        model, inputs, target, position, how: see `relevance`.
        head_fusion, discard_ratio, residual: see `rollout_matrix`.
    """
    question = Question(model, inputs, target, position, how)
    recording = question.record()
    weights = {
        path: propagation.fuse_heads(to_numpy(x), head_fusion, discard_ratio)
        for path, x in recording.maps.items()
    }
    if question.edges is not None:
        loops = {roles.adds_self_loops(layer) for layer in recording.owners.values()}
        scores = propagation.roll_out_through_edges(
            list(weights.values()), *question.graph, self_loops=loops == {True}
        )
        return question.answer("rollout", scores)
    along = streams(model, recording)
    relations = propagation.roll_out(along.reads, weights, residual=residual)
    return question.answer("rollout", question.read(relations, along))


def relevance(
    model: keras.Model, inputs: Any, *, target: Any = None, position: Any = None, **how: Any
) -> Explanation:
    """Explains by the relevance of Chefer et al., 2021 (equations 5 to 11 of
    https://arxiv.org/abs/2103.15679), through self-attention, cross-attention and both in
    encoder-decoders, for one class.

    Along the streams of the model: what a pooling by attention or a class token makes of a
    sequence is read at its row, that of `TokenPooling("first")` at the first row that is no
    padding, an average as the mean of all rows. Of graph attention the edges that were given
    count; the loops that a layer adds by itself do not.

    Args:
        model: functional.
        inputs: a batch, as `elements` takes it.
        target: index of the output to explain, or one for each input; the highest one if `None`.
        position: where each position has outputs, as of taggers, decoders and graphs: which one,
            or one for each input.
        how: `name`, `replacement` and `grid`, see `elements`.

    Returns:
        An `Explanation`.

    Raises:
        ValueError: the model is not functional, `target` or `position` does not fit its outputs,
            or no attention goes from the output to the elements.
    """
    question = Question(model, inputs, target, position, how)
    recording, weights = _positive(question)
    if question.edges is not None:
        scores = propagation.relate_through_edges(list(weights.values()), *question.graph)
        return question.answer("relevance", scores)
    along = streams(model, recording)
    relations = propagation.relate(along.reads, weights)
    return question.answer("relevance", question.read(relations, along))


def gradient_x_input(
    model: keras.Model, inputs: Any, *, target: Any = None, position: Any = None, **how: Any
) -> Explanation:
    """Explains by the gradient times input of Shrikumar et al., 2016 (https://arxiv.org/abs/1605.01713),
    summed up in each element; of tokens, by their embeddings.

    Args:
        model, inputs, target, position, how: see `relevance`.
    """
    question = Question(model, inputs, target, position, how)
    ground = Ground(model, question.elements)
    gradients = ground.gradients(ground.values, question.target, question.position)
    products = {name: gradients[name] * x for name, x in ground.values.items()}
    return question.answer("gradient_x_input", question.sum_up(products))


def integrated_gradients(
    model: keras.Model,
    inputs: Any,
    *,
    target: Any = None,
    position: Any = None,
    steps: int = 32,
    **how: Any,
) -> Explanation:
    """Explains by the integrated gradients of Sundararajan et al., 2017 (https://arxiv.org/abs/1703.01365),
    equation 1, from an input without elements.

    Their sum is the difference between the outputs of the two inputs (completeness), as exactly
    as `steps` of Gauss-Legendre quadrature allow. Embeddings of tokens begin at zero.

    Args:
        model, inputs, target, position, how: see `relevance`.
        steps: points on the way.
    """
    checks.positive_int(steps=steps)
    question = Question(model, inputs, target, position, how)
    ground = Ground(model, question.elements)
    ways = {name: x - ground.baseline[name] for name, x in ground.values.items()}
    total = {name: np.zeros(x.shape) for name, x in ways.items()}
    points, shares = np.polynomial.legendre.leggauss(steps)  # from -1 to 1
    for point, share in zip((points + 1) / 2, shares / 2, strict=True):
        there = {
            name: (ground.baseline[name] + point * way).astype(np.float32)
            for name, way in ways.items()
        }
        gradients = ground.gradients(there, question.target, question.position)
        for name, gradient in gradients.items():
            total[name] += share * gradient
    products = {name: total[name] * way for name, way in ways.items()}
    return question.answer("integrated_gradients", question.sum_up(products))


def leave_one_out(
    model: keras.Model,
    inputs: Any,
    *,
    target: Any = None,
    position: Any = None,
    batch_size: int = 64,
    **how: Any,
) -> Explanation:
    """Explains by what the target's probability loses without an element (Li et al., 2016,
    https://arxiv.org/abs/1612.08220).

    Args:
        model, inputs, target, position, how: see `relevance`.
        batch_size: inputs computed at a time.
    """
    question = Question(model, inputs, target, position, how)
    _, _, scores = question.leave_each_out(batch_size=batch_size)
    return question.answer("leave_one_out", scores)


def _positive(question: Question) -> tuple[scope.Recording, dict[str, np.ndarray]]:
    """Returns the weights, and the mean over heads of their positive part times gradient.

    Equation 5 of Chefer et al., 2021.
    """
    recording = question.record()
    gradients = by_weights(
        question.model,
        question.elements.inputs,
        recording.maps,
        question.target,
        question.position,
    )
    return recording, {
        path: np.maximum(to_numpy(a).astype(np.float64) * gradients[path], 0).mean(axis=1)
        for path, a in recording.maps.items()
    }


def _holds(stream: Stream, part: Stream) -> bool:
    """Whether a stream is another one, or is put together of it and more."""
    return stream == part or any(_holds(of, part) for of, _ in stream.parts)


def _last(
    question: Question, recording: scope.Recording, weights: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Returns scores by the last layer that reads the elements, in the row of the output."""
    if question.edges is not None:
        path = list(weights)[-1]
        return propagation.roll_out_through_edges(
            [weights[path]], *question.graph, self_loops=False
        )
    along = streams(question.model, recording)
    name = question.elements.name or question.model.inputs[0].name
    reads = [read for read in along.reads if _holds(read.key, along.inputs[name])]
    if not reads:
        raise ValueError(f"No attention that was recorded reads the input {name!r}.")
    last = reads[-1]
    relations = propagation.read_once(last, weights[last.path])
    readouts = tuple(out for out in along.readouts if out.stream == last.query)
    if readouts:
        return question.read(relations, replace(along, readouts=readouts))
    # Where later layers read its rows, all of them count alike that look at anything.
    raw = to_numpy(recording.maps[last.path]).sum(axis=(1, 3))
    rows = (raw > 0) / np.maximum((raw > 0).sum(axis=1, keepdims=True), 1)
    written = replace(last.query, written=None)
    scores = propagation.at_input(relations, written, along.inputs[name], rows)
    assert scores is not None
    return scores
