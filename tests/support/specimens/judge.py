"""Samples that a model judges, with a scripted one on the loopback interface; and one that needs none."""

from typing import Any

from harness.scorers.context import ScorerContext
from tests.support.judge_server import seat
from tests.support.specimens import Specimen
from tests.support.specimens.text import sample


def judged(**target: Any) -> Any:
    return sample("Why is the sky blue?", match="judge", **target)


GRADED = judged(accepted=("Air scatters short waves more.",), rubric="Names scattering.")
SPECIMENS = [
    Specimen(GRADED, ScorerContext(judge=seat())),
    Specimen(judged(accepted=("Air scatters short waves more.",), threshold=0.8), ScorerContext(judge=seat())),
    Specimen(judged(rubric="Names scattering."), ScorerContext(judge=seat())),
    Specimen(GRADED, ScorerContext(judge=seat(), options={"judge": {"mode": "pairwise"}})),
    Specimen(sample("6 * 7?", match="numeric", accepted=("42",)), ScorerContext(judge=seat())),
]
