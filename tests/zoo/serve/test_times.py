"""Slow clients, slow models, clients that leave, and the end of the server."""

import contextlib
import json
import socket
import threading
import time

import pytest

import keras_attention as ka
from tests.zoo.serve.serving import classifier, serving, writer
from zoo.serve import Limits, server

pytestmark = [pytest.mark.runs_on("torch"), pytest.mark.xdist_group("serve")]

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture
def model():
    return classifier()


@pytest.fixture
def gate(monkeypatch):
    """Keeps `ka.predict` waiting until the gate is set, and keeps the texts of its calls."""
    predict, gate = ka.predict, threading.Event()
    gate.calls = []

    def wait(model, raw, **settings):
        gate.calls.append(model.get_layer("tokenizer").decode(raw))
        assert gate.wait(20)
        return predict(model, raw, **settings)

    monkeypatch.setattr("keras_attention.predict", wait, raising=False)
    return gate


def post_in_thread(client, content):
    """A list that will have the status and the content of the response."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(client.post("/predict", content)))
    thread.start()
    return thread, found


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_computing_and_waiting_take_their_time_at_most(model, gate):
    limits = Limits(queue_seconds=0.3, compute_seconds=0.6)
    with serving(model, limits=limits) as client:
        slow, first = post_in_thread(client, {"inputs": ["the dog"]})
        wait_for(lambda: gate.calls)
        status, content = client.post("/predict", {"inputs": ["who"]})
        assert status == 503
        assert "waited for 0.3 seconds" in content["error"]["message"]
        slow.join()
        assert first[0] == 504
        assert "0.6 seconds" in first[1]["error"]["message"]
        gate.set()
        assert client.ask("who")
        assert gate.calls == [["the dog"], ["who"]]  # not what nobody waited for
        assert len(gate.calls) == 2


def test_too_many_requests_at_a_time(model, gate):
    with serving(model, limits=Limits(requests=2)) as client:
        first = post_in_thread(client, {"inputs": ["the dog"]})
        wait_for(lambda: gate.calls)  # or both would be computed together
        threads = [first, post_in_thread(client, {"inputs": ["the dog"]})]
        wait_for(lambda: client.send("GET", "/health")[2]["waiting"] == 1)
        connection_status, headers, _ = client.send("GET", "/model")
        assert connection_status == 503
        assert headers["Retry-After"] == "1"
        assert client.send("GET", "/health")[0] == 200
        gate.set()
        for thread, found in threads:
            thread.join()
            assert found[0] == 200


def test_nothing_is_computed_for_a_client_that_left(model, gate):
    with serving(model) as client:
        _, first = post_in_thread(client, {"inputs": ["the dog"]})
        wait_for(lambda: gate.calls)
        body = json.dumps({"inputs": ["ada"]}).encode()
        head = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection((client.host, client.port)) as connection:
            connection.sendall(head + body)
            wait_for(lambda: client.send("GET", "/health")[2]["waiting"] == 1)
        time.sleep(0.1)
        gate.set()
        assert client.ask("who")
        assert gate.calls == [["the dog"], ["who"]]
        assert first[0] == 200


def test_writing_ends_where_its_time_does(monkeypatch):
    model, steps = writer(), []
    stream = ka.stream

    def slowly(*args, **settings):
        for piece in stream(*args, **settings):
            steps.append(piece)
            time.sleep(0.05)
            yield piece

    monkeypatch.setattr("keras_attention.stream", slowly, raising=False)
    with serving(model, limits=Limits(compute_seconds=0.2)) as client:
        content = {"inputs": ["the dog"], "max_new_tokens": 20}
        ka.generate(model, ["the dog"], max_new_tokens=20)
        status, _ = client.post("/generate", content)
        assert status == 504
        wait_for(lambda: client.send("GET", "/health")[2]["waiting"] == 0)
        time.sleep(0.2)
        assert len(steps) < 12


def test_slow_clients_are_told_or_left(model, monkeypatch):
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.4)
    with serving(model, limits=Limits(body_seconds=0.3)) as client:
        slow = [socket.create_connection((client.host, client.port)) for _ in range(3)]
        slow[0].sendall(b"GET / HT")  # and one byte now and then; the second one is silent
        slow[2].sendall(HEAD + b'Content-Length: 100\r\n\r\n{"inputs"')
        for _ in range(5):
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                slow[0].sendall(b"T")
        assert client.ask("the dog")
        for connection in slow:
            connection.settimeout(5)
        assert slow[2].recv(2**16).startswith(b"HTTP/1.1 408")
        for connection in slow[:2]:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(2**16) == b""
        for connection in slow:
            connection.close()


def test_bodies_are_bounded_together(model):
    limits = Limits(body_bytes=20_000, held_bytes=30_000)
    with serving(model, limits=limits) as client:
        held = socket.create_connection((client.host, client.port))
        held.sendall(HEAD + b"Content-Length: 19000\r\n\r\n" + b" " * 18_000)
        body = b" " * 15_000 + json.dumps({"inputs": ["the dog"]}).encode()
        wait_for(lambda: client.post("/predict", body)[0] == 503)
        held.close()
        wait_for(lambda: client.post("/predict", body)[0] == 200)


def test_the_end_waits_for_what_is_computed(model, gate):
    with serving(model) as client:
        thread, found = post_in_thread(client, {"inputs": ["the dog"]})
        wait_for(lambda: gate.calls)
        threading.Timer(0.2, gate.set).start()
    thread.join()
    assert found[0] == 200


def test_a_port_that_is_taken():
    with (
        server.listen("127.0.0.1", 0) as listener,
        pytest.raises(OSError, match="--port 0 takes any"),
    ):
        server.listen("127.0.0.1", listener.getsockname()[1])
    with pytest.raises(OSError, match="port 70000"):
        server.listen("127.0.0.1", 70_000)
