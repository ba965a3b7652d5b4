import io

import numpy as np
import pytest

from zoo.data import ud_english_ewt

pytestmark = pytest.mark.runs_on("torch")

FILE = """\
# newdoc id = made-up
# text = I don't.
1\tI\tI\tPRON\tPRP\tCase=Nom\t2\tnsubj\t2:nsubj\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t0:root\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t2:advmod\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t0:root\tCopyOf=2
4\t.\t.\tPUNCT\t.\t_\t2\tpunct\t2:punct\t_

# text = 10 000
1\t10 000\t10000\tNUM\tCD\t_\t0\troot\t0:root\t_

"""


def test_words_are_the_syntactic_ones():
    assert ud_english_ewt.parse(io.StringIO(FILE, newline="\n")) == [
        (["I", "do", "n't", "."], ["PRON", "AUX", "PART", "PUNCT"]),
        (["10 000"], ["NUM"]),
    ]


def test_parts_are_read_from_their_files_and_padded(monkeypatch, tmp_path):
    (tmp_path / "file").write_text(FILE, "utf-8")
    fetched = []
    monkeypatch.setattr(
        ud_english_ewt, "fetch", lambda *file: fetched.append(file) or tmp_path / "file"
    )
    splits = ud_english_ewt.load()
    x, y, weights = splits.test
    assert x.tolist() == [["I", "do", "n't", "."], ["10 000"]]
    names = [splits.class_names[tag] for tag in y[0]]
    assert names == ["PRON", "AUX", "PART", "PUNCT"]
    assert y.dtype == np.int32
    np.testing.assert_array_equal(weights, [[1, 1, 1, 1], [1, 0, 0, 0]])
    assert [folder for folder, _ in fetched] == ["ud_english_ewt"] * 3
    assert fetched[1][1].url.endswith("/en_ewt-ud-dev.conllu")


def test_sample_looks_like_it():
    splits = ud_english_ewt.sample()
    x, y, weights = splits.train
    assert len(splits.class_names) == 17
    assert y.shape == weights.shape == (len(x), max(map(len, x)))
    assert splits.sha256() == ud_english_ewt.sample().sha256()
