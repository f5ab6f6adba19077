"""Every model in every cluster: verdict, figures, and where its misses were lost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.records.audit import AuditCell
from harness.records.decision import Assessment, Decision, Selection
from harness.records.score import MissClass
from harness.select.signals import FORM, signal_of
from harness.store.runs import StoredRun

__all__ = ["Losses", "cells_of", "losses_of"]


@dataclass(slots=True)
class Losses:
    """Where the misses of a run in a cluster were lost."""

    misses: Counter[MissClass] = field(default_factory=Counter)
    form: int = 0
    """Replies that break the form."""
    overflowed: int = 0
    """Prompts that do not fit into the context."""


def losses_of(run: StoredRun, *, by_cluster: bool) -> dict[str, Losses]:
    """The misses of a run by cluster, `all` where the suite is one. What was lost to the infrastructure is no miss."""
    asked = {sample.id: sample for sample in run.samples}
    attempts = {(one.sample, one.trial): one for one in run.attempts}
    found: dict[str, Losses] = defaultdict(Losses)
    for score in run.scores:
        attempt, sample = attempts.get((score.sample, score.trial)), asked.get(score.sample)
        if attempt is None or sample is None or score.value is None or score.value >= 1:
            continue
        own = found[sample.category if by_cluster else "all"]
        if score.miss is not None:
            own.misses[score.miss] += 1
        if attempt.failure is not None and attempt.failure.kind == "context_overflow":
            own.overflowed += 1
        elif signal_of(sample, attempt, score) in FORM:
            own.form += 1
    return dict(found)


def cells_of(
    selection: Selection, decision: Decision, losses: Mapping[str, Mapping[str, Losses]]
) -> tuple[AuditCell, ...]:
    """A cell for each variant but the baseline. losses: by run and cluster."""
    found = []
    for variant in selection.variants:
        if variant.id == selection.baseline:
            continue
        own = [one for one in decision.evidence if one.variant == variant.id]
        alone = next((one for one in own if one.mode == "direct"), None)
        if variant.barred is not None or alone is None:
            found.append(AuditCell(variant=variant.id, status="barred", n=0, accuracy=None, difference=None, more=None))
            continue
        lost = losses.get(variant.run, {}).get(decision.cluster, Losses())
        found.append(_cell(alone, own, lost, votes=variant.samples > 1))
    return tuple(found)


def _cell(alone: Assessment, own: Sequence[Assessment], lost: Losses, *, votes: bool) -> AuditCell:
    """Votes are made of several replies: where one of these was lost says nothing of the vote."""
    paired = alone.criterion("accuracy")
    return AuditCell(
        variant=alone.variant,
        status=alone.status,
        n=alone.n,
        accuracy=alone.accuracy,
        difference=None if paired is None else paired.estimate,
        more=alone.more,
        hybrid=any(one.mode == "hybrid" and one.status == "pass" for one in own),
        misses={} if votes else dict(lost.misses.most_common()),
        form_misses=0 if votes else lost.form,
        overflowed=0 if votes else lost.overflowed,
    )
