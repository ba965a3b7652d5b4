"""Downloading from a server of our own, and what is said when that does not work."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zoo.data import download
from zoo.data.download import File, fetch

pytestmark = pytest.mark.runs_on("torch")

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers with `CONTENT`, cut off for the first `failures` requests."""

    requests, failures = 0, 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        whole = self.server.requests > self.server.failures
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if whole else CONTENT[:5000])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv(download.VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/at/a1b2/numbers.bin"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_downloaded_once(server, tmp_path):
    file = File(url=server.url, sha256=SHA256)
    path = fetch("numbers", file)
    assert path == tmp_path / "data" / "numbers" / "numbers.bin"
    assert path.read_bytes() == CONTENT
    assert fetch("numbers", file) == path
    assert server.requests == 1
    assert files(tmp_path) == ["numbers.bin"]


def test_a_damaged_file_is_replaced(server):
    file = File(url=server.url, sha256=SHA256, name="n.bin")
    path = fetch("numbers", file)
    path.write_bytes(CONTENT[:-1])
    assert fetch("numbers", file).read_bytes() == CONTENT
    assert server.requests == 2


def test_a_file_pinned_by_its_url_alone_in_a_deeper_folder(server, tmp_path):
    file = File(url=server.url, sha256=None)
    path = fetch("numbers/original", file)
    assert path == tmp_path / "data" / "numbers" / "original" / "numbers.bin"
    assert path.read_bytes() == CONTENT
    assert fetch("numbers/original", file) == path
    assert server.requests == 1


def test_a_broken_connection_is_tried_again(server, tmp_path):
    server.failures = 2
    assert fetch("numbers", File(url=server.url, sha256=SHA256)).read_bytes() == CONTENT
    assert server.requests == 3
    assert files(tmp_path) == ["numbers.bin"]


def test_another_content_is_refused(server, tmp_path):
    with pytest.raises(ValueError, match=f"its SHA-256 is {SHA256}, expected 0000"):
        fetch("numbers", File(url=server.url, sha256="0" * 64))
    assert files(tmp_path) == []


def test_offline_it_says_what_to_do(server, tmp_path):
    server.failures = 99
    with pytest.raises(ConnectionError) as caught:
        fetch("numbers", File(url=server.url, sha256=SHA256))
    for part in (server.url, str(tmp_path / "data" / "numbers"), download.VARIABLE):
        assert part in str(caught.value)
    assert files(tmp_path) == []


def test_a_cache_that_is_read_only(server, monkeypatch):
    file = File(url=server.url, sha256=SHA256)
    path = fetch("numbers", file)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for others than root
    assert fetch("numbers", file) == path
    with pytest.raises(PermissionError, match=download.VARIABLE):
        fetch("numbers", File(url=server.url, sha256=SHA256, name="other.bin"))
    assert server.requests == 1


def test_a_download_without_an_end_is_stopped(server, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "MAX_BYTES", len(CONTENT) - 1)
    with pytest.raises(ValueError, match="gives more than 255,999 bytes"):
        fetch("numbers", File(url=server.url, sha256=SHA256))
    assert files(tmp_path) == []
    assert server.requests == 1
