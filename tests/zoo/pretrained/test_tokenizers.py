"""Tokenizers of checkpoints: from each kind of file, with the special tokens that files name."""

import json
import struct
from functools import cache

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from zoo.pretrained import tokenizers as published

pytestmark = pytest.mark.runs_on("torch")

CORPUS = [
    "The quick brown fox isn't lazy, is it?",
    "Émile 日本 said: 3.5 euros! 😀",
    "a dog's life",
]
TEXTS = [*CORPUS, "", "The [SEP] fox", "unseen Ж", "two\tlines\nhere"]
BERT = ["[PAD]", "[unused]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Files(dict):
    """Contents of files by name, as a checkpoint gives them."""

    def content(self, name):
        return self.get(name)

    def text(self, name):
        content = self.get(name)
        return content.decode() if isinstance(content, bytes) else content

    def json(self, name):
        content = self.get(name, {})
        return json.loads(content) if isinstance(content, str) else content


@cache
def train_word_pieces():
    """The content of a file; of words that occur alike, each training takes others."""
    library = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=False)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=BERT, show_progress=False)
    library.train_from_iterator([*CORPUS, *map(str.lower, CORPUS)], trainer)
    library.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    return library.to_str()


def word_pieces(*, lowercase=True):
    library = tokenizers.Tokenizer.from_str(train_word_pieces())
    library.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    return library


def byte_pairs(*special):
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[*special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(CORPUS, trainer)
    return library


def rows(tokenizer, texts, **how):
    """Ids without padding at the end."""
    ids = tokenizer.encode(texts, **how)
    assert ids.dtype == np.int32
    found = [row.tolist() for row in ids]
    for row in found:
        while row and row[-1] == tokenizer.padding_id:
            row.pop()
    return found


def plain(library, *texts):
    """Ids of the library, which is to find no special token in a text."""
    library.encode_special_tokens = True
    return library.encode(*texts).ids


def test_padding_and_truncation_of_the_file_are_left_out():
    library = word_pieces()
    expected = [plain(library, text) for text in TEXTS]
    pair = plain(library, *TEXTS[:2])
    library.enable_padding(pad_token="[PAD]", length=64)
    library.enable_truncation(5)
    tokenizer = published.read(Files({"tokenizer.json": library.to_str()}))
    assert rows(tokenizer, TEXTS) == expected
    assert rows(tokenizer, [tuple(TEXTS[:2])]) == [pair]
    assert (tokenizer.padding_id, tokenizer.unknown_id, tokenizer.mask_id) == (0, 2, 5)
    assert (tokenizer.start_id, tokenizer.end_ids, tokenizer.separator_id) == (3, (4,), 4)
    assert tokenizer.max_length is None


def test_truncation_is_that_of_the_library():
    library = word_pieces()
    for length in (4, 5, 8, 11, 12, 40):
        tokenizer = published.read(Files({"tokenizer.json": library.to_str()}), max_length=length)
        truncated = word_pieces()
        truncated.enable_truncation(length)
        assert rows(tokenizer, TEXTS) == [plain(truncated, text) for text in TEXTS]
        for pair in [(CORPUS[0], "a"), ("a", CORPUS[1]), (CORPUS[0], CORPUS[1])]:
            assert rows(tokenizer, [pair]) == [plain(truncated, *pair)]


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_list_of_word_pieces(lowercase):
    library = word_pieces(lowercase=lowercase)
    ids = library.get_vocab()
    files = Files(
        {
            "vocab.txt": "\n".join(sorted(ids, key=ids.get)) + "\n",
            "tokenizer_config.json": {"do_lower_case": lowercase},
            "config.json": {"model_type": "distilbert", "pad_token_id": 0},
        }
    )
    tokenizer = published.read(files)
    assert rows(tokenizer, TEXTS) == [plain(library, text) for text in TEXTS]
    assert rows(tokenizer, [tuple(CORPUS[:2])]) == [plain(library, *CORPUS[:2])]
    assert tokenizer.decode(tokenizer.encode(CORPUS)) == [
        library.decode(plain(library, text)) for text in CORPUS
    ]
    windows = Files({**files, "vocab.txt": files["vocab.txt"].replace("\n", "\r\n")})
    assert published.read(windows).vocabulary == tokenizer.vocabulary


def test_lists_of_byte_pairs():
    library = byte_pairs("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    model = json.loads(library.to_str())["model"]
    files = Files(
        {
            "vocab.json": json.dumps(model["vocab"]),
            "merges.txt": "#version: 0.2\n" + "\n".join(map(" ".join, model["merges"])),
            "config.json": {"model_type": "roberta"},
        }
    )
    library.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = published.read(files)
    assert rows(tokenizer, TEXTS) == [plain(library, text) for text in TEXTS]
    assert rows(tokenizer, [tuple(CORPUS[:2])]) == [plain(library, *CORPUS[:2])]
    assert (tokenizer.padding_id, tokenizer.mask_id, tokenizer.end_id) == (1, 4, 2)
    library.post_processor = None
    files["config.json"] = {"model_type": "gpt2"}
    tokenizer = published.read(files)
    texts = [text for text in TEXTS if text]
    assert rows(tokenizer, texts) == [plain(library, text) for text in texts]
    assert (tokenizer.start_id, tokenizer.end_ids) == (None, ())
    files["merges.txt"] = "a b c"
    with pytest.raises(ValueError, match=r"merges\.txt must have two parts. Received: \['a', 'b'"):
        published.read(files)


def writer(**files):
    library = byte_pairs("<|endoftext|>", "<|im_end|>", "<pad>")
    return published.read(
        Files(
            {"tokenizer.json": library.to_str()}
            | {f"{name}.json": content for name, content in files.items()}
        )
    )


def test_several_ends():
    tokenizer = writer(
        tokenizer_config={"eos_token": {"content": "<|im_end|>"}},
        generation_config={"eos_token_id": [0, 1, 9999]},
    )
    assert (tokenizer.end_id, tokenizer.end_ids) == (1, (1, 0))
    assert writer(config={"eos_token_id": 1}).end_ids == (0, 1)  # the usual one first
    assert writer(tokenizer_config={"eos_token": "<|im_end|>"}).end_ids == (1,)
    text = tokenizer.encode(["life"])
    np.testing.assert_array_equal(tokenizer.encode(["life"], end=False), text)
    assert not set(text[0]) & {0, 1, 2}


def test_padding_that_means_something_else_is_no_token():
    assert writer().padding_id == 2
    assert writer(tokenizer_config={"pad_token": "<|im_end|>"}).padding_id == 1
    same = {"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    tokenizer = writer(tokenizer_config=same)
    assert tokenizer.padding_id == -1
    ids = tokenizer.encode(["a dog", "a dog's life"])
    assert (ids[0] == -1).sum() == ids.shape[1] - (ids[0] >= 0).sum() > 0
    assert tokenizer.decode(ids) == ["a dog", "a dog's life"]
    assert (
        writer(config={"pad_token_id": 1}, special_tokens_map={"pad_token": None}).padding_id == 2
    )


def test_lengths():
    files = Files({"tokenizer.json": word_pieces().to_str()})
    for said, given, expected in [
        (10**30, None, None), (10**30, 9, 9), (7, None, 7), (7, 9, 7), (12, 9, 9), (None, 9, 9)
    ]:  # fmt: skip
        files["tokenizer_config.json"] = {"model_max_length": said}
        assert published.read(files, max_length=given).max_length == expected
    with pytest.raises(ValueError, match="room for a token beside the 2 special ones"):
        published.read(files, max_length=2)


def test_options_count_more_than_the_file():
    library = word_pieces(lowercase=False)
    files = Files({"tokenizer.json": word_pieces().to_str()})
    files["tokenizer_config.json"] = {
        "do_lower_case": False, "clean_up_tokenization_spaces": True, "tokenizer_class": "X"
    }  # fmt: skip
    text = "dog 's life"
    assert published.read(files).encode(["The Dog"]).tolist() == [plain(library, "The Dog")]
    tokenizer = published.read(files)
    (decoded,) = tokenizer.decode(tokenizer.encode([text]))
    assert decoded == library.decode(plain(library, text)).replace(" ' ", "'") == "dog's life"


def test_words_and_the_mask():
    files = Files({"tokenizer.json": word_pieces().to_str()})
    tokenizer = published.read(files, words="pieces")
    words = ["The", "quickest", "fox"]
    encoding = word_pieces().encode(words, is_pretokenized=True)
    assert rows(tokenizer, [words]) == [encoding.ids]
    firsts = tokenizer.first_pieces([words])[0]
    assert [encoding.word_ids[i] for i in np.flatnonzero(firsts >= 0)] == [0, 1, 2]
    tokenizer = published.read(files)
    row = tokenizer.encode(["a [MASK] life [SEP]"])[0]
    assert (row == tokenizer.mask_id).sum() == 1
    assert (row == tokenizer.separator_id).sum() == 1
    assert "[MASK]" in tokenizer.tokens("a [MASK] life")
    assert tokenizer.decode(row[None, :4]) == ["a life"]


# A model of sentencepiece, as its `sentencepiece_model.proto` says.


def field(number, value):
    if isinstance(value, int):
        return (
            bytes([number << 3 & 127 | 128, number >> 4, value])
            if number > 15
            else bytes([number << 3, value])
        )
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def sentencepiece_model(pieces, *more):
    content = b"".join(
        field(1, field(1, text) + field(2, score) + field(3, kind)) for text, score, kind in pieces
    )
    return content + b"".join(more)


PIECES = [
    ("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("▁", -3.0, 1), ("▁a", -1.0, 1),
    ("b", -2.0, 1), ("ab", -1.5, 1), ("</", -4.0, 1), ("s", -4.0, 1), (">", -4.0, 1),
]  # fmt: skip


def test_models_of_sentencepiece():
    files = Files({"config.json": {"model_type": "xlm-roberta"}})
    files["sentencepiece.bpe.model"] = sentencepiece_model(PIECES, field(2, field(3, 1)))
    tokenizer = published.read(files)
    assert tokenizer.vocabulary[:5] == ["<s>", "<pad>", "</s>", "<unk>", "▁"]
    assert tokenizer.vocabulary[-1] == "<mask>"
    assert rows(tokenizer, ["ab  x", "a <mask>b"]) == [[0, 5, 6, 4, 3, 2], [0, 5, 11, 4, 6, 2]]
    assert rows(tokenizer, [("a", "a")]) == [[0, 5, 2, 2, 5, 2]]
    (row,) = rows(tokenizer, ["a</s>"])  # a piece of the best score, and yet text
    assert row.count(tokenizer.end_id) == 1
    files["config.json"] = {"model_type": "camembert"}
    assert published.read(files).vocabulary[:8] == [
        *("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", "▁")
    ]
    special = [("[PAD]", 0.0, 3), ("[CLS]", 0.0, 3), ("[SEP]", 0.0, 3), ("[UNK]", 0.0, 2)]
    content = sentencepiece_model([*special, *PIECES[3:]])
    files = Files({"config.json": {"model_type": "deberta-v2"}, "spm.model": content})
    tokenizer = published.read(files)
    assert rows(tokenizer, ["ab  x ", ("a", "b")]) == [[1, 5, 6, 4, 3, 2], [1, 5, 2, 4, 6, 2]]
    assert (tokenizer.padding_id, tokenizer.mask_id, tokenizer.unknown_id) == (0, 11, 3)
    assert tokenizer.decode(tokenizer.encode(["ab a"])) == ["ab a"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (field(2, field(3, 2)), "no Unigram model with the usual settings. Received: model type 2"),
        (field(2, field(24, 1)), r"changed fields \[24\]"),
        (field(2, field(35, 1)), r"changed fields \[35\]"),
        (field(3, field(3, 0)), r"changed fields \[3\]"),
        (field(1, field(1, "own") + field(2, 0.0) + field(3, 4)), "pieces of the user's own"),
        (b"\x0a\x7f", "ends within a field"),
        (b"\x0b", "a field of the type 3"),
        (b"\xff" * 11, "more than ten bytes"),
        (field(1, 5), "cannot be read"),
        (field(1, b"\x0a\x01\xff"), "cannot be read"),
    ],
)
def test_what_a_model_of_sentencepiece_must_not_have(more, message):
    files = Files({"config.json": {"model_type": "xlm-roberta"}})
    files["sentencepiece.bpe.model"] = sentencepiece_model(PIECES, more)
    with pytest.raises(ValueError, match=message):
        published.read(files)


def test_half_a_model_of_sentencepiece_is_refused_or_read():
    content = sentencepiece_model(PIECES, field(2, field(3, 1)))
    files = Files({"config.json": {"model_type": "camembert"}})
    refused = 0
    for size in range(len(content)):
        files["sentencepiece.bpe.model"] = content[:size]
        try:
            published.read(files)
        except ValueError:
            refused += 1
    assert refused > len(content) // 2


def test_errors_teach():
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json, vocab\.txt, .* spm\.model"):
        published.read(Files({"config.json": {"model_type": "bert"}}))
    japanese = {"tokenizer_config.json": {"tokenizer_class": "BertJapaneseTokenizer"}}
    with pytest.raises(ValueError, match=r"'BertJapaneseTokenizer' without .*save_pretrained"):
        published.read(Files({"vocab.txt": "[PAD]", **japanese}))
    with pytest.raises(ValueError, match=r"The vocabulary has no \[CLS\], \[SEP\]"):
        published.read(Files({"vocab.txt": "[PAD]\n[UNK]", "config.json": {"model_type": "bert"}}))
    whole = {"tokenizer.json": word_pieces().to_str()}
    with pytest.raises(ValueError, match=r"has \d+ tokens, and the model has embeddings for 9"):
        published.read(Files({**whole, "config.json": {"vocab_size": 9}}))
    with pytest.raises(ValueError, match=r"pad_token must be a token. Received: \[1\]"):
        published.read(Files({**whole, "tokenizer_config.json": {"pad_token": [1]}}))
    with pytest.raises(ValueError, match=r"tokenizer_config\.json must be an object"):
        published.read(Files({**whole, "tokenizer_config.json": [1]}))
    with pytest.raises(ValueError, match=r"tokenizer\.json must be an object with a model"):
        published.read(Files({"tokenizer.json": {"model": 5}}))


def test_junk_is_refused_or_read():
    """Each value of the files in turn, replaced by junk."""
    whole = json.loads(word_pieces().to_str())
    whole["model"]["vocab"] = {token: i for i, token in enumerate([*BERT, "a", "##b"])}
    options = {
        "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True,
        "clean_up_tokenization_spaces": True, "model_max_length": 9, "pad_token": "[PAD]",
        "mask_token": {"content": "[MASK]"}, "tokenizer_class": "BertTokenizer",
    }  # fmt: skip
    files = {
        "tokenizer.json": whole,
        "tokenizer_config.json": options,
        "generation_config.json": {"eos_token_id": [4]},
        "config.json": {"pad_token_id": 0, "vocab_size": 8, "eos_token_id": 4},
    }
    refused = read = 0
    for path in places(files):
        for junk in (None, -1, 10**30, "x", [], {}, [[]], True, float("nan")):
            changed = json.loads(json.dumps(files))
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = junk
            try:
                ids = published.read(Files(changed)).encode(["ab a zz"])
            except (ValueError, FileNotFoundError):
                refused += 1
            else:
                assert ids.shape[1] < 50, (path, junk)
                read += 1
    assert min(refused, read) > 50


def places(value, path=()):
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*path, key))
