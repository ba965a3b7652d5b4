"""Special tokens: which ids they have, and how they frame a text or a pair of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from keras_attention.layers.inputs import tokenizer_file

_MOST_ENDS = 64


@dataclass(frozen=True)
class SpecialIds:
    """The ids that have a meaning of their own, padding apart; `None` where there is none.

    Attributes:
        start: what every text begins with.
        end: what a text may end with, that which is put behind texts first.
        separator: what stands between the texts of a pair.
        mask: the gap that a model fills.
        unknown: what stands for a token that is not in the vocabulary.
    """

    start: int | None = None
    end: tuple[int, ...] = ()
    separator: int | None = None
    mask: int | None = None
    unknown: int | None = None

    @classmethod
    def from_config(cls, config: Any) -> "SpecialIds":
        """Raises `ValueError` if `config` is not what `get_config` returns."""
        if not isinstance(config, Mapping) or set(config) - set(cls.__dataclass_fields__):
            raise ValueError(
                f"`special_ids` must be a mapping with {', '.join(cls.__dataclass_fields__)}. "
                f"Received: special_ids={config!r}"
            )
        end = config.get("end", ())
        ends = tuple(end) if isinstance(end, (list, tuple)) else (end,)
        others = [value for key, value in config.items() if key != "end" and value is not None]
        wrong = [i for i in (*ends, *others) if type(i) is not int or not 0 <= i < 2**31]
        if wrong or len(ends) > _MOST_ENDS:
            raise ValueError(
                f"`special_ids` must be ids, with at most {_MOST_ENDS} for the end. Received: "
                f"special_ids={config!r}"
            )
        return cls(**{**config, "end": ends})

    def get_config(self) -> dict[str, Any]:
        config = {**asdict(self), "end": [*self.end]}
        return {key: value for key, value in config.items() if value not in (None, [])}

    def list(self) -> list[int]:
        """Returns all that there are."""
        others = (self.start, self.separator, self.mask, self.unknown)
        return [*self.end, *(i for i in others if i is not None)]


@dataclass(frozen=True)
class Frame:
    """The special ids before a text, between the texts of a pair, and behind the last.

    Attributes:
        before, between, after: these ids.
        truncation_side: the side on which a text is cut, `"right"` or `"left"`.
    """

    before: tuple[Any, ...] = ()
    between: tuple[Any, ...] = ()
    after: tuple[Any, ...] = ()
    truncation_side: str = "right"

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def without(self, ends: Sequence[int]) -> "Frame":
        """Returns the frame of a text that goes on: what ends it is left out."""
        after = self.after
        while after and after[-1] in ends:
            after = after[:-1]
        return replace(self, after=after)

    def put(self, parts: Sequence[Sequence[Any]], limit: int | None) -> list[Any]:
        """Returns one or two texts in the frame, cut so that all of it is within `limit`.

        Of two texts the longer one is cut first, as the `tokenizers` library does.

        Raises:
            ValueError: the frame alone is longer.
        """
        if limit is not None:
            if limit < len(self):
                raise ValueError(
                    f"`max_length` must have room for the {len(self)} special tokens of "
                    f"{'a pair' if len(parts) > 1 else 'a text'}. Received: max_length={limit}"
                )
            lengths = _share(max(0, limit - len(self)), *map(len, parts))
            kept = zip(parts, lengths, strict=True)
            if self.truncation_side == "left":
                parts = [part[len(part) - length :] for part, length in kept]
            else:
                parts = [part[:length] for part, length in kept]
        first, *rest = parts
        second = [*self.between, *rest[0]] if rest else []
        return [*self.before, *first, *second, *self.after]


def _share(room: int, first: int, second: int | None = None) -> tuple[int, ...]:
    """Returns how many tokens of each text are kept."""
    if second is None:
        return (min(first, room),)
    shorter, longer = sorted((first, second))
    if shorter + longer <= room:
        return first, second
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter, longer = room // 2, room - room // 2
    return (shorter, longer) if first <= second else (longer, shorter)


def find_frames(library: Any) -> tuple[Frame, Frame]:
    """Returns what the post-processor of a tokenizer puts around one text, and around two.

    The library is asked, so that whatever it does with the file's post-processor holds.

    Raises:
        ValueError: the texts do not stand in it once each, in their order.
    """
    if library.post_processor is None:
        return Frame(), Frame()
    module = tokenizer_file.import_library()
    # Texts of one token each, with ids that no vocabulary has.
    marks = {"a": 2**31, "b": 2**31 + 1}
    empty = module.Tokenizer(module.models.WordLevel(marks, unk_token="a"))
    empty.post_processor = library.post_processor
    return _read_frame(empty, {"a": marks["a"]}), _read_frame(empty, marks)


def _read_frame(library: Any, marks: Mapping[str, int]) -> Frame:
    ids = tokenizer_file.call(library.encode, *marks).ids
    if [i for i in ids if i in marks.values()] != [*marks.values()]:
        raise ValueError(
            "The post_processor of tokenizer.json must have each text once, the first of a pair "
            f"first. Received: {len(marks)} texts as {ids[:20]}"
        )
    places = [ids.index(mark) for mark in marks.values()]
    first, last = places[0], places[-1]
    return Frame(tuple(ids[:first]), tuple(ids[first + 1 : last]), tuple(ids[last + 1 :]))
