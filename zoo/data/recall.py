"""Associative recall: which number belongs to the letter that is asked for."""

import string

import numpy as np

from keras_attention.ops import checks
from zoo.data import Arrays, Source, Splits, objects

KEYS = string.ascii_letters  # 52
SOURCE = Source(
    name="Associative recall (made by the recipe)",
    url="https://arxiv.org/abs/1610.06258",
    license="none needed: made up",
    citation=(
        "J. Ba, G. Hinton, V. Mnih, J. Leibo and C. Ionescu, Using Fast Weights to Attend to the "
        "Recent Past, NIPS 2016, https://arxiv.org/abs/1610.06258, section 4.1"
    ),
)


def load(
    *,
    lengths: tuple[int, ...] = (2, 4, 8, 16, 32),
    sequences: int = 60_000,
    test: int = 1000,
    seed: int = 0,
) -> Splits:
    """Pairs `"c7 a2 f9"` and a question `"a"`; the answer is 2.

    Args:
        lengths: numbers of pairs to test at. In training there are any number from 1 to the
            largest.
        sequences: to train on; a tenth as many to choose by.
        test: sequences of each length.
        seed: of all.

    Returns:
        x `{"token_ids", "question_ids"}`, object arrays of texts, and y `(B,)` int32, the digit.

    Raises:
        ValueError: there are more pairs than keys.
    """
    checks.positive_int(sequences=sequences, test=test)
    if not 0 < min(lengths) <= max(lengths) <= len(KEYS):
        raise ValueError(
            f"`lengths` must be between 1 and {len(KEYS)}, the number of keys. "
            f"Received: lengths={lengths}"
        )
    rng = np.random.default_rng(seed)
    keys = np.array(list(KEYS))

    def part(sizes: np.ndarray) -> Arrays:
        texts, questions, answers = [], [], []
        for size in sizes:
            chosen, digits = rng.permutation(keys)[:size], rng.integers(0, 10, size)
            asked = rng.integers(size)
            texts.append(" ".join(f"{k}{v}" for k, v in zip(chosen, digits, strict=True)))
            questions.append(str(chosen[asked]))
            answers.append(digits[asked])
        x = {"token_ids": objects(texts), "question_ids": objects(questions)}
        return x, np.array(answers, np.int32)

    def drawn(count: int) -> np.ndarray:
        return rng.integers(1, max(lengths) + 1, count)

    return Splits(
        train=part(drawn(sequences)),
        validation=part(drawn(max(1, sequences // 10))),
        test=part(np.repeat(lengths, test)),
        class_names=tuple(map(str, range(10))),
        source=SOURCE,
    )
