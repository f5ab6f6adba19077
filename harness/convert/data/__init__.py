"""The rows that a model learns from: made of the train split, checked against the gate's samples, counted."""

from harness.convert.data.prepare import prepare
from harness.convert.data.setup import Setup

__all__ = ["Setup", "prepare"]
