"""Emoji and their names: 3,530 pictures with names in English and in German."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import keras_attention as ka
from keras_attention.ops import checks
from zoo.data import Arrays, Source, Splits, objects
from zoo.data.archives import digest, read_files
from zoo.data.download import File, fetch, root

SOURCE = Source(
    name="Noto Emoji, named by the Unicode CLDR",
    url="https://github.com/googlefonts/noto-emoji",
    license="pictures Apache-2.0 or OFL 1.1, names Unicode License V3",
    citation=(
        "Google, Noto Emoji, 2025, https://github.com/googlefonts/noto-emoji; Unicode Consortium, "
        "Common Locale Data Repository, https://github.com/unicode-org/cldr-json"
    ),
)
LANGUAGES = ("en", "de")
SIZE = 72
_ARCHIVE = File(  # made when it is asked for; what is pinned is the content of its pictures
    url=(
        "https://github.com/googlefonts/noto-emoji/archive/"
        "b3e3051a088047d19fd4d49b1c3ac42fb8c3aaf8.tar.gz"
    ),
    sha256=None,
    name="noto-emoji.tar.gz",
)
_NAMES = (
    "https://raw.githubusercontent.com/unicode-org/cldr-json/"
    "b08a82b582f1120d630d623f9e5073316741574d/cldr-json/"
)
_PICTURE = r"(.*/png/72/)?emoji_u[0-9a-f_]+\.png"
_SHA256 = "1885372b8aaf89a8f7ec1264b59e4919669ed34a601339c3e798bd6d9ce75f07"
_TABLE_SHA256 = "597e7ac06338abf8f06f0c464370f52d9a7e6b6f86a0735b201b7b31d0cf0efc"
_COLUMNS = (
    *("file", "codepoints", "split"),
    *("caption_en", "caption_de", "keywords_en", "keywords_de"),
)
_JOINER, _EMOJI_STYLE = 0x200D, 0xFE0F
_TONES = range(0x1F3FB, 0x1F400)  # of skin
_GENDERS = (0x1F468, 0x1F469, 0x1F9D1, 0x2642, 0x2640)  # man, woman, adult; the two signs


Row = dict[str, str]  # of the table of names, by `_COLUMNS`


def load(*, language: str = "en") -> Splits:
    """2,706 pictures to train on, 457 to choose by, 367 to test on.

    Variants of one emoji, in other skin tones or of another gender, are in one part together, so
    that what is to be described was never seen as such.

    Args:
        language: of the captions, `"en"` or `"de"`.

    Returns:
        x `{"image", "target_ids"}` and y: images `(B, 72, 72, 3)` uint8, on white where they are
        transparent; `target_ids` and y are captions, of which a recipe makes ids.

    Raises:
        ValueError: pictures or names are not those that were published.
    """
    checks.one_of("language", language, LANGUAGES)
    folder = root() / "emoji_captions"
    packed = folder / "images_72.zip"  # the same content, where somebody packed it
    archive = packed if packed.exists() else fetch("emoji_captions", _ARCHIVE)
    files = read_files(archive, _PICTURE)
    names = folder / "captions.tsv"
    if names.exists():
        text = names.read_text(encoding="utf-8")
    else:
        text = format_table(files, _fetch_annotations())
    received = hashlib.sha256(text.encode()).hexdigest()
    if received != _TABLE_SHA256:
        raise ValueError(
            f"The names in {folder} are not those that were published: the digest of their table "
            f"is {received}, expected {_TABLE_SHA256}. Remove them there, to have them fetched "
            "anew."
        )
    rows = read_table(text)
    files = {row["file"]: files[row["file"]] for row in rows if row["file"] in files}
    received = digest(files)
    if received != _SHA256:
        raise ValueError(
            f"The pictures in {archive} are not those that were published: their digest is "
            f"{received}, expected {_SHA256}. Remove the file, to have it fetched anew."
        )
    return split(rows, pixels(files.values()), language=language)


def sample(*, language: str = "en") -> Splits:
    """Made-up pictures of the same form: a square or a bar in one of four colours."""
    colours = {
        ("red", "rot"): (200, 30, 30),
        ("green", "grün"): (30, 160, 60),
        ("blue", "blau"): (40, 60, 200),
        ("black", "schwarz"): (20, 20, 20),
    }
    shapes = {("square", "Quadrat"): (20, 20), ("bar", "Balken"): (8, 40)}
    rng = np.random.default_rng(0)
    rows, images = [], []
    for part, size in (("train", 64), ("val", 16), ("test", 8)):
        for _ in range(size):
            colour, shape = (list(c)[rng.integers(len(c))] for c in (colours, shapes))
            (top, left), (height, width) = rng.integers(4, 28, 2), shapes[shape]
            image = np.full((SIZE, SIZE, 3), 255, np.uint8)
            image[top : top + height, left : left + width] = colours[colour]
            images.append(image)
            captions = (f"{name}: {tone}" for name, tone in zip(shape, colour, strict=True))
            rows.append(dict(zip(_COLUMNS, ("", "", part, *captions), strict=False)))
    return split(rows, np.stack(images), language=language)


def split(rows: Sequence[Row], images: np.ndarray, *, language: str) -> Splits:
    """Returns the parts that `load` describes, of a picture for each row."""
    checks.one_of("language", language, LANGUAGES)

    def part(name: str) -> Arrays:
        chosen = [i for i, row in enumerate(rows) if row["split"] == name]
        y = objects(rows[i][f"caption_{language}"] for i in chosen)
        return {"image": images[chosen], "target_ids": y}, y

    return Splits(train=part("train"), validation=part("val"), test=part("test"), source=SOURCE)


def pixels(files: Iterable[bytes]) -> np.ndarray:
    """Returns pictures `(B, 72, 72, 3)` uint8 of the bytes of files, read as a model does."""
    from PIL import Image

    reader = ka.layers.ImageConverter(SIZE, SIZE)
    return reader.encode([Image.open(io.BytesIO(file), formats=["PNG"]) for file in files])


def read_table(text: str) -> list[Row]:
    """Returns the rows of a table that `format_table` wrote."""
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def format_table(files: Iterable[str], annotations: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns names, keywords and part of each picture that has a name, tab-separated.

    Args:
        files: names of pictures, which are code points: `emoji_u1f44d_1f3ff.png`.
        annotations: of the CLDR, by language and emoji.
    """
    known = {
        language: {tuple(_code_points(emoji)): entry for emoji, entry in entries.items()}
        for language, entries in annotations.items()
    }
    lines = [_COLUMNS]
    for file in sorted(files):
        points = [
            int(part, 16) for part in file.removeprefix("emoji_u").removesuffix(".png").split("_")
        ]
        points = [point for point in points if point != _EMOJI_STYLE]
        entries = [known[language].get(tuple(points)) for language in LANGUAGES]
        if all(entry and "tts" in entry for entry in entries):
            names = [entry["tts"][0] for entry in entries]
            keywords = ["|".join(entry["default"]) for entry in entries]
            codepoints = " ".join(f"U+{point:04X}" for point in points)
            lines.append((file, codepoints, choose_part(points), *names, *keywords))
    return "".join("\t".join(line) + "\n" for line in lines)


def choose_part(points: Sequence[int]) -> str:
    """Returns the part that an emoji belongs to, by a digest of what its variants share."""
    bare = [point for point in points if point not in _TONES and point != _JOINER]
    shared = [point for point in bare if point not in _GENDERS] or bare
    key = "_".join(f"{point:x}" for point in shared)
    number = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 10
    return {0: "test", 1: "val"}.get(number, "train")


def _code_points(emoji: str) -> list[int]:
    return [ord(character) for character in emoji if ord(character) != _EMOJI_STYLE]


def _fetch_annotations() -> dict[str, dict[str, Any]]:
    """Returns names and keywords by language and emoji; the CLDR has two files of each language."""
    annotations: dict[str, dict[str, Any]] = {}
    for language in LANGUAGES:
        annotations[language] = {}
        for package, kind in (
            ("cldr-annotations-full", "annotations"),
            ("cldr-annotations-derived-full", "annotationsDerived"),
        ):
            url = f"{_NAMES}{package}/{kind}/{language}/annotations.json"
            file = File(url=url, sha256=None, name=f"{kind}_{language}.json")
            content = json.loads(fetch("emoji_captions", file).read_text(encoding="utf-8"))
            annotations[language].update(content[kind]["annotations"])
    return annotations
