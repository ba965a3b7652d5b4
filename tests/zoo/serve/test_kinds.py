"""Each kind of model is asked over HTTP and answers what `ka.predict` and `ka.generate` give."""

import dataclasses
import io
import re

import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.serve import serving as models
from tests.zoo.serve.serving import encode, png, serving, wav
from zoo.writing import choose_length

pytestmark = pytest.mark.runs_on("torch")


def assert_close(answer, expected):
    """Asserts that JSON is what a tuple, a list or numbers became."""
    if isinstance(expected, dict):
        assert set(answer) == set(expected)
        for name in expected:
            assert_close(answer[name], expected[name])
    elif isinstance(expected, (list, tuple)):
        assert len(answer) == len(expected)
        for one, other in zip(answer, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, float):
        assert answer == pytest.approx(expected, abs=1e-5)
    else:
        assert answer == expected


def as_dict(answer):
    """An `Answer` and the like, as the documentation says that JSON has it."""
    return {f.name: getattr(answer, f.name) for f in dataclasses.fields(answer)}


def test_texts():
    model = models.classifier()
    texts = ["who bit the dog", "", "Zürich 🙂"]
    with serving(model, name="mine", card="# A card") as client:
        answers = client.ask(*texts)
        for answer, expected in zip(answers, ka.predict(model, texts), strict=True):
            assert_close(answer, as_dict(expected))
        status, _, about = client.send("GET", "/model")
        assert status == 200
        assert about["classes"] == ["bad", "fair", "good"]
        assert (about["name"], about["card"]) == ("mine", "# A card")
        assert about["reads"] == {"token_ids": "texts"}
        assert client.send("GET", "/health")[2] == {"status": "ok", "waiting": 0}
        status, content = client.post("/explain", {"input": texts[0], "form": "weights"})
        assert status == 200
        maps = ka.explain.attention_maps(model, texts[:1])
        assert set(content["weights"]) == set(maps)
        for path, weights in maps.items():
            np.testing.assert_allclose(content["weights"][path], weights[0], atol=1e-5)
        status, page = client.post("/explain", {"input": texts[0]})
        assert status == 200
        assert page.decode() == str(ka.explain.page(model, texts[:1], why=False))


def test_entities():
    model = models.tagger()
    text = "ada bit the dog"
    expected = ka.predict(model, text)
    assert expected.entities
    words = [{"word": word, **as_dict(answer)} for word, answer in expected]
    entities = [as_dict(entity) for entity in expected.entities]
    with serving(model) as client:
        for given in (text, text.split()):
            (answer,) = client.ask(given)
            assert_close(answer, {"words": words, "entities": entities})


def test_pairs():
    model = models.span()
    pairs = [("who lived", "ada lived in london"), ("who wrote", "ada wrote")]
    with serving(model) as client:
        answers = client.ask(*map(list, pairs))
        for answer, expected in zip(answers, ka.predict(model, pairs), strict=True):
            assert_close(answer, as_dict(expected))
        assert client.send("GET", "/model")[2]["pairs"]


def test_images(tmp_path):
    model = models.images()
    files = [png(0), png(1, (20, 10), "RGB")]
    for number, content in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(content)
    expected = ka.predict(model, [tmp_path / "0.png", tmp_path / "1.png"])
    with serving(model) as client:
        one, other = encode(files[0]), f"data:image/png;base64,{encode(files[1])}"
        for answer, right in zip(client.ask(one, other), expected, strict=True):
            assert_close(answer, as_dict(right))
        status, page = client.post("/explain", {"input": one})
        assert status == 200
        assert b"data:image/png;base64," in page


def test_recordings(tmp_path):
    model = models.recordings()
    files = [wav(1600), wav(1200, 8000, seed=1)]
    for number, content in enumerate(files):
        (tmp_path / f"{number}.wav").write_bytes(content)
    expected = ka.predict(model, [tmp_path / "0.wav", tmp_path / "1.wav"])
    with serving(model) as client:
        for answer, right in zip(client.ask(*map(encode, files)), expected, strict=True):
            assert_close(answer, as_dict(right))


def test_tables():
    model = models.tables()
    rows = [{"age": 39, "job": "cook"}, {"age": None, "job": "?"}, {"age": "41.5", "job": "smith"}]
    with serving(model) as client:
        for answer, right in zip(client.ask(*rows), ka.predict(model, rows), strict=True):
            assert_close(answer, as_dict(right))
        about = client.send("GET", "/model")[2]
        assert about["columns"] == {"age": None, "job": ["cook", "smith"]}


def test_graphs_and_several_inputs():
    model = models.graphs()
    graph = {"features": [[0.5, 1.0], [2.0, 0.0], [1.0, 1.0]], "edges": [[0, 1], [2, 1]]}
    expected = ka.predict(model, {name: np.array([value]) for name, value in graph.items()})
    with serving(model) as client:
        (answer,) = client.ask(graph)
        assert_close(answer, [as_dict(node) for node in expected[0]])
        status, content = client.post("/predict", {"inputs": [{**graph, "edges": [[0, 3]]}]})
        assert status == 400
        assert "the 3 nodes" in content["error"]["message"]
        for position in ({}, {"position": 1}):
            status, page = client.post("/explain", {"input": graph, **position})
            assert status == 200
            assert b"<img alt=" in page
        assert client.post("/explain", {"input": graph, "position": 3})[0] == 400


def test_series():
    model = models.series()
    rows = np.random.default_rng(0).normal(size=(32, 1)).round(3)
    with serving(model) as client:
        (answer,) = client.ask(rows.tolist())
        expected = ka.predict(model, rows[None].astype("float32"))[0]
        assert_close(answer, {name: values.tolist() for name, values in expected.items()})


def test_questions_about_images(tmp_path):
    model = models.questions()
    (tmp_path / "x.png").write_bytes(png(0, mode="RGB"))
    expected = ka.predict(model, {"image": tmp_path / "x.png", "question_ids": "what color"})
    row = {"image": encode(png(0, mode="RGB")), "question_ids": "what color"}
    with serving(model) as client:
        (answer,) = client.ask(row)
        assert_close(answer, as_dict(expected))
        status, page = client.post("/explain", {"input": row})
        assert status == 200
        assert b"data:image/png;base64," in page


def test_writing():
    model = models.writer()
    prompts = ["the dog", "ada"]
    with serving(model) as client:
        written = client.ask(*prompts, path="/generate", max_new_tokens=6)
        assert written == ka.generate(model, prompts, max_new_tokens=6)
        top_p = ka.decoding.TopP(0.9, temperature=0.8)
        drawn = client.ask(
            "the dog",
            path="/generate",
            max_new_tokens=6,
            seed=7,
            sampler=[{"top_p": 0.9, "temperature": 0.8}],
        )
        assert drawn == ka.generate(model, ["the dog"], max_new_tokens=6, seed=7, sampler=top_p)
        found = client.ask(
            "the dog", path="/generate", max_new_tokens=3, sampler={"beams": 2, "num_results": 2}
        )
        beams = ka.decoding.BeamSearch(2, num_results=2)
        expected = ka.generate(model, ["the dog"], max_new_tokens=3, sampler=beams)
        assert_close(found[0], [as_dict(each) for each in expected[0]])
        assert client.post("/predict", {"inputs": ["the"]})[0] == 404
        status, page = client.post("/explain", {"input": "the dog", "max_new_tokens": 3})
        assert status == 200
        assert b"block_0/attention" in page
        about = client.send("GET", "/model")[2]
        assert about["writes"]
        assert about["continues"]
        long = client.ask("the dog", path="/generate")  # as much as fits
        most = choose_length(model, ["the dog"], most=64)
        assert long == ka.generate(model, ["the dog"], max_new_tokens=most)


def test_captions(tmp_path):
    model = models.captioner()
    (tmp_path / "x.png").write_bytes(png(3, (16, 16), "RGB"))
    expected = ka.generate(model, [tmp_path / "x.png"], max_new_tokens=4)
    image = encode(png(3, (16, 16), "RGB"))
    with serving(model) as client:
        assert client.ask(image, path="/generate", max_new_tokens=4) == expected
        assert client.send("GET", "/model")[2]["reads"] == {"image": "images"}
        assert client.post("/explain", {"input": image, "max_new_tokens": 4})[0] == 200


def test_no_image_names_a_file_of_the_server(tmp_path):
    """Neither a path nor an address is followed, and no message tells of the server's files."""
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    broken = encode(png()[:60])
    eps = encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    file = io.BytesIO()
    Image.new("L", (9000, 9000)).save(file, "PNG")
    with serving(models.images()) as client:
        for given in (
            str(tmp_path / "secret.png"),
            (tmp_path / "secret.png").as_uri(),
            "http://localhost/x.png",
            "data:image/png,notbase64",
            broken,
            eps,
            "",
            3,
            [[1, 2]],
        ):
            status, content = client.post("/predict", {"inputs": [given]})
            assert status == 400, given
            message = content["error"]["message"]
            assert "inputs[0]" in message
            assert not re.search("_io|Traceback|site-packages", message)
        status, content = client.post("/predict", {"inputs": [encode(file.getvalue())]})
        assert status == 413
        assert "9000 x 9000" in content["error"]["message"]
