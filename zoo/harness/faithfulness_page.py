"""The page that says how faithful explanations of the zoo's models are."""

from collections.abc import Mapping, Sequence
from typing import Any

DECIDING = ("deletion", "insertion")
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


def page(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns the text of `docs/faithfulness.md`.

    Args:
        records: what `faithfulness.measure` gave and the `metrics.json` of the training said.
    """
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


def _summary(records: Sequence[Mapping[str, Any]]) -> str:
    """Says which of the text and image models are as in the literature, and which are not."""
    sentences = []
    for elements, kind in (("tokens", "text"), ("patches", "image")):
        of_kind = [record for record in records if record["elements"] == elements]
        good = [_title(r) for r in of_kind if r["comparisons"] and _as_expected(r)]
        bad = [_title(r) for r in of_kind if _title(r) not in good]
        if good:
            sentences.append(
                f"Of the {kind} models {', '.join(good)}: relevance beats rollout, and "
                "rollout random, as in the literature."
            )
        if bad:
            sentences.append(f"Not so of the {kind} model{'s' * (len(bad) > 1)} {', '.join(bad)}.")
    return " ".join(sentences)


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
    measured, name = record["faithfulness"], f"{record['recipe']}-{record['variant']}"
    score, parts = record["score"], [f"\n## {record['recipe']}, {record['variant']}\n"]
    blank = f"; insertion from {record['insertion_from']}" if record["insertion_from"] else ""
    kind, whole, empty = record["elements"], measured["whole"], measured["empty"]
    sizes = " to ".join(map(str, dict.fromkeys(measured["sizes"])))
    parts.append(
        f"{measured['inputs']} random inputs of the test data with {sizes} {kind}{blank}; "
        f"{measured['draws']} random rankings each; seed {measured['seed']}. "
        f"Test {score} of the model: {_percent(record['test'][score])}. "
        f"The class it predicts has probability {whole:.3f} with all {kind}, and {empty:.3f} "
        "without any.\n"
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
    for method, why in measured["skipped"].items():
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
