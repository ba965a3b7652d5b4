"""A server in a thread, as strangers meet it, and tiny models of every kind."""

import base64
import contextlib
import http.client
import io
import json
import threading
import time

import keras
import numpy as np

import keras_attention as ka
from tests.decoding.models import image_captioner
from tests.text_models import table_model
from zoo.models.audio_transformer import VARIANTS as AUDIO
from zoo.models.audio_transformer import audio_transformer
from zoo.models.ft_transformer import VARIANTS as TABLE
from zoo.models.ft_transformer import ft_transformer
from zoo.models.gat import VARIANTS as GAT
from zoo.models.gat import gat
from zoo.models.gpt import VARIANTS as GPT
from zoo.models.gpt import gpt
from zoo.models.patch_tst import VARIANTS as SERIES
from zoo.models.patch_tst import patch_tst
from zoo.models.text_classifier import VARIANTS as TEXT
from zoo.models.text_classifier import text_classifier
from zoo.models.transformer_tagger import VARIANTS as TAGGER
from zoo.models.transformer_tagger import transformer_tagger
from zoo.models.vit import VARIANTS as VIT
from zoo.models.vit import vit
from zoo.models.vqa import VARIANTS as VQA
from zoo.models.vqa import vqa
from zoo.serve.server import address, listen, make_server

SENTENCES = ["who bit the dog", "the dog bit ada", "ada lives in london"]


def classifier():
    tokenizer = ka.layers.Tokenizer.train(SENTENCES * 2, model="word", min_frequency=1)
    keras.utils.set_random_seed(0)
    return text_classifier(
        **TEXT["tiny"], tokenizer=tokenizer, num_classes=3, class_names=("bad", "fair", "good")
    )


def tagger():
    words = [sentence.split() for sentence in SENTENCES]
    tokenizer = ka.layers.Tokenizer.train(words, model="word", words=True, min_frequency=1)
    names = ["O", "B-PER", "I-PER"]
    model = transformer_tagger(
        **TAGGER["tiny"], tokenizer=tokenizer, num_classes=3, class_names=names, entities=True
    )
    head = next(each for each in reversed(model.layers) if isinstance(each, keras.layers.Dense))
    bias = np.array([-1.0, 2.0, 0.0])  # so that it finds some
    head.set_weights([head.get_weights()[0], bias])
    return model


def span():
    return table_model(ka.layers.AnswerSpan(5, no_answer=True), 2)[0]


def images():
    names = ("no", "yes")
    return vit(**VIT["tiny"], image_size=8, channels=1, class_names=names, num_classes=2)


def recordings():
    return audio_transformer(**AUDIO["tiny"])


def tables():
    categories = {"job": ["cook", "smith"]}
    return ft_transformer(**TABLE["tiny"], numbers=("age",), categories=categories, num_classes=2)


def graphs():
    return gat(**GAT["tiny"], num_features=2, num_classes=2)


def series():
    return patch_tst(**SERIES["tiny"], look_back=32, horizon=4, names=("load",))


def questions():
    tokenizer = ka.layers.Tokenizer.train(["what color", "what shape"], model="word")
    names = ("red", "square")
    return vqa(**VQA["tiny"], image_size=8, tokenizer=tokenizer, num_classes=2, class_names=names)


def writer():
    tokenizer = ka.layers.Tokenizer.train(SENTENCES, model="word", min_frequency=1)
    keras.utils.set_random_seed(0)
    return gpt(**GPT["tiny"], tokenizer=tokenizer)


captioner = image_captioner


def png(seed=0, size=(8, 8), mode="L"):
    """The bytes of an image of noise."""
    from PIL import Image

    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "PNG")
    return file.getvalue()


def wav(samples=1600, rate=16_000, seed=0):
    """The bytes of a recording of noise."""
    import soundfile

    file = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, samples)
    soundfile.write(file, noise, rate, format="WAV")
    return file.getvalue()


def encode(content):
    return base64.b64encode(content).decode("ascii")


class Client:
    """What a stranger can send to a server."""

    def __init__(self, url):
        self.url = url
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)

    def send(self, method, path, body=b"", **headers):
        """Returns the status, the headers and the content of the response."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.headers.get_content_type() == "application/json":
            content = json.loads(content)
        return response.status, response.headers, content

    def post(self, path, content, **headers):
        """Returns the status and the content of the response to JSON, or to bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", **headers}
        status, _, content = self.send("POST", path, body, **headers)
        return status, content

    def ask(self, *inputs, path="/predict", **options):
        """Returns the answers to inputs."""
        status, content = self.post(path, {"inputs": list(inputs), **options})
        assert status == 200, content
        return content["answers"]


@contextlib.contextmanager
def serving(model, **settings):
    """A client of a server of the model, which ends with the block."""
    listener = listen("127.0.0.1", 0)
    server = make_server(model, **settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Client(address(listener))
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
        assert not thread.is_alive()
