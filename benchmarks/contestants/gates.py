"""What other gates say to counts of gained and lost pairs, by their own code, in their own environment.

Reads {"n", "margin", "alpha", "cells": [[gained, lost], …]} from stdin and writes {gate: [passed, …]}; a package that
is not installed is left out. statgate's interval is asked for at 1 − 2·alpha, so that its one-sided error should be
alpha; illate-parity's is always one of 95 %, and is left out unless alpha is 0.025.
"""

import json
import sys
from collections.abc import Callable
from functools import partial


def statgate(n: int, margin: float, alpha: float) -> Callable[[int, int], bool]:
    from statgate.config import GateSettings
    from statgate.records import EvalRecord
    from statgate.verdict import Verdict, evaluate_gate

    settings = GateSettings(alpha=2 * alpha, margin=margin, resamples=2000, permutations=100, seed=0)

    def passed(gained: int, lost: int) -> bool:
        first = [EvalRecord(case_id=str(i), score=0.0 if i < gained else 1.0) for i in range(n)]
        second = [EvalRecord(case_id=str(i), score=0.0 if gained <= i < gained + lost else 1.0) for i in range(n)]
        return bool(evaluate_gate(first, second, settings).verdict is Verdict.SHIP)

    return passed


def illate(n: int, margin: float) -> Callable[[int, int], bool]:
    import numpy as np
    from illate_parity.bootstrap import fast_paired_accuracy
    from illate_parity.parity import verdict

    def passed(gained: int, lost: int) -> bool:
        truth, first, second = np.ones(n, dtype=int), np.ones(n, dtype=int), np.ones(n, dtype=int)
        first[:gained] = 0
        second[gained : gained + lost] = 0
        found = fast_paired_accuracy(truth, first, second, n_boot=2000, seed=0)
        return bool(verdict(found["low"], found["high"], margin) == "PASS")

    return passed


def main() -> None:
    asked = json.load(sys.stdin)
    said = {}
    n, margin, alpha = asked["n"], asked["margin"], asked["alpha"]
    makers = {"statgate": partial(statgate, n, margin, alpha)}
    if alpha == 0.025:
        makers["illate-parity"] = partial(illate, n, margin)
    for name, make in makers.items():
        try:
            gate = make()
        except ImportError:
            continue
        said[name] = [bool(gate(gained, lost)) for gained, lost in asked["cells"]]
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
