"""Makes the gallery: a picture for each recipe, and the page `docs/gallery.md` that shows them.

python docs/extensions/gallery.py            # all of them
python docs/extensions/gallery.py iris --runs runs

The pictures are small files that are kept with the page, because most of them need data that a
build of the site does not have. A recipe's picture is the first of these that there is:

1. what a training left in `RUNS/NAME/`,
2. what the recipe draws of the trained model of its name that comes along (`zoo.box`),
3. what it draws after a short training, see `trainings.py`,
4. its deletion curves in `docs/faithfulness/`,
5. its measured scores beside simpler methods, of `docs/results/`.
"""

import argparse
import io
import json
import sys
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
DOCS = ROOT / "docs"
PICTURES = DOCS / "gallery"
BEST = ("attention", "alignment", "reading", "importance")  # of the pictures that recipes draw
# How many inputs, where recipes draw many in a row, or weights that are even.
EXPLAINED = {"audio_fsdd": 2, "text_clinc": 8, "vit_digits": 3}
WIDTH = 900  # pixels


def draw(name, runs):
    """Returns the picture of a recipe as a Pillow image, and a sentence that says what it is of."""
    import trainings
    from PIL import Image

    from zoo import box

    for best in BEST:
        if runs and (runs / name / f"{best}.png").exists():
            return Image.open(runs / name / f"{best}.png"), "Drawn by the training itself."
    if name in box.names():
        figure = draw_boxed(name)
        return rasterise(figure), f'Drawn of the model that comes along, `zoo.load("{name}")`.'
    if name in {**trainings.TRAININGS, **trainings.TRANSLATORS}:
        figure, sentence = trainings.draw_trained(name, BEST)
        return rasterise(figure), sentence
    curves = sorted((DOCS / "faithfulness").glob(f"{name}-*.png"))
    if curves:
        return Image.open(curves[0]), (
            "How fast the answer goes when what an explanation calls important is taken away, "
            "[measured](faithfulness.md) on a trained model."
        )
    return rasterise(draw_scores(name)), (
        "Measured scores, those of [results](results.md): its training was too long to draw its "
        "attention for this page. The first command draws it."
    )


def draw_boxed(name):
    """Returns what the recipe draws of the trained model of its name."""
    import keras_attention as ka
    import zoo
    from keras_attention.explain.plots import any_model
    from zoo import recipes

    recipe = recipes.load(name)(variant="default", seed=0, smoke=False)
    if name in EXPLAINED:
        inputs = recipe.data.test[0][: EXPLAINED[name]]
        return any_model.explain(zoo.load(name), inputs, ka.explain.relevance)[1]
    figures = recipe.pictures(zoo.load(name), recipe.data)
    return next((figures[best] for best in BEST if best in figures), next(iter(figures.values())))


def read_scores(name):
    """Returns the mean score of each variant of a recipe, and of each method beside it."""
    lines = (DOCS / "results" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    score = records[0]["score"]
    by_variant, beside = {}, {}
    for record in records:
        by_variant.setdefault(record["variant"], []).append(record["test"][score])
        beside |= record["beside"]
    return score, {variant: fmean(scores) for variant, scores in by_variant.items()}, beside


def draw_scores(name):
    """Returns bars of the measured scores of a recipe's variants, beside simpler methods."""
    from matplotlib.figure import Figure

    score, by_variant, beside = read_scores(name)
    bars = [
        *((method, value, "#b8b8b8") for method, value in beside.items()),
        *((f"{name}, {variant}", value, "#2a4d7c") for variant, value in by_variant.items()),
    ]
    bars = [bar for bar in bars if bar[1] is not None]
    figure = Figure((7, 0.9 + 0.4 * len(bars)), layout="constrained")
    axes = figure.subplots()
    names, values, colours = zip(*bars, strict=True)
    drawn = axes.barh(range(len(bars)), values, color=colours, edgecolor="black", linewidth=0.5)
    axes.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3)
    axes.set_yticks(range(len(bars)), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(score.replace("_", " "))
    figure.suptitle("Dark: the recipe. Grey: others on the same data.", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def rasterise(figure):
    """Returns a figure as an image."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130)
    drawn.seek(0)
    return Image.open(drawn)


def shrink(image):
    """Returns an image that is small as a file: not wider than `WIDTH`, in 128 colours."""
    image = image.convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)))
    return image.quantize(128)


def format_page(sentences):
    """Returns `docs/gallery.md`; the sentences tell by recipe what its picture is of."""
    from zoo import recipes

    lines = [
        "# Gallery",
        "",
        "A picture of each recipe, and the command that makes it. A training leaves more in",
        "`runs/RECIPE/`, and [results](results.md) has the numbers.",
        "",
    ]
    for name in recipes.names():
        promise = recipes.promise(name)
        lines += [
            f"## {name}",
            "",
            f"![{promise}](gallery/{name}.png)",
            "",
            f"{promise} *{sentences[name]}*",
            "",
            "```",
            f"python scripts/train.py {name}",
            *[f"python docs/extensions/gallery.py {name}"] * ("second command" in sentences[name]),
            "```",
            "",
        ]
    return "\n".join(lines[:-1]) + "\n"


def main():
    """Draws the pictures that are asked for, and writes the page."""
    from zoo import recipes

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="recipes; all of them if none is named")
    parser.add_argument("--runs", type=Path, help="folder that trainings left their folders in")
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    kept = PICTURES / "pictures.json"  # what each picture is of
    sentences = {}
    for name in options.names or recipes.names():
        image, sentence = draw(name, options.runs)
        if kept.exists():  # read anew, as another one may have been drawn meanwhile
            sentences = json.loads(kept.read_text(encoding="utf-8"))
        sentences[name] = sentence
        shrink(image).save(PICTURES / f"{name}.png", optimize=True)
        print(name, sentences[name], (PICTURES / f"{name}.png").stat().st_size, flush=True)
        kept.write_text(json.dumps(sentences, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (DOCS / "gallery.md").write_text(format_page(sentences), encoding="utf-8")


if __name__ == "__main__":
    main()
