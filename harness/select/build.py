"""From stored runs to a selection: the pure whole of `do=select`, for whoever has runs in hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil, log

from pydantic import JsonValue

from harness.backends.recorded import INCUMBENT
from harness.config import HardwareConfig, SelectOptions, StatsConfig
from harness.errors import ConfigError, DataError
from harness.records.decision import Decision, Selection, Variant
from harness.select.compute import voted
from harness.select.constraints import barred, usable_bytes
from harness.select.hybrid import rule_text
from harness.select.lane import Lane, Question, lane_of, questions_of
from harness.select.plans import make_plans
from harness.select.share import claims_of, shares_of
from harness.select.table import budgets_of, pareto_of, ranking_of, with_accuracy
from harness.select.verdicts import by_cluster, decide, judge
from harness.store.runs import StoredRun

__all__ = ["Subject", "find_baseline", "select", "subject_of"]

_LEAST = 2
_LEAST_P = 1e-4
"""The exact paired test adds so much for the share of discordant pairs that nobody knows (`stats/paired.py`)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: the suite's questions, the lanes, and which of them is the baseline."""

    suite: str
    suite_hash: str
    questions: tuple[Question, ...]
    lanes: tuple[Lane, ...]
    """Of all runs, the baseline's among them."""
    base: Lane
    names: Mapping[str, str] = field(default_factory=dict)
    """What people call a cluster, by its id."""


def subject_of(
    runs: Sequence[StoredRun], settings: Mapping[str, Mapping[str, str]], options: SelectOptions,
    names: Mapping[str, str] | None = None,
) -> Subject:  # fmt: skip
    """The runs of one suite, made ready to be judged.

    settings: by name of the run folder, what was set besides model and protocol; what all of a model share goes into no
    label. names: what people call a cluster, by its id.
    Raises DataError for runs of different samples, ConfigError where the baseline is not exactly one of them.
    """
    first = runs[0]
    other = next((run for run in runs if run.summary.suite_hash != first.summary.suite_hash), None)
    if other is not None:
        raise DataError(
            f"{first.folder.name} and {other.folder.name} have not the same samples (suite {first.summary.suite} and "
            f"{other.summary.suite}); name runs of one suite and limit in select.runs"
        )
    lanes = tuple(lane_of(run, own) for run, own in zip(runs, _telling(runs, settings), strict=True))
    questions = questions_of(first.samples, by_cluster=options.by == "cluster")
    base = find_baseline(lanes, options.baseline)
    return Subject(first.summary.suite, first.summary.suite_hash, questions, lanes, base, names or {})


def _telling(
    runs: Sequence[StoredRun], settings: Mapping[str, Mapping[str, str]]
) -> list[dict[str, str]]:  # fmt: skip
    """Of each run's settings those that another run of its model has not."""
    found = []
    for run in runs:
        own = settings.get(run.folder.name, {})
        others = [settings.get(one.folder.name, {}) for one in runs if one.summary.model == run.summary.model]
        found.append({key: value for key, value in own.items() if any(one.get(key) != value for one in others)})
    return found


def find_baseline(lanes: Sequence[Lane], wanted: str | None) -> Lane:
    """The lane that the others are held against: by run folder, model or title; None: the one on record.

    Raises ConfigError naming what there is where that is not exactly one.
    """
    if wanted is None:
        found = [lane for lane in lanes if lane.variant.title.partition(" (")[0] == INCUMBENT]
        why = "no run of the incumbent (model=incumbent)" if not found else "several runs of the incumbent"
    else:
        name = wanted.rstrip("/").rpartition("/")[2]
        found = [lane for lane in lanes if name in {lane.variant.run, lane.variant.model, lane.variant.title}]
        why = f"select.baseline={wanted} is none of them" if not found else f"select.baseline={wanted} is several"
    if len(found) == 1:
        return found[0]
    there = "; ".join(f"{lane.variant.run} ({lane.variant.label})" for lane in found or lanes)
    raise ConfigError(f"{why}; choose one: select.baseline=NAME or a run folder. There are: {there}")


def select(
    name: str, subject: Subject, stats: StatsConfig, options: SelectOptions, hardware: HardwareConfig,
    notes: Sequence[str] = (),
) -> Selection:  # fmt: skip
    """All verdicts on the subject's variants and what follows from them. `name` is that of the selection's folder.

    Raises DataError where there is nothing to choose from.
    """
    base = with_accuracy(subject.base, subject.questions)
    lanes = [base]
    for lane in subject.lanes:
        if lane.variant.id != base.variant.id:
            lanes.append(with_accuracy(lane, subject.questions))
            if options.votes != "off":
                made = voted(lane, parallel=options.votes == "parallel")
                lanes += [with_accuracy(one, subject.questions) for one in made]
    if len(lanes) < _LEAST:
        raise DataError(
            f"only the baseline {base.variant.label} has a run of {subject.suite}; run a candidate on it first: "
            f"python -m harness suite={subject.suite} model=smollm2"
        )
    out = {
        one.variant.id: reason
        for one in lanes[1:]
        if (reason := one.variant.barred or barred(one.variant, options, hardware))
    }
    judged_lanes = [lane for lane in lanes[1:] if lane.variant.id not in out]
    judged = judge(subject.questions, judged_lanes, base, stats)
    by_id = {lane.variant.id: lane for lane in lanes}
    decisions = tuple(
        decide(cluster, asked, judged.by_cluster[cluster], base, by_id, out, stats).model_copy(
            update={"name": subject.names.get(cluster, cluster)}
        )
        for cluster, asked in by_cluster(subject.questions).items()
    )
    shares = shares_of(subject.questions, decisions, judged.refuted, base)
    ranking, settled, pairs = ranking_of(lanes, subject.questions, stats.alpha)
    order = [f"The order of {settled} of {pairs} pairs of variants is decided."] if pairs > 1 else []
    variants = tuple(lane.variant.model_copy(update={"barred": out.get(lane.variant.id)}) for lane in lanes)
    return Selection(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=subject.suite,
        suite_hash=subject.suite_hash,
        by=options.by,
        baseline=base.variant.id,
        stats=stats.model_dump(mode="json"),
        constraints=_constraints(options, hardware),
        hypotheses=judged.hypotheses,
        rule=rule_text(stats.hybrid),
        variants=variants,
        decisions=decisions,
        plans=make_plans(decisions, by_id, options.most_models),
        pareto=pareto_of(variants),
        ranking=ranking,
        budgets=budgets_of(lanes, subject.questions),
        shares=shares,
        claims=claims_of(shares, decisions),
        notes=(*notes, *order, *_notes(variants, decisions, judged.hypotheses, stats, base.variant)),
    )


def _constraints(options: SelectOptions, hardware: HardwareConfig) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        key: value
        for key, value in options.model_dump(mode="json").items()
        if value is not None and key not in {"runs", "suite", "baseline", "by", "clusters", "votes", "most_models"}
    }
    if usable_bytes(options, hardware) is not None and options.memory_gb is None:
        found["hardware"] = hardware.title
    return found


def _notes(
    variants: Sequence[Variant], decisions: Sequence[Decision], hypotheses: int, stats: StatsConfig, base: Variant
) -> list[str]:
    notes = []
    if base.times_from == "log":
        notes.append(
            f"{base.label} is on record: its times are the log's, on other machines and under other load; savings of "
            "seconds compare them with times measured here. Where the suite takes its answers for right, it has all "
            "right by construction."
        )
    unknown = [one.label for one in variants if one.cost_usd_per_call is None and one.barred is None]
    if unknown:
        notes.append(f"No cost is known of {'; '.join(unknown)}: cost decides nothing there (hardware=… at the run).")
    kinds = {one.cost_basis for one in variants if one.cost_basis}
    if len(kinds) > 1:
        notes.append(f"Costs come from different sources: {'; '.join(sorted(kinds))}.")
    level = stats.alpha / max(1, hypotheses) if stats.multiplicity == "holm" else stats.alpha
    if level < _LEAST_P:
        notes.append(
            f"{hypotheses} verdicts are too many for one α: no exact test gives a p below {_LEAST_P:g}; take fewer "
            "clusters or variants, or stats.multiplicity=bh."
        )
    needed = ceil(log(level) / log(1 - stats.accuracy))
    most = max(decisions, key=lambda one: one.sessions)
    if most.sessions < needed and all(one.verdict == "need-n-more" for one in decisions):
        of = "" if most.sessions == most.n else f" in {most.sessions} sessions"
        notes.append(
            f"No cluster has enough samples for a verdict: without a single loss it takes {needed} at a margin of "
            f"{100 * stats.accuracy:g} points, {hypotheses} verdicts and α {stats.alpha:g}, each of a session of its "
            f"own; {most.name} has most, {most.n}{of}. "
            "Fewer clusters (select.by=all) or fewer variants (select.runs) need fewer."
        )
    notes.append("What could move after conversion (fine-tuning) was not measured: these are the models as they are.")
    return notes
