"""Small recipes that one backend trains on made-up data: what others answer raw input by them.

The files are read with Keras alone, after `import keras_attention`.
"""

import pickle
import wave

import keras
import numpy as np

import keras_attention as ka
from keras_attention.layers.outputs.labels import Answer
from tests.backend import BACKEND, BACKENDS

SAVER = "torch"

RECIPES = {
    "text_trec": "tiny",
    "tag_ner": "tiny_lstm",
    "vit_digits": "tiny",
    "audio_fsdd": "tiny",
    "series_etth1": "tiny",
    "tabular_adult": "tiny",
    "gat_cora": "tiny",
    "vqa_easy": "tiny",
    "caption_emoji": "tiny",
}


def save(folder, share):
    if BACKEND != SAVER:
        return
    from zoo import recipes
    from zoo.harness import experiment

    for name, variant in RECIPES.items():
        recipe = recipes.load(name)(variant=variant, seed=1, smoke=True)
        model = experiment.train(recipe, watch=False).recipe.model
        # As `zoo.harness.reports.save` does: what it was trained with stays here.
        ka.save_model(keras.Model(model.input, model.output), folder / f"{name}.keras")
        raw = as_files(name, recipe.data.test[0], folder)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(raw))


def as_files(name, x, folder):
    """The first raw values of a test part as a person has them: text, paths or rows."""
    if name == "vit_digits":
        return [picture(x[0][..., 0], folder / "digit.png")]
    if name == "vqa_easy":
        return {
            **{k: [v[0]] for k, v in x.items()},
            "image": [picture(x["image"][0], folder / "shape.png")],
        }
    if name == "caption_emoji":
        return [picture(image, folder / f"emoji-{i}.png") for i, image in enumerate(x["image"][:4])]
    if name == "audio_fsdd":
        with wave.open(str(folder / "digit.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((np.clip(x[0], -1, 1) * 32767).astype("<i2").tobytes())
        return [folder / "digit.wav"]
    if name == "gat_cora":
        np.savez(folder / "graph.npz", **x)
        return folder / "graph.npz"
    if name == "series_etth1":
        rows = ["date," + ",".join(f"column {i}" for i in range(x.shape[-1]))]
        rows += ["2016-07-01," + ",".join(map(str, row)) for row in x[0]]
        (folder / "series.csv").write_text("\n".join(rows))
        return folder / "series.csv"
    if isinstance(x, dict):
        return [{column: values[0] for column, values in x.items()}]
    return [x[0] if isinstance(x[0], str) else " ".join(x[0])]


def picture(pixels, path):
    from PIL import Image

    Image.fromarray(pixels).save(path)
    return path


def read(folders):
    folder = folders[BACKENDS.index(SAVER)]
    answers = {}
    for name in RECIPES:
        model = keras.saving.load_model(folder / f"{name}.keras")
        raw = pickle.loads((folder / f"{name}.pickle").read_bytes())
        if name == "caption_emoji":
            answers[name] = ka.generate(model, raw, max_new_tokens=6)
            continue
        answers[name] = [plain(answer) for answer in ka.predict(model, raw)]
    return answers


def plain(answer):
    """Names and numbers of an answer."""
    if isinstance(answer, Answer):
        return [answer.label, answer.probability]
    if isinstance(answer, dict):
        return {name: np.asarray(value).tolist() for name, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [plain(part) for part in answer]
    return answer
