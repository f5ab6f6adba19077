"""From the runs of the set-ups to one table with its verdicts: pure, stored runs in, a record out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.config import ConvertGate, ModelConfig
from harness.convert.gate.rows import served_row
from harness.convert.gate.title import title_of
from harness.records.convert import GateRow, GateTable, GateTableRow, GeneralCheck
from harness.records.interval import Interval
from harness.records.paired import PairedComparison
from harness.report.formats import counted
from harness.select.lane import Answer, Lane, lane_of
from harness.stats.bounded import units_interval, units_of
from harness.stats.multiplicity import holm
from harness.stats.paired_verdict import NoExactVerdict, compare
from harness.store.runs import StoredRun

__all__ = ["General", "Runs", "build_table"]

_CHECKPOINT_MARGIN = 0.02
"""Points that quantizing may cost: 2."""
_PLAIN: tuple[GateRow, ...] = ("base", "grammar", "examples")
"""What needs no training, the least to set up first."""
_FIGURES = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True, slots=True)
class General:
    """One general suite, asked before and after."""

    suite: str
    base: StoredRun
    tuned: StoredRun


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of a gate."""

    rows: Mapping[GateRow, StoredRun]
    general: Sequence[General] = ()
    together: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Judge:
    options: ConvertGate
    lanes: Mapping[GateRow, Lane]
    sessions: Mapping[str, str | None]

    def compare(self, baseline: GateRow, row: GateRow, margin: float) -> PairedComparison | None:
        """The row beside the baseline, sample by sample; None where either was not run or nothing is shared."""
        if baseline not in self.lanes or row not in self.lanes or baseline == row:
            return None
        first, second = (_values(self.lanes[one]) for one in (baseline, row))
        try:
            return compare(first, second, margin=margin, alpha=self.options.alpha, sessions=self.sessions)
        except NoExactVerdict:
            return None


def build_table(key: str, model: ModelConfig, runs: Runs, options: ConvertGate) -> GateTable:
    """The table, with a verdict on the tuned model as its configuration asks it."""
    lanes = {name: lane_of(run, {}) for name, run in runs.rows.items()}
    base = runs.rows["base"]
    wants = {one.id: one.wants_call for one in base.samples}
    judge = _Judge(options, lanes, {one.id: one.session for one in base.samples})
    served = served_row(model)
    rows = [_row(name, run, judge, served, wants) for name, run in runs.rows.items()]
    rows = _corrected(rows)
    general = tuple(_general(one, options) for one in runs.general)
    enough, why_enough = _enough(rows)
    verdict, why = _verdict(rows, served, general, options)
    return GateTable(
        key=key,
        suite=base.summary.suite,
        suite_hash=base.summary.suite_hash,
        n_samples=len(base.samples),
        margin=options.margin,
        alpha=options.alpha,
        together=runs.together,
        reference=runs.rows["reference"].summary.model_title if "reference" in runs.rows else None,
        rows=tuple(rows),
        general=general,
        checkpoint=judge.compare("checkpoint", "tuned", _CHECKPOINT_MARGIN),
        served=served,
        enough=enough,
        enough_why=why_enough,
        verdict=verdict,
        why=why,
        notes=(*runs.notes, *_notes(rows, runs)),
    )


def _values(lane: Lane) -> dict[str, list[float]]:
    return {sample: [answer.value for answer in answers] for sample, answers in lane.answers.items()}


def _row(
    name: GateRow, run: StoredRun, judge: _Judge, served: GateRow, wants: Mapping[str, bool | None]
) -> GateTableRow:  # fmt: skip
    summary, lane = run.summary, judge.lanes[name]
    silent = [one for one, wanted in wants.items() if wanted is False]
    form, form_interval = _share(lane, list(lane.answers), "formed", judge.sessions)
    abstention, abstention_interval = _share(lane, silent, "decision", judge.sessions)
    margin = judge.options.margin
    measured = lane.variant.times_from == "measured"
    against = judge.compare("base", name, margin)
    return GateTableRow(
        row=name,
        title=title_of(name, judge.options.examples) if name != "reference" else summary.model_title or summary.model,
        run=summary.run,
        protocol=summary.protocol,
        n_scored=summary.n_scored,
        n_failed=summary.n_failed,
        accuracy=summary.accuracy,
        accuracy_interval=summary.accuracy_interval,
        form=form,
        form_interval=form_interval,
        abstention=abstention,
        abstention_interval=abstention_interval,
        ttft_p50_s=lane.variant.ttft_p50_s if measured else None,
        e2e_p50_s=lane.variant.e2e_p50_s if measured else None,
        e2e_p95_s=lane.variant.e2e_p95_s if measured else None,
        tokens_per_s=lane.variant.tokens_per_s,
        cost_usd_per_call=lane.variant.cost_usd_per_call,
        cost_usd_per_success=_per_success(lane),
        against_base=against,
        against_reference=judge.compare("reference", name, margin),
        against_tuned=judge.compare(served, name, margin),
        no_verdict=None if against is not None or name == "base" else "no sample that both have scored",
    )


def _share(
    lane: Lane, samples: Sequence[str], field: Literal["formed", "decision"], sessions: Mapping[str, str | None]
) -> tuple[float | None, Interval | None]:
    """Mean of a figure over these samples' answers that have it, with its interval by session."""
    found: list[tuple[float, str | None]] = []
    for sample in samples:
        values = [value for answer in lane.answers.get(sample, ()) if (value := _read(answer, field)) is not None]
        if values:
            found.append((sum(values) / len(values), sessions.get(sample)))
    if not found:
        return None, None
    units = units_of([value for value, _ in found], [session for _, session in found])
    return units.mean, units_interval(units)


def _read(answer: Answer, field: Literal["formed", "decision"]) -> float | None:
    return answer.formed if field == "formed" else answer.decision


def _per_success(lane: Lane) -> float | None:
    """USD of all calls over the sum of their values; None without a known cost or a success."""
    flat = [answer for answers in lane.answers.values() for answer in answers]
    costs = [answer.cost_usd for answer in flat if answer.cost_usd is not None]
    right = sum(answer.value for answer in flat)
    return sum(costs) / right if costs and len(costs) == len(flat) and right > 0 else None


def _corrected(rows: Sequence[GateTableRow]) -> list[GateTableRow]:
    """With p of no difference from the base, corrected over all rows (Holm)."""
    judged = [one for one in rows if one.against_base is not None and one.row not in {"reference", "checkpoint"}]
    ps = holm([one.against_base.mcnemar_p for one in judged if one.against_base is not None])
    by_row = {one.row: p for one, p in zip(judged, ps, strict=True)}
    return [one.model_copy(update={"p_adjusted": by_row.get(one.row)}) for one in rows]


def _general(one: General, options: ConvertGate) -> GeneralCheck:
    sessions = {sample.id: sample.session for sample in one.base.samples}
    first, second = (_values(lane_of(run, {})) for run in (one.base, one.tuned))
    comparison, why = None, None
    try:
        comparison = compare(first, second, margin=options.general_margin, alpha=options.alpha, sessions=sessions)
    except NoExactVerdict as reason:
        why = str(reason)
    return GeneralCheck(
        suite=one.suite,
        n=comparison.n if comparison else 0,
        base=one.base.summary.accuracy,
        tuned=one.tuned.summary.accuracy,
        comparison=comparison,
        no_verdict=why,
        base_run=one.base.summary.run,
        tuned_run=one.tuned.summary.run,
    )


def _enough(rows: Sequence[GateTableRow]) -> tuple[GateRow | None, str]:
    """The cheapest row without training that is as good as the tuned model, as far as it is known, and what that is.

    Enough: shown to lose less than the margin. May be enough: neither that nor the contrary is shown, and what was seen
    is within the margin.
    """
    plain = [(one, one.against_tuned) for one in rows if one.row in _PLAIN and one.against_tuned is not None]
    standing = [(row, found) for row, found in plain if _stands(found)]
    if not plain:
        return None, ""
    if not standing:
        surely = all(found.verdict.verdict == "fail" for _, found in plain)
        why = "each is shown to be worse" if surely else "each was seen to be worse by more than the margin"
        return None, f"no set-up without training comes near: {why} than the fine-tuned model"
    best, found = min(standing, key=lambda one: _price(one[0]))
    number = f"{100 * found.difference:+.1f}".replace("-", "−")
    seen = f"{number} points beside the fine-tuned model on {counted(found.n, 'sample')}"
    if found.verdict.verdict == "pass":
        return best.row, f"{best.title} is enough: it is shown to be no worse ({seen}); training buys nothing here"
    more = f"about {found.verdict.more:,} samples more would decide it" if found.verdict.more else "not decided"
    return best.row, f"{best.title} may be enough: it is not shown to be worse ({seen}; {more})"


def _stands(found: PairedComparison) -> bool:
    word = found.verdict.verdict
    return word == "pass" or (word == "need_more" and found.difference >= -found.verdict.margin)


def _price(row: GateTableRow) -> tuple[float, int]:
    cost = row.cost_usd_per_call if row.cost_usd_per_call is not None else row.e2e_p50_s
    return (cost if cost is not None else float("inf"), _PLAIN.index(row.row))


def _verdict(
    rows: Sequence[GateTableRow], served: GateRow, general: Sequence[GeneralCheck], options: ConvertGate
) -> tuple[Literal["pass", "fail", "inconclusive"], str]:
    """On the tuned model: no worse than the reference where there is one, better than the base, not collapsed."""
    row = next(one for one in rows if one.row == served)
    failed: list[str] = []
    missing: list[str] = []
    shown: list[str] = []
    for one in general:
        if one.comparison is not None and one.comparison.verdict.verdict == "fail":
            lost = 100 * one.comparison.difference
            failed.append(f"{one.suite} fell by {-lost:.0f} points, shown to be more than {options.general_margin:.0%}")
    beside = row.against_reference
    if beside is not None:
        word = beside.verdict.verdict
        said = f"against the reference {_points(beside)}"
        {"pass": shown, "fail": failed, "need_more": missing}[word].append(said + _more(beside))
    if row.against_base is None:
        missing.append("no sample that base and tuned model have both scored")
    else:
        better = row.against_base.difference > 0
        certain = row.p_adjusted is not None and row.p_adjusted <= options.alpha
        said = (
            f"against the base {_points(row.against_base)}, p {row.p_adjusted if row.p_adjusted is not None else 1:.2g}"
        )
        (shown if better and certain else failed if certain else missing).append(said)
    if failed:
        return "fail", "; ".join(failed)
    if missing:
        return "inconclusive", "not shown: " + "; ".join(missing)
    return "pass", "; ".join(shown)


def _points(found: PairedComparison) -> str:
    low, high = 100 * found.interval.low, 100 * found.interval.high
    return f"{100 * found.difference:+.1f} points ({low:+.1f} … {high:+.1f})".replace("-", "−")


def _more(found: PairedComparison) -> str:
    if found.verdict.verdict != "need_more" or not found.verdict.more:
        return ""
    return f", about {found.verdict.more:,} samples more would decide it"


def _notes(rows: Sequence[GateTableRow], runs: Runs) -> list[str]:
    notes = []
    if not runs.together:
        notes.append("The rows were not asked in turn: their times compare only as far as the machine was as free.")
    if lost := sum(one.n_failed for one in rows):
        notes.append(f"{lost} attempts were lost to the infrastructure: they are in no figure.")
    said: dict[str, tuple[str, list[str]]] = {}
    for row in rows:
        run = runs.rows[row.row]
        for text in (run.summary.unfit, *run.summary.warnings):
            if text:  # the same to a figure is said once, of all set-ups
                said.setdefault(_FIGURES.sub("", text), (text, []))[1].append(row.title)
    return [*notes, *(f"{', '.join(titles)}: {text}" for text, titles in said.values())]
