"""Emoji captions: pictures and names as upstream has them, and as somebody packed them."""

import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from zoo.data import emoji_captions as data
from zoo.data.archives import digest

pytestmark = pytest.mark.runs_on("torch")

STYLE, JOINER = chr(0xFE0F), chr(0x200D)
# File, emoji as the CLDR writes it, names, part. The parts are those of the published table.
EMOJI = [
    ("emoji_u0023.png", "#", "hash sign", "Doppelkreuz", "train"),
    ("emoji_u1f408.png", "\N{CAT}", "cat", "Katze", "train"),
    ("emoji_u1f629.png", "\N{WEARY FACE}", "weary face", "ersch\u00f6pftes Gesicht", "test"),
    ("emoji_u1f95c.png", "\N{PEANUTS}", "peanuts", "Erdnuss", "val"),
    (
        "emoji_u1f938_1f3ff_200d_2640.png",
        f"\U0001f938\U0001f3ff{JOINER}\u2640{STYLE}",
        "woman cartwheeling: dark skin tone",
        "Rad schlagende Frau: dunkle Hautfarbe",
        "train",
    ),
]


def png(colour):
    file = io.BytesIO()
    Image.new("RGBA", (72, 72), colour).save(file, "PNG")
    return file.getvalue()


FILES = {name: png((40 * i, 0, 0, 255)) for i, (name, *_) in enumerate(EMOJI)}
FILES["emoji_u1f408.png"] = png((0, 0, 0, 0))


@pytest.fixture
def remote(monkeypatch, tmp_path):
    """A folder with the files that would be downloaded."""
    monkeypatch.setenv("KERAS_ATTENTION_DATA", str(tmp_path))
    folder = tmp_path / "emoji_captions"
    folder.mkdir()
    with tarfile.open(folder / "noto-emoji.tar.gz", "w:gz") as archive:
        nameless = {"emoji_u1f9ff_1f9ff.png": png("white")}
        for place, files in (
            ("png/72", {**FILES, **nameless}),
            ("png/128", FILES),
            ("svg", {"emoji_u0023.svg": b"<svg/>"}),
        ):
            for name, content in files.items():
                member = tarfile.TarInfo(f"noto-emoji-b3e3051/{place}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    for i, language in enumerate(data.LANGUAGES):
        entries = {
            emoji: {"default": [f"{language} a", f"{language} b"], "tts": [names[i]]}
            for _, emoji, *names, _ in EMOJI
        }
        entries["\u00b7"] = {"default": ["no picture"], "tts": ["dot"]}
        derived = {emoji: entries.pop(emoji) for emoji in list(entries) if len(emoji) > 1}
        for kind, named in (("annotations", entries), ("annotationsDerived", derived)):
            content = {kind: {"identity": {}, "annotations": named}}
            (folder / f"{kind}_{language}.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(data, "_SHA256", digest(FILES))
    monkeypatch.setattr(data, "_TABLE_SHA256", hashlib.sha256(written().encode()).hexdigest())
    return folder


def written():
    """The table as it is published."""
    lines = ["file\tcodepoints\tsplit\tcaption_en\tcaption_de\tkeywords_en\tkeywords_de"]
    for file, emoji, english, german, part in sorted(EMOJI):
        points = " ".join(f"U+{ord(c):04X}" for c in emoji if c != STYLE)
        lines.append("\t".join((file, points, part, english, german, "en a|en b", "de a|de b")))
    return "\n".join(lines) + "\n"


def test_the_remote_and_what_was_packed_are_the_same(remote):
    english, german = data.load(), data.load(language="de")
    assert english.train[1].tolist() == ["hash sign", "cat", "woman cartwheeling: dark skin tone"]
    assert german.test[1].tolist() == ["ersch\u00f6pftes Gesicht"]
    assert german.validation[0]["target_ids"].tolist() == ["Erdnuss"]
    images = english.train[0]["image"]
    assert images.shape == (3, 72, 72, 3)
    assert images.dtype == np.uint8
    assert (images[1] == 255).all(), "transparent pixels are white"
    assert (images[2] == (160, 0, 0)).all()

    digests = [splits.sha256() for splits in (english, german)]
    for file in list(remote.iterdir()):
        file.unlink()
    with zipfile.ZipFile(remote / "images_72.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    (remote / "captions.tsv").write_text(written(), encoding="utf-8", newline="")
    assert [data.load(language=x).sha256() for x in data.LANGUAGES] == digests
    assert digests[0] != digests[1]


def test_others_than_those_published_are_refused(remote, monkeypatch):
    monkeypatch.setattr(data, "_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"The pictures in .*noto-emoji\.tar\.gz are not those"):
        data.load()
    monkeypatch.setattr(data, "_TABLE_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"The names in .* are not those that were published"):
        data.load()
    with pytest.raises(ValueError, match=r"`language` must be one of 'en', 'de'"):
        data.load(language="fr")


def test_variants_of_an_emoji_are_in_one_part():
    """By skin, gender and sign; what has nothing else is named by that."""
    tone, man, woman = 0x1F3FD, 0x1F468, 0x1F469
    tuxedo = [
        data.choose_part(x) for x in ([0x1F935], [0x1F935, tone], [0x1F935, tone, 0x200D, 0x2640])
    ]
    assert tuxedo == ["test"] * 3
    judges = ([man, tone, 0x200D, 0x2696], [woman, 0x200D, 0x2696])
    assert len({data.choose_part(points) for points in judges}) == 1
    people = ([0x2640], [man], [woman, tone])
    assert {data.choose_part(points) for points in people} == {"train"}


def test_sample_is_of_the_same_form():
    english, german = data.sample(), data.sample(language="de")
    for (x, y), (other, _) in zip(
        (english.train, english.validation, english.test),
        (german.train, german.validation, german.test),
        strict=True,
    ):
        assert x["image"].shape == (len(y), 72, 72, 3)
        assert x["image"].dtype == np.uint8
        assert x["target_ids"].tolist() == y.tolist()
        np.testing.assert_array_equal(x["image"], other["image"])
    assert english.sha256() == data.sample().sha256() != german.sha256()
