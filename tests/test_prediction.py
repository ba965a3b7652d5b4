"""From raw values to arrays and answers: who gets what."""

import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention import inference, prediction

TORCH = pytest.mark.runs_on("torch")
TEXTS = ["a red apple", "a green pear", "red red", "green"]


def classifier(names=("red", "green")):
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(tokenizer.vocabulary_size, 4, mask_zero=True)(tokenizer(ids))
    x = keras.layers.Dense(2)(ka.layers.AttentionPooling()(x))
    return keras.Model(ids, ka.layers.Labels(2, names)(x))


def tagger():
    tokenizer = ka.layers.Tokenizer.train([["a", "red"]], model="word", words=True, min_frequency=1)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(tokenizer.vocabulary_size, 4, mask_zero=True)(tokenizer(ids))
    return keras.Model(ids, ka.layers.Labels(2, ["DET", "ADJ"])(keras.layers.Dense(2)(x)))


def series():
    x = keras.Input((3, 2), name="series")
    return keras.Model(x, ka.layers.Quantities(["load", "oil"], [5, 6])(keras.layers.Dense(2)(x)))


def test_texts_become_answers():
    model = classifier()
    answers = ka.predict(model, TEXTS)
    ids = ka.encode(model, TEXTS)
    np.testing.assert_array_equal(ids, model.get_layer("tokenizer").encode(TEXTS))
    logits = model.predict(ids, verbose=0)
    assert [a.label for a in answers] == [("red", "green")[i] for i in logits.argmax(-1)]
    one = ka.predict(model, TEXTS[0])
    assert one.label == answers[0].label
    assert one.probability == pytest.approx(answers[0].probability, abs=1e-6)
    mask = prediction.padding_mask(model, ids)
    np.testing.assert_array_equal(mask, ids != 0)


def test_texts_of_like_lengths_are_computed_together(monkeypatch):
    model, shapes = classifier(), []
    compute = inference.outputs

    def watch(model, arrays, **options):
        shapes.append(arrays.shape)
        return compute(model, arrays, **options)

    monkeypatch.setattr(inference, "outputs", watch)
    texts = ["green", "a red red red apple pear", "a pear", "a green red green pear", "red a red"]
    answers = ka.predict(model, texts, batch_size=2)
    expected = keras.ops.softmax(model.predict(ka.encode(model, texts), verbose=0))
    for answer, (red, _) in zip(answers, keras.ops.convert_to_numpy(expected), strict=True):
        probability = answer.probability if answer.label == "red" else 1 - answer.probability
        assert probability == pytest.approx(float(red), abs=1e-6)
    of_three = 4 if keras.backend.backend() == "jax" else 3  # where each length is compiled
    assert shapes == [(2, 6), (2, of_three), (2, 1)]


def test_few_texts_are_of_few_sizes(monkeypatch):
    """On JAX, which compiles each size; no text gets longer than the vocabulary's layer allows."""
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1, max_length=6)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(9, 2, mask_zero=True)(tokenizer(ids))
    model, shapes, compute = (
        keras.Model(ids, ka.layers.AttentionPooling()(x)),
        [],
        inference.outputs,
    )

    def watch(model, arrays, **options):
        shapes.append(arrays.shape)
        return compute(model, arrays, **options)

    monkeypatch.setattr(inference, "outputs", watch)
    for texts in (["a red red"], ["a", "red", "a red red"], ["a red red a red"]):
        answers = ka.predict(model, texts)
        expected = model(ka.encode(model, texts))
        np.testing.assert_allclose(answers, keras.ops.convert_to_numpy(expected), atol=1e-6)
    on_jax = [(1, 4), (4, 4), (1, 6)]
    assert shapes == (on_jax if keras.backend.backend() == "jax" else [(1, 3), (3, 3), (1, 5)])


@TORCH
def test_outputs_of_tokens_keep_the_padding():
    """As they do of models that take one length alone, and of ids that are padded on the left."""
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1)
    for length in (None, 3):
        ids = keras.Input((length,), dtype="int32", name="token_ids")
        x = keras.layers.Embedding(9, 2, mask_zero=True)(tokenizer(ids))
        pooled = ka.layers.AttentionPooling()(x)
        for model in (keras.Model(ids, x), keras.Model(ids, {"x": x, "pooled": pooled})):
            outputs = ka.predict(model, TEXTS, batch_size=1)
            assert np.shape(outputs["x"] if isinstance(outputs, dict) else outputs) == (4, 3, 2)
        model, left = keras.Model(ids, pooled), np.array([[0, 0, 3], [0, 4, 0], [5, 0, 0]])
        expected = model.predict(left, verbose=0)
        np.testing.assert_allclose(ka.predict(model, left, batch_size=1), expected, atol=1e-6)


def test_two_padded_inputs_have_one_mask():
    tokenizers = {name: ka.layers.Tokenizer(name=name) for name in ("a", "b")}
    inputs = {name: keras.Input((None,), dtype="int32", name=f"{name}_ids") for name in "ab"}
    embedded = [
        keras.layers.Embedding(9, 4, mask_zero=True)(tokenizers[name](inputs[name]))
        for name in "ab"
    ]
    model = keras.Model([*inputs.values()], keras.layers.Add()(embedded))
    arrays = {"a_ids": np.array([[1, 2, 0, 0]]), "b_ids": np.array([[3, 0, 4, 0]])}
    mask = prediction.padding_mask(model, arrays)
    np.testing.assert_array_equal(mask, [[True, True, True, False]])
    with pytest.raises(ValueError, match=r"same length. Received: a_ids \(1, 4\), b_ids \(1, 3\)"):
        prediction.padding_mask(model, {**arrays, "b_ids": arrays["b_ids"][:, :3]})


def test_words_stand_beside_their_tags():
    model = tagger()
    answers = ka.predict(model, ["a red!", ["red"]])
    assert [[word for word, _ in row] for row in answers] == [["a", "red", "!"], ["red"]]
    assert {tag.label for row in answers for _, tag in row} <= {"DET", "ADJ"}


def test_several_inputs_take_a_mapping_by_name():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], keras.layers.Add()([a, b]))
    (row,) = ka.predict(model, {"a": [[1.0, 2.0]], "b": [[3.0, 4.0]]})
    np.testing.assert_allclose(row, [4, 6])
    with pytest.raises(ValueError, match="a mapping with an array for each of its inputs a, b"):
        ka.predict(model, [[1.0, 2.0]])


def about_images():
    tokenizer = ka.layers.Tokenizer.train(TEXTS, model="word", min_frequency=1)
    image = keras.Input((4, 5, 3), name="image")
    ids = keras.Input((None,), dtype="int32", name="question_ids")
    x = keras.layers.Flatten()(ka.layers.ImageConverter(4, 5)(image))
    y = keras.layers.Embedding(tokenizer.vocabulary_size, 4, mask_zero=True)(tokenizer(ids))
    x = keras.layers.Concatenate()([x, ka.layers.AttentionPooling()(y)])
    return keras.Model([image, ids], ka.layers.Labels(2)(keras.layers.Dense(2)(x)))


def test_texts_about_images(tmp_path):
    model = about_images()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    path = tmp_path / "x.png"
    keras.utils.save_img(path, pixels, scale=False)
    one = ka.predict(model, {"image": path, "question_ids": TEXTS[0]})
    expected = ka.predict(model, {"image": pixels[None], "question_ids": TEXTS[:1]})
    assert one.ranking == expected[0].ranking
    each = ka.predict(model, prediction.add_image(model, TEXTS, image=path))
    assert len(each) == len(TEXTS)
    assert each[0].probability == pytest.approx(one.probability, abs=1e-6)
    takes = "takes a mapping by the names of its inputs: images for 'image', texts for 'question_"
    for raw, received in (
        (TEXTS, "list"),
        (TEXTS[0], "a red apple"),
        ({"image": path}, "one with image"),
        ({"question_ids": TEXTS}, "one with question_ids"),
    ):
        with pytest.raises(ValueError, match=f"{takes}.*Received: .*{received}"):
            ka.predict(model, raw)
    with pytest.raises(ValueError, match="Pass the image as well"):
        prediction.add_image(model, TEXTS)
    with pytest.raises(ValueError, match=r"takes one of them alone. Received: image='x\.png'"):
        prediction.add_image(classifier(), TEXTS, image="x.png")
    assert prediction.add_image(classifier(), TEXTS) is TEXTS


def test_files_stand_for_what_they_hold(tmp_path):
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], keras.layers.Add()([a, b]))
    np.savez(tmp_path / "x.npz", a=np.ones((1, 2), "float32"), b=np.ones((1, 2), "float32"))
    np.testing.assert_allclose(ka.predict(model, tmp_path / "x.npz"), [[2, 2]])
    np.savez(tmp_path / "bad.npz", a=np.array([{}], object), b=np.ones(1))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        ka.predict(model, tmp_path / "bad.npz")
    with pytest.raises(ValueError, match=r"an \.npz or a \.csv file. Received: x\.txt"):
        ka.encode(model, Path("x.txt"))


def test_the_last_rows_of_a_table_are_a_series(tmp_path):
    model = series()
    rows = [f"2020-01-0{day},{day},{day / 2}" for day in range(1, 6)]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(["date,load,oil", *rows]))
    encoded = ka.encode(model, path)
    np.testing.assert_array_equal(encoded, [[[3, 1.5], [4, 2], [5, 2.5]]])
    (answer,) = ka.predict(model, path)
    assert list(answer) == ["load", "oil"]
    np.testing.assert_allclose(
        answer["load"], model.predict(encoded, verbose=0)[0, :, 0] + 5, atol=1e-5
    )
    path.write_text("\n".join(["date,load,oil", *rows[:2]]))
    with pytest.raises(ValueError, match=r"takes 3 rows of 2 columns of numbers. Received: 2 such"):
        ka.predict(model, path)
    path.write_text("a,b\n1")
    with pytest.raises(ValueError, match=r"Row 2 of .* has 1 fields, and the header 2"):
        ka.predict(model, path)
    path.write_text("a,b\n")
    with pytest.raises(ValueError, match="no row below its header"):
        ka.predict(model, path)


def test_without_a_decoder_it_gives_the_outputs():
    x = keras.Input((2,), name="features")
    model = keras.Model(x, keras.layers.Dense(3)(x))
    assert prediction.decoder(model) is None
    assert np.shape(ka.predict(model, np.ones((4, 2), "float32"))) == (4, 3)


def test_it_works_on_a_loaded_file(tmp_path):
    model = classifier()
    ka.save_model(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for answer, expected in zip(ka.predict(loaded, TEXTS), ka.predict(model, TEXTS), strict=True):
        assert answer.label == expected.label
        assert answer.probability == pytest.approx(expected.probability, abs=1e-6)


@TORCH
@pytest.mark.parametrize("text", ["please open report.csv", "x.npz", "/etc/passwd", ""])
def test_a_text_is_never_taken_for_a_path(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.npz", "please open report.csv"):
        (tmp_path / name).write_text("a,b\n1,2")
    model = classifier()
    one, expected = ka.predict(model, text), ka.predict(model, [text])[0]
    assert one == expected
    with pytest.raises(TypeError, match=r"`texts` must be a list of texts\. Received: the text"):
        ka.encode(model, text)
    with pytest.raises(TypeError, match="takes an array of numbers"):
        ka.predict(series(), text)


def test_an_error_or_nothing_leaves_the_model_as_it_was():
    model = classifier()
    expected = ka.predict(model, TEXTS)
    assert ka.predict(model, []) == []
    assert ka.predict(model, np.array([], object)) == []
    assert ka.predict(tagger(), []) == []
    for wrong in ([5], [None], [["a"]], 5, None):
        with pytest.raises(TypeError):
            ka.predict(model, wrong)
    assert [a.label for a in ka.predict(model, TEXTS)] == [a.label for a in expected]


@TORCH
def test_every_kind_of_batch_is_one():
    objects = np.empty(len(TEXTS), object)
    objects[:] = TEXTS
    model = classifier()
    expected = ka.predict(model, TEXTS)
    for raw in (tuple(TEXTS), np.array(TEXTS), objects, iter(TEXTS), dict.fromkeys(TEXTS).keys()):
        assert ka.predict(model, raw) == expected
    ids = ka.encode(model, TEXTS)
    rows = [[int(i) for i in row if i] for row in ids]
    ragged = np.empty(len(rows), object)
    ragged[:] = [np.array(row) for row in rows]
    for raw in (ids, ids.astype("int64"), keras.ops.convert_to_tensor(ids), rows, ragged):
        np.testing.assert_array_equal(ka.encode(model, raw), ids)
    words = [["a", "red"], ["red", "a"]]
    expected = [[word for word, _ in row] for row in ka.predict(tagger(), words)]
    assert expected == words
    for raw in (np.array(words), np.array(words, object), [np.array(row) for row in words]):
        assert [[word for word, _ in row] for row in ka.predict(tagger(), raw)] == words


@TORCH
def test_what_is_wrong_with_a_row_is_said():
    model = classifier()
    with pytest.raises(ValueError, match=r"half of one .*'\\ud800'\) at position 2 of row 1"):
        ka.predict(model, ["a", "b \ud800"])
    with pytest.raises(ValueError, match="half of one"):
        ka.predict(tagger(), [["a", "\udfff"]])
    with pytest.raises(TypeError, match=r"a list of words\. Received: 5 in row 0"):
        ka.predict(tagger(), [5])
    with pytest.raises(ValueError, match=r"from 0 to 2147483647\. Received: from 0 to 4294967301"):
        ka.encode(model, np.array([[0, 2**32 + 5]]))
    plain = keras.Model(x := keras.Input((None,), name="source"), x + 1)
    message = "one shape, for no layer pads them. Received: row 0 of length 2, row 1 of length 3"
    with pytest.raises(ValueError, match=message):
        ka.encode(plain, [[1, 2], [1, 2, 3]])
    with pytest.raises(TypeError, match="The input 'source' takes an array of numbers"):
        ka.encode(plain, ["text"])


@TORCH
def test_several_outputs_keep_their_structure():
    x = keras.Input((2,), name="x")
    model = keras.Model(x, {"double": 2 * x, "half": x / 2})
    outputs = ka.predict(model, np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(outputs["double"], np.full((3, 2), 2.0))


@TORCH
def test_a_mapping_by_inputs_reaches_a_tagger():
    model = tagger()
    (name,) = (tensor.name for tensor in model.inputs)
    answers = ka.predict(model, {name: [["a", "red"]]})
    assert len(answers) == 1


@TORCH
def test_files_are_bounded_by_their_headers(tmp_path):
    x = keras.Input((1000,), name="x")
    model = keras.Model(x, x + 1)
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x=np.zeros((20_000, 1000), "uint8"))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="would take 20,000,128 bytes in memory, above the limit"):
        ka.encode(model, path, max_bytes=10**7)
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()
    assert ka.encode(model, path).shape == (20_000, 1000)
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 1000)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content.getvalue())
    with pytest.raises(ValueError, match="would take 1,099,511,627,776,000 bytes"):
        ka.encode(model, path)
    np.savez(path, y=np.zeros(3))
    with pytest.raises(ValueError, match=r"must have the arrays x, each once\. It has 'y'"):
        ka.encode(model, path)
    for junk in (b"", b"PK\x03\x04", path.read_bytes()[:100]):
        path.write_bytes(junk)
        with pytest.raises(ValueError, match=r"cannot be read as an \.npz file"):
            ka.encode(model, path)
    table = tmp_path / "x.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="would take 64 bytes in memory, above the limit of 63"):
        ka.encode(series(), table, max_bytes=63)
    table.write_text('a,b\n"' + "x" * 140_000 + '",2\n')
    with pytest.raises(ValueError, match="cannot be read as a table: field larger than"):
        ka.encode(series(), table)
    table.write_bytes(b"a,b\n\xff,2\n")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        ka.encode(series(), table)
    table.write_text("a,a\n1,2\n")
    with pytest.raises(ValueError, match="has the column 'a' twice"):
        ka.encode(series(), table)
    with pytest.raises(FileNotFoundError, match=r"absent\.csv does not exist"):
        ka.encode(series(), tmp_path / "absent.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match="is no file"):
        ka.encode(series(), tmp_path / "pipe.csv")
