"""Which of many patterns can be in a text at all: one reading of it by an automaton instead of one for each pattern.

The automaton is RE2's set of patterns (package google-re2), which is linear in the text whatever the patterns are. It
answers for the loosened patterns; where they are, `re` has the last word. Without the package, and where the automaton
ran out of memory, every pattern can be there: slower, and the same is found.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.curate.pii.loosened import loosened, misread

__all__ = ["Gate", "Presence"]

_MEMORY_BYTES = 64 << 20
"""Of the automaton's states, which are made as texts ask for them: a real log needs a tenth of it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A pattern without which a finder finds nothing."""

    pattern: str
    """In the syntax of `re`."""
    small: bool = False
    """Whether it is meant for the small letters of a text."""
    flags: int = 0


class Presence:
    """The gates by name, ready to be looked for.

    Each family of gates is an automaton of its own. Its states stand for what of all its gates has been read so far: of
    one automaton for all there are several times as many as of three, and each is made when a text first leads to it.
    """

    def __init__(self, *families: Mapping[str, Gate]) -> None:
        sets = [(tuple(family), _compiled(tuple(family.values()))) for family in families]
        self._sets = None if any(automaton is None for _, automaton in sets) else sets

    def __call__(self, text: str) -> frozenset[str] | None:
        """The names of the gates that can be in a text; None: not known, any can."""
        if self._sets is None or misread(text):
            return None
        masked = text.encode("ascii", "replace")
        present: list[str] = []
        for names, automaton in self._sets:
            found: list[int] = automaton.Match(masked) or []
            if len(names) not in found:
                return None
            present += [names[place] for place in found if place < len(names)]
        return frozenset(present)


@lru_cache(maxsize=8)
def _compiled(gates: tuple[Gate, ...]) -> Any:
    """RE2's set of the gates and, behind them, one that is in every text; None without the package.

    The last tells "none of them" from "out of memory", for which the set says the same.
    """
    try:
        re2: Any = importlib.import_module("re2")  # without types of its own
    except ImportError:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY_BYTES
    options.never_capture = True
    options.log_errors = False
    automaton = re2.Set.SearchSet(options)
    for gate in gates:
        automaton.Add(loosened(re.compile(gate.pattern, gate.flags), small=gate.small))
    automaton.Add("")
    automaton.Compile()
    return automaton
