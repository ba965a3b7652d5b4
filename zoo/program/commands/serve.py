"""Serves a model over HTTP: JSON for programs, and a page to try it and see its attention.

Example:

    keras-attention serve runs/text_clinc
    curl -H "Content-Type: application/json" -d '{"inputs": ["what is my balance"]}' \\
        http://127.0.0.1:8000/predict
"""

import argparse
from pathlib import Path

from zoo.program import backend, console, paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `serve`."""
    add = parser.add_argument
    add("model", type=paths.model, metavar="MODEL", help=paths.MODEL)
    add("--host", default="127.0.0.1", help="address to listen at; 127.0.0.1, this machine alone")
    add("--port", type=console.at_least(0), default=8000, help="0 for one that is free; 8000")
    add("--max-inputs", type=console.at_least(1), default=256, help="of a request; 256")
    add("--max-megabytes", type=console.at_least(1), default=16, help="of a request; 16")
    add("--max-new-tokens", type=console.at_least(1), default=512, help="of a text; 512")
    add("--seconds", type=console.at_least(1), default=120, help="to compute a request; 120")
    backend.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Serves until it is interrupted."""
    backend.choose(args.backend)
    import keras_attention as ka
    from zoo.serve import Limits, serve
    from zoo.serve.served import read_card

    path = Path(args.model)
    serve(
        ka.load_model(args.model),
        host=args.host,
        port=args.port,
        limits=Limits(
            inputs=args.max_inputs,
            body_bytes=args.max_megabytes * 2**20,
            new_tokens=args.max_new_tokens,
            compute_seconds=args.seconds,
        ),
        name=path.parent.name if path.name == "model.keras" else path.stem,
        card=read_card(path),
    )
