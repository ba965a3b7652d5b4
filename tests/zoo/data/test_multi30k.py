import gzip

import pytest

from zoo.data import multi30k

pytestmark = pytest.mark.runs_on("torch")


def test_lines_belong_together():
    x, y = multi30k.pairs("Ein Hund.\n \u00fcber \u2028 \n", "A dog.\nover\n")
    assert x["source_ids"].tolist() == ["Ein Hund.", "\u00fcber"]
    assert x["target_ids"].tolist() == y.tolist() == ["A dog.", "over"]
    assert y.dtype == object
    with pytest.raises(ValueError, match="Received: 2 and 1 lines"):
        multi30k.pairs("a\nb\n", "a\n")


def test_parts_are_read_from_their_files(monkeypatch, tmp_path):
    def fetch(dataset, file):
        assert dataset == "multi30k"
        name = file.url.rpartition("/")[2]
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as out:
            out.write(f"{name} \u00e4\n")
        return tmp_path / name

    monkeypatch.setattr(multi30k, "fetch", fetch)
    splits = multi30k.load(direction="en-de")
    x, y = splits.train
    assert x["source_ids"].tolist() == ["train.en.gz \u00e4"]
    assert y.tolist() == ["train.de.gz \u00e4"]
    assert splits.validation[1].tolist() == ["val.de.gz \u00e4"]
    assert splits.test[1].tolist() == ["test_2016_flickr.de.gz \u00e4"]
    assert {name: y[0] for name, (_, y) in splits.extra.items()} == {
        "test2017": "test_2017_flickr.de.gz \u00e4",
        "mscoco": "test_2017_mscoco.de.gz \u00e4",
    }
    assert multi30k.load().train[1].tolist() == ["train.en.gz \u00e4"]


def test_directions():
    there, back = (multi30k.sample(direction=d) for d in multi30k.DIRECTIONS)
    assert there.train[1].tolist() == back.train[0]["source_ids"].tolist()
    assert there.train[1][0].split()[0] == "A"
    assert there.sha256() == multi30k.sample().sha256() != back.sha256()
    with pytest.raises(ValueError, match="`direction` must be one of"):
        multi30k.sample(direction="fr-en")
