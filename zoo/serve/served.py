"""A model that is served: what it reads and answers, and the computing behind each address."""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention import decoding, kernels, prediction, roles
from keras_attention.decoding.parts import parts_of
from zoo.serve import answers, samplers
from zoo.serve.batching import Job
from zoo.serve.bodies import check_names
from zoo.serve.inputs import Inputs
from zoo.serve.limits import Limits, Refusal, bad, too_large
from zoo.writing import choose_length

_FORMS = ("page", "weights")
_NEW_TOKENS = 64  # if a request does not say it
_SECONDS = 20  # of a recording whose attention is shown
_LARGEST_CARD = 2**20


class Served:
    """A model, and what requests may ask of it.

    Args:
        model: functional, as `ka.predict` or `ka.generate` takes it.
        limits: of the server.
        name: of the model for those who ask; its own if `None`.
        card: Markdown that tells what the model was made of and is worth, if there is any.

    Attributes:
        inputs: as requests have them.
        writes: whether the model writes text, or ids.
    """

    def __init__(
        self, model: keras.Model, limits: Limits, *, name: str | None = None, card: str = ""
    ) -> None:
        self.model = model
        self.name = name or model.name
        self.card = card
        self.inputs = Inputs(model, limits)
        self._limits = limits
        self.writes = _can_write(model)

    def describe(self) -> dict[str, Any]:
        """Returns what a stranger has to know of the model, as JSON."""
        last = prediction.decoder(self.model)
        inputs = self.inputs
        return {
            "name": self.name,
            "reads": {name: kind or "arrays" for name, kind in inputs.kinds.items()},
            "shapes": {
                tensor.name: list(tensor.shape[1:])
                for tensor in self.model.inputs
                if inputs.kinds.get(tensor.name, "") is None
            },
            "columns": {name: inputs.categories.get(name) for name in inputs.columns},
            "pairs": roles.decodes_texts(last) and hasattr(last, "max_answer_length"),
            "is_object": inputs.is_object,
            "writes": self.writes,
            "continues": self.writes and len(self.model.inputs) == 1,
            "classes": list(roles.class_names(last)),
            "quantities": list(getattr(last, "names", None) or ())
            if not roles.class_names(last)
            else [],
            "example": inputs.example,
            "parameters": self.model.count_params(),
            "card": self.card,
        }

    def predict(self, content: Mapping[str, Any]) -> Job:
        """Returns the job of a request for answers.

        Raises:
            Refusal: the request is wrong, or the model writes instead.
        """
        check_names(content, ("inputs",))
        if self.writes:
            raise Refusal(404, "This model writes: POST to /generate instead of /predict.")
        rows = self.inputs.read(content.get("inputs"))
        return Job(self._group("predict", rows), rows, self._predict)

    def generate(self, content: Mapping[str, Any]) -> Job:
        """Returns the job of a request for texts.

        Raises:
            Refusal: the request is wrong, or the model does not write.
        """
        check_names(content, ("inputs", "max_new_tokens", "sampler", "stop", "seed"))
        if not self.writes:
            raise Refusal(404, "This model writes nothing: POST to /predict instead of /generate.")
        rows = self.inputs.read(content.get("inputs"))
        options = {
            "sampler": samplers.read(content.get("sampler", [{"greedy": True}]), self._limits),
            "max_new_tokens": self._read_length(content, rows),
            "stop": _read_stops(content.get("stop")),
            "seed": _read_seed(content.get("seed")),
        }
        # What is drawn depends on the place in a batch, so a request that draws is alone.
        draws = any(getattr(sampler, "random", False) for sampler in options["sampler"])
        group = None if draws else self._group(("generate", repr(options)), rows)

        def compute(rows: list[Any], is_over: Callable[[], bool]) -> Sequence[Any]:
            return self._generate(rows, is_over, options)

        return Job(group, rows, compute)

    def explain(self, content: Mapping[str, Any]) -> Job:
        """Returns the job of a request for attention: an HTML page, or weights by layer.

        Raises:
            Refusal: the request is wrong, or its input too long.
        """
        check_names(content, ("input", "form", "max_new_tokens", "position"))
        form = content.get("form", "page")
        if form not in _FORMS:
            raise bad(f"`form` must be one of {', '.join(_FORMS)}. Received: {str(form)[:60]!a}")
        row = self.inputs.read_one(content.get("input"), "input")
        most = None
        if self.writes and (prediction.writes_text(self.model) or "max_new_tokens" in content):
            most = self._read_length(content, [row])
        elif "max_new_tokens" in content:
            raise bad("`max_new_tokens` is for a model that writes.")
        node = _find_node(row, content.get("position"))

        def compute(rows: list[Any], is_over: Callable[[], bool]) -> Sequence[Any]:
            return [self._explain(rows, form, most, node)]

        return Job(None, [row], compute)

    def _group(self, what: Any, rows: Sequence[Any]) -> Any:
        """Returns what two requests have in common whose rows can be computed together."""
        groups = {self.inputs.group(row) for row in rows}
        if len(groups) > 1:
            raise bad(
                "The arrays of a request must have one shape. Received: several. Send a request "
                "for each."
            )
        return what, groups.pop()

    def _predict(self, rows: list[Any], is_over: Callable[[], bool]) -> Sequence[Any]:
        # On a backend that compiles each size, few different ones: the last row fills it up.
        size = kernels.round_length(len(rows))
        raw = self._round_length(self.inputs.join(rows + rows[-1:] * (size - len(rows))))
        found = ka.predict(self.model, raw)
        if not isinstance(found, list):  # several outputs, in their structure
            outputs = keras.tree.flatten(found)
            found = [[output[row] for output in outputs] for row in range(size)]
        answers.check_size(found[: len(rows)], self._limits)
        return [answers.to_json(answer) for answer in found[: len(rows)]]

    def _round_length(self, texts: Any) -> Any:
        """Returns texts as ids that are padded to one of few lengths; others as they are.

        They stay as well where answers are made of the texts and the outputs of their tokens.
        """
        (layer, *others), model = self.inputs.encoders.values(), self.model
        hides = roles.encodes(layer) == "texts" and layer.supports_masking and not others
        lengths = [model.inputs[0].shape[1], *(n for x in model.outputs for n in x.shape[1:])]
        if not hides or lengths[0] is not None or None in lengths[1:]:
            return texts
        ids = layer.encode(texts)
        limits = (roles.num_positions(model._flatten_layers()), getattr(layer, "max_length", None))
        most = min((limit for limit in limits if limit is not None), default=ids.shape[1] * 2)
        more = max(0, min(kernels.round_length(max(1, ids.shape[1])), most) - ids.shape[1])
        margins = ((0, 0), (0, more), *((0, 0),) * (ids.ndim - 2))
        return np.pad(ids, margins, constant_values=roles.padding_id(layer))

    def _generate(
        self, rows: list[Any], is_over: Callable[[], bool], options: Mapping[str, Any]
    ) -> Sequence[Any]:
        prompt = self.inputs.join(rows)
        if any(isinstance(each, decoding.BeamSearch) for each in options["sampler"]):
            return [answers.to_json(each) for each in ka.generate(self.model, prompt, **options)]
        pieces: list[list[Any]] = [[] for _ in rows]
        for step in ka.stream(self.model, prompt, **options):
            for text, piece in zip(pieces, step, strict=True):
                text.append(piece)
            if is_over():
                raise Refusal(504, "Writing took longer than this server allows, or nobody waits.")
        if all(isinstance(piece, str) for text in pieces for piece in text):
            return ["".join(text) for text in pieces]
        return [[int(i) for piece in text for i in piece] for text in pieces]

    def _explain(self, rows: list[Any], form: str, most: int | None, node: int | None) -> Any:
        raw = self.inputs.join(rows)
        self._check_length(raw)
        if form == "weights":
            if most is None:
                maps = {p: w[0] for p, w in ka.explain.attention_maps(self.model, raw).items()}
            else:
                written = ka.explain.generation_maps(self.model, raw, max_new_tokens=most)
                maps = written[0].maps
            answers.check_size(maps, self._limits)
            return {"weights": answers.to_json(maps)}
        if prediction.image_and_text(self.model) or node is not None:
            return self._draw(raw, node)
        return str(ka.explain.page(self.model, raw, max_new_tokens=most, why=False))

    def _draw(self, raw: Any, node: int | None) -> str:
        """Returns a page with the figure of what has no interactive one."""
        figure = ka.explain.heads(self.model, raw, position=node)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=120)
        picture = base64.b64encode(file.getvalue()).decode("ascii")
        title = html.escape(f"Attention weights of {self.name}")
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f'<img alt="{title}" src="data:image/png;base64,{picture}"></html>'
        )

    def _check_length(self, raw: Any) -> None:
        """Raises `Refusal` if an input has too many positions for all weights of all layers."""
        parts = raw if isinstance(raw, Mapping) else {next(iter(self.inputs.kinds)): raw}
        for name, part in parts.items():
            layer, kind = self.inputs.encoders[name], self.inputs.kinds[name]
            most, what = self._limits.explained, "positions"
            if kind == "texts":
                size = np.shape(layer.encode(part))[1]
            elif kind == "recordings":
                size, most, what = len(part[0]), _SECONDS * layer.sampling_rate, "samples"
            else:
                size = len(part[0]) if kind is None else 0
            if size > most:
                raise too_large(
                    f"Attention is shown of {most:,} {what} at most. Received: {size:,}. Explain a "
                    "part of the input."
                )

    def _read_length(self, content: Mapping[str, Any], rows: Sequence[Any]) -> int:
        """Returns how many tokens are to be written at most to some rows."""
        most = self._limits.new_tokens
        if "max_new_tokens" not in content:
            return choose_length(self.model, rows, most=min(_NEW_TOKENS, most))
        value = content["max_new_tokens"]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad(
                f"`max_new_tokens` must be a whole number from 1 on. Received: {str(value)[:60]!a}"
            )
        if value > most:
            raise too_large(f"`max_new_tokens` may be {most}. Received: a larger number.")
        return value


def read_card(path: str | Path) -> str:
    """Returns the card that lies beside a model's file, or in its folder; nothing without one."""
    path = Path(path)
    card = path / "README.md" if path.is_dir() else path.with_suffix(".md")
    if not card.is_file() or card.stat().st_size > _LARGEST_CARD:
        return ""
    return card.read_text(encoding="utf-8", errors="replace")


def _can_write(model: keras.Model) -> bool:
    """Returns whether `ka.generate` takes a model, and its outputs are not answers of a decoder."""
    if prediction.decoder(model) is not None:
        return False
    try:
        parts = parts_of(model)
    except ValueError:
        return False
    tokenizer = parts.tokenizer
    if not (tokenizer is not None and tokenizer.has_vocabulary):
        return parts.vocabulary_size is not None and parts.encoders[parts.target] is not None
    return parts.vocabulary_size == len(tokenizer.vocabulary)


def _find_node(row: Any, position: Any) -> int | None:
    """Returns the node of a graph that is explained: by default one that reads most others.

    Of what is no graph it is `None`.
    """
    if not (isinstance(row, dict) and {"edges", "features"} <= set(row)):
        if position is not None:
            raise bad("`position` is the node of a graph, and this model reads none.")
        return None
    nodes, edges = len(row["features"]), row["edges"]
    if position is None:
        return int(np.bincount(edges[:, 1]).argmax()) if len(edges) else 0
    if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < nodes:
        raise bad(f"`position` must be one of the {nodes} nodes, from 0 on.")
    return position


def _read_stops(value: Any) -> list[str] | None:
    if value is None:
        return None
    stops = [value] if isinstance(value, str) else value
    if (
        not isinstance(stops, list)
        or len(stops) > 8
        or not all(isinstance(stop, str) and 0 < len(stop) <= 100 for stop in stops)
    ):
        raise bad("`stop` must be up to 8 texts of 1 to 100 characters.")
    return stops


def _read_seed(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise bad(f"`seed` must be a whole number from 0 to {2**31 - 1}.")
    return value
