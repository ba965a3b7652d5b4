"""Language models: of a user's own texts, and what the recipes of the zoo share."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

import keras_attention as ka
import zoo.pretrained
from keras_attention import inference
from keras_attention.explain import plots
from zoo.data import Arrays, Splits
from zoo.harness.experiment import Recipe
from zoo.harness.stopping import StopEarly
from zoo.models.gpt import gpt
from zoo.pretrained.checkpoint import open_checkpoint
from zoo.progress import Progress
from zoo.readers import corpora
from zoo.readers.findings import Findings
from zoo.readers.lines import Corpus, read_corpus
from zoo.readers.tables import Table, name_source
from zoo.tasks.fine_tuning import Init, name_of
from zoo.tasks.ngrams import find_order, ngram_loss
from zoo.tasks.optimizers import adamw_cosine
from zoo.tasks.run import Run, make_request
from zoo.tasks.vocabularies import learn_vocabulary

SEEN = 3_000_000  # tokens that a training sees, epochs times tokens, or one epoch of more
MOST = 20_000_000  # tokens that are trained on; of a longer corpus windows from all over it
SMALL = 2_000_000  # characters up to which tokens are characters
SAMPLE = 20_000_000  # characters that byte pairs are learned from
COUNTED = 5_000_000  # tokens that n-grams count
LENGTHS = {"character": 64, "bpe": 128}
_MEASURED = 16  # windows whose logits are in memory
_SHOWN = 48  # tokens of a window in pictures
# Marks of characters that one cannot see.
_MARKS = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"}


def language_model(
    data: Table,
    *,
    text: str | None = None,
    test: Table | None = None,
    tokens: Literal["auto", "character", "bpe"] = "auto",
    length: int | None = None,
    init: str | None = None,
    lora: int | None = None,
    epochs: int | None = None,
    batch_size: int = 16,
    seed: int = 0,
) -> Run:
    """Texts like those of a corpus, written token by token.

        keras-attention train language-model --data corpus.txt

    Args:
        data: a text file, a folder with `.txt` files, or a table with a column of texts.
        text: of a table the column of the texts; `text` if there is one of this name.
        test: texts to test on, in the form of `data`; the end of the corpus if `None`.
        tokens: `"character"`, `"bpe"` for byte pairs, or `"auto"`: byte pairs from two million
            characters on.
        length: tokens that are read at a time; 64 characters or 128 byte pairs if `None`.
        init: a published model of the kind of GPT-2 to start from, a folder or `hf://user/name`,
            whose tokens are taken.
        lora: the rank of adapters that learn in place of its weights.
        epochs: how often each token is seen at most; by their number if `None`.
        batch_size: windows per step.
        seed: of the initial weights, the order and the dropout.

    Raises:
        ValueError: there is no such file, it is not UTF-8, or there is too little text for a
            window in each part.
    """
    request = make_request("language_model", locals())
    keras.utils.set_random_seed(seed)
    findings = Findings()
    parts = read(data, test, text=text, findings=findings)
    model, started = None, {}
    if init is None:
        kind = choose_tokens(parts[0], findings) if tokens == "auto" else tokens
        tokenizer = train_tokenizer(parts[0], kind)
        length = length or LENGTHS[kind]
    else:
        model, started = load_published(init, lora)
        tokenizer = model.get_layer("tokenizer")
        length = min(length or LENGTHS["bpe"], tokenizer.max_length or 2**31)
    splits = cut([encode(part, tokenizer) for part in parts], length, tokenizer, findings)
    splits = Splits(*splits, source=name_source(data))
    count = splits.train[1].size
    model = model or build(tokenizer, count=count, length=length)
    findings.add(f"Model: {model.count_params():,} parameters; it reads {length} tokens at a time")
    order = find_order(tokenizer.vocabulary_size)
    recipe = make_recipe(
        splits,
        name="language-model",
        seed=seed,
        model=model,
        epochs=epochs or int(np.clip(SEEN / count, 1, 40)),
        batch_size=batch_size,
        peak=3e-3 if init is None else 1e-4 if lora is None else 1e-3,
        score="bits_per_character",
        baselines={f"{order}-gram, Witten-Bell": lambda each: score_ngrams(each, tokenizer, order)},
        mistakes=find_mistakes,
        stop=StopEarly(patience=3),
        request=request,
        next_step="keras-attention generate {folder}/model.keras 'The'",
        **started,
    )
    return Run(recipe, findings)


def read(data: Table, test: Table | None, *, text: str | None, findings: Findings) -> list[Corpus]:
    """Returns the corpora to train on, to choose by and to test on."""
    corpus = read_corpus(data, text=text)
    size = corpora.add_size(findings, corpus, "data")
    parts = corpora.split_corpus(corpus, size, parts=3 if test is None else 2)
    if test is not None:
        parts.append(read_corpus(test, text=text, argument="test"))
        corpora.add_size(findings, parts[-1], "test")
    corpora.add_repeated_lines(findings, parts[0], parts[-1])
    return parts


def choose_tokens(corpus: Corpus, findings: Findings) -> str:
    """Returns the kind of tokens by how much text there is, and says why."""
    size = 0
    for piece in corpus():
        size += len(piece)
        if size > SMALL:
            findings.add(f"Tokens: byte pairs, as there are more than {SMALL:,} characters")
            return "bpe"
    findings.add(f"Tokens: characters; byte pairs need more than {SMALL:,} of them")
    return "character"


def train_tokenizer(corpus: Corpus, kind: str) -> ka.layers.Tokenizer:
    """Returns a tokenizer of characters or of byte pairs."""
    if kind == "character":
        texts = corpora.find_alphabet(corpus)
        return ka.layers.Tokenizer.train(texts, model=kind, vocabulary_size=20_000, min_frequency=1)
    return learn_vocabulary(
        corpora.read_sample(corpus, SAMPLE),
        total=sum(map(len, corpora.read_sample(corpus, SAMPLE))),
        model=kind,
        vocabulary_size=8_000,
        lowercase=False,
    )


def load_published(source: str, lora: int | None) -> tuple[keras.Model, dict[str, Any]]:
    """Returns a published language model, and what a recipe says of it."""
    model = zoo.pretrained.load(source, task="next_token")
    if lora is not None:
        ka.enable_lora(model, lora)
    checkpoint = open_checkpoint(source, revision=None, limits=ka.saving.Limits())
    about = {"source": source, "sha256": checkpoint.digest(), "lora": lora}
    return model, {"variant": name_of(Init(source, lora)), "init": about}


def build(tokenizer: ka.layers.Tokenizer, *, count: int, length: int) -> keras.Model:
    """Returns a GPT of a size for `count` tokens, which reads `length` at a time."""
    sizes = {} if count < SMALL else dict(hidden_dim=256, intermediate_dim=1024, num_heads=8)
    return gpt(
        **sizes,
        use_bias=False,
        # So that it writes beyond that length, always with as much before it as in training.
        position="rotary",
        window=length,
        dropout=0.2 if count < SEEN / 10 else 0.0,  # what is seen often is learned by heart
        tokenizer=tokenizer,
    )


def encode(corpus: Corpus, tokenizer: ka.layers.Tokenizer) -> np.ndarray:
    """Returns the ids of a corpus, `(T,)`, in the smallest integers that hold them."""
    dtype = np.min_scalar_type(tokenizer.vocabulary_size)
    pieces = [np.zeros(0, dtype)]
    with Progress("Tokenized", sum(map(len, corpus())), unit="characters") as progress:
        for piece in corpus():
            pieces.append(tokenizer.encode([piece], end=False, whole=True)[0].astype(dtype))
            progress.advance(len(piece))
    return np.concatenate(pieces)


def cut(
    parts: Sequence[np.ndarray], length: int, tokenizer: ka.layers.Tokenizer, findings: Findings
) -> list[Arrays]:
    """Returns windows of the parts to train on, to test on and to choose by.

    Windows follow each other and do not overlap. Of a part longer than `MOST` tokens, some
    from all over it are taken.

    Args:
        parts: ids to train on, to choose by and to test on, `(T,)` each.
        length: of a window.
        tokenizer: of the ids.
        findings: what is left out or unknown is added to them.

    Returns:
        For each part x and y, `(B, length)` int32: windows, and the same one token later.

    Raises:
        ValueError: a part has no window.
    """
    windows = []
    for name, ids in zip(("train on", "choose by", "test on"), parts, strict=True):
        stride = length * max(1, -(-len(ids) // MOST))
        starts = np.arange(0, len(ids) - length, stride)
        if not len(starts):
            raise ValueError(
                f"`data` has too little text: of {len(ids):,} tokens to {name} no window of "
                f"{length} can be made. Pass more text, or a smaller `length`."
            )
        if stride > length:
            findings.warn(
                f"{len(starts) * length:,} of {len(ids):,} tokens are trained on: each "
                f"{stride // length}th window of {length}."
            )
        rows = starts[:, None] + np.arange(length)
        windows.append((ids[rows].astype(np.int32), ids[rows + 1].astype(np.int32)))
    train, validation, test = windows
    findings.add(
        f"Parts: {train[1].size:,} tokens to train on, {validation[1].size:,} to choose by, "
        f"{test[1].size:,} to test on"
    )
    unknown = 0 if tokenizer.unknown_id is None else int((test[1] == tokenizer.unknown_id).sum())
    if unknown:
        findings.warn(
            f"{unknown:,} tokens to test on are of no character that is trained on: they count as "
            "one unknown character."
        )
    return [train, test, validation]


def make_recipe(
    splits: Splits,
    *,
    model: keras.Model,
    epochs: int,
    batch_size: int,
    peak: float,
    **others: Any,
) -> Recipe:
    """Returns a recipe of a language model.

    Args:
        splits: windows, as texts or as ids; and the ids of the tokens that come next, `(B, T)`.
        model: to train, with a layer `"tokenizer"`.
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
            warmup_steps=min(100, steps // 10),
            weight_decay=0.1,
            spared=["scale"],
            beta_2=0.99,
        ),
        loss=ka.training.SparseCategoricalCrossentropy(),
        metrics=("accuracy",),
        epochs=epochs,
        batch_size=batch_size,
        task="text-generation",
        **{
            "variant": "default",
            "score": "loss",
            "measure": measure,
            "pictures": draw_pictures,
            **others,
        },
    )


def measure(model: keras.Model, splits: Splits) -> dict[str, float]:
    """Returns the perplexity of the test windows, and the bits of each of their characters."""
    losses = compute_losses(model, splits.test)
    tokenizer = model.get_layer("tokenizer")
    return {
        "perplexity": float(np.exp(losses.mean())),
        "bits_per_character": losses.mean() * find_bits(splits, tokenizer),
    }


def find_bits(splits: Splits, tokenizer: ka.layers.Tokenizer) -> float:
    """Returns the bits per character of a test loss of one nat per token.

    They tell models of different tokens apart, which the loss does not.
    """
    _, y = splits.test
    return y.size / max(1, sum(map(len, tokenizer.decode(y)))) / math.log(2)


def compute_losses(model: keras.Model, part: Arrays) -> np.ndarray:
    """Returns the loss of each token of a part, `(B, T)`, in nats."""
    x, y = part
    losses = []
    for logits in inference.stream(model, ka.encode(model, x), batch_size=_MEASURED):
        start = sum(map(len, losses))
        true = np.take_along_axis(logits, y[start : start + len(logits), :, None], axis=-1)
        highest = logits.max(axis=-1, keepdims=True)
        total = np.log(np.exp(logits - highest).sum(axis=-1)) + highest[..., 0]
        losses.append(total - true[..., 0])
    return np.concatenate(losses)


def score_ngrams(splits: Splits, tokenizer: ka.layers.Tokenizer, order: int) -> float:
    """Returns the bits per character of counts of tokens, see `zoo.tasks.ngrams.ngram_loss`."""
    (x, y), (x_test, y_test) = splits.train, splits.test
    some = max(1, COUNTED // x.shape[1])
    train = np.concatenate([x[:some], y[:some, -1:]], axis=1)
    test = np.concatenate([x_test, y_test[:, -1:]], axis=1)
    loss = ngram_loss(train, test, order, size=tokenizer.vocabulary_size)
    return loss * find_bits(splits, tokenizer)


def find_mistakes(model: keras.Model, splits: Splits, *, most: int = 50) -> list[dict[str, Any]]:
    """Returns the windows, among the first of the test part, that surprise the model most."""
    part = tuple(array[: 20 * most] for array in splits.test)
    losses = compute_losses(model, part).mean(axis=1)
    rows = np.argsort(-losses, kind="stable")[:most]
    texts = model.get_layer("tokenizer").decode(part[1][rows])
    return [
        {"text": text, "nats_per_token": round(float(losses[row]), 3)}
        for text, row in zip(texts, rows, strict=True)
    ]


def draw_pictures(model: keras.Model, splits: Splits) -> dict:
    """Draws the loss of each token of test windows, and what each head attends to in one."""
    x, y = splits.test
    rows = np.linspace(0, len(y) - 1, 4).astype(int)
    losses = compute_losses(model, (x[rows], y[rows]))[:, : 2 * _SHOWN]
    ids = ka.encode(model, x[rows[1:2]])[:, : _SHOWN // 2]
    with ka.capture() as maps:
        model(ids, training=False)
    show = model.get_layer("tokenizer").decode
    return {
        "surprise": plots.shaded_tokens(
            [_mark_blanks(show(y[row, : 2 * _SHOWN, None])) for row in rows],
            losses,
            [f"{loss.mean():.2f} nats per token" for loss in losses],
            title="Loss of each token of test windows",
        ),
        "attention": plots.attention_heads(
            {path.removesuffix("/attention"): weights for path, weights in maps.items()},
            _mark_blanks(show(ids[0, :, None])),
            title="Attention between the tokens of a test window",
        ),
    }


def _mark_blanks(tokens: Sequence[str]) -> list[str]:
    """Returns tokens with marks for characters that one cannot see."""
    return ["".join(_MARKS.get(each, each) for each in token) or "?" for token in tokens]
