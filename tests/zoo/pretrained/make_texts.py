"""Makes what the tests of texts of a tiny GPT-2 need beside its weights.

    python -m tests.zoo.pretrained.make_texts

A vocabulary of byte pairs, whose first token is "!" and which has no padding, as that of GPT-2;
and what transformers writes with the weights of `texts.make_checkpoint`.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from tests.zoo.pretrained import texts
from tests.zoo.pretrained.texts import BEAMS, FOLDER, NEW, PROMPTS, TEXTS

END = "<|endoftext|>"
CORPUS = [
    "the cat sat on the mat! and the dog ran to the cat.",
    "once upon a time there was a cat who sat on the hat of a man",
    "it's \U0001f600 time: a rat, a bat and the best of hats; so they said it was there",
]


def make_vocabulary():
    """Returns a vocabulary, in whose order single bytes come first and the end last."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(vocab_size=89, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    tokens = sorted(model["vocab"], key=lambda token: (len(token) > 1, model["vocab"][token]))
    ids = {token: number for number, token in enumerate(tokens)}
    vocabulary = tokenizers.Tokenizer(models.BPE(ids, [tuple(pair) for pair in model["merges"]]))
    vocabulary.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocabulary.post_processor = processors.ByteLevel(trim_offsets=False)
    vocabulary.decoder = decoders.ByteLevel()
    vocabulary.add_special_tokens([END])
    assert vocabulary.get_vocab_size() == 90
    assert vocabulary.token_to_id("!") == 0
    return vocabulary


def find_end(reference):
    """Returns an id besides that of the end which ends some texts of a model, and not all."""
    endless, _ = write(reference, [89])
    written = [row[1:] for row in endless]
    shares = {i: sum(i in row for row in written) for row in written for i in row}
    return max(shares, key=lambda i: (min(shares[i], len(written) - shares[i]), i))


def write(reference, ends, **options):
    """Returns new ids of each text that a model of transformers writes, and scores of beams.

    Prompts are padded on the left, which transformers hides.
    """
    vocabulary = make_vocabulary()
    rows = [vocabulary.encode(text).ids for text in PROMPTS]
    longest = max(map(len, rows))
    mask = np.arange(longest) >= longest - np.array([[len(row)] for row in rows])
    ids = np.full(mask.shape, 89)
    ids[mask] = np.concatenate(rows)
    with torch.no_grad():
        results = reference.generate(
            torch.from_numpy(ids),
            attention_mask=torch.from_numpy(mask.astype("int64")),
            do_sample=False,
            max_new_tokens=NEW,
            eos_token_id=ends,
            pad_token_id=89,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    new = [row[longest:].tolist() for row in results.sequences]
    last = [next((i for i, token in enumerate(row) if token in ends), len(row)) for row in new]
    scores = getattr(results, "sequences_scores", None)
    rows = [row[:end] for row, end in zip(new, last, strict=True)]
    return rows, None if scores is None else scores.tolist()


def save_settings(folder, ends):
    """Writes the files of a folder beside the weights."""
    folder.mkdir(exist_ok=True)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=make_vocabulary(), bos_token=END, eos_token=END, unk_token=END
    )
    fast.save_pretrained(folder)
    config = json.loads((FOLDER / "config.json").read_text())
    config |= {"architectures": ["GPT2LMHeadModel"], "pad_token_id": None}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}) + "\n")


def main():
    save_settings(TEXTS, [89])
    with tempfile.TemporaryDirectory() as temporary:
        folder = texts.make_checkpoint(Path(temporary) / "gpt2")
        reference = transformers.GPT2LMHeadModel.from_pretrained(folder)
    ends = [89, find_end(reference)]
    save_settings(TEXTS, ends)
    written, _ = write(reference, ends)
    beams, scores = write(reference, ends, **BEAMS, num_return_sequences=2)
    content = {"greedy": written, "beams": beams, "scores": scores}
    (TEXTS / "written.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
