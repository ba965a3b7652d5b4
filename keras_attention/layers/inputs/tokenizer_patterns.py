"""Regular expressions that a `tokenizer.json` may have.

Some expressions never come to an end, so none is allowed but those of published tokenizers, by
their exact text. Each takes time linear in the text: a test runs them on long runs of every kind of
character.
"""

# Words as treebanks cut them: addresses whole, "do n't", "he 's", numbers with their separators,
# each other mark by itself.
WORD = (
    r"https?://\S+|[@#]\w+|\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b"  # noqa: RUF001
    r"|\d+(?:[.,:]\d+)*(?!\w)|\w+(?:-\w+)*|[^\w\s]"
)
CHARACTER = r"[\s\S]"

_ENDINGS = r"'s|'t|'re|'ve|'m|'ll|'d"
_ANY_CASE = rf"(?i:{_ENDINGS})"
_SPACES = r"\s+(?!\S)|\s+"
_LINES = rf"\s*[\r\n]+|{_SPACES}"
_MARKS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_BEGIN = r"[^\r\n\p{L}\p{N}]?"


def _cased(numbers: str, endings: str) -> str:
    """Returns the pattern of GPT-4o and those after it: words begin at upper case."""
    return (
        f"{_BEGIN}{_UPPER}*{_LOWER}+{endings}|{_BEGIN}{_UPPER}+{_LOWER}*{endings}|{numbers}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_LINES}"
    )


_CLIP = rf"{_ENDINGS}|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
KNOWN = frozenset(
    {
        WORD,
        CHARACTER,
        # GPT-2, and RoBERTa where it is written out
        rf"{_ENDINGS}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|{_SPACES}",
        # Llama 3, as GPT-4
        rf"{_ANY_CASE}|{_BEGIN}\p{{L}}+|\p{{N}}{{1,3}}|{_MARKS}|{_LINES}",
        # Qwen 2 and 3; Qwen 3.5
        rf"{_ANY_CASE}|{_BEGIN}\p{{L}}+|\p{{N}}|{_MARKS}|{_LINES}",
        rf"{_ANY_CASE}|{_BEGIN}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*"
        rf"|{_LINES}",
        # GPT-4o; Mistral
        _cased(r"\p{N}{1,3}", f"{_ANY_CASE}?"),
        _cased(r"\p{N}", ""),
        # CLIP, with its special tokens and without
        _CLIP,
        rf"<\|startoftext\|>|<\|endoftext\|>|{_CLIP}",
        # BLOOM
        r" ?[^(\s|[.,!?…。，、।۔،])]+",  # noqa: RUF001
        # white space of sentencepiece and its kin
        " {2,}",
        r"\s+",
        r"\n",
        r"[\n\r\t]",
        r"\s{2,}|[\n\r\t]",
    }
)
