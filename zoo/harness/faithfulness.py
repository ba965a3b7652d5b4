"""How faithful explanations of the zoo's models are: what is measured, and the page that says so.

`scripts/faithfulness.py` calls these.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from keras_attention import roles
from keras_attention.explain.attribution.neighborhoods import neighborhoods
from keras_attention.explain.evaluation.measured import MEASURES, Faithfulness
from keras_attention.explain.evaluation.measures import faithfulness
from keras_attention.explain.evaluation.randomization import randomization
from keras_attention.explain.evaluation.ranks import RANDOM
from zoo.harness.experiment import Recipe

# What is said to be better than the next one: section 5 of Chefer et al., 2021.
ORDER = ("relevance", "rollout", RANDOM)
DECIDING = ("deletion", "insertion")
REACH = (5, 50)  # papers, or whatever nodes are, that one to be explained can see


def questions(model: keras.Model, recipe: Recipe, count: int, seed: int = 0) -> dict[str, Any]:
    """Arguments of `faithfulness`: `count` random ones of the recipe's test data.

    Of a graph nodes, each with what it can see, if that is neither too little to take something
    away nor too much to do so often; of images insertion begins with a blurred one, as in the
    paper.

    Returns:
        `inputs` and what goes with them.
    """
    rng = np.random.default_rng(seed)
    x = recipe.data.test[0]
    if isinstance(x, Mapping) and "edges" in x:
        weights = recipe.data.test[2][0]
        hops = sum(map(roles.attends, model.layers))
        nodes = np.flatnonzero(weights)
        seen = (neighborhoods(x, nodes, hops).nodes >= 0).sum(axis=1)
        some = nodes[(seen >= REACH[0]) & (seen <= REACH[1])]
        if not len(some):
            raise ValueError(f"No node of the test data can see {REACH[0]} to {REACH[1]} nodes.")
        found = neighborhoods(x, rng.choice(some, min(count, len(some)), replace=False), hops)
        return {"inputs": found.inputs, "position": found.position}
    rows = rng.choice(len(recipe.data.test[1]), min(count, len(recipe.data.test[1])), replace=False)
    inputs = ka.encode(model, x[rows])
    if inputs.dtype.kind == "i":  # without the padding of the longest test text
        inputs = inputs[:, (inputs != 0).any(axis=0)]
    images = inputs.ndim == 4
    return {"inputs": inputs, **({"insertion_from": "blur"} if images else {})}


def measure(
    model: keras.Model, asked: Mapping[str, Any], methods: Sequence[str] | None, **settings: Any
) -> tuple[Faithfulness, dict[str, Any]]:
    """What `faithfulness` and `randomization` say, the latter of 20 of the inputs.

    Args:
        model: of a recipe.
        asked: by `questions`.
        methods: names; all that apply if `None`.
        settings: `seed` of both, and further ones of `faithfulness`.

    Returns:
        The former, and both as JSON has them, with comparisons of `ORDER`.
    """
    found = faithfulness(model, methods=methods, **asked, **settings)
    fewer = {name: asked[name] for name in ("inputs", "position") if name in asked}
    checked = randomization(
        model,
        methods=methods,
        **keras.tree.map_structure(lambda x: x[:20], fewer),
        seed=settings.get("seed", 0),
    )
    pairs = [pair for pair in pairwise(ORDER) if set(pair) <= set(found.measured)]
    return found, {
        "elements": next(iter(found.explanations.values())).elements.kind,
        "insertion_from": asked.get("insertion_from"),
        "faithfulness": found.as_dict(),
        "comparisons": [
            {"first": a, "second": b, "measure": name, **vars(found.compare(a, b, name))}
            for a, b in pairs
            for name in MEASURES
            if name != "leave_one_out"
        ],
        "tables": {"faithfulness": found.table(), "randomization": checked.table()},
        "randomization": checked.as_dict(),
    }


def page(records: Sequence[Mapping[str, Any]]) -> str:
    """`docs/faithfulness.md`, of what `measure` gave and the run's `metrics.json` said."""
    lines = [_HEAD, "| model | elements | of it | by | verdict |", "|---|---|---|---|---|"]
    for record in records:
        for first, second in _pairs(record):
            of = {c["measure"]: c for c in _compared(record, first, second)}
            wins = ", ".join(f"{name} {_percent(of[name]['wins'])}" for name in DECIDING)
            lines.append(
                f"| [`{_title(record)}`](#{record['recipe']}-{record['variant']}) "
                f"| {record['elements']} | {first} better than {second} | inputs won: {wins} "
                f"| {_verdict(of)} |"
            )
    return "\n".join([*lines, "", _summary(records), *map(_section, records)])


_HEAD = """# Are explanations faithful?

Made by `python scripts/faithfulness.py MODEL.keras` from the files in [faithfulness](faithfulness).

An explanation gives each token, patch or node a score. If the scores are faithful, the probability
of the class that the model predicts falls fast when the elements with the highest scores are taken
away (deletion, the area under the curve: lower is better), and rises fast when they alone are put
back (insertion: higher is better), as in [Petsiuk et al., 2018](https://arxiv.org/abs/1806.07421).
Comprehensiveness is what the probability loses without the top 1, 5, 10, 20 and 50 % of elements,
and sufficiency what it loses with them alone, the mean of the five
([DeYoung et al., 2020](https://aclanthology.org/2020.acl-main.408)). Everything is beside random
rankings and beside the reverse of each; ± is the standard error over inputs. Where both start from
the same blank input, the insertion of a ranking is the deletion of its reverse, seen from the other
end. Gradients, integrated gradients and leave-one-out are for comparison: they look at the effect
of the element itself, and deletion favours them.

A method is called better here if it is so by deletion and by insertion, each with a 95 % bootstrap
interval of the mean difference, over the same inputs, that is without zero.

The models were not chosen beforehand. `vit_fashion, plain`, which has a class token and learned for
3 epochs, was added when `vit_digits` and the default of `vit_fashion`, both with convolutions and
attention pooling, had not shown relevance above rollout; it does not either. That default has no
table, as its training did not end; at its checkpoint after 19 epochs, relevance against rollout on
120 inputs was +0.013 [-0.003, +0.031] in deletion and -0.023 [-0.048, +0.000] in insertion:
undecided, if anything worse.
"""


def _summary(records: Sequence[Mapping[str, Any]]) -> str:
    """Whether a text and an image model are as in the literature, plainly."""
    said = []
    for elements, kind in (("tokens", "text"), ("patches", "image")):
        of_kind = [record for record in records if record["elements"] == elements]
        good = [_title(r) for r in of_kind if r["comparisons"] and _as_expected(r)]
        bad = [_title(r) for r in of_kind if _title(r) not in good]
        if good:
            said.append(
                f"Of the {kind} models {', '.join(good)}: relevance beats rollout, and "
                "rollout random, as in the literature."
            )
        if bad:
            said.append(f"Not so of the {kind} model{'s' * (len(bad) > 1)} {', '.join(bad)}.")
    return " ".join(said)


def _as_expected(record: Mapping[str, Any]) -> bool:
    return all(
        _verdict({c["measure"]: c for c in _compared(record, *pair)}) == "yes"
        for pair in _pairs(record)
    )


def _title(record: Mapping[str, Any]) -> str:
    variant = record["variant"]
    return record["recipe"] + ("" if variant == "default" else f", {variant}")


def _pairs(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((c["first"], c["second"]) for c in record["comparisons"]))


def _compared(record: Mapping[str, Any], first: str, second: str) -> list[Mapping[str, Any]]:
    return [c for c in record["comparisons"] if (c["first"], c["second"]) == (first, second)]


def _verdict(of: Mapping[str, Mapping[str, Any]]) -> str:
    sides = []
    for name in DECIDING:
        low, high = of[name]["interval"]
        worse = low * high > 0 and not of[name]["better"]
        sides.append("better" if of[name]["better"] else "worse" if worse else "undecided")
    if len(set(sides)) == 1:
        return {"better": "yes", "worse": "no, worse", "undecided": "undecided"}[sides[0]]
    return "; ".join(f"{side} by {name}" for name, side in zip(DECIDING, sides, strict=True))


def _section(record: Mapping[str, Any]) -> str:
    found, name = record["faithfulness"], f"{record['recipe']}-{record['variant']}"
    score, parts = record["score"], [f"\n## {record['recipe']}, {record['variant']}\n"]
    blank = f"; insertion from {record['insertion_from']}" if record["insertion_from"] else ""
    kind, whole, empty = record["elements"], np.mean(found["whole"]), np.mean(found["empty"])
    sizes = " to ".join(map(str, sorted({min(found["sizes"]), max(found["sizes"])})))
    parts.append(
        f"{found['inputs']} random inputs of the test data with {sizes} {kind}{blank}; "
        f"{found['draws']} random rankings each; seed {found['seed']}. Test {score} of the model: "
        f"{_percent(record['test'][score])}. The class it predicts has probability {whole:.3f} "
        f"with all {kind}, and {empty:.3f} without any.\n"
    )
    parts.append(record["tables"]["faithfulness"] + "\n")
    for c in record["comparisons"]:
        if c["measure"] in DECIDING:
            low, high = c["interval"]
            parts.append(
                f"- {c['first']} against {c['second']}, {c['measure']}: "
                f"{c['difference']:+.3f} [{low:+.3f}, {high:+.3f}], better on "
                f"{_percent(c['wins'])} of the inputs, sign test p = {c['p']:.2g}."
            )
    for method, why in found["skipped"].items():
        parts.append(f"- {method} does not apply: {why}")
    parts.append(f"\n![Deletion and insertion](faithfulness/{name}.png)\n")
    failed = ", ".join(x.replace("_", " ") for x in record["randomization"]["failed"]) or "none"
    parts.append(
        "Rank correlation with the scores of the trained model, as its layers lose what they have "
        "learned from the output on ([Adebayo et al., 2018](https://arxiv.org/abs/1810.03292); "
        "weights shuffled, 20 inputs). Above "
        f"{record['randomization']['limit']} at the end, and so not about what was learned: "
        f"{failed}.\n"
    )
    parts.append(record["tables"]["randomization"] + "\n")
    versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
    parts.append(f"`{record['command']}`; {versions}; {record['device']}.")
    return "\n".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share in (0, 1) else f"{100 * share:.1f} %"
