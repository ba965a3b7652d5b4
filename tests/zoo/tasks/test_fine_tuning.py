"""Recipes that start from a published encoder, here a tiny random one."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

import keras_attention as ka
import zoo
from keras_attention.saving.files import sha256
from tests.backend import to_numpy
from zoo.harness import experiment, reports
from zoo.recipes import load
from zoo.tasks.fine_tuning import make_init, make_optimizer

pytestmark = pytest.mark.runs_on("torch")

BERT = Path(__file__).parents[1] / "pretrained" / "checkpoints" / "bert"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The tiny BERT with word pieces of letters, as a repository has them."""
    folder = shutil.copytree(BERT, tmp_path_factory.mktemp("hub") / "tiny-bert")
    library = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer()
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=SPECIAL)
    library.train_from_iterator(["who is it that wrote a very long book"] * 3, trainer)
    library.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    library.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "[PAD]", "mask_token": "[MASK]", "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "lora"), [("text_trec", None), ("text_trec", 2), ("tag_ner", None), ("tag_pos", None)]
)
def test_smoke(name, lora, checkpoint, tmp_path):
    make = load(name)
    recipe = make(variant="tiny", smoke=True, init=make_init(make, checkpoint, lora=lora))
    assert recipe.variant == ("from tiny-bert" if lora is None else "from tiny-bert, LoRA 2")
    metrics = reports.save(experiment.train(recipe, watch=False), tmp_path)
    digest = sha256(Path(checkpoint, "model.safetensors"))
    assert metrics["init"] == {"source": checkpoint, "sha256": digest, "lora": lora}
    assert np.isfinite(metrics["test"][recipe.score])
    model = ka.load_model(tmp_path / "model.keras")
    assert model.count_params() == recipe.model.count_params()


def test_others_start_from_scratch(checkpoint):
    with pytest.raises(ValueError, match=r"zoo\.recipes\.iris starts from scratch"):
        make_init(load("iris"), checkpoint, lora=None)


def test_lower_blocks_have_lower_rates():
    """Adam's first step is as long as the rate, whatever the gradient."""
    encoder = zoo.encoder(vocabulary_size=9, **zoo.models.encoder.VARIANTS["tiny"])
    outputs = keras.layers.Dense(2, name="logits")(encoder.output[:, 0])
    model = keras.Model(encoder.input, outputs)
    optimizer = make_optimizer(model, 10, peak=1e-3, decay=0.5)
    optimizer.build(model.trainable_variables)
    before = [to_numpy(variable) for variable in model.trainable_variables]
    gradients = [keras.ops.ones(variable.shape) for variable in model.trainable_variables]
    for _ in range(2):  # the rate rises from 0
        optimizer.apply(gradients, model.trainable_variables)
    steps = {
        variable.path: np.abs(to_numpy(variable) - old).mean()
        for variable, old in zip(model.trainable_variables, before, strict=True)
        if variable.path.endswith("bias")  # which does not decay
    }
    head = steps["logits/bias"]
    assert head > 0
    for path, step in steps.items():
        share = {"block_1": 0.5, "block_0": 0.25}.get(path.partition("/")[0], 1)
        np.testing.assert_allclose(step, head * share, rtol=1e-3, err_msg=path)
