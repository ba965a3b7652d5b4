"""Captions of pictures: of a user's own, and what the recipes of the zoo share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from sacrebleu.metrics import BLEU, CHRF
from sklearn.decomposition import PCA

import keras_attention as ka
from keras_attention.explain.plots import any_model
from zoo.data import Arrays, Splits, objects
from zoo.harness.experiment import Recipe
from zoo.harness.stopping import StopEarly
from zoo.models import captioner as default
from zoo.readers import findings as of_data
from zoo.readers import pictures
from zoo.readers.findings import Findings
from zoo.readers.pictures import Album, Row
from zoo.readers.splitting import split_rows
from zoo.readers.tables import Table, name_source
from zoo.tasks import translators
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary

CAPTIONS = ("caption", "text", "sentence", "description", "title", "name")
SEEN = 100_000  # captions that a training sees, epochs times captions
LONGEST = 128  # byte pairs of a text that are read and written
RATES = {"recurrent": 3e-3, "transformer": 2e-3}  # the highest ones
AT_ONCE = 64  # pictures that are described
LENGTH_PENALTY = 0.0  # the most probable caption, as Xu et al., 2015, search
LOOKED_AT = 200  # test pictures among which mistakes are found
COMPARED = 3000  # training pictures among which the nearest one is found


def captioning(
    data: Table,
    *,
    captions: Table | None = None,
    image: str | None = None,
    caption: str | None = None,
    test: Table | None = None,
    decoder: Literal["transformer", "recurrent"] = "transformer",
    image_size: int = 72,
    on_error: Literal["stop", "skip"] = "stop",
    epochs: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Run:
    """Captions of pictures, from a folder of pictures and a table of their file names and captions.

        keras-attention train captioning --data pictures/ --captions captions.tsv

    Args:
        data: the folder of the pictures; or a mapping from names to images.
        captions: the table of file names and captions, of which a picture may have several;
            `captions` or `metadata` (.tsv, .csv, .jsonl, .parquet) in the folder if `None`.
        image: the table's column of the file names; `image` or `file` if there is one.
        caption: the table's column of the captions; `caption` or `text` if there is one.
        test: another table, of pictures in the same folder to test on; a tenth of the pictures if
            `None`.
        decoder: a transformer, or a recurrent one.
        image_size: side in pixels of what the model sees.
        on_error: stop at a picture that is missing or damaged, or skip it.
        epochs: how often each caption is seen at most; by their number if `None`.
        batch_size: captions per step.
        seed: of the split, the initial weights, the order, the augmentation and the dropout.

    Raises:
        ValueError: a column or a picture is missing, a picture is damaged, or there are too few.
    """
    request = make_request("captioning", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    columns = {"image": (image, pictures.IMAGES), "caption": (caption, CAPTIONS)}
    table = pictures.find_table(data, argument="captions") if captions is None else captions
    parts = read_parts(
        data,
        {"captions": table} | ({} if test is None else {"test": test}),
        columns,
        argument="data",
        size=image_size,
        on_error=on_error,
        seed=seed,
        findings=findings,
    )
    lengths = [len(ka.layers.Tokenizer.split(text)) for _, text in parts[0].rows]
    of_data.add_lengths(findings, lengths, "words")
    train, validation, tested = (
        ({"image": part.images, "target_ids": texts}, texts)
        for part in parts
        for texts in [objects(text for _, text in part.rows)]
    )
    raw = Splits(train=train, validation=validation, test=tested, source=name_source(data))
    tokenizer = train_tokenizer(raw.train[1])
    mean, std = measure_colours(parts[0], image_size)
    model = default.captioner(
        decoder=decoder,
        image_size=image_size,
        mean=mean,
        std=std,
        # No mirror: captions say what is left and right.
        augmentation=ka.layers.ImageAugmentation(zoom=0.1, shift=0.06, name="augmentation"),
        dropout=0.2,
        tokenizer=tokenizer,
    )
    stream = not parts[0].album.pixels
    shown = Gallery.of_rows(parts[0]), Gallery.of_rows(parts[2])
    recipe = make_recipe(
        encode(raw, tokenizer, stream=stream),
        shown[1],
        name="captioning",
        variant=decoder,
        seed=seed,
        model=model,
        epochs=epochs or choose_epochs(len(lengths)),
        batch_size=batch_size,
        peak=RATES[decoder],
        max_new_tokens=choose_length(tokenizer, raw.train[1]),
        stream=stream,
        buckets=() if stream else choose_buckets(tokenizer, raw.train[1]),
        stop=StopEarly(),
        baselines={"caption of the nearest training picture": lambda _: nearest_picture(*shown)},
        request=request,
        next_step="keras-attention generate {folder}/model.keras {folder}/example.png "
        "--sampler beams=5,length_penalty=0",
    )
    return Run(recipe, findings)


@dataclass(frozen=True)
class Part:
    """Rows of a table about pictures, and these."""

    rows: Sequence[Row]
    album: Album

    @property
    def images(self) -> np.ndarray:
        """The picture of each row, pixels `(B, size, size, 3)` or `(B,)` files."""
        return self.album.of(row[0] for row in self.rows)


@dataclass(frozen=True)
class Gallery:
    """Pictures, and what each may be called.

    Attributes:
        images: `(P, size, size, 3)` uint8, or `(P,)` files.
        captions: of each picture.
        names: of the pictures.
    """

    images: np.ndarray
    captions: Sequence[Sequence[str]]
    names: Sequence[str]

    @classmethod
    def of_rows(cls, part: Part) -> "Gallery":
        """Returns each picture once, with all of its captions."""
        by_name: dict[str, list[str]] = {}
        for name, caption in part.rows:
            by_name.setdefault(name, []).append(caption)
        return cls(part.album.of(by_name), [*by_name.values()], [*by_name])

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> "Gallery":
        """Returns the pictures of a part of a dataset, each of which has one caption."""
        x, y = arrays
        return cls(x["image"], [[text] for text in y], [str(row) for row in range(len(y))])


def read_parts(
    data: Table,
    tables: dict[str, Table],
    columns: dict[str, tuple[str | None, Sequence[str]]],
    *,
    argument: str,
    size: int,
    on_error: str,
    seed: int,
    findings: Findings,
) -> list[Part]:
    """Returns the rows to train on, to choose by and to test on.

    All rows about a picture are in one part, and those about others that look like it.

    Args:
        data: the folder of the pictures, or a mapping from names to images.
        tables: the table to train on by the name of its argument, and perhaps `"test"`.
        argument: the name of `data`, for messages.
        columns, size, on_error, findings: see `zoo.readers.pictures`.
        seed: of the split.
    """
    read = []
    for name, table in tables.items():
        rows = pictures.read_rows(table, columns, argument=name, findings=findings)
        album, rows = pictures.read_album(
            data, rows, size=size, argument=argument, on_error=on_error, findings=findings
        )
        read.append(Part(rows, album))
    whole, *given = read
    keys = [whole.album.digests[row[0]] for row in whole.rows]
    of_data.add_duplicates(findings, whole.rows, [()] * len(keys))
    for part in given:
        tested = [part.album.digests[row[0]] for row in part.rows]
        of_data.add_leakage(findings, keys, tested)
    places = split_rows(keys, seed=seed, parts=3 - len(given))
    parts = [Part([whole.rows[row] for row in place], whole.album) for place in places] + given
    counts = [f"{len(part.rows):,}" for part in parts]
    findings.add(
        f"Parts: {counts[0]} rows to train on, {counts[1]} to choose by, {counts[2]} to test on, "
        + ("given" if given else f"split by seed {seed}, all rows of a picture together")
    )
    return parts


def measure_colours(part: Part, size: int) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of the colours of up to 500 pictures, as shares of 1, as
    a model sees them whose images have a side of `size`."""
    names = sorted({row[0] for row in part.rows})
    some = np.random.default_rng(0).permutation(len(names))[:500]
    images = part.album.of(names[i] for i in some)
    pixels = (
        images if part.album.pixels else ka.layers.ImageConverter(size, size).encode(images)
    ) / 255
    axes = (0, 1, 2)
    return pixels.mean(axes).tolist(), np.maximum(pixels.std(axes), 1e-3).tolist()


def train_tokenizer(texts: Sequence[str]) -> ka.layers.Tokenizer:
    """Returns a tokenizer of what a model writes: byte pairs in lower case, with start and end."""
    return learn_vocabulary(
        texts,
        vocabulary_size=int(np.clip(len(texts) // 2, 400, 8000)),
        start_end=True,
        max_length=LONGEST,
        name="target_tokenizer",
    )


def choose_epochs(rows: int) -> int:
    """Returns how often rows are seen at most, by how many they are."""
    return int(np.clip(SEEN / rows, 5, 60))


def choose_length(tokenizer: ka.layers.Tokenizer, texts: Sequence[str]) -> int:
    """Returns how many tokens a model may write: half as many again as the longest text has."""
    return int(np.clip(1.5 * tokenizer.encode(texts).shape[1], 8, LONGEST - 1))


def choose_buckets(tokenizer: ka.layers.Tokenizer, texts: Sequence[str]) -> tuple[int, ...]:
    """Returns lengths that part texts into four of the same size."""
    lengths = (tokenizer.encode(texts) > 0).sum(axis=1)
    return tuple(sorted({int(each) for each in np.percentile(lengths, [25, 50, 75])}))


def encode(raw: Splits, tokenizer: ka.layers.Tokenizer, *, stream: bool = False) -> Splits:
    """Returns ids of texts, for a decoder that reads the true text up to each token.

    Args:
        raw: whose x have the input `target_ids`, which is texts as y is.
        tokenizer: of the model's `target_ids`.
        stream: whether `RawBatches` makes these ids. They have the end too, which nothing follows.

    Returns:
        x with `target_ids` `(B, T)`, or the texts; y `(B, T)` what comes next; and weights
        `(B, T)`, 0 for padding.
    """

    def part(given: Arrays) -> Arrays:
        x, y = given
        previous, following = translators.shift(y, tokenizer)
        if stream:
            previous, following = y, np.pad(following, ((0, 0), (0, 1)))
        return {**x, "target_ids": previous}, following, (following != 0).astype(np.float32)

    return raw.map(part)


def make_recipe(
    splits: Splits,
    shown: Gallery,
    *,
    max_new_tokens: int,
    num_beams: int = 5,
    **others: Any,
) -> Recipe:
    """Returns a recipe of captioning.

    Args:
        splits: of `encode`.
        shown: the test pictures.
        max_new_tokens: of a caption.
        num_beams: of the search.
        others: arguments of `make_writer`, and further attributes of the recipe.
    """
    search = {"num_beams": num_beams, "max_new_tokens": max_new_tokens}
    return make_writer(
        splits,
        score="bleu",
        measure=lambda model, _: measure(model, shown, **search),
        pictures=lambda model, _: draw_pictures(model, shown, **search),
        mistakes=lambda model, _: find_mistakes(model, shown, **search),
        task="image-to-text",
        **others,
    )


def make_writer(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    **others: Any,
) -> Recipe:
    """Returns a recipe of a model that writes about pictures.

    Args:
        splits: of `encode`.
        model: with an input `target_ids`.
        epochs, batch_size: of the training.
        peak: the highest learning rate.
        others: further attributes of the recipe.
    """
    steps = epochs * splits.num_batches(batch_size)
    return Recipe(
        model=model,
        data=splits,
        optimizer=adamw_cosine(
            steps,
            peak=peak,
            warmup_steps=steps // 20,
            weight_decay=0.05,
            spared=["table", "embedding"],
        ),
        loss=ka.training.SmoothedCrossentropy(0.1),
        metrics=(ka.training.TokenAccuracy(),),
        epochs=epochs,
        batch_size=batch_size,
        **others,
    )


def write_captions(
    model: keras.Model, images: np.ndarray, *, sampler: Any, max_new_tokens: int
) -> list[str]:
    """Returns a caption by the model for each image."""
    captions = []
    for start in range(0, len(images), AT_ONCE):
        chunk = images[start : start + AT_ONCE]
        captions += ka.generate(model, chunk, sampler=sampler, max_new_tokens=max_new_tokens)
    return captions


def measure(
    model: keras.Model, shown: Gallery, *, num_beams: int, max_new_tokens: int
) -> dict[str, float]:
    """Returns BLEU and exact matches of pictures, by beam search and greedily."""
    scores = {}
    for how, sampler in {"": beam_search(num_beams), "_greedy": ka.decoding.Greedy()}.items():
        captions = write_captions(
            model, shown.images, sampler=sampler, max_new_tokens=max_new_tokens
        )
        scores[f"bleu{how}"], signature = bleu(captions, shown.captions)
        scores[f"exact_match{how}"] = exact_match(captions, shown.captions)
    print(f"bleu: sacreBLEU {signature}, {num_beams} beams or greedy", flush=True)
    return scores


def beam_search(num_beams: int) -> ka.decoding.BeamSearch:
    """Returns the search for the most probable caption."""
    return ka.decoding.BeamSearch(num_beams, length_penalty=LENGTH_PENALTY)


def bleu(written: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    """Returns sacreBLEU from 0 to 1 of texts, case ignored, and its signature.

    Args:
        written: texts.
        references: of each, one or more.
    """
    most = max(map(len, references))
    # A stream of references each, `None` where a text has fewer.
    streams = [[each[i] if i < len(each) else None for each in references] for i in range(most)]
    metric = BLEU(lowercase=True, tokenize="13a", force=True)
    return metric.corpus_score(list(written), streams).score / 100, str(metric.get_signature())


def exact_match(written: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Returns the share of texts that are one of their references, case ignored."""
    pairs = zip(written, references, strict=True)
    return float(np.mean([a.lower() in [b.lower() for b in each] for a, each in pairs]))


def nearest_picture(train: Gallery, shown: Gallery) -> float:
    """Returns BLEU of the first caption of the most similar training picture.

    Similarity is the cosine of 128 whitened principal components of the pixels, for files of
    32 x 32 of them. Of more training pictures than `COMPARED` so many are looked at.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(train.images))[:COMPARED])
    known, tested = (
        (images if images.ndim == 4 else _THUMBNAILS.encode(images)).reshape(len(images), -1) / 255
        for images in (train.images[some], shown.images)
    )
    components = PCA(min(128, *known.shape), whiten=True, random_state=0).fit(known)
    known, tested = map(components.transform, (known, tested))
    # The length of a test vector changes no order.
    similarity = tested @ (known / np.linalg.norm(known, axis=1, keepdims=True)).T
    nearest = some[similarity.argmax(axis=1)]
    return bleu([train.captions[row][0] for row in nearest], shown.captions)[0]


def find_mistakes(
    model: keras.Model, shown: Gallery, *, num_beams: int, max_new_tokens: int, most: int = 50
) -> list[dict[str, Any]]:
    """Returns the pictures, of the first `LOOKED_AT`, whose caption is least like a true one.

    Likeness is chrF (Popović, 2015, https://aclanthology.org/W15-3049).
    """
    captions = write_captions(
        model,
        shown.images[:LOOKED_AT],
        sampler=beam_search(num_beams),
        max_new_tokens=max_new_tokens,
    )
    chrf = CHRF(lowercase=True)
    likeness = [
        chrf.sentence_score(caption, list(true)).score
        for caption, true in zip(captions, shown.captions, strict=False)
    ]
    worst = np.argsort(likeness, kind="stable")[:most]
    return [
        {
            "image": shown.names[row],
            "caption": " | ".join(shown.captions[row]),
            "written": captions[row],
            "chrf": round(likeness[row], 1),
        }
        for row in worst
        if likeness[row] < 100
    ]


def draw_pictures(
    model: keras.Model, shown: Gallery, *, num_beams: int, max_new_tokens: int, count: int = 3
) -> dict:
    """Draws what the model looks at for each word that it writes about some test pictures."""
    figures = {}
    for number, row in enumerate(np.linspace(0, len(shown.names) - 1, count).astype(int)):
        figures[f"attention_{number}" if number else "attention"] = any_model.caption(
            model,
            shown.images[row : row + 1],
            sampler=beam_search(num_beams),
            max_new_tokens=max_new_tokens,
            title=f"Test picture: {shown.captions[row][0]}",
        )
    return figures


_THUMBNAILS = ka.layers.ImageConverter(32, 32)
