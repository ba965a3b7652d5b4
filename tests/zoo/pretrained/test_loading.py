"""What `load` refuses of a checkpoint, what it says, and the files that it reads all the same."""

import hashlib
import json
import re
import shutil
import struct
import time
import warnings
from pathlib import Path

import huggingface_hub.constants
import keras
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import keras_attention as ka
import zoo.pretrained
from keras_attention.saving.errors import DamagedFileError, FileError, RefusedFileError
from tests.backend import to_numpy
from tests.saving.hub_server import connect, serve

pytestmark = pytest.mark.runs_on("torch")
TINY = Path(__file__).parent / "checkpoints" / "bert"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "bit", "the", "dog", "##s"]
IDS = np.array([[2, 6, 7, 3], [2, 8, 3, 0]], "int32")
WEIGHTS = "model.safetensors"


class Folder:
    """A checkpoint that may be changed: a BERT of 24 channels, 2 layers and 90 ids."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        for name in ("config.json", WEIGHTS):
            shutil.copyfile(TINY / name, path / name)

    def configure(self, **changes):
        settings = {**json.loads((self.path / "config.json").read_text()), **changes}
        (self.path / "config.json").write_text(json.dumps(settings))
        return self

    def tensors(self):
        return load_file(self.path / WEIGHTS)

    def store(self, tensors):
        save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, self.path / WEIGHTS)
        return self

    def change(self, name, change):
        tensors = self.tensors()
        return self.store({**tensors, name: change(tensors[name])})

    def split(self, *parts, names=("model-00001-of-00002", "model-00002-of-00002")):
        """Writes shards with an index."""
        tensors = list(self.tensors().items())
        (self.path / WEIGHTS).unlink()
        index = {}
        for number, name in enumerate(names):
            part = dict(tensors[number::2])
            save_file(part, self.path / f"{Path(name).name}.safetensors")
            index |= dict.fromkeys(part, f"{name}.safetensors")
        (self.path / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": index}))
        return self

    def load(self, task="features", **arguments):
        return zoo.pretrained.load(self.path, task=task, **arguments)

    def outputs(self, **arguments):
        return to_numpy(self.load(**arguments)(IDS))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "model")


@pytest.fixture
def classifier(tmp_path):
    """A checkpoint with a head of three classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = zoo.pretrained.load(TINY, task="classes", class_names=("a", "b", "c"))
    zoo.pretrained.save(model, tmp_path / "classifier", like=TINY)
    return tmp_path / "classifier"


@pytest.fixture(scope="module")
def expected():
    return to_numpy(zoo.pretrained.load(TINY, task="features")(IDS))


# What it is


def test_a_place_without_a_checkpoint(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent.*begins with hf://"):
        zoo.pretrained.load(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"no published checkpoint: it has no config\.json"):
        zoo.pretrained.load(tmp_path)
    with pytest.raises(ValueError, match="`revision` belongs to a source that begins with hf://"):
        folder.load(revision="main")


def test_types_of_models_that_are_not_known(folder):
    with pytest.raises(ValueError, match=r"type 'mamba' are not known here.*bert.*roberta"):
        folder.configure(model_type="mamba").load()
    for other in (None, ["bert"], "\x1b[2J"):
        with pytest.raises(ValueError, match="are not known here") as error:
            folder.configure(model_type=other).load()
        assert "\x1b" not in str(error.value)


def test_code_of_a_repository_is_passed_over(folder, expected):
    (folder.path / "modeling.py").write_text("raise SystemExit('run')")
    folder.configure(auto_map={"AutoModel": "modeling.Model"}, torch_dtype="float16")
    np.testing.assert_array_equal(folder.outputs(), expected)


@pytest.mark.parametrize("content", ["", "[", "[1]", "3", '{"a": ' * 100_000, "\xff", "1" * 5000])
def test_settings_that_are_none(folder, content):
    (folder.path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json (is no|must hold)"):
        folder.load()


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
@pytest.mark.parametrize("value", [None, "24", -1, 0, 24.0, float("nan"), True, [24], 10**10])
def test_sizes_that_are_none(folder, key, value):
    with pytest.raises(ValueError, match=rf"{key!r}.*config\.json|config\.json has no {key!r}"):
        folder.configure(**{key: value}).load()


@pytest.mark.parametrize(
    "bomb",
    [
        {"hidden_size": 10**9},
        {"hidden_size": 3 * 10**8, "num_attention_heads": 10**8},
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 10**6, "hidden_size": 1, "num_attention_heads": 1},
        {"num_attention_heads": 10**9},
        {"intermediate_size": 10**9},
        {"vocab_size": 2**31 - 1},
        {"max_position_embeddings": 2**31 - 1},
        {"type_vocab_size": 2**31 - 1},
    ],
)
def test_sizes_that_the_weights_do_not_have(folder, bomb):
    folder.configure(**bomb)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"beyond its file's weights|layers, and|must be div"):
        folder.load()
    assert time.process_time() - start < 3


# Its weights


def test_tensors_that_are_missing_or_left_over(folder):
    tensors = folder.tensors()
    for i in range(2):
        del tensors[f"encoder.layer.{i}.attention.self.query.weight"]
        tensors[f"encoder.layer.{i}.adapter.weight"] = np.ones(3, "float32")
    tensors["rotary.inv_freq"] = np.ones(3, "float32")
    with pytest.raises(FileError) as error:
        folder.store(tensors).load()
    lines = str(error.value).splitlines()
    assert "- encoder.layer.{i}.attention.self.query.weight is missing (2 times)" in lines
    assert "- encoder.layer.{i}.adapter.weight is unknown (2 times)" in lines
    assert "- rotary.inv_freq is unknown" in lines
    assert len(lines) == 4


def test_fewer_and_more_layers_than_the_settings_say(folder):
    with pytest.raises(FileError, match=r"encoder\.layer\.2\.\S+ is missing"):
        folder.configure(num_hidden_layers=3).load()
    with pytest.raises(FileError, match=r"encoder\.layer\.1\.\S+ is unknown"):
        folder.configure(num_hidden_layers=1).load()


def test_messages_name_the_source_once(folder):
    folder.change("embeddings.LayerNorm.bias", lambda a: a[:3])
    with pytest.raises(FileError) as error:
        folder.load()
    assert str(error.value).startswith(f"{folder.path}: ")
    (folder.path / WEIGHTS).write_bytes(b"")
    with pytest.raises(FileError) as other:
        folder.load()
    for message in (str(error.value), str(other.value)):
        assert message.count(f"{folder.path}:") <= 1


def test_tensors_of_other_shapes(folder):
    folder.change("encoder.layer.0.intermediate.dense.weight", lambda a: a.T)
    folder.change("embeddings.position_embeddings.weight", lambda a: a[0])
    with pytest.raises(FileError) as error:
        folder.load()
    assert "intermediate.dense.weight (24, 40) would make" in str(error.value)
    assert "position_embeddings.weight (24,)" in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(folder, value):
    folder.change("embeddings.LayerNorm.bias", lambda a: a * value)
    with pytest.raises(FileError, match=r"LayerNorm\.bias is NaN or infinite.*non_finite=True"):
        folder.load()
    folder.load(limits=ka.saving.Limits(non_finite=True))


def test_integers_are_no_weights(folder):
    folder.change("embeddings.word_embeddings.weight", lambda a: a.astype("int8"))
    with pytest.raises(FileError, match=r"word_embeddings\.weight' has the type I8.*Quantized"):
        folder.load()


def test_16_bits_become_32_exactly(folder):
    changed = {}
    for number, (name, array) in enumerate(folder.tensors().items()):
        changed[name] = array.astype([np.float16, ml_dtypes.bfloat16, np.float32][number % 3])
    halves = folder.store(changed).load()
    folder.store({name: array.astype("float32") for name, array in changed.items()})
    for ours, theirs in zip(halves.weights, folder.load().weights, strict=True):
        assert ours.dtype == "float32"
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_a_policy_holds_for_the_model_alone(folder, expected):
    model = folder.load(dtype="bfloat16")
    assert {weight.dtype for weight in model.weights} == {"bfloat16"}
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(model(IDS), "float32"))
    np.testing.assert_allclose(outputs, expected, atol=0.1)
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="float33"):
        folder.load(dtype="float33")
    assert keras.config.dtype_policy().name == "float32"


def test_old_names_of_norms(folder, expected):
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in folder.tensors().items()
    }
    assert "embeddings.LayerNorm.gamma" in old
    folder.store({**old, "embeddings.position_ids": np.arange(16)})
    np.testing.assert_array_equal(folder.outputs(), expected)
    folder.store({**old, "embeddings.LayerNorm.weight": old["embeddings.LayerNorm.gamma"]})
    with pytest.raises(FileError, match=r"'embeddings\.LayerNorm\.weight' is there twice"):
        folder.load()


# Its files


def test_pickles_are_not_read(folder):
    (folder.path / WEIGHTS).rename(folder.path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"pytorch_model\.bin are pickles.*refs/pr/N"):
        folder.load()
    (folder.path / "pytorch_model.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors\.$"):
        folder.load()


def header(path, change):
    """Changes the header of a safetensors file, as text."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    changed = change(content[8 : 8 + size].decode()).encode()
    path.write_bytes(struct.pack("<Q", len(changed)) + changed + content[8 + size :])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:]),
        lambda path: header(path, lambda text: text.replace("[90,24]", "[91,24]")),
        lambda path: header(path, lambda text: text.replace("[90,24]", "[18446744073709551615,2]")),
        lambda path: header(path, lambda text: text.replace('"F32"', '"F99"', 1)),
        lambda path: header(path, lambda text: text[:-20]),
        lambda path: header(path, lambda text: "[" * 100_000),
        lambda path: header(path, lambda text: text.replace("{", '{"a":{},', 1)),
    ],
)
def test_damaged_weights(folder, damage):
    damage(folder.path / WEIGHTS)
    with pytest.raises(DamagedFileError, match=r"model\.safetensors: It is no whole"):
        folder.load()


def test_names_that_are_there_twice(folder):
    """Of which the library takes the last."""
    entry = re.compile(r'"embeddings\.LayerNorm\.bias":{.*?},')
    header(folder.path / WEIGHTS, lambda text: "{" + entry.search(text)[0] + text[1:])
    with pytest.raises(DamagedFileError, match=r"'embeddings\.LayerNorm\.bias' twice"):
        folder.load()


def test_empty_tensors_have_no_sizes(classifier):
    """Such a one may say that there are as many classes as it likes."""
    tensors = load_file(classifier / WEIGHTS)
    tensors["classifier.weight"] = np.zeros((10**12, 0), "float32")
    save_file(tensors, classifier / WEIGHTS)
    with pytest.raises(DamagedFileError, match=r"'classifier\.weight' is empty"):
        zoo.pretrained.load(classifier)


def test_shards_are_one_checkpoint(folder, expected):
    np.testing.assert_array_equal(folder.split().outputs(), expected)
    twin = folder.path / "model-00002-of-00002.safetensors"
    tensors = load_file(folder.path / "model-00001-of-00002.safetensors")
    save_file(tensors, twin)
    with pytest.raises(FileError, match="is there twice"):
        folder.load()
    twin.unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model-00002-of-00002\.safetensors"):
        folder.load()


@pytest.mark.parametrize("name", ["../model", "/tmp/model", "a/b", "..", "model\n", "a\\b"])
def test_shards_are_files_of_the_folder(folder, name):
    folder.split(names=("model-00001-of-00002", "model-00002-of-00002"))
    index = folder.path / f"{WEIGHTS}.index.json"
    by_tensor = json.loads(index.read_text())["weight_map"]
    other = dict.fromkeys(by_tensor, f"{name}.safetensors")
    index.write_text(json.dumps({"weight_map": other}))
    with pytest.raises(RefusedFileError, match="which is no file of its folder"):
        folder.load()


@pytest.mark.parametrize("content", ["[]", '{"weight_map": 3}', "{", "3"])
def test_an_index_that_is_none(folder, content):
    folder.split()
    (folder.path / f"{WEIGHTS}.index.json").write_text(content)
    with pytest.raises(DamagedFileError, match=r"index\.json (is no JSON|has no map)"):
        folder.load()


def test_a_digest_pins_the_weights(folder, expected):
    digest = hashlib.sha256((folder.path / WEIGHTS).read_bytes()).hexdigest()
    np.testing.assert_array_equal(folder.outputs(sha256=digest.upper()), expected)
    with pytest.raises(RefusedFileError, match=f"is {digest}, not 0000"):
        folder.load(sha256="0" * 64)


def test_weights_that_are_too_large(folder):
    with pytest.raises(RefusedFileError, match=r"expanded_bytes=\.\.\."):
        folder.load(limits=ka.saving.Limits(expanded_bytes=1000))
    with pytest.raises(RefusedFileError, match=r"config_bytes=\.\.\."):
        folder.load(limits=ka.saving.Limits(config_bytes=100))


# Its tokenizer


@pytest.fixture
def spoken(folder):
    """A checkpoint with a vocabulary alone, as old repositories have it."""
    (folder.path / "vocab.txt").write_text("\n".join(WORDS))
    return folder


def test_a_vocabulary_is_enough(spoken):
    model = spoken.load()
    ids = ka.encode(model, ["Who bit the dogs?", "[SEP]"])
    np.testing.assert_array_equal(ids[0], [2, 5, 6, 7, 8, 9, 1, 3])
    assert ids.shape == (2, 8)
    assert spoken.load(max_length=4).get_layer("tokenizer").max_length == 4
    assert spoken.load(max_length=40).get_layer("tokenizer").max_length == 16


def test_more_tokens_than_the_model_has(spoken):
    words = [*WORDS, *map(str, range(90))]
    (spoken.path / "vocab.txt").write_text("\n".join(words))
    with pytest.raises(ValueError, match=r"tokenizer has 100 tokens.*embeddings for 90"):
        spoken.load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model": {"vocab": {"[PAD]": 0, "a": 9', "is no JSON"),
        ("[1]", "must be an object with a model"),
        ('{"model": 3}', "must be an object with a model"),
        ('{"model": {}}', "has no vocabulary"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": "b"}}}', "ids are no integers"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": 4e9}}}', "ids are no integers"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": -1}}}', "ids of tokenizer.json must be"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "tokenizers library refuses it"),
    ],
)
def test_a_damaged_tokenizer(spoken, content, message):
    (spoken.path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        spoken.load()


@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json"]
)
def test_settings_of_a_tokenizer_that_are_none(spoken, name):
    (spoken.path / name).write_text("[3]")
    with pytest.raises(ValueError, match=f"{name} must be an object"):
        spoken.load()


# Its task


def test_tasks_that_a_model_does_not_have(folder, classifier):
    with pytest.raises(ValueError, match=r"`task` must be one of 'features', .*task='rhyme'"):
        folder.load(task="rhyme")
    with pytest.raises(ValueError, match=r"no head for the task 'fill': it was saved as BertModel"):
        folder.load(task="fill")
    for task in ("classes", "tags"):
        with pytest.raises(ValueError, match=f"no head for the task '{task}'.*`class_names=`"):
            folder.load(task=task)
    with pytest.raises(ValueError, match="`class_names` goes with 'classes' and 'tags'"):
        zoo.pretrained.load(classifier, task="features", class_names=("a", "b"))
    assert zoo.pretrained.load(folder.path).output.shape[-1] == 24


@pytest.mark.parametrize("architectures", [["BertForPreTraining"], [], None, "x", [3], ["\x1b[2J"]])
def test_a_checkpoint_of_a_task_that_is_none_of_ours(folder, architectures):
    with pytest.raises(ValueError, match=r"which is no task here\. Pass `task=`, one of") as error:
        folder.configure(architectures=architectures).load(task=None)
    assert "\x1b" not in str(error.value)
    folder.load(task="features")


def test_heads_of_a_fitting_size_are_loaded(classifier):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = zoo.pretrained.load(classifier)
        renamed = zoo.pretrained.load(classifier, class_names=("x", "y", "z"))
    assert list(model.layers[-1].class_names) == ["a", "b", "c"]
    assert list(renamed.layers[-1].class_names) == ["x", "y", "z"]
    np.testing.assert_array_equal(to_numpy(renamed(IDS)), to_numpy(model(IDS)))


def test_heads_of_another_size_are_new_and_said_to_be(classifier):
    with pytest.warns(UserWarning, match="no weights for logits of the task 'classes'") as caught:
        model = zoo.pretrained.load(classifier, class_names=("a", "b"))
    assert len(caught) == 1
    assert model.output.shape[-1] == 2
    assert to_numpy(model.get_layer("logits").kernel).std() > 0.01
    pooler = load_file(classifier / WEIGHTS)["bert.pooler.dense.weight"]
    np.testing.assert_array_equal(to_numpy(model.get_layer("pooler").kernel), pooler.T)


def test_a_head_is_whole_or_new(classifier):
    tensors = load_file(classifier / WEIGHTS)
    del tensors["bert.pooler.dense.weight"]
    save_file(tensors, classifier / WEIGHTS)
    with pytest.raises(FileError, match=r"bert\.pooler\.dense\.weight is missing"):
        zoo.pretrained.load(classifier)


@pytest.mark.parametrize("names", [(), "yes", ("a", "a")])
def test_names_of_classes_are_several(folder, names):
    with pytest.raises(ValueError, match="`class_names` must be several names"):
        folder.load(task="classes", class_names=names)


def test_a_head_is_dropped_only_when_asked(classifier, expected):
    assert zoo.pretrained.load(classifier).output.shape[-1] == 3
    features = zoo.pretrained.load(classifier, task="features")
    np.testing.assert_array_equal(to_numpy(features(IDS)), expected)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"a": 1}, "must be a list of modules"),
        ([3], "must be a list of modules"),
        ([{"type": "a.Transformer"}], "must be a list of modules"),
        (
            [{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "../other"}],
            "no folders of it",
        ),
        ([{"type": "Transformer", "path": ""}, {"type": "Dense", "path": "1"}], "Dense"),
    ],
)
def test_modules_of_sentences_that_are_not_known(folder, modules, message):
    (folder.path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match=message):
        folder.load(task=None)


# The Hub


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serve() as server:
        connect(server, monkeypatch, cache=tmp_path / "cache")
        yield server


def test_a_checkpoint_of_the_hub(server, spoken, expected, monkeypatch):
    spoken.split()
    files = {path.name: path.read_bytes() for path in spoken.path.iterdir()}
    others = {"modeling.py": b"raise", "pytorch_model.bin": b"no", "onnx/model.onnx": b"no"}
    first = server.commit("someone/model", {**files, **others})
    server.commit("someone/model", {**files, "config.json": b"{}"})
    url = "hf://someone/model"
    with pytest.raises(ValueError, match="are not known here"):
        zoo.pretrained.load(url)
    server.requests.clear()
    for model in (
        zoo.pretrained.load(url, revision=first, task="features"),
        zoo.pretrained.load(f"{url}@{first}", task="features"),
    ):
        np.testing.assert_array_equal(to_numpy(model(IDS)), expected)
        assert model.get_layer("tokenizer").vocabulary_size == len(WORDS)
    assert not [line for line in server.requests if line.endswith(tuple(others))]
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    zoo.pretrained.load(url, revision=first, task="features")
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        zoo.pretrained.load("hf://someone/else")


def test_a_repository_with_pickles_alone(server, folder):
    config = (folder.path / "config.json").read_bytes()
    server.commit("someone/old", {"config.json": config, "pytorch_model.bin": b"no"})
    with pytest.raises(FileNotFoundError, match=r"pickles, which run code.*refs/pr/N"):
        zoo.pretrained.load("hf://someone/old")
    with pytest.raises(FileNotFoundError, match="no model hf://someone/none"):
        zoo.pretrained.load("hf://someone/none")
