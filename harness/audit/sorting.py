"""What to do with a cluster next: move, convert, measure more, or keep (the rules in words: report/audit_table)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.records.audit import AuditCell, AuditNext
from harness.records.decision import Decision, Selection

__all__ = ["NEAR", "OVERFLOWED", "Next", "next_of"]

NEAR: Final = 0.5
"""A model is near with this share of what the baseline has right, or with this share of misses that break the form."""
OVERFLOWED: Final = 0.5
"""From this share of prompts on that fit into no model's context, the context is what is missing."""


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next for a cluster, with the figures that say so."""

    next: AuditNext
    why: str
    nearest: str | None
    """Variant with most right answers."""


def next_of(selection: Selection, decision: Decision, cells: Sequence[AuditCell]) -> Next:
    """The next step for a cluster. cells: of its variants, barred ones among them."""
    judged = [one for one in cells if one.status != "barred" and one.n]
    nearest = max(judged, key=lambda one: (one.accuracy or 0.0, one.variant), default=None)
    key = nearest.variant if nearest else None
    if decision.verdict == "replace":
        return Next("move", decision.why, key)
    if decision.verdict == "hybrid":
        return Next("hybrid", decision.why, key)
    if nearest is None:
        return Next("measure", "no model has a scored answer here", None)
    fits = min(judged, key=lambda one: one.overflowed / one.n)
    if fits.overflowed / fits.n >= OVERFLOWED:
        return Next("context", f"at least {fits.overflowed} of {fits.n} prompts do not fit", key)
    closest = _nearness(decision, judged)
    if closest is not None and (decision.verdict == "keep" or _loses(selection, decision, nearest.variant)):
        return Next("convert", closest[1], closest[0])
    if decision.verdict == "keep":
        return Next("keep", decision.why, key)
    return Next("measure", decision.why, key)


def _loses(selection: Selection, decision: Decision, variant: str) -> bool:
    """Whether a variant's loss is larger than the margin all over its interval: too much for more samples to mend."""
    alone = next((one for one in decision.evidence if one.variant == variant and one.mode == "direct"), None)
    paired = alone.criterion("accuracy") if alone else None
    margin = selection.stats.get("accuracy")
    return (
        paired is not None
        and paired.interval is not None
        and isinstance(margin, float)
        and paired.interval.high < -margin
    )


def _nearness(decision: Decision, judged: Sequence[AuditCell]) -> tuple[str, str] | None:
    """The variant that is near, and how; None where none is."""
    for one in sorted(judged, key=lambda one: -(one.accuracy or 0.0)):
        right, wanted = one.accuracy or 0.0, decision.baseline_accuracy
        if wanted and right >= NEAR * wanted:
            return one.variant, f"{right:.0%} right, the baseline {wanted:.0%}"
        missed = sum(one.misses.values()) - one.overflowed
        if missed > 0 and one.form_misses / missed >= NEAR:
            return one.variant, f"{one.form_misses} of {missed} misses break the form alone"
    return None
