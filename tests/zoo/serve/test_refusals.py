"""Whatever a stranger sends is refused in a sentence, and the server answers the next one."""

import json
import random
import socket

import pytest

from tests.zoo.serve.serving import classifier, graphs, png, serving, tables, writer
from zoo.serve import Limits

pytestmark = [pytest.mark.runs_on("torch"), pytest.mark.xdist_group("serve")]

LIMITS = Limits(body_bytes=2**16, inputs=4, characters=100, values=10_000, new_tokens=8, beams=2)
GOOD = {"inputs": ["the dog"]}


@pytest.fixture(scope="module")
def client():
    with serving(classifier(), limits=LIMITS) as client:
        yield client


@pytest.fixture(scope="module")
def table():
    with serving(tables(), limits=LIMITS) as client:
        yield client


@pytest.fixture(scope="module")
def gpt():
    with serving(writer(), limits=LIMITS) as client:
        yield client


def check(client, path, body, status, message):
    got, content = client.post(path, body)
    assert got == status, content
    assert content["error"]["status"] == status
    assert message in content["error"]["message"]
    return content


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "no JSON"),
        (b"{", 400, "no JSON"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (b"[]", 400, "Received: a list"),
        (b"null", 400, "Received: null"),
        (b"[" * 5000, 400, "nested too deep"),
        (b'{"inputs": ' + b"[" * 4000 + b"1" + b"]" * 4000 + b"}", 400, "nested too deep"),
        (b'{"inputs": [NaN]}', 400, "JSON has no NaN"),
        (b'{"inputs": [-Infinity]}', 400, "JSON has no -Infinity"),
        (b'{"inputs": [1' + b"0" * 5000 + b"]}", 400, "number that cannot be read"),
        (b'{"inputs": [1' + b"0" * 400 + b"]}", 400, "must be a text"),
        (b'{"inputs": ' + b"[" * 800 + b"1" + b"]" * 800 + b"}", 400, "a list of 1"),
        (b'{"inputs": [1e999]}', 400, "number that is too large"),
        (b'{"inputs": "the dog"}', 400, "must be a list"),
        (b'{"input": ["the dog"]}', 400, "The body may have inputs"),
        ({}, 400, "at least one input"),
        ({"inputs": []}, 400, "at least one input"),
        ({"inputs": [None]}, 400, "inputs[0] must be a text"),
        ({"inputs": ["a", True]}, 400, "inputs[1] must be a text"),
        ({"inputs": [{"a": 1}]}, 400, "an object with 'a'"),
        ({"inputs": [["a", "b", "c"]]}, 400, "a list of 3"),
        ({"inputs": ["\ud800"]}, 400, "half a character"),
        ({"inputs": ["a"] * 5}, 413, "may have 4 inputs"),
        ({"inputs": ["a" * 101]}, 413, "may have 100 characters. Received: 101"),
        ({"inputs": [["a"] * 10_001]}, 413, "10,000 values"),
        ({"inputs": ["a" * 70_000]}, 413, "65,536 bytes. Received: 70,"),
    ],
)
def test_bodies(client, body, status, message):
    check(client, "/predict", body, status, message)
    assert client.ask("the dog")


def test_headers_paths_and_methods(client):
    body = json.dumps(GOOD).encode()
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        status, _, content = client.send("POST", "/predict", body, **headers)
        assert status == 415
        assert "application/json" in content["error"]["message"]
    status, content = client.post("/predict", GOOD, **{"Content-Encoding": "gzip"})
    assert status == 415
    assert client.post("/predict", GOOD, **{"Content-Type": "application/json; charset=utf-8"})[0]
    for path in ("/nothing", "/predict/", "/../etc/passwd", "/static/..%2f..%2fetc/passwd", "//"):
        status, _, content = client.send("GET", path)
        assert (status, content["error"]["status"]) == (404, 404)
    status, headers, content = client.send("GET", "/predict")
    assert (status, headers["Allow"]) == (405, "POST")
    assert client.send("DELETE", "/model")[0] == 405
    assert client.send("POST", "/health")[0] == 405
    status, _, content = client.send("GET", "/model", Host="attacker.example")
    assert status == 421
    assert "attacker.example" in content["error"]["message"]
    assert client.post("/generate", GOOD)[0] == 404


def test_headers_keep_others_out(client):
    for path in ("/", "/model"):
        _, headers, _ = client.send("GET", path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    assert "default-src 'none'" in client.send("GET", "/")[1]["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"age": 3}, "Missing: job"),
        ({"age": 3, "job": "cook", "x": 1}, "Unknown: 'x'"),
        ({"age": "three", "job": "cook"}, "must have numbers"),
        ({"age": 10**30, "job": "cook"}, "inputs[0].age must be a number"),
        ({"age": [3], "job": "cook"}, "inputs[0].age must be a number"),
        ({"age": 3, "job": {"a": 1}}, "inputs[0].job must be a number"),
        ([3, "cook"], "an object of the columns age, job"),
    ],
)
def test_rows_of_tables(table, row, message):
    check(table, "/predict", {"inputs": [row]}, 400, message)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"max_new_tokens": 0}, 400, "whole number"),
        ({"max_new_tokens": 2.5}, 400, "whole number"),
        ({"max_new_tokens": True}, 400, "whole number"),
        ({"max_new_tokens": 9}, 413, "may be 8"),
        ({"max_new_tokens": 10**500}, 413, "may be 8"),
        ({"sampler": "greedy"}, 400, "`sampler` must be"),
        ({"sampler": []}, 400, "`sampler` must be"),
        ({"sampler": [{}]}, 400, "one of the names"),
        ({"sampler": [{"top_p": 2}]}, 400, "at most 1"),
        ({"sampler": [{"top_p": "x"}]}, 400, "at most 1"),
        ({"sampler": [{"top_p": 0.5, "nothing": 1}]}, 400, "nothing"),
        ({"sampler": [{"top_k": 10**400}]}, 400, "too large"),
        ({"sampler": [{"beams": 3}]}, 413, "may be 2"),
        ({"sampler": [{"beams": 2}, {"top_p": 0.5}]}, 400, "BeamSearch must come last"),
        ({"stop": [""]}, 400, "`stop`"),
        ({"stop": 3}, 400, "`stop`"),
        ({"seed": -1}, 400, "`seed`"),
        ({"seed": "x"}, 400, "`seed`"),
        ({"inputs": [""]}, 400, "no tokens"),
        ({"temperature": 3}, 400, "The body may have"),
    ],
)
def test_options_of_writing(gpt, options, status, message):
    check(gpt, "/generate", {"inputs": ["the dog"], **options}, status, message)


def test_options_of_explaining(client):
    for content, message in (
        ({"input": "the dog", "form": "x"}, "page, weights"),
        ({"inputs": ["the dog"]}, "The body may have"),
        ({"input": None}, "must be a text"),
        ({"input": "the dog", "max_new_tokens": 3}, "a model that writes"),
        ({"input": "the dog", "position": 3}, "reads none"),
    ):
        check(client, "/explain", content, 400, message)


def test_arrays():
    graph = {"features": [[0.5, 1.0]], "edges": [[0, 0]]}
    with serving(graphs(), limits=LIMITS) as client:
        for change, message in (
            ({"features": [[1.0]]}, "the shape (any, 2). Received: (1, 1)"),
            ({"features": [[1.0, "a"]]}, "must be an array"),
            ({"features": [[1.0, None]]}, "must be an array"),
            ({"features": [[1.0], [1.0, 2.0]]}, "must be an array"),
            ({"features": 3}, "must be an array"),
            ({"features": [[10**400, 1]]}, "finite numbers"),
            ({"edges": [[0.5, 0]]}, "whole numbers"),
            ({"edges": [[0, 2**40]]}, "32-bit"),
            ({"edges": [[0, -1]]}, "from -1 to 0"),
            ({"edges": [[0, 1]]}, "the 1 nodes"),
        ):
            check(client, "/predict", {"inputs": [{**graph, **change}]}, 400, message)
        check(client, "/predict", {"inputs": [{"features": [[1.0, 2.0]]}]}, 400, "features, edges")
        assert client.ask({**graph, "edges": []})


def mutate(rng, body):
    """A body with some bytes replaced, removed, doubled or inserted."""
    body = bytearray(body)
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(body) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            body[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del body[place : place + rng.randrange(1, 9)]
        elif kind == 2:
            body[place:place] = body[max(0, place - rng.randrange(1, 30)) : place]
        else:
            body[place:place] = rng.choice([b"null", b"[", b"}", b'"', b"1e400", b"-", b"\\ud800"])
    return bytes(body)


def test_mutated_bodies_are_answered_or_refused(client, table, gpt):
    """By a fixed seed: never with a fault of the server's, and each with JSON."""
    rng = random.Random(0)
    bodies = [
        (client, "/predict", {"inputs": ["the dog bit ada", "who"]}),
        (client, "/explain", {"input": "the dog bit ada", "form": "weights"}),
        (table, "/predict", {"inputs": [{"age": 39, "job": "cook"}]}),
        (gpt, "/generate", {"inputs": ["the"], "max_new_tokens": 2, "sampler": [{"top_k": 3}]}),
    ]
    statuses = set()
    for number in range(240):
        to, path, content = bodies[number % 4]
        status, content = to.post(path, mutate(rng, json.dumps(content).encode()))
        assert status in (200, 400, 413), content
        assert ("error" in content) == (status != 200)
        statuses.add(status)
    assert {200, 400} <= statuses
    assert client.ask("the dog")


def test_what_is_no_http(client):
    """Neither are random bytes, heads without an end, and bodies of another length."""
    rng = random.Random(0)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for sent in (
        rng.randbytes(200) + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        head + b"Content-Length: -3\r\n\r\n",
        head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        head + b"Content-Length: 900\r\n\r\n" + png()[:20],
    ):
        with socket.create_connection((client.host, client.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            try:
                response = connection.recv(2**16)
            except ConnectionResetError:
                continue
            assert response[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 421", b"HTTP/1.1 404"), sent
    assert client.ask("the dog")
