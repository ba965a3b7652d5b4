"""Luong's attention: cases for the contract, every score and alignment."""

import pytest

import keras_attention as ka
from tests.contracts import Case

HEARS = {"dot": (), "general": ("kernel",), "concat": ("vector",)}


def case(score, alignment):
    width = 10 if score == "dot" else 6
    return Case(
        layer=ka.layers.LuongAttention,
        config={"score": score, "alignment": alignment, "window": 8, "units": 5},
        inputs={"query": ("T", 10), "value": ("S", width)},
        masks={"query_mask": "query", "value_mask": "value"},
        dropout={"dropout": 0.5},
        # S in the prediction of p_t is that of the sequence, which only its own mask tells.
        outer_mask=alignment != "local_p",
        scores=True,
        scores_sum=(0.0, 1.0) if alignment == "local_p" else (1.0, 1.0),
        hears=HEARS[score],
        stateless=score == "dot" and alignment != "local_p",
    )


CASES = [
    case("dot", "global"),
    case("general", "global"),
    case("concat", "global"),
    case("general", "local_m"),
    case("dot", "local_p"),
    case("concat", "local_p"),
]


@pytest.mark.parametrize("alignment", ["global", "local_m", "local_p"])
@pytest.mark.parametrize("score", ["dot", "general", "concat"])
def test_all_combinations_build(score, alignment):
    one = case(score, alignment)
    assert one.make()(**one.data()).shape == (3, 6, one.inputs["value"][1])
