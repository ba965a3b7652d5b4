"""The words by which a layer says what it does, and the questions that others ask.

Decoding, explanation and prediction know no layer by its class or its name. They ask here, and a
layer answers by attributes of its class. One of your own takes part by the same attributes:

```python
class Pooling(keras.layers.Layer):
    reads = "pool"

    def call(self, x):  # (B, S, D)
        weights = ops.softmax(ops.matmul(x, self.context)[..., 0])  # (B, S)
        weights = scope.record(self, weights[:, None, None])  # (B, N, T, S)
        return ops.matmul(weights[:, 0], x)[:, 0]
```

| attribute | a layer has it that | its value |
|---|---|---|
| `reads` | attends, or makes a vector of a sequence | a word of `READS` |
| `num_positions` | learns a table of positions | their number, or `None` if there is no end |
| `prepends` | puts tokens before a sequence | how many |
| `self_loops` | attends to the neighbours of nodes | whether each node is one of its own |
| `embeds_ids` | turns ids to vectors, by which gradients of tokens are taken | `True` |
| `cuts` | makes a sequence of an image or a waveform | `"patches"`, `"frames"` |
| `encodes`, `encode` | makes an input's array of raw values | see `Encoder`, `Vocabulary` |
| `decode` | makes answers of outputs | see `Decoder` |
| `decode_texts` | makes answers of outputs and the texts that they are about | see `TextDecoder` |
| `probabilities` | makes probabilities of outputs | see `Decoder` |

`"patches"` are explained at `PatchCutter`, `"frames"` at `FrameCutter`.

What the layers of Keras would say stands in one table, `_OF_KERAS`. It holds for what is derived
from them too.
"""

import inspect
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol

import keras
import numpy as np

READS = {
    "itself": "queries and keys are positions of one sequence: self-attention",
    "memory": "queries are positions of its first sequence, keys of its second: cross-attention",
    "pool": "queries are its own, and the output is a new sequence, or the vector of one query",
    "call": "itself or a memory, by whether its call has one tensor for query and value",
    "mean": "no attention: it makes a vector in which all positions count alike",
    "first": "no attention: it takes the first position that is not masked",
    "last": "no attention: it takes the last position that is not masked",
}


class Encoder(Protocol):
    """A layer behind an input of a model, which makes that input's array of raw values.

    Attributes:
        encodes: the kind of the raw values: `"texts"`, `"images"`, `"recordings"`, `"tables"`, or
            another word. Encoders of one kind get the same values.
    """

    encodes: str

    def encode(self, raw: Any) -> np.ndarray:
        """Returns the array of a batch of raw values, `(B, ...)`; such an array passes.

        Ids of texts are integers `(B, T)`, or `(B, T, ...)`, padded on the right: with 0, or with
        the encoder's `padding_id`.
        """
        ...


class Vocabulary(Encoder, Protocol):
    """An encoder of texts whose ids `(B, T)` can be turned back to text.

    Attributes:
        max_length: tokens of a text that are kept, or `None` for all.
        words: whether there is an id for each word, as taggers need; or `"pieces"`, if texts are
            cut to words first, and these to pieces.
        padding_id: of padding; -1 where no token is padding, which its mask hides all the same.
        has_vocabulary: whether it knows tokens; without them, ids alone pass.
        vocabulary: the tokens in the order of their ids.
        start_id, end_id: what every text begins and ends with, or `None`. They may be one id.
        end_ids: all that may end a text which is written, `end_id` first; none if it is empty.
        mask_id: of a gap that a model fills, or `None`.
    """

    max_length: int | None
    words: bool | str
    padding_id: int
    has_vocabulary: bool
    vocabulary: Sequence[str]
    start_id: int | None
    end_id: int | None
    end_ids: Sequence[int]
    mask_id: int | None

    def encode(self, raw: Any, *, end: bool = True, whole: bool = False) -> np.ndarray:
        """Returns ids `(B, T)`: with the end of a text if `end`, and uncut if `whole`."""
        ...

    def decode(self, token_ids: Any) -> list[str]:
        """Returns the texts of ids `(B, T)`."""
        ...

    def tokens(self, text: Any) -> list[str]:
        """Returns what each id of a text stands for, as a reader would write it."""
        ...

    def pieces(self, text: Any) -> Sequence[Any]:
        """Returns the part of a text that each id stands for, as `Tokenizer.pieces` does.

        May be left out: then no answer is about a part of a text.
        """
        ...

    def split(self, text: str) -> list[str]:
        """Returns the words of a text."""
        ...


class Decoder(Protocol):
    """The last layer of a model, which turns outputs to named answers.

    Attributes:
        class_names: a name for each number of the last axis, where these are classes. May be left
            out.
        overlap: tokens that two parts of a text share, if the outputs are of tokens and a text
            that is longer than a model reads is read in parts. May be left out: then it is cut
            off.
    """

    class_names: Sequence[str]
    overlap: int

    def decode(self, outputs: np.ndarray) -> list[Any]:
        """Returns an answer for each row of the outputs `(B, ...)`; for `(B, T, ...)` a list of
        answers."""
        ...

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Returns probabilities of the shape of the outputs. May be left out."""
        ...


class TextDecoder(Decoder, Protocol):
    """A decoder whose answers are made of the texts that the model read.

    It may have no `decode`. Then outputs stay as they are where a model is given ids for texts.
    """

    def decode_texts(self, outputs: Sequence[np.ndarray], texts: Sequence[Any]) -> list[Any]:
        """Returns an answer for each `texts.Text`, by the outputs `(T, ...)` of its tokens."""
        ...


class PatchCutter(Protocol):
    """A layer that cuts images or spectrograms `(B, height, width, C)` to patches, row by row.

    Attributes:
        cuts: `"patches"`.
        sides: height and width of a patch.
        steps: from one patch to the next, down and to the right.
    """

    cuts: str
    sides: tuple[int, int]
    steps: tuple[int, int]

    def grid(self, shape: tuple[int | None, ...]) -> tuple[int | None, int | None]:
        """Returns rows and columns of patches for inputs `(B, height, width, C)`."""
        ...


class FrameCutter(Protocol):
    """A layer that cuts waveforms `(B, samples)` to frames `(B, F, bands)`.

    Attributes:
        cuts: `"frames"`.
        hop_length: samples from one frame to the next.
        sampling_rate: samples of a second.
        num_mel_bins: how many bands a frame has.
    """

    cuts: str
    hop_length: int
    sampling_rate: int
    num_mel_bins: int


_WITHOUT_WEIGHTS = ("mean", "first", "last")
_ATTENTION = {"reads": "call"}
_MEAN = {"reads": "mean"}
_OF_KERAS: dict[type, dict[str, Any]] = {
    keras.layers.MultiHeadAttention: _ATTENTION,
    keras.layers.GroupQueryAttention: _ATTENTION,
    keras.layers.Attention: _ATTENTION,
    keras.layers.Embedding: {"embeds_ids": True},
    keras.layers.GlobalAveragePooling1D: _MEAN,
    keras.layers.GlobalAveragePooling2D: _MEAN,
    keras.layers.GlobalMaxPooling1D: _MEAN,
    keras.layers.GlobalMaxPooling2D: _MEAN,
    keras.layers.Flatten: _MEAN,
    keras.layers.Reshape: _MEAN,
    keras.layers.RNN: _MEAN,
    keras.layers.Bidirectional: _MEAN,
}


def _ask(layer: Any, attribute: str, otherwise: Any = None) -> Any:
    """Returns what a layer says, or the table says of it, or else `otherwise`."""
    answer = getattr(layer, attribute, None)
    if answer is not None:
        return answer
    said = (_OF_KERAS.get(cls, {}) for cls in type(layer).__mro__)
    return next((words[attribute] for words in said if attribute in words), otherwise)


def reads(layer: Any) -> str | None:
    """Returns what a layer reads, a word of `READS`; `None` if it does not say.

    Raises:
        ValueError: it says another word.
    """
    word = _ask(layer, "reads")
    if word is not None and word not in READS:
        raise ValueError(
            f"`reads` of a layer must be one of {', '.join(map(repr, READS))}. Received: "
            f"reads={word!r} of the layer {layer.name!r}"
        )
    return word


def attends(layer: Any) -> bool:
    """Whether a layer has attention weights, by its own word or by what it is made of.

    A layer that says nothing attends if its call has an argument `return_attention_scores`, as
    Keras's attention has, or if it holds a `keras.layers.Softmax`.
    """
    word = reads(layer)
    if word is not None:
        return word not in _WITHOUT_WEIGHTS
    if _gives_scores(layer.__class__):
        return True
    parts = layer._flatten_layers(recursive=False, include_self=False)
    return not isinstance(layer, keras.Model) and any(
        isinstance(part, keras.layers.Softmax) for part in parts
    )


@cache
def _gives_scores(cls: Any) -> bool:
    """Whether the layers of a class return their weights to a caller who asks for them."""
    return "return_attention_scores" in inspect.signature(cls.call).parameters


def num_positions(layers: Iterable[Any]) -> int | None:
    """Returns how many positions all of some layers have; `None` for any number."""
    sizes = (_ask(layer, "num_positions") for layer in layers)
    return min((size for size in sizes if size is not None), default=None)


def prepends(layer: Any) -> int:
    """Returns how many tokens a layer puts before its sequence."""
    return _ask(layer, "prepends", 0)


def adds_self_loops(layer: Any) -> bool:
    """Whether a layer of graph attention adds each node to its own neighbours."""
    return _ask(layer, "self_loops", False)


def embeds_ids(layer: Any) -> bool:
    """Whether a layer turns ids to vectors."""
    return _ask(layer, "embeds_ids", False)


def cuts(layer: Any) -> str | None:
    """Returns what a layer cuts its input to, `"patches"` or `"frames"`, or `None`."""
    return _ask(layer, "cuts")


def encodes(layer: Any) -> str | None:
    """Returns the kind of the raw values that a layer encodes; `None` if it encodes none."""
    return _ask(layer, "encodes", "raw values") if hasattr(layer, "encode") else None


def vocabulary(layer: Any) -> Vocabulary | None:
    """Returns an encoder that is a `Vocabulary`, or `None` in place of another one."""
    return layer if _ask(layer, "has_vocabulary") is not None else None


def padding_id(layer: Any) -> int:
    """Returns the id with which a layer pads what it encodes; 0 if it does not say."""
    return _ask(layer, "padding_id", 0)


def end_ids(layer: Any) -> tuple[int, ...]:
    """Returns the ids that end a text of a vocabulary, `end_id` alone if it does not say more."""
    end = _ask(layer, "end_id")
    return tuple(_ask(layer, "end_ids", () if end is None else (end,)))


def cuts_words(layer: Any) -> bool:
    """Whether a layer has an id for each word, so that texts must be cut to words before."""
    return words(layer) is True


def words(layer: Any) -> bool | str:
    """Returns whether a layer takes lists of words: `True` for an id of each, `"pieces"` for
    several."""
    return _ask(layer, "words", False)


def tells_words(layer: Any) -> bool:
    """Whether a layer says which of its tokens stand for which part of a text."""
    return cuts_words(layer) or (hasattr(layer, "pieces") and layer.has_vocabulary)


def cuts_pieces(layer: Any) -> bool:
    """Whether a layer cuts words to pieces, and has `first_pieces` to tell where words begin."""
    return _ask(layer, "words") == "pieces"


def decodes(layer: Any) -> bool:
    """Whether a layer turns outputs to named answers."""
    return hasattr(layer, "decode") or decodes_texts(layer)


def decodes_texts(layer: Any) -> bool:
    """Whether a layer makes answers of texts and the outputs of their tokens."""
    return hasattr(layer, "decode_texts")


def overlap(layer: Any) -> int:
    """Returns how many tokens two parts of a long text share; 0 if it is cut off instead."""
    return _ask(layer, "overlap", 0)


def class_names(layer: Any) -> Sequence[str]:
    """Returns the names of the classes that a layer decodes to; none if it has none."""
    return _ask(layer, "class_names", ())
