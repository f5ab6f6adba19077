"""Where the work of a verb is done: on this machine, or on the nodes of a Ray cluster."""

from harness.executor.spread import one_floor, spread

__all__ = ["one_floor", "spread"]
