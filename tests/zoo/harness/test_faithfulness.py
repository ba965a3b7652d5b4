from pathlib import Path

import numpy as np
import pytest

from zoo import recipes
from zoo.harness import faithfulness, faithfulness_page, records

pytestmark = pytest.mark.runs_on("torch")

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def texts():
    return recipes.load("text_trec")(variant="tiny", smoke=True)


def record(recipe, elements, deletion, insertion):
    """Returns a record as `measure` and `metrics.json` have it, of two intervals per comparison."""
    compared = [
        dict(
            first=first,
            second=second,
            measure=measure,
            wins=0.75,
            difference=sum(interval) / 2,
            interval=interval,
            p=0.01,
            better=better,
        )
        for first, second in (("relevance", "rollout"), ("rollout", "random"))
        for measure, (interval, better) in (("deletion", deletion), ("insertion", insertion))
    ]
    return dict(
        recipe=recipe,
        variant="default",
        score="accuracy",
        test={"accuracy": 0.9},
        elements=elements,
        insertion_from=None,
        comparisons=compared,
        faithfulness=dict(
            inputs=2, draws=5, seed=0, sizes=[3, 7], whole=0.85, empty=0.15, skipped={}
        ),
        tables=dict(faithfulness="| a |", randomization="| b |"),
        randomization=dict(limit=0.5, failed=["attention_gradient"]),
        versions={"keras": "3"},
        device="cpu",
        command="python",
    )


def test_the_page_says_plainly_what_beats_what():
    better, worse, open_ = ((-0.2, -0.1), True), ((0.1, 0.2), False), ((-0.1, 0.1), False)
    page = faithfulness_page.page(
        [
            record("text_one", "tokens", better, better),
            record("text_two", "tokens", worse, worse),
            record("vit_one", "patches", open_, better),
        ]
    )
    assert "Of the text models text_one: relevance beats rollout" in page
    assert "Not so of the text model text_two." in page
    assert "Not so of the image model vit_one." in page
    rows = [line for line in page.splitlines() if line.startswith("| [`")]
    verdicts = [row.split(" | ")[-1].removesuffix(" |") for row in rows]
    assert verdicts[::2] == ["yes", "no, worse", "undecided by deletion; better by insertion"]
    assert "not about what was learned: attention gradient." in page
    assert "3 to 7 tokens" in page


def test_texts_are_measured(texts):
    asked = faithfulness.questions(texts.model, texts, 3, seed=1)
    again = faithfulness.questions(texts.model, texts, 3, seed=1)
    np.testing.assert_array_equal(asked["inputs"], again["inputs"])
    assert (asked["inputs"] != 0).any(axis=0).all()
    measured, record = faithfulness.measure(
        texts.model, asked, ["relevance", "rollout"], draws=1, batch_size=32
    )
    assert record["elements"] == "tokens"
    compared = [tuple(c[k] for k in ("first", "second", "measure")) for c in record["comparisons"]]
    assert compared[:2] == [
        ("relevance", "rollout", "deletion"),
        ("relevance", "rollout", "insertion"),
    ]
    kept = record["faithfulness"]
    assert kept["inputs"] == 3
    assert kept["sizes"] == [measured.sizes.min(), measured.sizes.max()]
    assert kept["whole"] == pytest.approx(measured.whole.mean(), abs=1e-4)
    curve = measured.measured["rollout"].deletion_curve.mean(axis=0)
    assert kept["curves"]["rollout"]["deletion"] == pytest.approx(curve, abs=1e-4)
    assert record["randomization"]["stages"][0] == "logits"


def test_committed_page_is_generated():
    """Not by hand: docs/faithfulness.md says what the files in docs/faithfulness say."""
    models = records.load(ROOT / "docs/faithfulness")
    page = (ROOT / "docs/faithfulness.md").read_text(encoding="utf-8")
    assert page == faithfulness_page.page(models) + "\n"


def test_images_begin_blurred():
    recipe = recipes.load("vit_digits")(variant="tiny", smoke=True)
    asked = faithfulness.questions(recipe.model, recipe, 3)
    assert asked["insertion_from"] == "blur"
    assert asked["inputs"].shape == (3, 8, 8, 1)


def test_nodes_come_with_what_they_can_see(monkeypatch):
    recipe = recipes.load("gat_cora")(variant="tiny", smoke=True)
    monkeypatch.setattr(faithfulness, "REACH", (2, 50))
    asked = faithfulness.questions(recipe.model, recipe, 3)
    count, nodes, _ = asked["inputs"]["features"].shape
    assert count == len(asked["position"]) <= 3
    assert nodes <= 50
    monkeypatch.setattr(faithfulness, "REACH", (1000, 2000))
    with pytest.raises(ValueError, match="No node of the test data can see 1000 to 2000"):
        faithfulness.questions(recipe.model, recipe, 3)
