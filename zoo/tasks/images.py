"""Image classification: of a user's own images, and what the recipes of the zoo share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

import keras_attention as ka
from keras_attention.explain import attention_maps, plots
from keras_attention.explain.attribution.elements import elements
from keras_attention.layers.inputs.image_file import open_image
from zoo.data import Splits
from zoo.harness import charts
from zoo.harness.experiment import Recipe, predict
from zoo.harness.stopping import StopEarly
from zoo.models.vit import VARIANTS, vit
from zoo.readers import folders
from zoo.readers.findings import Findings
from zoo.readers.tables import Table
from zoo.tasks.fine_tuning import FineTuning, Init, start_from
from zoo.tasks.mistakes import list_mistakes
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
SEEN = 100_000  # images that a training sees, epochs times images
LARGEST = 64  # side of what a model from scratch sees, if nobody says otherwise
LITTLE = 2_000  # images, below which the model is narrower
MEMORY = 2**29  # bytes of pixels that are kept; of more, files are read in every epoch
SHOWN = 10  # test images whose attention is drawn
READABLE = 40  # classes in a confusion matrix
FINE_TUNING = FineTuning(task="classes", epochs=5, peak=1e-4, decay=0.8, max_length=None)


def image_classification(
    data: Table,
    *,
    labels: Table | None = None,
    path: str | None = None,
    label: str | None = None,
    test: Table | None = None,
    init: str | None = None,
    lora: int | None = None,
    image_size: int | None = None,
    mirror: bool = True,
    on_error: Literal["stop", "skip"] = "stop",
    epochs: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Run:
    """Classes of images, such as cat or dog, from a folder with a folder for each class.

        keras-attention train image-classification --data photos/

    Args:
        data: the folder, such as photos/ with photos/cat/1.jpg, or with train/ and test/ that have
            the folders of classes; or a table with a column of paths and one of classes.
        labels: a table of the files in `data` and their classes, where `data` has no folders.
        path: the table's column of the files; `path` or `file` if there is one of this name.
        label: the table's column of the classes; `label` if there is one of this name.
        test: another folder or table to test on; a tenth of the images if `None`.
        init: a published vision transformer to start from, a folder or `hf://user/name`.
        lora: the rank of adapters that learn in place of its weights.
        image_size: side in pixels of what the model sees; by the size of the images if `None`.
        mirror: mirror half of the images in training; not for letters, signs and the like.
        on_error: stop at an image that cannot be read, or skip it.
        epochs: how often each image is seen at most; by their number if `None`.
        batch_size: images per step.
        seed: of the split, the initial weights, the order and the augmentation.

    Raises:
        ValueError: an image cannot be read, a column is missing, there is one class alone, or a
            class in the test data alone.
    """
    request = make_request("image_classification", locals())
    if init is None and lora is not None:
        raise ValueError(f"`lora` adapts a published model: pass `init`. Received: lora={lora}")
    if init is not None and image_size is not None:
        raise ValueError(
            "`image_size` is of a model from scratch; a published one has a size of its own. "
            f"Received: image_size={image_size}, init={init!r}"
        )
    keras.utils.set_random_seed(seed)
    findings = Findings()
    splits, pictures = folders.read_splits(
        data,
        test,
        kind=folders.Kind("images", SUFFIXES, look),
        labels=labels,
        path=path,
        label=label,
        on_error=on_error,
        seed=seed,
        findings=findings,
    )
    add_sizes(findings, pictures)
    side = image_size or choose_size(pictures)
    count = len(splits.train[1])
    model = make_model(
        splits, side, channels=1 if all(each.is_grey for each in pictures) else 3, mirror=mirror
    )
    if epochs is None:
        epochs = FINE_TUNING.epochs if init else int(np.clip(SEEN / count, 10, 200))
    recipe = make_recipe(
        splits,
        name="image-classification",
        variant="default",
        seed=seed,
        model=model,
        epochs=epochs,
        batch_size=batch_size,
        peak=1e-3,
        stop=StopEarly("val_accuracy", mode="max", patience=max(5, epochs // 4)),
        baselines={"logistic regression on 16 x 16 grey pixels": logistic_regression},
        request=request,
        next_step="keras-attention predict {folder}/model.keras {folder}/example.png",
    )
    fine_tuning = replace(
        FINE_TUNING, epochs=epochs, batch_size=batch_size, augmentation=make_augmentation(mirror)
    )
    recipe = start_from(None if init is None else Init(init, lora), recipe, fine_tuning)
    if mirror:
        findings.add("Half of the images are mirrored in training (--no-mirror for letters)")
    return Run(stream_large(recipe, findings), findings)


@dataclass(frozen=True)
class Picture:
    """What is worth knowing of an image file: its size in pixels, upright, and its colours."""

    width: int
    height: int
    is_grey: bool


def look(path: Path) -> Picture:
    """Returns what an image file is like, read as `ka.predict` reads it.

    Raises:
        ValueError: it is damaged, of an unknown format, or larger than `ImageConverter` takes.
    """
    image = open_image(path, 3, _PIXELS.max_pixels)
    small = np.asarray(image.resize((32, 32), reducing_gap=2.0), np.int16)
    # JPEG has grey pixels of which a channel is a level or two off.
    return Picture(*image.size, is_grey=bool(np.ptp(small, axis=-1).max() <= 4))


def add_sizes(findings: Findings, pictures: Sequence[Picture]) -> None:
    """Adds how large images are, and whether they have colours."""
    ordered = sorted(pictures, key=lambda each: each.width * each.height)
    smallest, middle, largest = (
        f"{each.width} x {each.height}"
        for each in (ordered[0], ordered[len(ordered) // 2], ordered[-1])
    )
    grey = sum(each.is_grey for each in pictures)
    findings.add(
        f"Sizes: {smallest} to {largest} pixels, {middle} in the middle; {grey:,} of "
        f"{len(pictures):,} are grey"
    )


def choose_size(pictures: Sequence[Picture]) -> int:
    """Returns the side of what a model from scratch sees: the median of the shorter sides, a
    multiple of 4 from 8 to `LARGEST`."""
    median = int(np.median([min(each.width, each.height) for each in pictures]))
    return int(np.clip(median // 4 * 4, 8, LARGEST))


def make_model(splits: Splits, side: int, *, channels: int, mirror: bool) -> keras.Model:
    """Returns a compact vision transformer with about 8 x 8 tokens, whatever the side."""
    paths, _ = splits.train
    convolutions = max(1, math.ceil(math.log2(side / 10)))
    width = 64 if len(paths) < LITTLE else VARIANTS["compact"]["hidden_dim"]
    some = np.random.default_rng(0).permutation(len(paths))[:200]
    pixels = ka.layers.ImageConverter(side, side, channels).encode(paths[some]) / 255
    axes = (0, 1, 2)
    sizes = dict(
        hidden_dim=width,
        intermediate_dim=2 * width,
        stem=tuple(min(width, 32 * 2**i) for i in range(convolutions)),
    )
    return vit(
        **{**VARIANTS["compact"], **sizes},
        image_size=side,
        channels=channels,
        mean=pixels.mean(axes).tolist(),
        std=np.maximum(pixels.std(axes), 1e-3).tolist(),  # of images of one colour it is 0
        augmentation=make_augmentation(mirror),
        dropout=0.1,
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
    )


def make_augmentation(mirror: bool) -> ka.layers.ImageAugmentation:
    """Returns the layer by which no image is seen twice: a tenth larger, smaller or aside."""
    return ka.layers.ImageAugmentation(flip=mirror, zoom=0.1, shift=0.1, name="augmentation")


def stream_large(recipe: Recipe, findings: Findings) -> Recipe:
    """Returns the recipe, with images read batch by batch if their pixels are too many to keep."""
    height, width, channels = recipe.model.input_shape[1:]
    needed = len(recipe.data.train[1]) * height * width * channels
    seen = f"The model sees {width} x {height} pixels, {'grey' if channels == 1 else 'in colour'}"
    stream = needed > MEMORY
    findings.add(
        f"{seen}: {needed / 1e6:,.1f} MB, "
        + ("read batch by batch in every epoch" if stream else "read into memory once")
    )
    return replace(recipe, stream=stream)


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    warmup: float = 0.1,
    **others: Any,
) -> Recipe:
    """Returns a recipe of image classification.

    Args:
        splits: images, or their paths, and the numbers of their classes.
        model: to train.
        epochs, batch_size: of the training.
        peak: the highest learning rate.
        warmup: share of the steps in which the rate rises.
        others: further attributes of the recipe.
    """
    steps = epochs * splits.num_batches(batch_size)
    others = {"baselines": {"logistic regression": logistic_regression}, **others}
    return Recipe(
        model=model,
        data=splits,
        optimizer=adamw_cosine(
            steps,
            peak=peak,
            warmup_steps=int(steps * warmup),
            weight_decay=0.05,
            spared=["table", "tokens"],
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        score="accuracy",
        epochs=epochs,
        batch_size=batch_size,
        pictures=draw_pictures,
        mistakes=find_mistakes,
        task="image-classification",
        **others,
    )


def logistic_regression(splits: Splits) -> float:
    """Returns the test accuracy of multinomial logistic regression on the pixels; of files, on
    16 x 16 grey ones, of at most 20,000 training images."""
    (x, y), (x_test, y_test) = splits.train, splits.test
    if x.dtype == object:
        some = np.random.default_rng(0).permutation(len(x))[:20_000]
        x, y, x_test = _PIXELS.encode(x[some]), y[some], _PIXELS.encode(x_test)
    model = LogisticRegression(max_iter=100, tol=1e-3)
    model.fit(x.reshape(len(x), -1) / 255, y)
    return model.score(x_test.reshape(len(x_test), -1) / 255, y_test)


def find_mistakes(model: keras.Model, splits: Splits) -> list[dict[str, Any]]:
    """Returns the test images whose wrong class the model is surest of."""
    return list_mistakes(predict(model, splits.test, batch_size=256), splits, "image")


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the confusion matrix, and attention to one test image of each of some classes."""
    x, y = splits.test
    predicted = np.argmax(predict(model, splits.test, batch_size=256), axis=-1)
    names = splits.class_names
    rows = np.unique(y, return_index=True)[1][:SHOWN]
    patches = elements(model, x[rows])
    maps = plots.patch_weights(attention_maps(model, patches.inputs), *patches.grid)
    titles = [
        names[y[row]] + ("" if predicted[row] == y[row] else f"\n(as {names[predicted[row]]})")
        for row in rows
    ]
    draw = charts.confusion_matrix if len(names) <= READABLE else charts.confused_pairs
    return {
        "confusion_matrix": draw(
            y, predicted, names, title=f"{splits.source.name}, {len(y):,} test images"
        ),
        "attention": plots.image_attention(
            patches.array,
            {path: patches.cells(weights) for path, weights in maps.items()},
            titles,
            title="What each layer attends to, mean over heads; test images",
        ),
    }


_PIXELS = ka.layers.ImageConverter(16, 16, 1, name="small_pixels")
