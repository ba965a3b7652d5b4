"""Vocabularies of before there was `tokenizer.json`, as the settings of such a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMES = ("pad", "bos", "eos", "sep", "cls", "mask", "unk")
# What a name stands for where no file says.
_USUAL = {"pad": ("[PAD]", "<pad>"), "mask": ("[MASK]", "<mask>"), "eos": ("<|endoftext|>",)}
# What to do where a vocabulary of old is not known here.
CONVERT = (
    "Write a tokenizer.json: "
    "`transformers.AutoTokenizer.from_pretrained(source).save_pretrained(folder)`."
)
# Which parts stand around texts, by the name of a tokenizer's class and by the type of its model.
_KINDS = {
    "bert": ("bert", "distilbert", "electra", "mobilebert", "convbert", "squeezebert", "lxmert"),
    "mpnet": ("mpnet",),
    "roberta": ("roberta", "longformer", "bart", "led", "data2vec-text"),
    "gpt2": ("gpt2", "gpt_neo", "gptj", "codegen"),
    "xlm-roberta": ("xlm-roberta", "xlmroberta", "xlm-roberta-xl"),
    "camembert": ("camembert",),
    "deberta-v2": ("deberta-v2", "debertav2"),
}


@dataclass(frozen=True)
class SpecialTokens:
    """The names of special tokens.

    Args:
        options: `tokenizer_config.json` and the like: "pad_token", "bos_token" and so on, each a
            token or an object with its content.
    """

    options: Mapping[str, Any]

    def get(self, name: str, default: str = "") -> str:
        """Returns the token of a name such as "pad"."""
        token = self.options.get(f"{name}_token")
        token = token.get("content") if isinstance(token, Mapping) else token
        if token is not None and not isinstance(token, str):
            raise ValueError(f"{name}_token must be a token. Received: {ascii(token)[:100]}")
        return token or default

    def find(self, name: str, ids: Mapping[str, int]) -> str | None:
        """Returns the token of a name if it is among `ids`; if it has none, that usual for it."""
        given = self.get(name)
        tokens = (given,) if given else _USUAL.get(name, ())
        return next((token for token in tokens if token in ids), None)

    def list(self, ids: Mapping[str, int]) -> list[str]:
        """Returns those among `ids`."""
        return [token for name in _NAMES if (token := self.find(name, ids))]

    def takes_space(self, token: str) -> bool:
        """Whether a token in a text takes the space before it, as the mask of RoBERTa does."""
        for name in _NAMES:
            given = self.options.get(f"{name}_token")
            if isinstance(given, Mapping) and given.get("content") == token:
                return given.get("lstrip") is True
        return token == "<mask>"


def find_kind(options: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Returns the kind of tokenizer, a key of `_KINDS`, by its class or the type of the model."""
    name = options.get("tokenizer_class") or config.get("tokenizer_class")
    name = str(name or config.get("model_type"))
    short = name.removesuffix("Fast").removesuffix("Tokenizer").lower()
    for kind, names in _KINDS.items():
        if short in names:
            return kind
    raise ValueError(
        f"A tokenizer of the kind {name!r} without a tokenizer.json is not known here. {CONVERT}"
    )


def find_ids(settings: Mapping[str, Any]) -> dict[str, int]:
    """Returns the id of each token of a `tokenizer.json`."""
    vocabulary = settings["model"].get("vocab")
    added = settings.get("added_tokens") or []
    try:
        if isinstance(vocabulary, list):
            vocabulary = {piece: i for i, (piece, *_) in enumerate(vocabulary)}
        ids = {**vocabulary, **{token["content"]: token["id"] for token in added}}
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"tokenizer.json has no vocabulary: {error!r}") from None
    if not all(isinstance(i, int) for i in ids.values()):
        raise ValueError("tokenizer.json has tokens whose ids are no integers.")
    return ids


def add_special(
    settings: dict[str, Any], named: SpecialTokens, ids: Mapping[str, int], *more: str
) -> None:
    """Adds tokens of the vocabulary to those that are special, where they are not yet."""
    added = settings.get("added_tokens") or []
    known = {token["content"] for token in added}
    tokens = [token for token in (*more, *named.list(ids)) if token in ids]
    # The library wants those of the vocabulary before those that it has not.
    settings["added_tokens"] = [
        *(
            {
                "id": ids[token],
                "content": token,
                "single_word": False,
                "lstrip": named.takes_space(token),
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in dict.fromkeys(tokens)
            if token not in known
        ),
        *added,
    ]


def make_template(
    single: Sequence[str], pair: Sequence[str], ids: Mapping[str, int]
) -> dict[str, Any]:
    """Returns a post-processor that puts special tokens around "$A", or around "$A" and "$B"."""

    def part(token: str, type_id: int) -> dict[str, Any]:
        kind, name = ("Sequence", token[1:]) if token in ("$A", "$B") else ("SpecialToken", token)
        return {kind: {"id": name, "type_id": type_id}}

    special = {token: ids[token] for token in pair if token not in ("$A", "$B")}
    second = pair.index("$B")
    return {
        "type": "TemplateProcessing",
        "single": [part(token, 0) for token in single],
        "pair": [part(token, int(place >= second)) for place, token in enumerate(pair)],
        "special_tokens": {
            token: {"id": token, "ids": [i], "tokens": [token]} for token, i in special.items()
        },
    }


def read_word_pieces(
    text: str, kind: str, named: SpecialTokens, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the settings of a `vocab.txt`, a word piece in each line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    ids = {token: i for i, token in enumerate(lines)}
    if kind not in ("bert", "mpnet"):
        raise ValueError(f"vocab.txt of a tokenizer of the kind {kind!r} is not known here.")
    brackets = kind == "bert"
    defaults = {
        "pad": "[PAD]" if brackets else "<pad>",
        "cls": "[CLS]" if brackets else "<s>",
        "sep": "[SEP]" if brackets else "</s>",
        "mask": "[MASK]" if brackets else "<mask>",
        "unk": "[UNK]",
    }
    tokens = {name: named.get(name, default) for name, default in defaults.items()}
    _demand(ids, tokens["cls"], tokens["sep"], tokens["unk"])
    cls, sep = tokens["cls"], tokens["sep"]
    between = [sep] if brackets else [sep, sep]
    return make_settings(
        named,
        tokens.values(),
        ids,
        normalizer={
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": options.get("tokenize_chinese_chars", True),
            "strip_accents": options.get("strip_accents"),
            "lowercase": options.get("do_lower_case", True),
        },
        pre_tokenizer={"type": "BertPreTokenizer"},
        post_processor=make_template([cls, "$A", sep], [cls, "$A", *between, "$B", sep], ids),
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
        model={
            "type": "WordPiece",
            "unk_token": tokens["unk"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    )


def read_byte_pairs(
    ids: Mapping[str, int],
    merges: str,
    kind: str,
    named: SpecialTokens,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the settings of a `vocab.json` and a `merges.txt`, two parts in each line."""
    if kind not in ("roberta", "gpt2"):
        raise ValueError(f"merges.txt of a tokenizer of the kind {kind!r} is not known here.")
    lines = merges.replace("\r\n", "\n").split("\n")
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        wrong = next(pair for pair in pairs if len(pair) != 2)
        raise ValueError(
            f"A line of merges.txt must have two parts. Received: {ascii(wrong)[:100]}"
        )
    if kind == "roberta":
        cls, sep = named.get("cls", "<s>"), named.get("sep", "</s>")
        before, between, after = [cls], [sep, sep], [sep]
        special = [cls, "<pad>", sep, "<unk>", named.get("mask", "<mask>")]
    else:
        end = "<|endoftext|>"
        before = [named.get("bos", end)] if options.get("add_bos_token") else []
        after = [named.get("eos", end)] if options.get("add_eos_token") else []
        between, special = [*after, *before], [end]
    _demand(ids, *before, *after)
    return make_settings(
        named,
        special,
        ids,
        pre_tokenizer={
            "type": "ByteLevel",
            "add_prefix_space": options.get("add_prefix_space", False),
            "trim_offsets": True,
            "use_regex": True,
        },
        post_processor=make_template(
            [*before, "$A", *after], [*before, "$A", *between, "$B", *after], ids
        ),
        decoder={
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True
        },
        model={"type": "BPE", "vocab": dict(ids), "merges": pairs},
    )  # fmt: skip


def make_settings(
    named: SpecialTokens, special: Iterable[str], ids: Mapping[str, int], **parts: Any
) -> dict[str, Any]:
    """Returns the settings of a `tokenizer.json` with these parts and special tokens."""
    settings = {"version": "1.0", "normalizer": None, **parts}
    add_special(settings, named, ids, *special)
    return settings


def _demand(ids: Mapping[str, int], *tokens: str) -> None:
    missing = [token for token in tokens if token not in ids]
    if missing:
        raise ValueError(f"The vocabulary has no {', '.join(missing)}.")
