"""A Python that seems to have vLLM, and a folder that seems to hold weights."""

import json
import struct
import sys
from pathlib import Path

__all__ = ["fake_python", "tiny_weights"]


def fake_python(folder: Path, *, installed: bool = True) -> Path:
    """A program that runs this Python with a package `vllm` in front, as `.venv-vllm/bin/python` would have it."""
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = f'PYTHONPATH="{Path(__file__).parent}" ' if installed else ""
    path.write_text(f'#!/bin/sh\n{packages}exec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


def tiny_weights(folder: Path, **config: object) -> Path:
    """A checkpoint of one small tensor."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"dtype": "bfloat16", "max_position_embeddings": 8192, **config}))
    head = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    return folder
