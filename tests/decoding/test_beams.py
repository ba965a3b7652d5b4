"""Beam search against exhaustive search, greedy search and the paper's coverage."""

import itertools

import numpy as np
import pytest

import keras_attention as ka
from keras_attention.decoding import BeamSearch, NoRepeatNGrams
from tests.backend import to_numpy
from tests.decoding.models import LONGEST, language_model, log_probabilities, translator

PROMPTS = [[1, 2, 3], [2, 0]]
SMALL, STOP, COUNT = 4, 3, 4


def all_sequences(model, prompt, source=None):
    """Every continuation that ends with STOP or is COUNT long, with its log probability."""
    complete, beginnings = {}, {(): 0.0}
    for _ in range(COUNT):
        longer = {}
        for row, value in beginnings.items():
            after = log_probabilities(model, [*prompt, *row], source)
            for token, log_probability in enumerate(after):
                target = complete if token == STOP or len(row) == COUNT - 1 else longer
                target[(*row, token)] = value + log_probability
        beginnings = longer
    return complete


@pytest.mark.parametrize("length_penalty", [0.0, 2.0])
def test_wide_beams_are_exhaustive(length_penalty):
    model = language_model(vocabulary_size=SMALL)
    search = BeamSearch(64, length_penalty=length_penalty, early_stopping="never", num_results=5)
    results = ka.generate(model, PROMPTS, max_new_tokens=COUNT, sampler=search, stop=STOP)
    for prompt, hypotheses in zip(PROMPTS, results, strict=True):
        scores = {
            row: value / len(row) ** length_penalty
            for row, value in all_sequences(model, prompt).items()
        }
        best = sorted(scores, key=scores.get, reverse=True)[:5]
        expected = [[token for token in row if token != STOP] for row in best]
        assert [hypothesis.output.tolist() for hypothesis in hypotheses] == expected
        expected = [scores[row] for row in best]
        np.testing.assert_allclose([h.score for h in hypotheses], expected, rtol=1e-4, atol=1e-5)


def test_no_result_is_made_up():
    """With two tokens, one of which ends, there are few sequences; with none left to come, none."""
    model = language_model(vocabulary_size=2)
    search = BeamSearch(8, num_results=8)
    (hypotheses,) = ka.generate(model, [[1]], max_new_tokens=3, sampler=search, stop=0)
    assert sorted(h.output.tolist() for h in hypotheses) == [[], [1], [1, 1], [1, 1, 1]]
    assert min(h.score for h in hypotheses) > -100
    nothing = (NoRepeatNGrams(1), search)
    assert ka.generate(model, [[0, 1]], max_new_tokens=3, sampler=nothing, stop=0) == [[]]


def test_one_beam_is_greedy():
    model = language_model()
    for stop in (None, 5):
        expected = ka.generate(model, PROMPTS, max_new_tokens=10, stop=stop)
        token_ids = ka.generate(model, PROMPTS, max_new_tokens=10, stop=stop, sampler=BeamSearch(1))
        assert [row.tolist() for row in token_ids] == [row.tolist() for row in expected]


@pytest.mark.parametrize("options", [{}, {"mechanism": "linear"}], ids=["dense", "linear"])
def test_a_batch_is_its_rows(options):
    """Rows end at different steps, and what ended keeps its score."""
    model = language_model(**options)
    search = BeamSearch(3, num_results=3)
    options = {"max_new_tokens": 9, "stop": [4, 7], "sampler": search}
    prompts = [[1, 2, 3], [6], [5, 9, 10, 11, 12, 1]]
    together = ka.generate(model, prompts, **options)
    for prompt, hypotheses in zip(prompts, together, strict=True):
        (alone,) = ka.generate(model, [prompt], **options)
        assert [h.output.tolist() for h in hypotheses] == [h.output.tolist() for h in alone]
        np.testing.assert_allclose([h.score for h in hypotheses], [h.score for h in alone], 1e-4)
        for hypothesis in hypotheses:
            row, total = [*prompt], 0.0
            ended = len(hypothesis.output) < 9
            best = None
            for token in hypothesis.output.tolist():
                total += log_probabilities(model, row)[token]
                row.append(token)
            ends = log_probabilities(model, row)[[4, 7]] if ended else [0.0]
            length = len(hypothesis.output) + ended
            best = [(total + end) / length for end in ends]
            assert np.isclose(hypothesis.score, best, rtol=1e-4).any()


def test_samplers_before_it():
    model = language_model()
    sampler = (NoRepeatNGrams(2), BeamSearch(3))
    for row in ka.generate(model, PROMPTS, max_new_tokens=12, sampler=sampler):
        pairs = list(itertools.pairwise(row.tolist()))
        assert len(pairs) == len(set(pairs))


def test_coverage():
    """Equation 14 of Wu et al., 2016, from the captured weights of the results."""
    model = translator()
    source = np.array([[5, 1, 7, 2], [9, 3, 0, 0]], "int32")
    prompt = {"source_ids": source, "target_ids": [[1], [1]]}
    beta, results = 0.7, {}
    for penalty in (0.0, beta):
        search = BeamSearch(4, coverage_penalty=penalty, num_results=4, early_stopping="never")
        results[penalty] = ka.generate(model, prompt, max_new_tokens=5, sampler=search)
    for row, hypotheses in enumerate(results[beta]):
        valid = source[row][source[row] > 0].tolist()
        for hypothesis in hypotheses:
            ids, total = [1, *hypothesis.output.tolist()], 0.0
            for i in range(1, len(ids)):
                total += log_probabilities(model, ids[:i], valid)[ids[i]]
            with ka.capture() as maps:  # of one length, so that operations are compiled once
                model([np.array([valid]), np.array([ids + [1] * (LONGEST - len(ids))])])
            # Each new token was chosen by what was read before it.
            weights = to_numpy(maps["decoder_1/cross_attention"])[0].mean(axis=0)[: len(ids) - 1]
            covered = np.minimum(weights.sum(axis=0), 1.0)
            expected = total / (len(ids) - 1) + beta * np.log(covered).sum()
            np.testing.assert_allclose(hypothesis.score, expected, rtol=1e-4)
    assert [h.score for h in results[beta][0]] != [h.score for h in results[0.0][0]]
