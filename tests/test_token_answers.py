"""Answers about texts: words, entities and spans where they stand, of long texts too."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import texts, windows
from tests import text_models
from tests.text_models import VOCABULARY, table_model

pytestmark = pytest.mark.runs_on("torch")

NAMES = ["O", "B-a", "I-a", "B-b", "I-b"]
TEXTS = [
    "Ada Lovelace  lived in London-York, new\n Adas?",
    "who",
    "",
    "Lovelaces in New York. 'ada'",
]


def entity_model(**settings):
    return table_model(ka.layers.EntityLabels(5, NAMES), 5, **settings)


def test_words_and_entities_stand_in_the_text():
    model, table = entity_model()
    answers = ka.predict(model, TEXTS)
    assert answers[2] == []
    assert answers[2].entities == ()
    found = 0
    for text, answer in zip(TEXTS, answers, strict=True):
        encoding = text_models.library().encode(text, add_special_tokens=False)
        first = [encoding.word_to_tokens(i)[0] for i in sorted({*encoding.word_ids})]
        spans = [encoding.word_to_chars(i) for i in sorted({*encoding.word_ids})]
        assert [word for word, _ in answer] == [text[a:b] for a, b in spans]
        if not text:
            continue
        logits = table[np.array(encoding.ids)[first]]
        tags = ka.layers.EntityLabels(5, NAMES).tags(logits[None])[0]
        assert [word_answer.label for _, word_answer in answer] == [NAMES[tag] for tag in tags]
        for entity in answer.entities:
            assert entity.text == text[entity.start : entity.end]
            within = [i for i, (a, b) in enumerate(spans) if entity.start <= a < entity.end]
            assert NAMES[tags[within[0]]] == f"B-{entity.label}"
            assert {NAMES[tags[i]] for i in within[1:]} <= {f"I-{entity.label}"}
            mean = np.mean([answer[i][1].probability for i in within])
            assert entity.probability == pytest.approx(mean)
            found += len(within)
        assert sum(tags > 0) == sum(
            a <= start < b
            for start, _ in spans
            for a, b in [(entity.start, entity.end) for entity in answer.entities]
        )
    assert found > 6
    one = ka.predict(model, TEXTS[0])
    assert (one, one.entities) == (answers[0], answers[0].entities)
    # Of ids nothing is known but the tokens.
    by_token = ka.predict(model, ka.encode(model, TEXTS))
    assert len(by_token[1]) == ka.encode(model, TEXTS).shape[1]


def test_words_that_were_given():
    model, _ = entity_model(words="pieces")
    words = ["Ada", "Lovelaces", "", "in"]
    answer, cut = ka.predict(model, [words, "Ada  Lovelaces in"])
    assert [word for word, _ in answer] == ["Ada", "Lovelaces", "in"]
    assert [word for word, _ in cut] == ["Ada", "Lovelaces", "in"]
    assert [a.label for _, a in answer] == [a.label for _, a in cut]
    for entity in answer.entities:
        assert entity.text == " ".join(words)[entity.start : entity.end]
    assert [e.text for e in cut.entities] == [
        "Ada  Lovelaces in"[e.start : e.end] for e in cut.entities
    ]
    assert len(cut.entities) == len(answer.entities) > 0


def test_taggers_of_whole_words_find_entities_too():
    tokenizer = ka.layers.Tokenizer.train([["a", "b"]], model="word", words=True, min_frequency=1)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    table = np.eye(tokenizer.vocabulary_size, 3)
    names = ["O", "I-x", "B-x"]
    embedding = keras.layers.Embedding(*table.shape, mask_zero=True)
    last = ka.layers.EntityLabels(3, names)
    model = keras.Model(ids, last(embedding(tokenizer(ids))))
    table = np.zeros_like(table)
    a, b = (tokenizer.vocabulary.index(x) for x in "ab")
    table[a, 2], table[b, 1], table[1, 0] = 3, 3, 3
    embedding.set_weights([table])
    (answer,) = ka.predict(model, [" a  b, a"])
    assert [word for word, _ in answer] == ["a", "b", ",", "a"]
    assert [(e.text, e.start, e.end) for e in answer.entities] == [("a  b", 1, 5), ("a", 7, 8)]


@pytest.mark.parametrize("max_length", [8, 11, 24])
@pytest.mark.parametrize("overlap", [1, 3, 128])
def test_long_texts_are_read_in_windows(max_length, overlap):
    """A token's outputs depend on it alone, so windows give what the whole text gives."""
    rng = np.random.default_rng(0)
    words = ["Ada", "lovelaces", "adas", "x9", "in", "London,", "who?"]
    long = [" ".join(rng.choice(words, size)) for size in (1, 4, 9, 60)] + [""]
    last = ka.layers.AnswerSpan(4, no_answer=True, overlap=overlap)
    whole, _ = table_model(last, 2)
    short, _ = table_model(last, 2, max_length=max_length)
    pairs = [("who", text) for text in long]
    assert_same(ka.predict(short, pairs, batch_size=4), ka.predict(whole, pairs))
    tagger, _ = entity_model()
    short, _ = entity_model(max_length=max_length)
    short.layers[-1].overlap = overlap
    expected, answers = ka.predict(tagger, long), ka.predict(short, long)
    for answer, expected_answer in zip(answers, expected, strict=True):
        assert [w for w, _ in answer] == [w for w, _ in expected_answer]
        assert_same(answer.entities, expected_answer.entities)


def assert_same(answers, expected):
    assert len(answers) == len(expected)
    for one, other in zip(answers, expected, strict=True):
        assert (one.text, one.start, one.end) == (other.text, other.start, other.end)
        assert one.probability == pytest.approx(other.probability, rel=1e-5)


def test_a_token_of_two_windows_is_taken_from_its_middle():
    vocabulary = text_models.tokenizer(max_length=8)
    text = " ".join("abcdefghijkl")
    parts = windows.split(text, vocabulary, 4)
    assert [part.row for part in parts] == ["a b c d e f g h i j k l"[i:] for i in (0, 6, 12)]
    numbered = [np.full((8, 1), i) for i, _ in enumerate(parts)]
    numbered[0][0] = 7
    joined, outputs = windows.join(parts, numbered)
    assert [word.text for word in joined.words] == list("abcdefghijkl")
    assert [int(x) for (x,) in outputs] == [1, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert len(joined.pieces) == len(outputs)


@pytest.mark.parametrize("text", ["x" * 60, "\u200b" * 50, "a " * 3 + "\u200b" * 50, "界" * 40])
def test_windows_end(text):
    vocabulary = text_models.tokenizer(max_length=6)
    parts = windows.split(text, vocabulary, 2)
    assert len(parts) < 40
    joined, _ = windows.join(parts, [np.zeros((6, 2))] * len(parts))
    assert joined.words == texts.read(text, text_models.tokenizer()).words or "x" in text


def test_parts_of_speech_by_words():
    model, table = table_model(ka.layers.Labels(2, ["NOUN", "VERB"]), 2, words="pieces")
    (answer,) = ka.predict(model, ["Adas lived"])
    expected = [table[VOCABULARY.index(token)].argmax() for token in ("ada", "lived")]
    assert [(word, a.label) for word, a in answer] == [
        (word, ("NOUN", "VERB")[i]) for word, i in zip(("Adas", "lived"), expected, strict=True)
    ]
    of_tokens, _ = table_model(ka.layers.Labels(2, ["NOUN", "VERB"]), 2)
    assert len(ka.predict(of_tokens, ["Adas lived"])[0]) == 5  # with no word of words


def test_filling_and_what_is_wrong():
    size = len(VOCABULARY)
    model, table = table_model(ka.layers.MaskedTokens(size), size)
    filled = ka.predict(model, ["Ada [MASK] in London"] * 3, batch_size=2)
    best = VOCABULARY[table[4].argmax()]
    assert [str(each) for each in filled] == [f"Ada {best} in London"] * 3
    with pytest.raises(ValueError, match=r"written \[MASK\] .* Received: 'Ada', where"):
        ka.predict(model, ["Ada"])
    ids = ka.encode(model, ["Ada [MASK]"])
    assert ka.predict(model, ids)[0].shape == (*ids.shape[1:], size)
    assert ka.predict(model, []) == []


class Frame:
    """A table as far as a frame of pandas is one."""

    def __init__(self, **columns):
        self.columns, self._columns = list(columns), columns

    def itertuples(self, index, name):
        assert not index
        assert name is None
        return zip(*self._columns.values(), strict=True)

    def __getitem__(self, name):
        return np.array(self._columns[name], object)

    def __iter__(self):
        return iter(self.columns)


def test_pairs_of_columns():
    model, _ = table_model(ka.layers.AnswerSpan(), 2)
    pairs = [("who wrote", "ada in london"), ("who", "new york")]
    expected = ka.predict(model, pairs)
    questions, texts_ = zip(*pairs, strict=True)
    frame = Frame(question=questions, text=texts_)
    assert ka.predict(model, frame) == expected
    np.testing.assert_array_equal(ka.encode(model, frame), ka.encode(model, pairs))
    (batch,) = ka.RawBatches(model, frame, multiple=1)[0]
    np.testing.assert_array_equal(batch, ka.encode(model, pairs))
    np.testing.assert_array_equal(
        ka.encode(model, Frame(text=texts_)), ka.encode(model, list(texts_))
    )
    with pytest.raises(ValueError, match=r"two for pairs of them\. Received: columns a, b, c"):
        ka.encode(model, Frame(a="x", b="x", c="x"))
    with pytest.raises(ValueError, match="finds answers in pairs of texts"):
        ka.predict(model, ["who"])
    with pytest.raises(TypeError, match=r"A text must be a string\. Received: 5 in row 1"):
        ka.predict(model, [pairs[0], ("who", 5)])


def test_it_works_on_a_loaded_file(tmp_path):
    for last, size in (
        (ka.layers.AnswerSpan(5, no_answer=True), 2),
        (ka.layers.EntityLabels(5, NAMES, scheme="IOB1"), 5),
        (ka.layers.MaskedTokens(len(VOCABULARY)), len(VOCABULARY)),
    ):
        model, _ = table_model(last, size)
        ka.save_model(model, tmp_path / "model.keras")
        loaded = ka.load_model(tmp_path / "model.keras")
        raw = [("who", "ada")] if size == 2 else ["ada [MASK] in London"]
        assert ka.predict(loaded, raw) == ka.predict(model, raw)


def test_answers_are_explained():
    """What a span's first token owes to each token, by leaving each out."""
    model, table = table_model(ka.layers.AnswerSpan(), 2)
    ids = ka.encode(model, [("who", "ada in")])
    logits = table[ids[0]]
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    explanation = ka.explain.leave_one_out(model, ids, position=3, target=0)
    without = logits.copy()
    without[3] = table[0]
    lost = shares[3, 0] - (np.exp(without) / np.exp(without).sum(axis=0))[3, 0]
    assert explanation.scores[0, 3] == pytest.approx(lost, abs=1e-5)
