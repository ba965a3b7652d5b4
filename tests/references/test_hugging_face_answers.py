"""Answers about texts against the pipelines of transformers, by the same logits."""

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

import keras_attention as ka
import zoo.pretrained
from keras_attention import texts
from keras_attention.explain.attribution import names
from tests import text_models

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
    vocabulary = text_models.tokenizer()
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


def load(model, fast, folder):
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return zoo.pretrained.load(folder)


def test_published_taggers(tmp_path):
    model, fast = make(BertForTokenClassification, id2label=dict(enumerate(NAMES)))
    pipe = pipeline("ner", model=model, tokenizer=fast, aggregation_strategy="first")
    ours = load(model, fast, tmp_path)
    # Compounds apart, which treebanks and `Tokenizer.split` take for one word.
    strings = [string.replace("-", " ") for string in TEXTS]
    for string, answer in zip(strings, ka.predict(ours, strings), strict=True):
        assert [(e.label, e.start, e.end) for e in answer.entities] == [
            (e["entity_group"], e["start"], e["end"]) for e in pipe(string)
        ]
    model, fast = make(BertForTokenClassification, id2label={0: "NOUN", 1: "VERB"})
    (answer,) = ka.predict(load(model, fast, tmp_path / "other"), TEXTS[2:])
    assert [word for word, _ in answer] == ["x"]


def test_published_fills_and_their_explanations(tmp_path):
    model, fast = make(BertForMaskedLM)
    pipe = pipeline("fill-mask", model=model, tokenizer=fast)
    ours, string = load(model, fast, tmp_path), "Ada [MASK] in London."
    best = pipe(string)[0]
    filled = ka.predict(ours, string)
    assert filled.masks[0].label == text_models.VOCABULARY[best["token"]]
    assert filled.masks[0].probability == pytest.approx(best["score"], abs=1e-5)
    assert names.class_index(ours, "london") == text_models.VOCABULARY.index("london")


def test_published_spans(tmp_path):
    """The best of all spans of the text by the logits of transformers."""
    model, fast = make(BertForQuestionAnswering)
    pair = ("Who lived in London?", "Ada Lovelace lived in London-York, who wrote 'x'.")
    segments = {"return_tensors": "pt", "return_token_type_ids": True}
    inputs = fast(*pair, return_offsets_mapping=True, **segments)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        outputs = model(**inputs)
    of_text = [i for i, number in enumerate(inputs.sequence_ids()) if number == 1]
    kept = [0, *of_text]
    start, end = (
        dict(zip(kept, torch.softmax(logits[0, kept], 0).tolist(), strict=True))
        for logits in (outputs.start_logits, outputs.end_logits)
    )
    spans = {(i, j): start[i] * end[j] for i in of_text for j in of_text if 0 <= j - i < 30}
    first, last = max(spans, key=spans.get)
    span = ka.predict(load(model, fast, tmp_path), [pair])[0]
    assert span.probability == pytest.approx(spans[first, last], abs=1e-5)
    assert span.start <= offsets[first][0] < offsets[last][1] <= span.end
    assert span.text == pair[1][span.start : span.end]


@pytest.mark.parametrize(
    ("settings", "score"),
    [
        (dict(num_labels=1), "sigmoid"),
        (dict(num_labels=1, problem_type="regression"), "linear"),
        (
            dict(
                num_labels=1,
                sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"},
            ),
            "linear",
        ),
        (dict(num_labels=3, problem_type="multi_label_classification"), "labels"),
        (dict(num_labels=3), "label"),
    ],
)
def test_published_classes_and_scores(settings, score, tmp_path):
    model, fast = make(BertForSequenceClassification, **settings)
    ours = load(model, fast, tmp_path)
    pairs = [("who lived", "Ada in London"), ("what", "new york")]
    questions, texts_ = map(list, zip(*pairs, strict=True))
    segments = {"return_tensors": "pt", "return_token_type_ids": True}
    inputs = fast(questions, texts_, padding=True, **segments)
    with torch.no_grad():
        logits = model(**inputs).logits.double()
    answers = ka.predict(ours, pairs)
    if settings["num_labels"] == 1:
        expected = (torch.sigmoid(logits) if score == "sigmoid" else logits)[:, 0].numpy()
        np.testing.assert_allclose([a["score"] for a in answers], expected, atol=2e-5)
        scores = ka.similarity(ours, questions, texts_)
        np.testing.assert_allclose(np.diag(scores), expected, atol=2e-5)
        return
    function = torch.sigmoid if score == "labels" else lambda x: torch.softmax(x, -1)
    for answer, row in zip(answers, function(logits).numpy(), strict=True):
        by_name = {f"LABEL_{i}": pytest.approx(x, abs=2e-5) for i, x in enumerate(row)}
        assert dict(answer.ranking) == by_name
