"""Published checkpoints where neither PyTorch nor TensorFlow nor transformers is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.runs_on("jax")
TINY = Path(__file__).parent / "checkpoints" / "bert"
PROGRAM = """
import sys



class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "tensorflow", "transformers", "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
import numpy as np
import keras_attention as ka
import zoo.pretrained

folder, target = sys.argv[1:]
model = zoo.pretrained.load(folder, task="features")
expected = np.load(f"{folder}/expected.npz")
ids, mask = expected["right_ids"], expected["right_mask"]
difference = np.asarray(model(ids)) - expected["right_features"]
assert np.abs(difference[mask]).max() < 2e-5
zoo.pretrained.save(model, target, like=folder)
zoo.pretrained.load(target)
"""


def test_no_other_framework_is_needed(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TINY), str(tmp_path / "saved")],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
