"""Runs a command once per backend: `python tests/each_backend.py pytest tests/references`."""

import os
import subprocess
import sys

for backend in ("jax", "torch", "tensorflow"):
    print(f"KERAS_BACKEND={backend}", *sys.argv[1:], flush=True)
    subprocess.run(sys.argv[1:], env={**os.environ, "KERAS_BACKEND": backend}, check=True)
