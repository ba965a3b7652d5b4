"""Saving to and loading from the Hub, by huggingface_hub against a stand-in of its server."""

import shutil
import subprocess
import sys
from importlib.util import find_spec

import huggingface_hub.constants
import huggingface_hub.errors
import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.saving import digests, hub
from keras_attention.saving.errors import RefusedFileError
from keras_attention.saving.limits import Limits
from tests.saving.hub_server import connect, serve

pytestmark = pytest.mark.runs_on("torch")
URL = "hf://someone/model"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serve() as server:
        connect(server, monkeypatch, cache=tmp_path / "cache")
        yield server


@pytest.fixture
def model():
    x = keras.Input((4, 6))
    y = ka.layers.TransformerBlock(num_heads=2, intermediate_dim=8)(x)
    return keras.Model(x, keras.layers.Dense(3)(y))


@pytest.fixture
def folder(model, tmp_path):
    """A model in Keras's layout, with a card and with what does not belong to it."""
    folder = tmp_path / "folder"
    keras.saving.save_model(model, folder, zipped=False)
    (folder / "training.json").write_text("{}")
    (folder / "assets" / "layer").mkdir(parents=True)
    (folder / "assets" / "layer" / "words.txt").write_text("a b")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    (folder / "secret.py").write_text("print('mine')")
    return folder


def output(model):
    x = np.linspace(-1, 1, 48, dtype="float32").reshape(2, 4, 6)
    return keras.ops.convert_to_numpy(model(x))


LAYOUT = {
    "config.json",
    "metadata.json",
    "model.weights.h5",
    "training.json",
    "assets/layer/words.txt",
}


def test_a_model_goes_up_in_one_commit_and_comes_back(server, folder, model):
    oid = hub.upload(folder, URL, message="First")
    (_, first), (last, files) = server.commits["someone/model"]
    assert last == oid
    assert set(files) - set(first) == LAYOUT | {"README.md"}  # not secret.py
    assert files["model.weights.h5"] == (folder / "model.weights.h5").read_bytes()

    local = hub.download(URL)
    assert digests.digest(local) == digests.digest(folder)
    np.testing.assert_allclose(output(keras.saving.load_model(local)), output(model), atol=1e-6)


def test_keras_reads_it_from_the_hub_too(server, folder, model):
    hub.upload(folder, URL, message="First")
    if find_spec("tensorflow"):
        loaded = output(keras.saving.load_model(URL))
        np.testing.assert_allclose(loaded, output(model), atol=1e-6)
    else:  # with which alone Keras reads paths that are not on the disk
        with pytest.raises(ValueError, match="requires installing TensorFlow"):
            keras.saving.load_model(URL)


def test_the_next_model_replaces_the_files_of_the_last(server, folder):
    hub.upload(folder, URL, message="First")
    server.commits["someone/model"][-1][1]["notes.txt"] = b"mine"
    shutil.rmtree(folder / "assets")
    (folder / "training.json").unlink()
    before = len(server.commits["someone/model"])
    hub.upload(folder, URL, message="Second")
    assert len(server.commits["someone/model"]) == before + 1
    _, files = server.commits["someone/model"][-1]
    assert set(files) & LAYOUT == LAYOUT - {"training.json", "assets/layer/words.txt"}
    assert files["notes.txt"] == b"mine"


def test_only_the_files_of_a_model_are_fetched(server, folder):
    hub.upload(folder, URL, message="First")
    _, files = server.commits["someone/model"][-1]
    others = ("evil.py", "model.safetensors", "tokenizer/config.json", "pytorch_model.bin")
    files.update(dict.fromkeys(others, b"no"))
    local = hub.download(URL)
    there = {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()}
    assert there == LAYOUT
    assert not [line for line in server.requests if line.endswith(others) and "resolve" in line]


def test_a_revision_is_pinned(server, folder):
    first = hub.upload(folder, URL, message="First")
    old = digests.digest(folder)
    (folder / "training.json").write_text('{"format": 2}')
    second = hub.upload(folder, URL, message="Second")
    assert first != second
    assert digests.digest(hub.download(f"{URL}@{first}")) == old
    assert digests.digest(hub.download(URL, revision=first)) == old
    assert digests.digest(hub.download(URL)) == digests.digest(folder) != old
    with pytest.raises(FileNotFoundError, match="no branch, tag or commit 'v9'"):
        hub.download(URL, revision="v9")


def test_loading_asks_for_a_revision_and_a_digest(server, folder, model):
    shutil.rmtree(folder / "assets")  # of no layer of this model
    first = hub.upload(folder, URL, message="First")
    pinned = ka.saving.digest(folder)
    loaded = ka.saving.load_model(URL, revision=first, sha256=pinned)
    np.testing.assert_allclose(output(loaded), output(model), atol=1e-6)
    (folder / "training.json").write_text('{"format": 2}')
    hub.upload(folder, URL, message="Second")
    with pytest.raises(RefusedFileError, match=f"{ka.saving.digest(folder)}.*{pinned}"):
        ka.saving.load_model(URL, sha256=pinned)
    loaded = ka.saving.load_model(f"{URL}@{first}", sha256=pinned)
    np.testing.assert_allclose(output(loaded), output(model), atol=1e-6)


def test_a_file_in_a_repository(server, model, tmp_path):
    model.save(tmp_path / "x.keras")
    content = (tmp_path / "x.keras").read_bytes()
    oid = server.commit("someone/model", {"models/x.keras": content, "run.py": b""})
    local = hub.download(f"{URL}@{oid}/models/x.keras")
    assert local.read_bytes() == content
    np.testing.assert_allclose(output(keras.saving.load_model(local)), output(model), atol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"y\.keras: There is no such file"):
        hub.download(f"{URL}/y.keras")
    with pytest.raises(FileNotFoundError, match=r"no config\.json.*name it: .*/file\.keras"):
        hub.download(URL)


def test_what_was_fetched_is_there_without_a_network(server, folder, monkeypatch):
    hub.upload(folder, URL, message="First")
    hub.download(URL)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert digests.digest(hub.download(URL)) == digests.digest(folder)
    for address in ("hf://someone/else", f"{URL}/x.keras"):
        with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE") as error:
            hub.download(address)
        assert isinstance(error.value.__cause__, huggingface_hub.errors.LocalEntryNotFoundError)
    with pytest.raises(ConnectionError, match="cannot be reached"):
        hub.upload(folder, URL, message="Second")


def test_a_server_that_is_not_there(server, folder, monkeypatch):
    nowhere = "http://127.0.0.1:9"
    template = nowhere + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nowhere)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    with pytest.raises(ConnectionError, match="cannot be reached"):
        hub.download(URL)
    with pytest.raises(ConnectionError, match="cannot be reached"):
        hub.upload(folder, URL, message="First")


def test_missing_rights_are_explained(server, folder, monkeypatch):
    hub.upload(folder, URL, message="First")
    server.private.add("someone/model")
    server.commit("someone/gated", {})
    server.gated.add("someone/gated")
    with pytest.raises(PermissionError, match="those only who asked"):
        hub.download("hf://someone/gated")
    with pytest.raises(FileNotFoundError, match=r"no model hf://someone/none.*Check the name"):
        hub.download("hf://someone/none")
    monkeypatch.setenv("HF_TOKEN", "bad")
    with pytest.raises(FileNotFoundError, match=r"private.*hf auth login") as error:
        hub.download(URL)
    assert isinstance(error.value.__cause__, huggingface_hub.errors.RepositoryNotFoundError)
    with pytest.raises(PermissionError, match=r"does not let you.*hf auth login"):
        hub.upload(folder, URL, message="Second")
    assert len(server.commits["someone/model"]) == 2


@pytest.mark.parametrize(
    ("status", "file", "error", "message"),
    [
        (403, "", PermissionError, "does not let you"),
        (403, "/x.keras", PermissionError, "does not let you"),
        (500, "", ConnectionError, "answered with an error"),
    ],
)
def test_what_the_hub_says_comes_before_what_the_cache_lacks(server, status, file, error, message):
    server.failing["someone/model"] = status
    with pytest.raises(error, match=message):
        hub.download(URL + file)


def test_a_large_model_is_refused_before_it_is_fetched(server, folder):
    hub.upload(folder, URL, message="First")
    server.commit("someone/file", {"x.keras": b"x" * 1000})
    server.requests.clear()
    with pytest.raises(RefusedFileError, match=r"expanded_bytes=\.\.\."):
        hub.download(URL, limits=Limits(expanded_bytes=1000))
    with pytest.raises(RefusedFileError, match=r"1,000 bytes.*file_bytes=\.\.\."):
        hub.download("hf://someone/file/x.keras", limits=Limits(file_bytes=999))
    assert not [line for line in server.requests if "resolve" in line]
    assert hub.download("hf://someone/file/x.keras", limits=Limits(file_bytes=1000)).exists()


@pytest.mark.parametrize("header", ["ETag", "X_Linked_Etag", "X_Repo_Commit"])
@pytest.mark.parametrize("path", ["{}", "../../../../outside", ".."])
@pytest.mark.parametrize("address", [URL, f"{URL}/x.keras"])
def test_a_server_that_names_paths_writes_nothing(server, folder, tmp_path, header, path, address):
    """huggingface_hub names files in its cache as these headers say."""
    hub.upload(folder, URL, message="First")
    server.commits["someone/model"][-1][1]["x.keras"] = b"x"
    (tmp_path / "there").write_text("a file whose content a link in the cache would give away")
    for name in ("outside", "there"):
        server.lies = {header: f'"{path.format(tmp_path / name)}"'}
        with pytest.raises(RefusedFileError, match=r"The server sent '.*' as "):
            hub.download(address)
    assert not list(tmp_path.rglob("outside*"))
    assert not list((tmp_path / "cache").rglob("blobs/*"))
    server.lies = {}
    assert hub.download(address).exists()


def test_a_server_that_names_a_path_as_the_commit_writes_nothing(server, folder, tmp_path):
    """huggingface_hub names a list of files by it, in its cache."""
    hub.upload(folder, URL, message="First")
    server.false_sha = str(tmp_path / "outside")
    with pytest.raises(RefusedFileError, match=r"The server sent '.*outside' as the commit\."):
        hub.download(URL)
    assert not list(tmp_path.rglob("outside*"))


def test_files_are_not_fetched_by_xet(server, monkeypatch):
    """Nobody counts the bytes of its transfers."""
    calls = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr("huggingface_hub.file_download.xet_get", lambda **_: calls.append("Xet"))
    server.commit("someone/model", {"x.keras": b"x" * 1000})
    server.lies = {"X_Xet_Hash": "0" * 64, "X_Xet_Refresh_Route": f"{server.url}/xet"}
    assert hub.download(f"{URL}/x.keras").read_bytes() == b"x" * 1000
    assert not calls


@pytest.mark.parametrize("address", [URL, f"{URL}/x.keras"])
def test_a_server_that_sends_more_than_it_said_is_stopped(server, folder, address):
    hub.upload(folder, URL, message="First")
    server.commits["someone/model"][-1][1]["x.keras"] = b"x" * 1000
    server.lies = {"more": 2000}
    with pytest.raises(RefusedFileError, match=r"What comes.*1,000,000 bytes.*_bytes=\.\.\."):
        hub.download(address, limits=Limits(file_bytes=10**6, expanded_bytes=10**6))
    assert server.sent < 200 * 2**20  # of a minute's worth


@pytest.mark.parametrize(
    ("lies", "error"),
    [
        ({"X_Linked_Size": "-5"}, ConnectionError),
        ({"X_Linked_Size": "7"}, ConnectionError),
        ({"Location": "file:///etc/passwd"}, ConnectionError),
        ({"Location": "/someone/model/resolve/main/x.keras"}, ConnectionError),  # again and again
    ],
)
def test_a_server_that_lies_about_sizes_or_places_is_said(server, lies, error):
    server.commit("someone/model", {"x.keras": b"x" * 1000})
    server.lies = lies
    with pytest.raises(error, match=r"hf://someone/model/x\.keras"):
        hub.download(f"{URL}/x.keras")


def test_a_file_whose_name_leads_out_of_the_folder_is_refused(server, folder, tmp_path):
    hub.upload(folder, URL, message="First")
    server.commits["someone/model"][-1][1]["assets/../../../../x"] = b"x"
    with pytest.raises(RefusedFileError, match="leads out of the model's folder"):
        hub.download(URL)
    assert not list(tmp_path.rglob("x"))


def test_a_card_that_the_hub_refuses_changes_nothing(server, folder):
    (folder / "README.md").write_text("---\nlicense: my own\n---\n")
    with pytest.raises(ValueError, match='"license" must be one of'):
        hub.upload(folder, URL, message="First")
    assert len(server.commits["someone/model"]) == 1  # the empty one of the repository


def test_uploading_needs_a_model_and_a_repository(tmp_path, server):
    with pytest.raises(FileNotFoundError, match=r"lacks metadata\.json and config\.json and"):
        hub.upload(tmp_path, URL, message="First")
    with pytest.raises(ValueError, match=r"Save to hf://someone/model\. Received: .*x\.keras"):
        hub.upload(tmp_path, f"{URL}/x.keras", message="First")
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("hf://a/b", ("a/b", None, None)),
        ("hf://a/b@v1.0", ("a/b", "v1.0", None)),
        ("hf://a/b@refs/pr/3", ("a/b", "refs/pr/3", None)),
        ("hf://a/b@refs/pr/3/c/d.keras", ("a/b", "refs/pr/3", "c/d.keras")),
        ("hf://a-1/b_2.x/c.keras", ("a-1/b_2.x", None, "c.keras")),
    ],
)
def test_addresses(url, address):
    assert hub.parse(url) == hub.Address(
        repository=address[0], revision=address[1], file=address[2]
    )
    assert hub.parse("hf://a/b", revision="x/y").revision == "x/y"


@pytest.mark.parametrize(
    "url",
    [
        "hf://",
        "hf://a",
        "hf://a/",
        "hf://a/b/",
        "hf://a/b@",
        "hf://a b/c",
        "hf://a/b\n",
        "hf://datasets/a/b.keras",
        "hf://a/b/script.py",
        "hf://a/b/../x.keras",
        "hf://a/b//x.keras",
        "https://huggingface.co/a/b",
        "hf:/a/b",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(ValueError, match="Received: ") as error:
        hub.parse(url)
    assert repr(url) in str(error.value)


def test_two_revisions_are_one_too_many():
    assert hub.parse("hf://a/b@v1", revision="v1").revision == "v1"
    with pytest.raises(ValueError, match="`revision` must be that of the address"):
        hub.parse("hf://a/b@v1", revision="v2")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "keras-attention\[hub\]"'):
        hub.download(URL)


def test_the_digest_of_a_folder_is_what_a_shell_says(folder):
    names = sorted(LAYOUT)
    listing = subprocess.run(
        ["sha256sum", *names], cwd=folder, capture_output=True, check=True
    ).stdout
    total = subprocess.run(["sha256sum"], input=listing, capture_output=True, check=True).stdout
    assert digests.digest(folder) == total.decode().split()[0]
    assert list(digests.digests(folder)) == names


def test_the_digest_sees_every_file_of_a_model_and_no_other(folder, tmp_path):
    before = digests.digest(folder)
    (folder / "README.md").write_text("other")
    assert digests.digest(folder) == before
    seen = {before}
    for name in sorted(LAYOUT):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b" ")
        seen.add(digests.digest(folder))
        (folder / name).unlink()
        seen.add(digests.digest(folder))
        (folder / name).write_bytes(content)
    assert digests.digest(folder) == before
    assert len(seen) == 1 + 2 * len(LAYOUT)
    (folder / "assets" / "a\nb").write_text("")
    with pytest.raises(RefusedFileError, match=r"assets/a\\nb"):
        digests.digest(folder)
    with pytest.raises(FileNotFoundError, match="no files of a model"):
        digests.digest(tmp_path)
