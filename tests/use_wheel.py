"""Uses the installed package from another folder: `tox -e wheel` runs it."""

import subprocess
import sys
import tempfile
from pathlib import Path

import keras_attention as ka
import zoo

for package in (ka, zoo):
    assert "site-packages" in package.__file__, f"{package.__file__} is a checkout"

tokenizer = ka.layers.Tokenizer.train(["to be or not to be"], model="character", min_frequency=1)
model = zoo.gpt(**zoo.models.gpt.VARIANTS["tiny"], tokenizer=tokenizer)
text = ka.generate(model, "to be", max_new_tokens=8)
with tempfile.TemporaryDirectory() as folder:
    path = ka.save_model(model, Path(folder) / "gpt.keras")
    assert ka.generate(ka.load_model(path), "to be", max_new_tokens=8) == text
    program = Path(sys.executable).with_name("keras-attention")
    words = [program, "generate", path, "to be", "--max-new-tokens", "8", "--sampler", "greedy"]
    ran = subprocess.run(words, cwd=folder, check=True, capture_output=True, encoding="utf-8")
    assert ran.stdout.splitlines()[-1] == f"to be{text}"
page = ka.explain.page(model, ["to be"])
assert "<script" in str(page), "the files of the page are in the package"
ka.explain.heads(model, ["to be"])
balance = ka.predict(zoo.load("text_clinc"), ["what is my balance"])[0]
assert balance.label == "balance", balance
assert all(zoo.box.describe(name).path.exists() for name in zoo.box.names())
print(f"keras_attention {ka.__version__} wrote {text!r} and a page of {len(str(page)):,} bytes.")
