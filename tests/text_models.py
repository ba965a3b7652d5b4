"""A small published vocabulary, and models whose outputs at a token depend on that token alone."""

import string

import keras
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

import keras_attention as ka

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["ada", "##s", "love", "##lace", "lived", "in", "london", "who", "wrote", "new", "york"]
LETTERS = string.ascii_lowercase + "0123456789"
VOCABULARY = [*SPECIAL, *WORDS, *LETTERS, *(f"##{x}" for x in LETTERS), *".,?-'"]


def library(lowercase=True):
    """The vocabulary as BERT's file has it."""
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    result = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    result.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    result.decoder = decoders.WordPiece()
    result.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    result.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return result


def tokenizer(**settings):
    special = {"padding": "[PAD]", "mask": "[MASK]"}
    return ka.layers.Tokenizer.from_json(library().to_str(), **{**special, **settings})


def table_model(last, size, *, seed=0, **settings):
    """A model that looks the logits `(B, T, size)` of each token up, before a last layer."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = keras.layers.Embedding(len(VOCABULARY), size, mask_zero=True)
    model = keras.Model(ids, last(embedding(tokenizer(**settings)(ids))))
    table = 3 * np.random.default_rng(seed).normal(size=(len(VOCABULARY), size))
    embedding.set_weights([table])
    return model, table
