"""Files that must be refused, each made of a good one by one change."""

import io
import itertools
import json
import struct
import zipfile

import h5py
import keras
import numpy as np

import keras_attention as ka

FILES = {}


def hostile(match, *, built=False):
    """Registers a function `(members, path)` that writes a hostile file.

    Args:
        match: its refusal.
        built: whether that comes from building, which each backend does in its own way.
    """

    def register(function):
        FILES[function.__name__] = (function, match, built)
        return function

    return register


def model():
    features = keras.Input((4, 6), name="features")
    x = ka.layers.TransformerBlock(2, 8, name="block")(features)
    x = keras.layers.Dense(3, activation="relu", name="dense")(x)
    model = keras.Model(features, x * 2.0)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def members(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(members, path, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def with_config(members, path, change):
    """Writes the file with its configuration changed in place."""
    config = json.loads(members["config.json"])
    change(config)
    write({**members, "config.json": json.dumps(config).encode()}, path)


def layers(config):
    return {layer["name"]: layer for layer in config["config"]["layers"]}


def with_layer(members, path, **changes):
    """Writes the file with another class or configuration of its layer `dense`."""
    with_config(members, path, lambda config: layers(config)["dense"].update(changes))


EVIL = {
    "module": "tests.saving.test_hostile", "class_name": "Evil", "registered_name": "stranger>Evil",
    "config": {},
}  # fmt: skip


def call_of(name, number=0):
    """The call of a layer on what another returned."""
    tensor = {"shape": [None, 4, 6], "dtype": "float32", "keras_history": [name, number, 0]}
    return {"args": [{"class_name": "__keras_tensor__", "config": tensor}], "kwargs": {}}


def dense(name, calls=()):
    config = {"name": name, "units": 6, "use_bias": False}
    kind = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    return {**kind, "config": config, "name": name, "inbound_nodes": list(calls)}


def source(name):
    kind = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None}
    config = {"batch_shape": [None, 4, 6], "dtype": "float32", "name": name}
    return {**kind, "config": config, "name": name, "inbound_nodes": []}


def functional(name, layers, inputs, outputs):
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    kind = {"module": "keras.src.models.functional", "class_name": "Functional"}
    return {**kind, "config": config, "registered_name": "Functional", "name": name}


def with_more_layers(members, path, more):
    with_config(members, path, lambda config: config["config"]["layers"].extend(more))


def with_setting(members, path, **changes):
    with_config(members, path, lambda config: layers(config)["dense"]["config"].update(changes))


def with_weights(members, path, change):
    """Writes the file with its HDF5 changed by `change(file)`."""
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    write({**members, "model.weights.h5": content.getvalue()}, path)


def replaced(file, **settings):
    """Puts another dataset in the place of the dense layer's kernel."""
    group = file["layers/dense/vars"]
    value = group["0"][()]
    del group["0"]
    group.create_dataset("0", **({"data": value} | settings))


# The archive.


@hostile("member '../evil.py'")
def path_upwards(members, path):
    write({**members, "../evil.py": b"1"}, path)


@hostile("member 'assets/../../evil.py'")
def path_upwards_in_assets(members, path):
    write({**members, "assets/../../evil.py": b"1"}, path)


@hostile("member '/tmp/evil'")
def absolute_path(members, path):
    write({**members, "/tmp/evil": b"1"}, path)


@hostile("member 'assets.C:")
def path_of_windows(members, path):
    write({**members, "assets/C:\\evil": b"1"}, path)


@hostile("member 'evil.py'")
def extra_member(members, path):
    write({**members, "evil.py": b"1"}, path)


@hostile("which cannot be a file beside the others")
def asset_in_an_asset(members, path):
    write({**members, "assets/words": b"1", "assets/words/more.txt": b"1"}, path)


@hostile("which cannot be a file beside the others")
def asset_of_a_long_name(members, path):
    write({**members, f"assets/{'x' * 300}": b"1"}, path)


@hostile("no layer that reads it")
def asset_of_nobody(members, path):
    write({**members, "assets/layers/dense/vocabulary.txt": b"1"}, path)


@hostile("member 'CONFIG.JSON'")
def member_in_capitals(members, path):
    write({**members, "CONFIG.JSON": members["config.json"]}, path)


@hostile("twice")
def member_twice(members, path):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in [*members.items(), ("config.json", b"{}")]:
            file.writestr(name, content)


@hostile("is a link")
def link_in_archive(members, path):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == "model.weights.h5":
                info.external_attr, content = 0o120777 << 16, b"/etc/passwd"
            file.writestr(info, content)


@hostile("expands to")
def bomb_of_weights(members, path):
    write({**members, "model.weights.h5": bytes(2**27)}, path, zipfile.ZIP_DEFLATED)


@hostile("expands to")
def bomb_of_config(members, path):
    write({**members, "config.json": b" " * 2**23}, path, zipfile.ZIP_DEFLATED)


@hostile("compressed by method")
def bomb_by_another_method(members, path):
    write({**members, "config.json": b" " * 2**25}, path, zipfile.ZIP_LZMA)


@hostile("encrypted")
def encrypted(members, path):
    write(members, path)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    content[start + 8] |= 1
    path.write_bytes(content)


@hostile("shares its bytes")
def overlapping_members(members, path):
    write({**members, "training.json": members["config.json"]}, path)
    content = bytearray(path.read_bytes())
    entries = {}
    start = content.index(b"PK\x01\x02")
    while content[start : start + 4] == b"PK\x01\x02":
        sizes = struct.unpack("<HHH", content[start + 28 : start + 34])
        name = content[start + 46 : start + 46 + sizes[0]].decode()
        entries[name] = start
        start += 46 + sum(sizes)
    one, other = entries["config.json"], entries["training.json"]
    content[other + 42 : other + 46] = content[one + 42 : one + 46]
    path.write_bytes(content)


@hostile("shares its bytes|does not begin")
def something_before(members, path):
    write(members, path)
    path.write_bytes(b"PK\x03\x04" + bytes(1000) + path.read_bytes())


@hostile("added to its end")
def comment(members, path):
    write(members, path)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"#!/bin/sh"


@hostile("2,004 members")
def many_members(members, path):
    write({**members, **{f"assets/{i}": b"" for i in range(2000)}}, path)


@hostile("70,004 members")
def more_members_than_the_small_format_has(members, path):
    write({**members, **{f"assets/{i}": b"" for i in range(70_000)}}, path)


@hostile("asset_bytes")
def huge_asset(members, path):
    write({**members, "assets/x/vocabulary.txt": bytes(65 * 2**20)}, path)


@hostile("lacks model.weights.h5")
def weights_missing(members, path):
    write({name: members[name] for name in members if name != "model.weights.h5"}, path)


@hostile("NumPy's format")
def weights_of_numpy(members, path):
    changed = dict(members)
    changed["model.weights.npz"] = changed.pop("model.weights.h5")
    write(changed, path)


# The configuration.


@hostile("not JSON")
def config_of_pickle(members, path):
    write({**members, "config.json": b"\x80\x04cos\nsystem\n"}, path)


@hostile("not that of a model")
def config_of_a_list(members, path):
    write({**members, "config.json": b"[1, 2]"}, path)


@hostile("has NaN")
def config_with_nan(members, path):
    with_setting(members, path, units=float("nan"))


@hostile("has Infinity|has -Infinity")
def config_with_infinity(members, path):
    with_setting(members, path, units=float("inf"))


@hostile("the number 1e999")
def config_with_overflow(members, path):
    config = members["config.json"].replace(b'"units": 3', b'"units": 1e999')
    write({**members, "config.json": config}, path)


@hostile("a key twice")
def config_with_twin_keys(members, path):
    config = members["config.json"].replace(b'"units": 3', b'"units": 3, "units": 4')
    write({**members, "config.json": config}, path)


@hostile("number of 400 bits")
def config_with_a_huge_number(members, path):
    with_setting(members, path, units=2**399)


@hostile("depth|too deeply")
def config_too_deep(members, path):
    deep = b'{"a": ' * 500 + b"1" + b"}" * 500
    write({**members, "config.json": members["config.json"][:-1] + b', "x": ' + deep + b"}"}, path)


@hostile("too deeply")
def config_deeper_than_the_stack(members, path):
    write({**members, "config.json": b"[" * 200_000}, path)


@hostile("number of its objects")
def config_of_many_objects(members, path):
    def change(config):
        config["more"] = [{"class_name": "__ellipsis__", "config": {}}] * 50_001

    with_config(members, path, change)


@hostile("Python lambda")
def lambda_layer(members, path):
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}
    with_layer(members, path, class_name="Lambda", config={"name": "dense", "function": code})


@hostile(r"keras\.layers\.Lambda")
def lambda_layer_by_name(members, path):
    function = {"class_name": "function", "module": "builtins", "config": "relu"}
    with_layer(members, path, class_name="Lambda", config={"name": "dense", "function": function})


@hostile(r"keras\.layers\.TFSMLayer")
def saved_model_layer(members, path):
    with_layer(members, path, class_name="TFSMLayer", config={"filepath": "/tmp/x"})


@hostile("TorchModuleWrapper")
def torch_module(members, path):
    with_layer(members, path, class_name="TorchModuleWrapper", config={"module": "gANj"})


@hostile("TextVectorization")
def text_vectorization(members, path):
    config = {"name": "dense", "vocabulary": "/etc/passwd"}
    with_layer(members, path, class_name="TextVectorization", config=config)


@hostile("reads the file '/etc/passwd'")
def vocabulary_of_a_file(members, path):
    config = {"name": "dense", "vocabulary": "/etc/passwd"}
    with_layer(members, path, class_name="StringLookup", config=config)


@hostile(r"subprocess\.Popen")
def class_of_another_module(members, path):
    with_layer(members, path, module="subprocess", class_name="Popen", config={"args": "id"})


@hostile(r"keras\.utils\.get_file")
def function_as_a_class(members, path):
    with_layer(members, path, module="keras.utils", class_name="get_file", config={"origin": "x"})


@hostile("load_model")
def function_that_loads(members, path):
    function = {"module": "keras.saving", "class_name": "function", "config": "load_model"}
    with_setting(members, path, activation=function | {"registered_name": "load_model"})


@hostile("'eval'")
def builtin_function(members, path):
    function = {"module": "builtins", "class_name": "function", "config": "eval"}
    with_setting(members, path, activation=function | {"registered_name": "eval"})


@hostile(r"keras_hub\.models")
def class_of_keras_hub(members, path):
    with_layer(members, path, module="keras_hub.models", class_name="Backbone", config={})


@hostile("registered as 'stranger>Evil'")
def registered_class(members, path):
    with_layer(members, path, registered_name="stranger>Evil")


@hostile("registered as 'keras_attention>TransformerBlock'|calls 'keras_attention")
def ours_under_another_name(members, path):
    with_layer(members, path, registered_name="keras_attention>TransformerBlock")


@hostile("name of a registered object")
def registered_function_by_string(members, path):
    with_setting(members, path, activation="stranger>evil")


@hostile("name of a registered object")
def our_class_by_string(members, path):
    with_setting(members, path, activation="keras_attention>TransformerBlock")


@hostile("not a string")
def class_name_of_a_list(members, path):
    with_layer(members, path, class_name=["Dense"])


@hostile("no model needs")
def type_specification(members, path):
    spec = {"class_name": "__typespec__", "spec_name": "x", "module": "os", "config": []}
    with_setting(members, path, activation=spec)


@hostile("not of numbers")
def array_of_objects(members, path):
    array = {"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "S1000000000"}}
    with_setting(members, path, bias_initializer=array)


@hostile("operation|WhileLoop")
def operation_that_takes_functions(members, path):
    with_layer(members, path, module="keras.src.ops.core", class_name="WhileLoop", config={})


@hostile("weights in the file, above the limit")
def layer_larger_than_its_weights(members, path):
    with_setting(members, path, units=10**10)


@hostile("beyond its file's weights", built=True)
def layer_a_little_larger_than_its_weights(members, path):
    with_setting(members, path, units=900_000)


@hostile("state for each row")
def stateful_layer(members, path):
    config = {"name": "dense", "units": 300, "stateful": True}
    with_layer(members, path, class_name="LSTM", config=config)


@hostile("input_numbers", built=True)
def huge_input(members, path):
    def change(config):
        layers(config)["features"]["config"]["batch_shape"] = [10**7, 4, 6]

    with_config(members, path, change)


@hostile("could take forever")
def pattern_that_takes_forever(members, path):
    policies = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap"}
    pattern = {"policy_map": {"(a|a?)*b": "float32"}}
    with_setting(members, path, dtype=policies | {"config": pattern, "registered_name": None})


@hostile("No model can be built", built=True)
def negative_units(members, path):
    with_setting(members, path, units=-3)


@hostile("registered as 'stranger>Evil'")
def class_under_a_key_like_those_of_a_class(members, path):
    policies = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap"}
    with_setting(members, path, dtype=policies | {"config": {"policy_map": {"module": EVIL}}})


@hostile("name of a registered object")
def name_under_a_key_like_those_of_a_class(members, path):
    with_setting(members, path, activation={"class_name": "stranger>evil"})


@hostile("called on constants alone")
def computing_with_a_constant(members, path):
    constant = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}
    tile = {"module": "keras.src.ops.numpy", "class_name": "Tile", "config": {"repeats": 10**6}}
    call = {"args": [constant], "kwargs": {}}
    with_more_layers(members, path, [{"name": "tile", "inbound_nodes": [call], **tile}])


@hostile("called on constants alone")
def call_without_arguments(members, path):
    with_more_layers(members, path, [dense("late", [{}])])


@hostile("calls of layers")
def models_in_models(members, path):
    inner = dense("model_0")
    for depth in range(1, 12):
        names = [f"call_{i}" for i in range(8)]
        layers = [source("x"), inner | {"inbound_nodes": [call_of("x")] * 8}]
        outputs = [[inner["name"], i, 0] for i in range(len(names))]
        inner = functional(f"model_{depth}", layers, [["x", 0, 0]], outputs)
    with_more_layers(members, path, [inner | {"inbound_nodes": [call_of("features")]}])


@hostile("calls of layers")
def layers_in_reverse_order(members, path):
    names = ["features", *(f"layer_{i}" for i in range(8000))]
    chain = [dense(b, [call_of(a)]) for a, b in itertools.pairwise(names)]
    with_more_layers(members, path, chain[::-1])


@hostile("longest chain has 2,00. layers")
def layers_deeper_than_the_stack(members, path):
    names = ["features", *(f"layer_{i}" for i in range(2000))]
    chain = [dense(b, [call_of(a)]) for a, b in itertools.pairwise(names)]
    with_more_layers(members, path, chain)


@hostile("calls of layers")
def layers_that_are_called_again_for_each_that_is_added(members, path):
    layers = [source("x"), *(dense(f"layer_{i}") for i in range(1000))]
    config = {"name": "dense", "layers": layers}
    with_layer(members, path, module="keras", class_name="Sequential", config=config)


@hostile("waits for a result")
def layers_in_a_circle(members, path):
    with_more_layers(members, path, [dense("a", [call_of("b")]), dense("b", [call_of("a")])])


@hostile("does not say on what")
def call_before_the_first(members, path):
    with_more_layers(members, path, [dense("a", [call_of("features", -1)])])


@hostile("not listed as Keras lists them")
def two_layers_of_a_name(members, path):
    with_more_layers(members, path, [dense("dense", [call_of("features")])])


@hostile("number of its values")
def long_key_over_many_values(members, path):
    with_setting(members, path, **{"x" * 2**22: [0] * 3_000_000})


@hostile("input_numbers", built=True)
def result_larger_than_any_memory(members, path):
    names = ["features", "large", "larger"]
    repeated = [
        dense(b, [call_of(a)])
        | {"class_name": "UpSampling1D", "config": {"name": b, "size": 10**6}}
        for a, b in itertools.pairwise(names)
    ]
    with_more_layers(members, path, repeated)


@hostile(r"is not on the list.*allow=\[Mine\]")
def terminal_escapes(members, path):
    with_layer(members, path, module="\x1b[2J\x9b31m\u202e\nfake", class_name="Mine")


@hostile("Could not interpret activation.*fancy.*import it and pass `allow=", built=True)
def unknown_activation(members, path):
    with_setting(members, path, activation="fancy")


# The weights.


@hostile("NaN or an infinity in 'dense/kernel'", built=True)
def weights_too_large_for_their_type(members, path):
    with_weights(members, path, lambda file: replaced(file, data=np.full((6, 3), 1e300)))


@hostile("not an HDF5 file")
def weights_of_pickle(members, path):
    write({**members, "model.weights.h5": b"\x80\x04cos\nsystem\n"}, path)


@hostile("number of groups and arrays")
def many_groups(members, path):
    def change(file):
        for i in range(50_001):
            file["layers"].create_group(str(i))

    with_weights(members, path, change)


@hostile("has a link")
def soft_link(members, path):
    def change(file):
        file["layers/dense/vars/soft"] = h5py.SoftLink("/layers/dense/vars/0")

    with_weights(members, path, change)


@hostile("has a link")
def external_link(members, path):
    def change(file):
        file["layers/dense/vars/far"] = h5py.ExternalLink("/etc/passwd", "/")

    with_weights(members, path, change)


@hostile("under two names")
def group_in_itself(members, path):
    def change(file):
        file["layers/dense/vars/loop"] = file["layers"]

    with_weights(members, path, change)


@hostile("under two names")
def dataset_twice(members, path):
    def change(file):
        file["layers/dense/vars/2"] = file["layers/dense/vars/0"]

    with_weights(members, path, change)


@hostile("in another file")
def external_dataset(members, path):
    def change(file):
        replaced(file, data=None, shape=(6, 3), dtype="f4", external=[("/etc/passwd", 0, 72)])

    with_weights(members, path, change)


@hostile("in pieces")
def virtual_dataset(members, path):
    def change(file):
        layout = h5py.VirtualLayout(shape=(6, 3), dtype="f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(6, 3))
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_virtual_dataset("0", layout)

    with_weights(members, path, change)


@hostile("in pieces")
def compressed_dataset(members, path):
    with_weights(members, path, lambda file: replaced(file, compression="gzip"))


@hostile("in pieces")
def dataset_of_fill_values(members, path):
    def change(file):
        replaced(file, data=None, shape=(2**20, 2**20), dtype="f4", chunks=(2**10, 2**10))

    with_weights(members, path, change)


@hostile("declares")
def dataset_without_data(members, path):
    with_weights(
        members, path, lambda file: replaced(file, data=None, shape=(2**20, 2**20), dtype="f4")
    )


@hostile("not numbers")
def dataset_of_strings(members, path):
    with_weights(members, path, lambda file: replaced(file, data=np.array([b"x" * 72])))


@hostile("not numbers")
def dataset_of_references(members, path):
    def change(file):
        replaced(file, data=None, shape=(18,), dtype=h5py.ref_dtype)

    with_weights(members, path, change)


@hostile("type as an object")
def named_type(members, path):
    def change(file):
        file["layers/dense/vars/type"] = np.dtype("f4")

    with_weights(members, path, change)


@hostile("NaN or an infinity")
def weights_with_nan(members, path):
    with_weights(members, path, lambda file: replaced(file, data=np.full((6, 3), np.nan, "f4")))


@hostile("NaN or an infinity")
def weights_with_infinity(members, path):
    with_weights(members, path, lambda file: replaced(file, data=np.full((6, 3), -np.inf, "f4")))


@hostile("No model can be built", built=True)
def weights_of_another_shape(members, path):
    with_weights(members, path, lambda file: replaced(file, data=np.zeros((5, 3), "f4")))


@hostile("No model can be built", built=True)
def weights_of_a_layer_missing(members, path):
    def change(file):
        del file["layers/dense"]

    with_weights(members, path, change)
