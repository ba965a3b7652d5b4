"""Many clients at a time get what one gets, and bad requests between theirs change nothing."""

import threading

import numpy as np
import pytest

import keras_attention as ka
from tests.zoo.serve.serving import SENTENCES, classifier, serving
from zoo.serve import Limits
from zoo.serve.answers import to_json

CLIENTS, REQUESTS = 8, 50
BAD = [
    {"inputs": []},
    {"inputs": [3]},
    {"inputs": ["the dog", None]},
    {"inputs": ["\ud800"]},
    {"inputs": ["a" * 201]},
    b'{"inputs": [NaN]}',
    b"[" * 100_000,
    b"\xff",
]


def assert_same(answer, expected):
    assert answer["label"] == expected["label"]
    shares, others = (dict(each["ranking"]) for each in (answer, expected))
    assert set(shares) == set(others)
    np.testing.assert_allclose(
        [shares[name] for name in sorted(shares)],
        [others[name] for name in sorted(others)],
        atol=1e-5,
    )


@pytest.mark.xdist_group("serve")
def test_eight_clients_get_what_one_gets():
    """On each backend, some requests with several inputs, and every fourth one bad."""
    model = classifier()
    texts = [SENTENCES[i % 3] for i in range(CLIENTS)]
    expected = [to_json(answer) for answer in ka.predict(model, texts)]
    wrong, refused = [], []

    def run(client, number):
        try:
            for request in range(REQUESTS):
                if request % 4 == 3:
                    status, content = client.post("/predict", BAD[(request + number) % len(BAD)])
                    refused.append((status, content["error"]["status"]))
                count = 1 + (number + request) % 2
                mine = [(number + i) % CLIENTS for i in range(count)]
                answers = client.ask(*(texts[i] for i in mine))
                assert len(answers) == count
                for answer, i in zip(answers, mine, strict=True):
                    assert_same(answer, expected[i])
        except BaseException as error:
            wrong.append(error)

    with serving(model, limits=Limits(characters=200)) as client:
        threads = [threading.Thread(target=run, args=(client, i)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[0]
        assert len(refused) == CLIENTS * (REQUESTS // 4)
        assert {status for status, _ in refused} <= {400, 413}
        assert all(status == said for status, said in refused)
        for text, answer in zip(texts, expected, strict=True):
            assert_same(client.ask(text)[0], answer)
