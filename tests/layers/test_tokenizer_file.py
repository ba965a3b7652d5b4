"""Tokenizers from strangers: what ours write passes, everything else is refused while loading."""

import base64
import copy
import json
import time

import numpy as np
import pytest
import tokenizers

import keras_attention as ka
from keras_attention.layers import Tokenizer
from keras_attention.layers.inputs import tokenizer_file, tokenizer_patterns

pytestmark = pytest.mark.runs_on("torch")

TEXTS = ["the cat sat on the mat", "a cat and a dog"]


def content(model="word", **settings):
    return json.loads(Tokenizer.train(TEXTS, model=model, min_frequency=1, **settings)._json)


def load(tmp_path, settings):
    text = settings if isinstance(settings, str) else json.dumps(settings)
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    layer = Tokenizer()
    layer.load_assets(tmp_path)
    return layer


@pytest.mark.parametrize("model", ["bpe", "wordpiece", "word", "character"])
@pytest.mark.parametrize("start_end", [False, True])
def test_what_ours_write_is_read(tmp_path, model, start_end):
    settings = content(model, start_end=start_end)
    assert load(tmp_path, settings).encode(TEXTS).shape[0] == 2


def test_layouts_of_published_checkpoints_are_read():
    vocabulary = {"[UNK]": 0, "a": 1, "b": 2, "▁a": 3, "ab": 4}
    library = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    library.normalizer = tokenizers.normalizers.BertNormalizer()
    library.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    library.decoder = tokenizers.decoders.WordPiece()
    tokenizer_file.check(library.to_str())  # BERT's
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [("a", "b")]))
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    library.post_processor = tokenizers.processors.ByteLevel()
    library.decoder = tokenizers.decoders.ByteLevel()
    tokenizer_file.check(library.to_str())  # GPT-2's
    library.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
    )
    library.pre_tokenizer = library.post_processor = None
    library.decoder = tokenizers.decoders.Sequence(
        [
            tokenizers.decoders.Replace("▁", " "),
            tokenizers.decoders.ByteFallback(),
            tokenizers.decoders.Fuse(),
            tokenizers.decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer_file.check(library.to_str())  # Llama's


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
PADDING = {
    "strategy": {"Fixed": 2_000_000_000}, "direction": "Right", "pad_to_multiple_of": None,
    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
}  # fmt: skip


def precompiled(content):
    return {"type": "Precompiled", "precompiled_charsmap": content}


def charsmap(size, content):
    return base64.b64encode(size.to_bytes(4, "little") + content).decode()


def unigram(*pieces, **settings):
    return {"model": {"type": "Unigram", "unk_id": 0, "vocab": [*pieces], **settings}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": PADDING}, "sets 'padding', which the layer does itself"),
        ({"truncation": {"max_length": 1}}, "sets 'truncation'"),
        ({"normalizer": sequence(*[DOUBLE] * 16)}, r"65536 times as long"),
        ({"normalizer": sequence(*[DOUBLE] * 32)}, "at most 16 components"),
        ({"normalizer": sequence(sequence())}, "In the normalizer: 'Sequence'"),
        ({"normalizer": sequence(*[{"type": "NFKD"}] * 2)}, "324 times as long"),
        ({"normalizer": precompiled("AA==")}, r"In normalizer/Precompiled: b'\\x00'"),
        ({"normalizer": precompiled("!")}, "In normalizer/Precompiled: 'Only base64"),
        ({"normalizer": precompiled(5)}, "In normalizer/Precompiled: {'type'"),
        ({"normalizer": precompiled("A" * 2**22)}, "In normalizer/Precompiled: '4194304 charac"),
        ({"normalizer": precompiled(charsmap(9, b"\0" * 9))}, "In normalizer/Precompiled: b"),
        ({"normalizer": precompiled(charsmap(400, b""))}, "In normalizer/Precompiled: b"),
        ({"normalizer": precompiled(charsmap(4, bytes(4) + b"\xff"))}, "Precompiled: \"'utf-8'"),
        ({"normalizer": precompiled(charsmap(4, bytes(4) + b"a" * 200))}, "200 times as long"),
        ({"normalizer": {"type": "Prepend", "prepend": "a" * 50}}, "In normalizer/Prepend"),
        ({"normalizer": {**DOUBLE, "pattern": {"String": ""}}}, "the pattern of its normalizer"),
        ({"normalizer": {**DOUBLE, "pattern": {"Regex": "(a+)+$"}}}, "the pattern of its normal"),
        (
            {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|a)*"}, "invert": False}},
            "the pattern of its pre_tokenizer",
        ),
        ({"pre_tokenizer": 5}, "In pre_tokenizer: 5"),
        ({"post_processor": {"type": "Template"}}, "In the post_processor: 'Template'"),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": [0] * 300}},
            "In the post_processor: {'type': 'TemplateProcessing'",
        ),
        (
            {"post_processor": {"type": "BertProcessing", "sep": ["a" * 65, 1], "cls": ["a", 1]}},
            "In the post_processor: 'aaaa",
        ),
        ({"decoder": {"type": "CTC"}}, "In the decoder: 'CTC'"),
        ({"added_tokens": [{"id": 7, "content": ""}]}, "In added_tokens"),
        ({"added_tokens": [{"id": 10**9, "content": "new"}]}, "must be those from 0 to"),
        ({"added_tokens": [{"id": 5, "content": "[PAD]"}]}, "with the id 5, and has it with 0"),
        (unigram(["a", 0.0], ["b", float("nan")]), r"In model/vocab: \['b', nan\]"),
        (unigram(["a", 0.0], ["b", -1e999]), r"In model/vocab: \['b', -inf\]"),
        (unigram(["a", 0.0], ["b" * 1001, 0.0]), "In model/vocab"),
        (unigram(["a", 0.0], ["b"]), r"In model/vocab: \['b'\]"),
        (unigram(["a", 0.0], unk_id=1), "In model/unk_id: 1"),
        (unigram(["a", 0.0], vocab={"a": 0}), "In model/vocab: {'a': 0}"),
        ({"model": {"type": "Unigrams", "vocab": []}}, "In the model: 'Unigrams'"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "u"}}, "no token 'u'"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 2**40}}}, "must be those from 0 to"),
        ({"model": {"type": "WordLevel", "vocab": {"a": True}}}, "must be those from 0 to"),
        ({"model": {"type": "BPE", "dropout": 0.5, "vocab": {}, "merges": []}}, "at random"),
        (
            {"model": {"type": "WordPiece", "max_input_chars_per_word": 10**9, "vocab": {}}},
            "max_input_chars_per_word: 1000000000",
        ),
    ],
)
def test_what_may_do_harm_is_refused_while_loading(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, {**content(), "added_tokens": [], **changes})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", "[" * 100_000, '{"model": {}, "model": {}}', "{}"],
    ids=["empty", "list", "half", "null", "deep", "twice", "nothing"],
)
def test_junk_is_refused_while_loading(tmp_path, text):
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        load(tmp_path, text)


def trained():
    """Byte pairs of our own."""
    whole = content("bpe")
    whole["model"]["vocab"] = {"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3, "ab": 4}
    whole["model"]["merges"] = [["a", "b"]]
    return whole


def published():
    """Unigram pieces in the layout of XLM-R."""

    def part(kind, name):
        return {kind: {"id": name, "type_id": 0}}

    before, after = part("SpecialToken", "[PAD]"), part("SpecialToken", "[UNK]")
    space = {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "always",
        "split": True,
    }
    return {
        **content(),
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, space],
        },
        "decoder": space,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [before, part("Sequence", "A"), after],
            "pair": [before, part("Sequence", "A"), after, part("Sequence", "B"), after],
            "special_tokens": {
                name: {"id": name, "ids": [i], "tokens": [name]}
                for i, name in enumerate(("[PAD]", "[UNK]"))
            },
        },
        "model": {
            "type": "Unigram",
            "unk_id": 1,
            "byte_fallback": False,
            "vocab": [
                ["[PAD]", 0.0],
                ["[UNK]", 0.0],
                ["\u2581a", -1.0],
                ["b", -2.0],
                ["\u2581", -3.0],
            ],
        },
    }


def mutations(whole):
    """Each value of a file in turn, replaced by junk of other types."""

    def places(value, path=()):
        yield path
        if isinstance(value, (dict, list)):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            for key, each in inner:
                yield from places(each, (*path, key))

    for path in list(places(whole))[1:]:
        for junk in (None, -1, 10**30, "x", [], {}, [[]], True, float("nan")):
            changed = copy.deepcopy(whole)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = junk
            yield path, junk, changed


@pytest.mark.parametrize("make", [trained, published])
def test_whatever_is_changed_loads_or_is_refused(tmp_path, make):
    refused = 0
    for path, junk, changed in mutations(make()):
        try:
            if make is trained:
                ids = load(tmp_path, changed).encode(["ab a zz"])
            else:
                ids = Tokenizer.from_json(changed).encode(["ab a zz"])
        except ValueError:
            refused += 1
        else:
            assert ids.shape[1] < 50, (path, junk)
    assert refused > 100


@pytest.mark.parametrize("pattern", sorted(tokenizer_patterns.KNOWN))
def test_known_patterns_take_linear_time(pattern):
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    put = tokenizers.normalizers.Replace(tokenizers.Regex(pattern), " ")
    letters = [
        "a",
        "A",
        "\u4e2d",
        "1",
        " ",
        "\n",
        "'",
        "-",
        ".",
        "\u0301",
        "\u01c5",
        "\r",
        "@",
        "'s",
    ]
    letters += ["aA", "Aa", " \n", "a'", "1.", "a-", "\u4e2dA", "http://", "n't", "\u02b0A"]
    # Backtracking over half of such a run from each place would take minutes.
    for letter in letters:
        text = letter * (100_000 // len(letter))
        begun = time.process_time()
        split.pre_tokenize_str(text[:20_000] + "x")
        put.normalize_str(f"x{text}x")
        assert time.process_time() - begun < 5, letter


def test_what_the_library_finds_out_is_an_error_too(tmp_path):
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
        "pair": [{"Sequence": {"id": each, "type_id": 0}} for each in "AB"],
        "special_tokens": {"x": {"id": "x", "ids": [999], "tokens": ["x"]}},
    }
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    bert = {"type": "BertProcessing", "sep": ["x", 999], "cls": ["x", 999]}
    for changes, message in [
        ({"post_processor": bert}, "has the id 999, which the vocabulary has no token for"),
        ({"post_processor": template}, "must have each text once"),
        ({"post_processor": {**template, "single": text * 2}}, "must have each text once"),
        ({"post_processor": {**template, "special_tokens": {}}}, "tokenizers library"),
        ({"post_processor": {"type": "BertProcessing"}}, "tokenizers library refuses"),
        ({"normalizer": precompiled(charsmap(4, b"\xff" * 4 + b"a\0"))}, "tokenizers library"),
    ]:
        with pytest.raises(ValueError, match=message):
            Tokenizer.from_json({**content(), **changes}).encode(["the cat"])


def test_half_a_character_in_a_vocabulary_is_refused():
    settings = content()
    settings["model"]["vocab"]["\ud800"] = len(settings["model"]["vocab"])
    with pytest.raises(ValueError, match="tokenizers library refuses"):
        Tokenizer.from_json(json.dumps(settings))


def test_a_hostile_map_of_characters_does_not_end_the_process():
    rng = np.random.default_rng(0)
    settings = {**content(), "normalizer": None}
    refused = 0
    for _ in range(200):
        size = 4 * int(rng.integers(1, 300))
        blob = rng.integers(0, 256, size, "uint8").tobytes() + b"ab\0c\0\xe4\xb8\xad\0"
        settings["normalizer"] = precompiled(charsmap(size, blob))
        try:
            Tokenizer.from_json(settings).encode(["the \u4e2d\u6587 caf\u00e9 \U0001f600"])
        except ValueError:
            refused += 1
    assert refused


def test_panics_of_the_library_are_errors():
    def panic(_):
        raise type("PanicException", (BaseException,), {})("index out of bounds")

    with pytest.raises(ValueError, match="panicked: index out of bounds"):
        tokenizer_file.call(panic, "text")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tokenizer_file.call(stop, "text")


def test_a_models_file_says_so(tmp_path):
    import keras

    from keras_attention.saving import archive

    ids = keras.Input((None,), dtype="int32")
    tokenizer = Tokenizer.train(TEXTS, model="word", min_frequency=1)
    path = tmp_path / "model.keras"
    ka.save_model(keras.Model(ids, tokenizer(ids)), path)
    saved = archive.unpack(path, tmp_path / "members", ka.saving.Limits())
    (name,) = saved.assets
    saved.put_json(name, {**content(), "padding": PADDING}).write(path)
    with pytest.raises(ka.saving.DamagedFileError, match="sets 'padding'"):
        ka.load_model(path)
