"""Generation: samplers, beam search, and the compiled loop that they run in."""

from keras_attention.decoding.generation import Hypothesis, generate, stream
from keras_attention.decoding.samplers import (
    BeamSearch,
    Greedy,
    History,
    MinP,
    NoRepeatNGrams,
    RepetitionPenalty,
    Sampler,
    Temperature,
    TopK,
    TopP,
)

__all__ = [
    "BeamSearch",
    "Greedy",
    "History",
    "Hypothesis",
    "MinP",
    "NoRepeatNGrams",
    "RepetitionPenalty",
    "Sampler",
    "Temperature",
    "TopK",
    "TopP",
    "generate",
    "stream",
]
