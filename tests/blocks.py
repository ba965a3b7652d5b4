"""Runs blocks of code as a reader would who pastes one after the other."""

import json
import subprocess
import sys


def run(blocks):
    """Runs `(language, code)` pairs: "python" in one namespace, all else by bash."""
    namespace = {}
    for language, code in blocks:
        print(code, flush=True)
        if language == "python":
            exec(compile(code, "block", "exec"), namespace)
        else:
            subprocess.run(["bash", "-ec", code], check=True)


if __name__ == "__main__":
    run(json.load(sys.stdin))
