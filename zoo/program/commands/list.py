"""Lists the trained models that come along: task, data, score, size and licence.

Example:

    keras-attention list
"""

import argparse
import json

from zoo import box

COLUMNS = ("MODEL", "TASK", "SCORE", "SIZE", "LICENCE", "DATA")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `list`."""
    parser.add_argument("--json", action="store_true", help="as JSON, with all that was measured")


def run(args: argparse.Namespace) -> None:
    """Prints what there is."""
    models = [box.describe(name) for name in box.names()]
    if args.json:
        print(json.dumps({model.name: model.metrics for model in models}, indent=2))
        return
    rows = [COLUMNS, *map(describe, models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    print('Next: keras-attention predict text_clinc "what is my balance"')


def describe(model: box.BoxedModel) -> tuple[str, ...]:
    """Returns the row of a model."""
    score = f"{model.score.replace('_', ' ')} {model.test[model.score]:.4g}"
    size = f"{model.size / 1e6:.1f} MB"
    return model.name, model.task, score, size, model.license, model.data
