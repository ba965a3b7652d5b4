"""Generation against `generate` of transformers, token for token, on the same random weights."""

import functools

import numpy as np
import pytest
import torch

import keras_attention as ka
from keras_attention.decoding import BeamSearch, Greedy, NoRepeatNGrams, RepetitionPenalty
from tests.references import test_hugging_face_models as models
from tests.references.test_hugging_face_models import V

NEW = 14
PROMPT = np.random.default_rng(0).integers(1, V, (3, 2)).astype("int32")

# Built once: what is compiled for a model is kept with it.
gpt2_pair, llama_pair, marian_pair = map(
    functools.cache, (models.gpt2_pair, models.llama_pair, models.marian_pair)
)
WAYS = {
    "greedy": (Greedy(), {}),
    "penalty": ((RepetitionPenalty(1.7), Greedy()), {"repetition_penalty": 1.7}),
    "no repetition": ((NoRepeatNGrams(2), Greedy()), {"no_repeat_ngram_size": 2}),
    **{
        f"beams, {penalty}, {early}": (
            BeamSearch(4, length_penalty=penalty, early_stopping=early, num_results=3),
            {"num_beams": 4, "length_penalty": penalty, "early_stopping": early},
        )
        for penalty, early in ((1.0, False), (0.0, "never"), (2.0, True), (-1.0, False))
    },
    "beams, no repetition": (
        (NoRepeatNGrams(2), BeamSearch(3, num_results=3)),
        {"num_beams": 3, "no_repeat_ngram_size": 2},
    ),
}


def theirs(reference, start, **options):
    """New ids of each row, the scores of a beam search, and the id that ends a row.

    That is one which the greedy search meets, so that it does end rows.
    """
    shared = {
        "do_sample": False,
        "max_new_tokens": NEW,
        "pad_token_id": 0,
        "forced_eos_token_id": None,
        # Padding is masked wherever it stands, so ours is never written.
        "suppress_tokens": None if reference.config.model_type == "gpt2" else [0],
    }
    prompt = {k: v for k, v in options.items() if isinstance(v, torch.Tensor) or "start" in k}
    with torch.no_grad():
        endless = reference.generate(**prompt, **shared, eos_token_id=None)
        end = int(endless[0, start + 5])
        results = reference.generate(
            **options,
            **shared,
            num_return_sequences=min(options.get("num_beams", 1), 3),
            eos_token_id=end,
            return_dict_in_generate=True,
            output_scores=True,
        )
    return results.sequences.numpy(), getattr(results, "sequences_scores", None), end


def compare(ours, sequences, scores, end, start):
    """Our results, in a list of lists if they are of beams, with all of theirs."""
    flat = [h for row in ours for h in (row if isinstance(row, list) else [row])]
    assert len(flat) == len(sequences)
    assert min(len(getattr(h, "output", h)) for h in flat) < NEW, "some rows end"
    for i, (hypothesis, sequence) in enumerate(zip(flat, sequences, strict=True)):
        new = sequence[start:]
        ends = np.flatnonzero(new == end)
        expected = new[: ends[0]] if ends.size else new
        np.testing.assert_array_equal(getattr(hypothesis, "output", hypothesis), expected)
        if scores is not None:
            np.testing.assert_allclose(hypothesis.score, scores[i].item(), rtol=1e-4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pair", [gpt2_pair, llama_pair], ids=["gpt2", "llama"])
def test_language_models(pair, way):
    model, reference = pair()
    sampler, options = WAYS[way]
    ids = torch.from_numpy(PROMPT).long()
    start = PROMPT.shape[1]
    sequences, scores, end = theirs(
        reference, start, input_ids=ids, attention_mask=torch.ones_like(ids), **options
    )
    ours = ka.generate(model, PROMPT, sampler=sampler, max_new_tokens=NEW, stop=end)
    compare(ours, sequences, scores, end, start)


@pytest.mark.parametrize("way", WAYS)
def test_an_encoder_decoder(way):
    model, reference = marian_pair()
    sampler, options = WAYS[way]
    source = np.random.default_rng(3).integers(1, V, (3, 6)).astype("int32")
    source[1, 4:] = 0
    ids = torch.from_numpy(source).long()
    sequences, scores, end = theirs(
        reference,
        1,
        input_ids=ids,
        attention_mask=(ids != 0).long(),
        decoder_start_token_id=2,
        **options,
    )
    prompt = {"source_ids": source, "target_ids": [[2]] * 3}
    ours = ka.generate(model, prompt, sampler=sampler, max_new_tokens=NEW, stop=end)
    compare(ours, sequences, scores, end, 1)
