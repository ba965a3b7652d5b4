"""Answers about texts against the pipelines of transformers, by the same logits."""

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

import keras_attention as ka
from keras_attention import texts
from tests import text_models

pytestmark = pytest.mark.runs_on("torch")

TEXTS = ["Ada Lovelace  lived in London-York, new\n Adas?", "who wrote 'ada' [SEP] in 1843.", "x"]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def make(cls, **settings):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(text_models.VOCABULARY),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=1.0,
        **settings,
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=text_models.library(),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        split_special_tokens=cls is BertForTokenClassification,
    )
    return cls(config).eval(), fast


def compute_logits(model, vocabulary, strings):
    """Logits `(T, C)` of each text."""
    with torch.no_grad():
        rows = [torch.tensor(vocabulary.encode([string]), dtype=torch.long) for string in strings]
        return [model(row).logits[0].numpy() for row in rows]


def test_entities():
    model, fast = make(BertForTokenClassification, id2label=dict(enumerate(NAMES)))
    pipe = pipeline("ner", model=model, tokenizer=fast, aggregation_strategy="first")
    vocabulary = text_models.tokenizer()
    layer = ka.layers.EntityLabels(5, NAMES, scheme="IOB1")
    about = [texts.read(string, vocabulary) for string in TEXTS]
    answers = layer.decode_texts(compute_logits(model, vocabulary, TEXTS), about)
    found = 0
    for string, answer in zip(TEXTS, answers, strict=True):
        expected = pipe(string)
        assert [(e.label, e.start, e.end) for e in answer.entities] == [
            (e["entity_group"], e["start"], e["end"]) for e in expected
        ]
        np.testing.assert_allclose(
            [e.probability for e in answer.entities], [e["score"] for e in expected], atol=1e-6
        )
        assert [e.text for e in answer.entities] == [
            string[e["start"] : e["end"]] for e in expected
        ]
        found += len(expected)
    assert found > 5


def test_fills():
    model, fast = make(BertForMaskedLM)
    pipe = pipeline("fill-mask", model=model, tokenizer=fast)
    vocabulary = text_models.tokenizer(mask_in_texts=True)
    strings = ["Ada [MASK] in London.", "[MASK] wrote [MASK]?"]
    layer = ka.layers.MaskedTokens(len(text_models.VOCABULARY))
    about = [texts.read(string, vocabulary) for string in strings]
    answers = layer.decode_texts(compute_logits(model, vocabulary, strings), about)
    one, two = (pipe(string) for string in strings)
    for answer, expected in zip([*answers[0].masks, *answers[1].masks], [one, *two], strict=True):
        by_token = {
            text_models.VOCABULARY[e["token"]]: pytest.approx(e["score"], abs=1e-6)
            for e in expected
        }
        assert dict(answer.ranking) == by_token
