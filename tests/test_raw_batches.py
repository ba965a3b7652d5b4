"""Raw values in batches: plain `fit`, `evaluate` and `predict` on what a person has."""

import keras
import numpy as np
import pytest

import keras_attention as ka

TEXTS = ["red", "a green pear", "red red red red red", "a", "green", "a red a green a red"]
Y = np.array([0, 1, 0, 1, 1, 0], "int32")


def classifier():
    keras.utils.set_random_seed(0)
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(tokenizer.vocabulary_size, 4, mask_zero=True)(tokenizer(ids))
    x = ka.layers.PositionalEncoding("learned", max_length=6)(x)
    model = keras.Model(
        ids, ka.layers.Labels(2)(keras.layers.Dense(2)(ka.layers.AttentionPooling()(x)))
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_fit_evaluate_and_predict_take_raw_values():
    model = classifier()
    history = model.fit(ka.RawBatches(model, TEXTS, Y, batch_size=2), epochs=2, verbose=0).history
    assert len(history["loss"]) == 2
    loss = model.evaluate(ka.RawBatches(model, TEXTS, Y, batch_size=4, shuffle=False), verbose=0)
    whole = model.evaluate(ka.encode(model, TEXTS), Y, verbose=0)
    assert loss == pytest.approx(whole, abs=1e-5)
    outputs = model.predict(ka.RawBatches(model, TEXTS, batch_size=4), verbose=0)
    np.testing.assert_allclose(
        outputs, model.predict(ka.encode(model, TEXTS), verbose=0), atol=1e-5
    )


@pytest.mark.runs_on("torch")
@pytest.mark.parametrize("shuffle", [False, True])
def test_each_row_comes_once_with_what_belongs_to_it(shuffle):
    model = classifier()
    batches = ka.RawBatches(
        model, np.array(TEXTS), Y, np.arange(6.0), batch_size=2, shuffle=shuffle, multiple=2
    )
    assert batches.num_batches == 3
    batches.on_epoch_begin()
    tokenizer = model.get_layer("tokenizer")
    seen, widths = [], []
    for index in range(3):
        ids, y, weights = batches[index]
        widths.append(ids.shape[1])
        for text, label, weight in zip(tokenizer.decode(ids), y, weights, strict=True):
            assert (text, label) == (TEXTS[int(weight)], Y[int(weight)])
            seen.append(int(weight))
    assert sorted(seen) == list(range(6))
    assert max(widths) <= 6, "a learned table of the longest row is enough"
    assert sorted(widths) == ([2, 4, 6] if shuffle else [4, 6, 6])


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_length_that_the_first_two_batches_share_is_not_taken_for_fixed(shuffle):
    # Keras on TensorFlow does, and then fails at the first batch of another length.
    texts = ["red"] * 4 + ["red " * 6, "red " * 5] * 2
    model = classifier()
    for order in (texts, texts[::-1]):
        for seed in range(8):
            keras.utils.set_random_seed(seed)
            batches = ka.RawBatches(
                model, order, Y[[0] * 8], batch_size=2, shuffle=shuffle, multiple=2
            )
            batches.on_epoch_begin()
            widths = [batches[index][0].shape[1] for index in range(batches.num_batches)]
            assert widths[0] != widths[1] or len(set(widths)) == 1
        model.fit(batches, verbose=0)


@pytest.mark.runs_on("torch")
def test_outputs_by_token_are_cut_with_their_batch():
    tokenizer = ka.layers.Tokenizer.train([["a", "b"]], model="word", words=True, min_frequency=1)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(4, 4, mask_zero=True)(tokenizer(ids))
    model = keras.Model(ids, keras.layers.Dense(2)(x))
    y = np.array([[1, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    batches = ka.RawBatches(model, [["a"], ["a", "b"] * 2 + ["b"]], y, batch_size=1, multiple=2)
    assert {x.shape[1]: labels.tolist() for x, labels in (batches[0], batches[1])} == {
        2: [[1, 0]],
        5: [[1, 2, 3, 4, 5]],
    }


@pytest.mark.runs_on("torch")
def test_what_is_written_is_cut_with_its_own_text():
    """Not with that of a question, whose length is another one."""
    tokenizer = ka.layers.Tokenizer.train(
        ["a b c d e f"], model="word", min_frequency=1, start_end=True, name="target_tokenizer"
    )
    question = keras.Input((None,), dtype="int32", name="question_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    table = ka.layers.TokenEmbedding(tokenizer.vocabulary_size, 4)
    asked, written = table(tokenizer.copy(name="reader")(question)), table(tokenizer(target))
    x = ka.layers.TransformerDecoderBlock(2, 8)(written, asked)
    model = keras.Model([question, target], keras.layers.Dense(9)(x))
    texts = ["a b", "c d e f", "a"]
    ids = tokenizer.encode(texts)  # (3, 6)
    y = np.pad(ids[:, 1:], ((0, 0), (0, 1)))
    raw = {"question_ids": ["a b c d e f a b", "a", "b"], "target_ids": texts}
    batches = ka.RawBatches(model, raw, y, batch_size=1, multiple=2, shuffle=False)
    for row, (asked, written) in enumerate([(10, 4), (4, 6), (4, 4)]):
        x, labels = batches[row]
        assert (x["question_ids"].shape[1], x["target_ids"].shape[1]) == (asked, written)
        assert labels.tolist() == [y[row, :written].tolist()]


@pytest.mark.runs_on("torch")
def test_rows_are_padded_as_the_tokenizer_pads():
    trained = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1)
    tokenizer = ka.layers.Tokenizer.from_json(trained._json)  # in which id 0 means a token
    inputs = keras.Input((None,), dtype="int32", name="token_ids")
    model = keras.Model(inputs, ka.layers.TokenEmbedding(9, 4)(tokenizer(inputs)))
    batches = ka.RawBatches(model, TEXTS, batch_size=1, multiple=4)
    (ids,) = batches[1]
    assert ids.tolist() == [[*tokenizer.encode([TEXTS[1]])[0], -1]]
    assert batches[2][0].shape == (1, 6), "no longer than the longest row"


@pytest.mark.runs_on("torch")
def test_what_does_not_fit_is_named():
    model = classifier()
    with pytest.raises(ValueError, match=r"as many rows\. Received: raw 6, y 5"):
        ka.RawBatches(model, TEXTS, Y[:5])
    with pytest.raises(TypeError, match=r"`raw` must be a list of raw values\. Received: the text"):
        ka.RawBatches(model, "one text", Y[:1])
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        ka.RawBatches(model, TEXTS, Y, batch_size=0)


@pytest.mark.runs_on("torch")
def test_images_are_encoded_when_their_batch_is(tmp_path):
    image = keras.Input((4, 4, 3), name="image")
    model = keras.Model(image, ka.layers.ImageConverter(4, 4)(image))
    path = tmp_path / "later.png"
    batches = ka.RawBatches(model, [path, path])
    keras.utils.save_img(path, np.full((4, 4, 3), 7, np.uint8), scale=False)
    (pixels,) = batches[0]
    assert (pixels.dtype, pixels.shape) == (np.uint8, (2, 4, 4, 3))
    assert (pixels == 7).all()
