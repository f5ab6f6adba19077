"""What can be seen in a reply without knowing the right answer: the names that configurations and records use."""

from typing import Literal, get_args

__all__ = ["SIGNALS", "Signal"]

Signal = Literal["no_reply", "cut_off", "unreadable", "unknown_tool", "schema", "no_answer", "no_call"]
"""What can be seen in a reply without knowing the right answer."""

SIGNALS: tuple[Signal, ...] = get_args(Signal)
