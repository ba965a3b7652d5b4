"""A sequence on its way through a model, and what reads it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stream:
    """A sequence on its way through a model.

    Attributes:
        name: of the input it began as, or of the layer that made it.
        parts: for a sequence that others were put together to, `(stream, first position)` of each;
            the position is counted from the end if it is negative, and it is `None` where it
            depends on the lengths of those before.
        written: how many attention layers had written to it; `None` for all of them. It is the
            same stream, however many.
    """

    name: str
    parts: tuple[tuple["Stream", int | None], ...] = ()
    written: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Read:
    """An attention layer's call: `query` positions read those of `key`."""

    path: str
    query: Stream
    key: Stream


@dataclass(frozen=True)
class Readout:
    """How a vector comes out of a sequence.

    Attributes:
        stream: the sequence.
        row: its row, or `None` for the mean over rows.
        unpadded: whether only rows that are not padding are counted.
        unknown: the layer that makes the vector, if nobody knows how it does.
    """

    stream: Stream
    row: int | None = None
    unpadded: bool = False
    unknown: str = ""


@dataclass
class Streams:
    """The attention of a model in the order of its calls.

    Attributes:
        reads: what each recorded layer reads.
        inputs: the sequence that each input is at first.
        readouts: what the output is made of: one sequence, or several that were put together.
    """

    reads: list[Read] = field(default_factory=list)
    inputs: dict[str, Stream] = field(default_factory=dict)
    readouts: tuple[Readout, ...] = ()
