"""Two stored runs on the same samples: which is the better, by how much, where, and what each costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import exp, log

from harness.compare.flips import attempts_in_both, flips_of, miss_table
from harness.config import CompareOptions
from harness.errors import DataError
from harness.gate.changed import changes
from harness.gate.side import Side, side_of
from harness.gate.times import Times, compare_times
from harness.records import Sample
from harness.records.compare import CompareFigure, CompareVerdict, Comparison, PairFinding
from harness.records.gate import Outcome
from harness.records.interval import Interval
from harness.records.paired import PairedComparison, Span
from harness.stats.latency import latency_ratio
from harness.stats.multiplicity import adjusted
from harness.stats.paired_verdict import compare
from harness.stats.spending import cost_ratio
from harness.store.runs import StoredRun

__all__ = ["Entry", "common_samples", "compare_pair", "entry_of", "verdict_of"]

Values = Mapping[str, Sequence[float]]
_NAMES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored run with what each attempt was worth, read once however many it is held against."""

    run: StoredRun = field(repr=False)
    side: Side = field(repr=False)
    samples: Mapping[str, Sample] = field(repr=False)

    @property
    def name(self) -> str:
        """Of the run folder."""
        return self.run.summary.run

    def values(self, among: Sequence[str]) -> dict[str, list[float]]:
        """Values of the scored trials of each of these samples that has one."""
        wanted = set(among)
        found: dict[str, list[float]] = {}
        for one in self.side.outcomes:
            if one.value is not None and one.sample in wanted:
                found.setdefault(one.sample, []).append(one.value)
        return found


def entry_of(run: StoredRun) -> Entry:
    """A stored run, made ready."""
    return Entry(run, side_of(run), {one.id: one for one in run.samples})


def common_samples(entries: Sequence[Entry], *, common: bool) -> tuple[list[str], int]:
    """Samples that all of these runs have, in the first one's order, and how many more any of them has.

    In-context examples are no part of a question. Raises DataError for runs of other suites and, unless `common`, for
    runs that have not the same samples.
    """
    first = entries[0]
    every: set[str] = set()
    shared = set(first.samples)
    for one in entries:
        if one.run.summary.suite != first.run.summary.suite:
            raise DataError(
                f"run {first.name} is of suite {first.run.summary.suite}, run {one.name} of {one.run.summary.suite}: "
                f"only runs of one suite compare; name another: compare.b=results/run/FOLDER"
            )
        every |= set(one.samples)
        shared = {name for name in shared & one.samples.keys() if _same(first.samples[name], one.samples[name])}
    left = len(every) - len(shared)
    if left and not (common and shared):
        counts = ", ".join(f"{one.name} has {len(one.samples):,}" for one in entries[:3])
        how = (
            f"; hold them against each other on those {len(shared):,}: compare.common=true" if shared else
            "; put the suite to both again, with the same suite.limit and seed"
        )  # fmt: skip
        raise DataError(
            f"the runs have not the same samples of {first.run.summary.suite}: {counts}, {len(shared):,} in common{how}"
        )
    return [name for name in first.samples if name in shared], left


def _same(one: Sample, other: Sample) -> bool:
    if one == other:
        return True
    return one.model_copy(update={"examples": ()}) == other.model_copy(update={"examples": ()})


def verdict_of(
    pair: PairedComparison, p_noninferior: float, p_inferior: float, p_difference: float
) -> CompareVerdict:  # fmt: skip
    """The word for a pair by its adjusted p. To be better is asked only of one that is shown to be no worse.

    That order needs no further correction: it is a closed test (Marcus, Peritz and Gabriel 1976, Biometrika 63).
    """
    alpha = pair.verdict.alpha
    if p_noninferior <= alpha:
        return "superior" if pair.difference > 0 and p_difference <= alpha else "non_inferior"
    return "inferior" if p_inferior <= alpha else "inconclusive"


def compare_pair(name: str, a: Entry, b: Entry, options: CompareOptions, *, texts: bool = True) -> Comparison:
    """B against A in full; `name` is that of its folder. texts: whether prompts and replies may stand in it.

    Raises DataError for runs that do not compare.
    """
    if a.name == b.name:
        raise DataError(
            f"run {a.name} is on both sides: it cannot differ from itself; name another: compare.b=results/run/FOLDER"
        )
    shared, left = common_samples((a, b), common=options.common)
    first, second = a.values(shared), b.values(shared)
    if not first.keys() & second.keys():
        raise DataError(
            f"no sample is scored in both {a.name} and {b.name}: there is nothing to compare; "
            f"see their summaries, and run again what was lost: run.resume={b.run.folder}"
        )
    weights = {one: b.samples[one].weight for one in shared}
    sessions = {one: b.samples[one].session for one in shared}
    whole, by_calls = _whole(first, second, sessions, weights, options)
    categories, untested = _categories(a, b, shared, sessions, options)
    misses, flows = miss_table(a.run, b.run, shared)
    times = compare_times(a.side, b.side, _NAMES)
    return Comparison(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=a.run.summary.suite,
        margin=options.margin,
        alpha=options.alpha,
        correction=options.correction,
        a=a.side.run,
        b=b.side.run,
        shared=len(shared),
        left_out=left,
        whole=whole,
        by_calls=by_calls,
        categories=categories,
        untested=untested,
        misses=misses,
        flows=flows,
        attempts=len(attempts_in_both(a.run, b.run, shared)),
        flips=flips_of(a.run, b.run, shared, texts=texts),
        figures=_figures(a.side, b.side, set(shared), times),
        times=times.why,
        changed=changes(a.side.run, b.side.run),
        notes=_notes(a, b, left),
    )


def _whole(
    first: Values, second: Values, sessions: Mapping[str, str | None], weights: Mapping[str, float],
    options: CompareOptions,
) -> tuple[PairFinding, PairFinding | None]:  # fmt: skip
    found = compare(first, second, margin=options.margin, alpha=options.alpha, sessions=sessions)
    whole = _finding("all samples", found, first, second, {})
    if len({weights[one] for one in first.keys() & second.keys()}) < 2:
        return whole, None
    weighted = compare(
        first, second, margin=options.margin, alpha=options.alpha, sessions=sessions, weights=weights
    )  # fmt: skip
    return whole, _finding("all calls", weighted, first, second, weights)


def _finding(
    name: str, pair: PairedComparison, first: Values, second: Values, weights: Mapping[str, float],
    ps: tuple[float, float, float] | None = None,
) -> PairFinding:  # fmt: skip
    shared = sorted(first.keys() & second.keys())
    own = (pair.verdict.p_noninferior, pair.verdict.p_inferior, pair.mcnemar_p)
    noninferior, inferior, difference = ps or own
    word = verdict_of(pair, noninferior, inferior, difference)
    shown = difference <= pair.verdict.alpha and pair.difference != 0
    return PairFinding(
        name=name,
        verdict=word,
        pair=pair,
        a=_mean(first, shared, weights),
        b=_mean(second, shared, weights),
        p_noninferior=noninferior,
        p_inferior=inferior,
        p_difference=difference,
        better=("b" if pair.difference > 0 else "a") if shown else None,
        more=pair.verdict.more if word == "inconclusive" else None,
    )


def _mean(values: Values, shared: Sequence[str], weights: Mapping[str, float]) -> float:
    worth = [weights.get(one, 1.0) for one in shared]
    each = [sum(values[one]) / len(values[one]) for one in shared]
    return sum(value * weight for value, weight in zip(each, worth, strict=True)) / sum(worth)


def _categories(
    a: Entry, b: Entry, shared: Sequence[str], sessions: Mapping[str, str | None], options: CompareOptions
) -> tuple[tuple[PairFinding, ...], tuple[str, ...]]:
    """A verdict in each category, p adjusted over them; none where there is only one."""
    members: dict[str, list[str]] = {}
    for one in shared:
        members.setdefault(b.samples[one].category, []).append(one)
    if len(members) < 2:
        return (), ()
    found, untested = [], []
    for category, ids in members.items():
        first, second = a.values(ids), b.values(ids)
        if first.keys() & second.keys():
            pair = compare(first, second, margin=options.margin, alpha=options.alpha, sessions=sessions)
            found.append((category, pair, first, second))
        else:
            untested.append(category)
    verdicts = [pair.verdict for _, pair, _, _ in found]
    ps = zip(
        adjusted([one.p_noninferior for one in verdicts], options.correction),
        adjusted([one.p_inferior for one in verdicts], options.correction),
        adjusted([pair.mcnemar_p for _, pair, _, _ in found], options.correction),
        strict=True,
    )
    return (
        tuple(_finding(name, pair, one, two, {}, each) for (name, pair, one, two), each in zip(found, ps, strict=True)),
        tuple(untested),
    )


_Read = Callable[[Outcome], float | None]


def _figures(a: Side, b: Side, shared: set[str], times: Times) -> tuple[CompareFigure, ...]:
    """Tokens always; times where they compare; costs as prices do, and as times do where they are the machine's."""
    refused = times.why if times.how == "refused" else None
    made_of_time = a.run.cost_from_time or b.run.cost_from_time
    cost_why = None if refused is None or not made_of_time else f"costs are of the machine's time: {refused}"
    basis = " and ".join(dict.fromkeys(one for one in (a.run.cost_basis, b.run.cost_basis) if one))
    found = []
    for name, field_name in (("ttft", "ttft_s"), ("e2e", "e2e_s")):
        before, after, labels = _both(a, b, shared, _read(field_name, timed=True))
        figure = CompareFigure(name=name, unit="s", n=len(before), why=refused or times.why)
        found.append(_ratio_of_times(figure, before, after, labels) if refused is None else figure)
    for name, field_name, unit, why, how in (
        ("cost", "cost_usd", "USD", cost_why, basis), ("tokens", "tokens", "tokens", None, "prompt and reply"),
    ):  # fmt: skip
        before, after, labels = _both(a, b, shared, _read(field_name))
        figure = CompareFigure(name=name, unit=unit, n=len(before), why=why or how or "not known of either")
        found.append(_ratio_of_sizes(figure, before, after, labels) if why is None else figure)
    return tuple(found)


def _read(name: str, *, timed: bool = False) -> _Read:
    def read(one: Outcome) -> float | None:
        if one.value is None or (timed and one.origin != "measured"):
            return None
        found = getattr(one, name)
        return None if found is None else float(found)

    return read


def _both(a: Side, b: Side, shared: set[str], read: _Read) -> tuple[list[float], list[float], list[str | None]]:
    """Means over the trials on either side of the samples that have it on both, and the session of each."""
    sides = []
    for side in (a, b):
        found: dict[str, list[float]] = {}
        for one in side.outcomes:
            value = read(one)
            if value is not None and one.sample in shared:
                found.setdefault(one.sample, []).append(value)
        sides.append({name: sum(values) / len(values) for name, values in found.items()})
    sessions = {one.sample: one.session for one in b.outcomes}
    names = sorted(sides[0].keys() & sides[1].keys())
    return [sides[0][one] for one in names], [sides[1][one] for one in names], [sessions.get(one) for one in names]


def _ratio_of_times(
    figure: CompareFigure, before: list[float], after: list[float], labels: list[str | None]
) -> CompareFigure:  # fmt: skip
    known = [(old, new, one) for old, new, one in zip(before, after, labels, strict=True) if old > 0 < new]
    if not known:
        return figure.model_copy(update={"n": 0, "why": "no sample was timed in both runs"})
    olds, news, held = [one[0] for one in known], [one[1] for one in known], [one[2] for one in known]
    old, new = (exp(sum(log(one) for one in side) / len(side)) for side in (olds, news))
    return _ratio(figure, old, new, latency_ratio(olds, news, sessions=held), held)


def _ratio_of_sizes(
    figure: CompareFigure, before: list[float], after: list[float], labels: list[str | None]
) -> CompareFigure:  # fmt: skip
    if not before:
        return figure.model_copy(update={"why": "not known of both on any sample"})
    old, new = sum(before) / len(before), sum(after) / len(after)
    if old <= 0:
        return figure.model_copy(update={"a": old, "b": new, "why": "A comes to 0: nothing is a multiple of that"})
    return _ratio(figure, old, new, cost_ratio(before, after, sessions=labels), labels)


def _ratio(
    figure: CompareFigure, old: float, new: float, span: Span | None, labels: Sequence[str | None]
) -> CompareFigure:  # fmt: skip
    interval = None
    if span is not None and span.low is not None and span.high is not None and span.low < span.high:
        interval = Interval(low=span.low, high=span.high, level=span.level, method=span.method)
    units = len({one for one in labels if one is not None}) + sum(one is None for one in labels)
    update = {
        "n": len(labels), "sessions": units if units < len(labels) else None,
        "a": old, "b": new, "ratio": new / old, "interval": interval,
    }  # fmt: skip
    return figure.model_copy(update=update)


def _notes(a: Entry, b: Entry, left: int) -> tuple[str, ...]:
    notes = []
    if left:
        notes.append(f"{left:,} samples that not both runs have are left out (compare.common).")
    for one, letter in ((a, "A"), (b, "B")):
        summary = one.run.summary
        if summary.n_failed:
            notes.append(
                f"{summary.n_failed:,} of {summary.n_planned:,} attempts of {letter} were lost to the infrastructure: "
                "they are in no figure."
            )
        if summary.unfit:
            notes.append(f"{letter} is not to be ranked: {summary.unfit}")
    if a.run.summary.trials != b.run.summary.trials:
        notes.append(f"A has {a.run.summary.trials} trials of each sample, B {b.run.summary.trials}.")
    return tuple(notes)
