"""Makes the checkpoints of tiny random models that the tests of one backend read.

    python -m tests.zoo.pretrained.make_checkpoints bert

Each is a folder as transformers saves it, of features alone, with what transformers computes of
it: outputs and attention maps, of rows padded on the right and on the left.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers

from tests.references.compare import randomize
from tests.zoo.pretrained.cases import CASES

FOLDER = Path(__file__).parent / "checkpoints"
CLASSES = {
    "features": "AutoModel",
    "classes": "AutoModelForSequenceClassification",
    "tags": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
    "fill": "AutoModelForMaskedLM",
    "next_token": "AutoModelForCausalLM",
}


def make_reference(case, task="features", model_type=None, **config):
    """Returns a random model of transformers."""
    settings = {"pad_token_id": case.padding_id, "num_labels": 3, **case.config, **config}
    if task == "span":
        settings["num_labels"] = 2
    config = transformers.AutoConfig.for_model(model_type or case.model_type, **settings)
    cls = getattr(transformers, CLASSES[task])
    return randomize(cls.from_config(config, attn_implementation="eager"), seed=1)


def compute(reference, case, *, left):
    """Returns ids, mask, the outputs of a model, and its attention maps in order."""
    ids, mask = case.inputs(left=left)
    extra = {}
    if case.position_ids is not None:
        extra["position_ids"] = torch.from_numpy(case.position_ids(mask)).long()
    outputs = reference(
        torch.from_numpy(ids).long(),
        attention_mask=torch.from_numpy(mask.astype("int64")),
        output_attentions=True,
        **extra,
    )
    return ids, mask, outputs, outputs.attentions


def main(names):
    for name in names:
        case = CASES[name]
        reference = make_reference(case)
        reference.save_pretrained(FOLDER / name)
        (FOLDER / name / "generation_config.json").unlink(missing_ok=True)
        arrays = {}
        for side in ("right", "left"):
            with torch.no_grad():
                ids, mask, outputs, maps = compute(reference, case, left=side == "left")
            arrays |= {
                f"{side}_ids": ids,
                f"{side}_mask": mask,
                f"{side}_features": outputs.last_hidden_state.numpy(),
                f"{side}_maps": np.stack([weights.numpy() for weights in maps]),
            }
        np.savez_compressed(FOLDER / name / "expected.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1:] or CASES)
