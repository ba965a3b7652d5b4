"""Runs a command once per backend: `python tests/on_backends.py jax torch -- pytest tests`.

Fails unless the named backends are those installed, and no other.
"""

import importlib.util
import os
import subprocess
import sys

split = sys.argv.index("--")
backends, command = sys.argv[1:split], sys.argv[split + 1 :]
installed = [n for n in ("jax", "tensorflow", "torch") if importlib.util.find_spec(n)]
if sorted(backends) != installed:
    sys.exit(f"Installed: {' '.join(installed)}. Expected: {' '.join(backends)}")
for backend in backends:
    print(f"KERAS_BACKEND={backend}", *command, flush=True)
    subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, check=True)
