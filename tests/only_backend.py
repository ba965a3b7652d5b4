"""Fails unless the backend that KERAS_BACKEND names is the only one installed."""

import importlib.util
import os

installed = [n for n in ("jax", "tensorflow", "torch") if importlib.util.find_spec(n)]
assert installed == [os.environ["KERAS_BACKEND"]], installed
print("installed backends:", *installed)
