"""Texts of a GPT-2 that was loaded against `generate` of transformers, token for token.

Prompts of several lengths are in one batch. The vocabulary has no padding, and "!" is its id 0.
"""

import numpy as np
import pytest
import torch
import transformers

import keras_attention as ka
import zoo.pretrained
from keras_attention.decoding import BeamSearch, Greedy
from tests.backend import to_numpy
from tests.references.compare import normal
from tests.zoo.pretrained import texts
from tests.zoo.pretrained.make_texts import find_end, write
from tests.zoo.pretrained.texts import NEW, PROMPTS

WAYS = {
    "greedy": (Greedy(), {}),
    **{
        f"beams, {penalty}, {early}": (
            BeamSearch(4, length_penalty=penalty, early_stopping=early, num_results=2),
            {
                "num_beams": 4,
                "num_return_sequences": 2,
                "length_penalty": penalty,
                "early_stopping": early,
            },
        )
        for penalty, early in ((1.0, False), (0.0, "never"), (2.0, True))
    },
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """For each seed the weights of our model, that of transformers, and an id that ends texts."""
    pairs = []
    for seed in (1, 2, 3):
        folder = texts.make_checkpoint(tmp_path_factory.mktemp("seed") / "gpt2", seed)
        reference = transformers.GPT2LMHeadModel.from_pretrained(folder)
        pairs.append((zoo.pretrained.load(folder), reference, find_end(reference)))
    return pairs


@pytest.mark.parametrize("way", WAYS)
def test_token_for_token(pairs, way):
    """By one model, which gets the weights of each: what is compiled for it is kept."""
    sampler, options = WAYS[way]
    model = pairs[0][0]
    own = model.get_layer("tokenizer").end_ids
    before = model.get_weights()
    lengths = set()
    for ours, reference, end in pairs:
        model.set_weights(before if ours is model else ours.get_weights())
        expected, scores = write(reference, [*own, end], **options)
        prompts = [model.get_layer("tokenizer").encode([text])[0] for text in PROMPTS]
        results = ka.generate(model, prompts, sampler=sampler, max_new_tokens=NEW, stop=end)
        flat = [each for row in results for each in (row if isinstance(row, list) else [row])]
        for number, (result, row) in enumerate(zip(flat, expected, strict=True)):
            assert getattr(result, "output", result).tolist() == row
            if scores is not None:
                np.testing.assert_allclose(result.score, scores[number], rtol=1e-4)
        lengths |= {*map(len, expected)}
    model.set_weights(before)
    assert NEW in lengths, "some texts have no end"
    assert len(lengths) > 2, "others end where they are"


def test_text_in_text_out(pairs):
    model, reference, _ = pairs[0]
    tokenizer = model.get_layer("tokenizer")
    expected, _ = write(reference, [*tokenizer.end_ids])
    written = ka.generate(model, PROMPTS, max_new_tokens=NEW)
    rows = [tokenizer.encode([text])[0].tolist() for text in PROMPTS]
    library = transformers.PreTrainedTokenizerFast.from_pretrained(reference.name_or_path)
    assert rows == [library(text)["input_ids"] for text in PROMPTS]
    for prompt, row, new, text in zip(PROMPTS, rows, expected, written, strict=True):
        assert prompt + text == library.decode([*row, *new], clean_up_tokenization_spaces=False)


def test_padding_that_is_no_token(pairs):
    """Logits of rows that are padded on either side with -1, "!" among their tokens."""
    model, reference, _ = pairs[0]
    rows = [model.get_layer("tokenizer").encode([text])[0] for text in PROMPTS]
    assert model.get_layer("tokenizer").padding_id == -1
    assert any(0 in row for row in rows)
    padded = model.get_layer("tokenizer").encode(PROMPTS)
    left = np.stack([np.roll(row, (row < 0).sum()) for row in padded])
    for ids in (padded, left):
        logits = to_numpy(model(ids))
        for row, present, tokens in zip(logits, ids >= 0, rows, strict=True):
            with torch.no_grad():
                expected = reference(torch.from_numpy(tokens[None]).long()).logits[0].numpy()
            assert np.abs(row[present] - expected).max() < 2e-5


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_a_head_that_is_not_the_table(pairs, prefix, tmp_path):
    """Whatever config.json says: it is another one if the file has another one."""
    _, reference, _ = pairs[0]
    folder = texts.make_checkpoint(tmp_path / "gpt2", 1)
    tensors = texts.load_file(folder / "model.safetensors")
    table = tensors["wte.weight"]
    tensors = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    ids = np.array([[5, 0, 7]])
    for head, units in ((table, 0), (normal(*table.shape, seed=1), 1)):
        texts.save_file({**tensors, "lm_head.weight": head}, folder / "model.safetensors")
        model = zoo.pretrained.load(folder)
        assert sum("logits" in variable.path for variable in model.variables) == units
        features = reference.transformer(torch.from_numpy(ids)).last_hidden_state.detach().numpy()
        assert np.abs(to_numpy(model(ids)) - features @ head.T).max() < 2e-5
        zoo.pretrained.save(model, tmp_path / "saved", like=folder)
        theirs, info = transformers.GPT2LMHeadModel.from_pretrained(
            tmp_path / "saved", output_loading_info=True
        )
        assert not [*info["missing_keys"], *info["unexpected_keys"]]
        with torch.no_grad():
            logits = theirs(torch.from_numpy(ids)).logits.numpy()
        assert np.abs(to_numpy(model(ids)) - logits).max() < 2e-5
