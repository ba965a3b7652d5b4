"""Reversal: sequences of letters, to be written backwards; the alignment is known."""

import string

import numpy as np

from keras_attention.ops import checks
from zoo.data import Arrays, Source, Splits, objects

SOURCE = Source(
    name="Reversal (made by the recipe)",
    url="https://arxiv.org/abs/1410.5401",
    license="none needed: made up",
    citation=(
        "A. Graves, G. Wayne and I. Danihelka, Neural Turing Machines, 2014, "
        "https://arxiv.org/abs/1410.5401, of which the task of copying is"
    ),
)


def load(
    *,
    letters: int = 26,
    lengths: tuple[int, int] = (3, 12),
    sequences: int = 6000,
    seed: int = 0,
) -> Splits:
    """Sequences `"c a b"` with their reversal `"b a c"`, of lengths drawn evenly.

    No sequence comes twice: those to test on, a sixth, and to choose by, a twelfth, were never
    seen in training.

    Args:
        letters: how many there are, of the English alphabet.
        lengths: the smallest and the largest.
        sequences: in all parts.
        seed: of lengths and letters.

    Returns:
        x `{"source_ids", "target_ids"}` and y, object arrays of texts as those of
        `zoo.data.multi30k`; y is what the target is.

    Raises:
        ValueError: there are fewer different sequences than are asked for.
    """
    checks.positive_int(letters=letters, sequences=sequences)
    shortest, longest = lengths
    possible = sum(letters**length for length in range(shortest, longest + 1))
    if not 0 < shortest <= longest or letters > 26 or sequences > possible // 2:
        raise ValueError(
            "There must be twice as many different sequences of up to 26 letters as are asked "
            f"for. Received: letters={letters}, lengths={lengths}, sequences={sequences}"
        )
    rng = np.random.default_rng(seed)
    alphabet = np.array(list(string.ascii_lowercase[:letters]))
    distinct: dict[str, None] = {}
    while len(distinct) < sequences:
        distinct[" ".join(rng.choice(alphabet, rng.integers(shortest, longest + 1)))] = None
    sources = objects(distinct)
    targets = objects(source[::-1] for source in sources)

    def part(start: int, stop: int) -> Arrays:
        target = targets[start:stop]
        return {"source_ids": sources[start:stop], "target_ids": target}, target

    validation, test = sequences // 12, sequences // 6
    train = sequences - validation - test
    return Splits(
        train=part(0, train),
        validation=part(train, train + validation),
        test=part(train + validation, sequences),
        source=SOURCE,
    )
