"""DeBERTa against Hugging Face's: a layer of the same weights, and files as they were published."""

import json

import numpy as np
import pytest
import tokenizers
import torch
from keras import ops
from safetensors.numpy import load_file, save_file
from transformers import DebertaV2Config
from transformers.models.deberta_v2.modeling_deberta_v2 import (
    DebertaV2Layer,
    build_relative_position,
)

import keras_attention as ka
import zoo.pretrained
from tests.references.compare import assert_same, assign, gradients, normal, randomize, to_numpy
from tests.zoo.pretrained.cases import CASES
from tests.zoo.pretrained.make_checkpoints import compute, make_reference

D, N = 16, 2
SMALL = {"position_buckets": 4, "max_relative_positions": 9}
# By the arguments of the config: those of v3, one term alone, no buckets, projections of their own.
SETTINGS = [
    {"pos_att_type": ["p2c", "c2p"], "share_att_key": True, **SMALL},
    {"pos_att_type": ["c2p"], "share_att_key": True, **SMALL},
    {"pos_att_type": ["c2p", "p2c"], "max_relative_positions": 5},
]
PUBLISHED = {**SETTINGS[0], "position_buckets": 256, "max_relative_positions": 512}


def pair(settings, seed=0):
    """Hugging Face's layer, and our block with its weights."""
    config = DebertaV2Config(
        hidden_size=D,
        num_attention_heads=N,
        intermediate_size=24,
        relative_attention=True,
        **settings,
    )
    reference = randomize(DebertaV2Layer(config), seed=seed)
    block = ka.layers.DisentangledBlock(
        N,
        24,
        num_buckets=settings.get("position_buckets"),
        max_distance=settings["max_relative_positions"],
        terms=settings["pos_att_type"],
        share_projections=settings.get("share_att_key", False),
    )
    block.build((None, None, D), (block.attention.num_rows, D))
    theirs = reference.attention.self
    linears = {
        "query": theirs.query_proj,
        "key": theirs.key_proj,
        "value": theirs.value_proj,
        "output": reference.attention.output.dense,
    }
    if not block.attention.share_projections:
        linears |= {"relative_key": theirs.pos_key_proj, "relative_query": theirs.pos_query_proj}
    for name, linear in linears.items():
        weights = {f"{name}_kernel": linear.weight.T, f"{name}_bias": linear.bias}
        assign(block.attention, weights)
    for name, linear in (("input", reference.intermediate), ("output", reference.output)):
        dense = linear.dense
        weights = {f"{name}_kernel": dense.weight.T, f"{name}_bias": dense.bias}
        assign(block.feed_forward, weights)
    for norm, theirs in (
        (block.attention_norm, reference.attention.output.LayerNorm),
        (block.feed_forward_norm, reference.output.LayerNorm),
    ):
        assign(norm, {"gamma": theirs.weight, "beta": theirs.bias})
    return block, reference, normal(block.attention.num_rows, D, seed=1)


def masks(length):
    """Rows of a batch, whole, padded right and padded left, and their outer products."""
    steps = np.arange(length)
    mask = np.stack([steps < length, steps < max(1, length - 3), steps >= length - 4])
    return mask, torch.from_numpy(mask[:, None, :, None] & mask[:, None, None, :])


def run_theirs(reference, x, relative, outer, output_attentions=True):
    settings = reference.attention.self
    distances = build_relative_position(
        x, x, settings.position_buckets, settings.max_relative_positions
    )
    return reference(
        x,
        outer,
        relative_pos=distances,
        rel_embeddings=relative,
        output_attentions=output_attentions,
    )


@pytest.mark.parametrize("length", [12, 1])
@pytest.mark.parametrize("settings", SETTINGS)
def test_layer(settings, length):
    block, reference, relative = pair(settings)
    mask, outer = masks(length)
    x = normal(3, length, D, seed=2)
    inputs = [torch.from_numpy(array).requires_grad_() for array in (x, relative)]
    expected, weights = run_theirs(reference, *inputs, outer)
    with ka.capture() as maps:
        output = block(x, relative, query_mask=ops.convert_to_tensor(mask))
    assert_same(to_numpy(output)[mask], to_numpy(expected)[mask])
    (ours,) = maps.values()
    assert_same(to_numpy(ours).swapaxes(1, 2)[mask], to_numpy(weights).swapaxes(1, 2)[mask])

    cotangent = normal(3, length, D, seed=3) * mask[..., None]
    (expected * torch.from_numpy(cotangent)).sum().backward()
    theirs = reference.attention.self
    variables = [block.attention.query_kernel, block.attention.key_kernel]

    def call(x, relative):
        return block(x, relative, query_mask=ops.convert_to_tensor(mask))

    got = gradients(call, [x, relative], cotangent, variables)
    wanted = [theirs.query_proj.weight.grad.T, theirs.key_proj.weight.grad.T]
    assert_same(got[0] * mask[..., None], to_numpy(inputs[0].grad) * mask[..., None])
    for gradient, expected in zip(got[1:], [inputs[1].grad, *wanted], strict=True):
        assert_same(gradient, expected)


@pytest.mark.parametrize("length", [140, 600])
def test_buckets_and_lengths_of_published_models(length):
    block, reference, relative = pair(PUBLISHED)
    mask, outer = masks(length)
    x = normal(3, length, D, seed=4)
    with torch.no_grad():
        expected, _ = run_theirs(reference, torch.from_numpy(x), torch.from_numpy(relative), outer)
    output = block(x, relative, query_mask=ops.convert_to_tensor(mask))
    assert_same(to_numpy(output)[mask], to_numpy(expected)[mask])


TINY = CASES["deberta"]


def as_published(folder, reference):
    """Saves a model as its authors did: without what transformers knew later, and with more."""
    reference.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["architectures"], config["legacy"]
    path.write_text(json.dumps(config))
    tensors = load_file(folder / "model.safetensors")
    tensors["mask_predictions.dense.weight"] = np.zeros((24, 24), "float32")
    tensors["deberta.embeddings.position_embeddings.weight"] = np.zeros((16, 24), "float32")
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("published", [True, False])
def test_the_words_that_the_published_head_fills_in(published, tmp_path):
    reference = make_reference(TINY, "fill", legacy=False)
    if published:
        as_published(tmp_path, reference)
        with pytest.raises(ValueError, match="Pass `task=`"):
            zoo.pretrained.load(tmp_path)
    else:
        reference.save_pretrained(tmp_path)
    model = zoo.pretrained.load(tmp_path, task="fill")
    ids, mask, outputs, _ = compute(reference, TINY, left=True)
    assert_same(to_numpy(model(ids))[mask], to_numpy(outputs.logits)[mask])
    zoo.pretrained.save(model, tmp_path / "saved", like=tmp_path)
    saved, theirs = (load_file(f / "model.safetensors") for f in (tmp_path / "saved", tmp_path))
    for name, array in saved.items():
        np.testing.assert_array_equal(array, theirs[name])
    left = {name.partition(".")[0] for name in set(theirs) - set(saved)}
    assert left <= {"mask_predictions", "deberta"}


def save_tokenizer(folder):
    """Writes a tokenizer that puts its special tokens around a text, or around two."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=40, special_tokens=special, unk_token="[UNK]"
    )
    tokenizer.train_from_iterator(["who bit the dog", "a dog bit the cat", "the mat"] * 3, trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name.strip('[]').lower()}_token": name for name in special}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return tokenizer


@pytest.mark.parametrize("settings", [{"num_labels": 1}, {"pooler_hidden_act": "tanh"}])
def test_scores_of_pairs(settings, tmp_path):
    """As cross-encoders have them: one number, or one for each label."""
    reference = make_reference(TINY, "classes", **settings)
    reference.save_pretrained(tmp_path)
    tokenizer = save_tokenizer(tmp_path)
    model = zoo.pretrained.load(tmp_path)
    pairs = [("who bit the dog", "the cat"), ("the mat", "a dog bit who")]
    for pair, scores in zip(pairs, to_numpy(model(ka.encode(model, pairs))), strict=True):
        ids = torch.tensor([tokenizer.encode(*pair).ids])
        expected = reference(ids, attention_mask=torch.ones_like(ids)).logits
        assert_same(scores, to_numpy(expected)[0])


def test_version_1_is_refused(tmp_path):
    config = {"model_type": "deberta", "architectures": ["DebertaModel"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="type 'deberta' are not known"):
        zoo.pretrained.load(tmp_path)
