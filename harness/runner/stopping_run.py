"""The rule of `run.stop` in a run: its models seated, earlier sittings read back, and its words at the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, isinf, log

from harness.backends.recorded import Recorded
from harness.errors import ConfigError, DataError
from harness.records import Sample
from harness.records.interval import Interval
from harness.records.sequential import ClusterVerdict, EarlyStop, RunVerdict, Saved
from harness.runner.session import Session
from harness.runner.stopping import Duel, Stopping
from harness.runner.stopping_book import Seat, Spent
from harness.runner.stopping_plan import WHOLE, Stratum, strata
from harness.stats.sequential import Blocks, mean_sequence
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import VERDICT, write_record

__all__ = ["Rule", "rule_of"]

_LEVEL = 0.95
_ENOUGH = 10
"""Looks from which on something can be said of how many more it takes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`run.stop` over the runs of one command."""

    sessions: Sequence[Session]
    seats: Sequence[Seat]
    """One a session."""
    stopping: Stopping

    @property
    def settled(self) -> bool:
        """Whether nothing is left that more answers could decide."""
        return self.stopping.settled

    def work(self, lanes: Sequence[Session]) -> Iterator[tuple[int, tuple[Sample, int]]]:
        """What to ask next and by which lane, until all is decided; each step looks at what has come back by then."""
        seats = [self.seats[self.sessions.index(one)] for one in lanes]
        for seat, sample, trial in self.stopping.work(seats):
            lane = next(number for number, one in enumerate(seats) if one is seat)
            if not lanes[lane].is_done(sample.id, trial):
                yield lane, (sample, trial)

    def note(self) -> None:
        """Writes what became certain into each run's manifest, and with what was not asked into its verdict.json."""
        for session, seat in zip(self.sessions, self.seats, strict=True):
            if seat.whole:  # a log's own answers: nothing was left out
                continue
            early = self._early(session, seat)
            session.update(early=early)
            left = tuple(sample.id for sample in session.job.samples if not seat.has((sample,)))
            write_record(session.folder / VERDICT, RunVerdict(run=session.folder.name, early=early, not_asked=left))

    def _early(self, session: Session, seat: Seat) -> EarlyStop:
        run, stopping = session.job.config.run, self.stopping
        duels = [one for one in stopping.duels if one.contest.first is seat]
        planned = {stratum.name: stratum.n_samples * run.trials for stratum in stopping.strata}
        left = {name: count - seat.spent.get(name, Spent()).n for name, count in planned.items()}
        unpaired = len(session.job.samples) - sum(stratum.n_samples for stratum in stopping.strata)
        return EarlyStop(
            stopped=self.settled and session.unfinished,
            role="baseline" if seat is stopping.baseline else "candidate",
            against=stopping.baseline.name,
            by=run.verdict.by,
            margin=run.verdict.margin,
            alpha=run.verdict.alpha,
            correction=run.verdict.correction,
            n_tests=len(stopping.duels),
            looks=sum(one.contest.looks for one in duels),
            clusters=tuple(_verdict(one, len(stopping.duels)) for one in duels),
            saved=_saved(seat, left, sum(planned.values())),
            not_paired=unpaired,
            accuracy=_accuracy(seat, stopping.strata),
            accuracy_interval=_accuracy_interval(seat, stopping.strata),
            by_category=_by_category(seat, stopping.strata),
        )


def rule_of(sessions: Sequence[Session]) -> Rule | None:
    """The rule over these runs, with what their journals hold; None where everything is to be asked.

    Raises ConfigError where it was asked for and has no baseline, DataError where that has no value to offer.
    """
    job = sessions[0].job
    run, against = job.config.run, job.against
    if against is None:
        if run.stop is not None:
            raise ConfigError(f"run.stop={run.stop} needs a baseline, which do=run finds; leave it out here")
        return None
    seats = [_seat(session) for session in sessions]
    baseline = Seat.stored(against.name, against.values) if against.job is None else seats[against.job]
    candidates = [seat for seat in seats if seat is not baseline]
    paired = baseline.values if baseline.whole else None
    parts = strata(job.samples, run.verdict.by, run.seed, paired, job.traffic)
    if not any(one.units for one in parts):
        raise DataError(f"the baseline {against.name} has no scored sample of this suite; nothing can be compared")
    stopping = Stopping(baseline, candidates, parts, run.verdict)
    for session, seat in zip(sessions, seats, strict=True):
        session.heard = partial(stopping.hear, seat)
    return Rule(tuple(sessions), tuple(seats), stopping)


def _seat(session: Session) -> Seat:
    """What earlier sittings, or a log, answered. What was lost to the infrastructure is asked again."""
    config = session.job.config
    seat = Seat(config.model.name, config.run.trials, whole=isinstance(session.job.backend, Recorded))
    clusters = {one.id: one.category if config.run.verdict.by == "category" else WHOLE for one in session.job.samples}
    for attempt, score in final_outcomes(session.folder):
        lost = attempt.failure is not None and attempt.failure.boundary == "infrastructure"
        if score is not None and not (lost and not seat.whole):
            seat.hear(clusters[attempt.sample], attempt, score)
    return seat


def _more(duel: Duel, n_tests: int) -> int | None:
    """About how many pairs more would decide it; None where what was seen does not say, or is too little to."""
    stratum = duel.contest.stratum
    if duel.contest.looks < _ENOUGH:
        return None
    units = duel.to_go(log(n_tests / duel.test.alpha))
    return None if isinf(units) else ceil(units * stratum.n_samples / len(stratum.units))


def _verdict(duel: Duel, n_tests: int) -> ClusterVerdict:
    stratum, test = duel.contest.stratum, duel.test
    said = duel.verdict if duel.verdict in {"pass", "fail"} else "need_more"
    seen = test.verdict(_LEVEL, duel.decided_at).model_copy(update={"verdict": said})
    ended = sum(duel.contest.first.has((sample,)) for unit in stratum.units for sample in unit)
    return ClusterVerdict(
        cluster=stratum.name,
        share=stratum.share,
        verdict=duel.verdict,
        dominated_by=duel.dominated_by,
        n_planned=stratum.n_samples,
        n_not_asked=stratum.n_samples - ended,
        gained=test.gained,
        lost=test.lost,
        more=_more(duel, n_tests) if duel.verdict == "need_more" else None,
        seen=seen,
    )


def _saved(seat: Seat, left: dict[str, int], of: int) -> Saved:
    """Attempts left in each cluster, at the mean of what the cluster's attempts took, or else all attempts."""
    whole = Spent()
    for one in seat.spent.values():
        whole = whole.plus(one)
    tokens, usd = 0.0, 0.0
    for name, count in left.items():
        told = next((one for one in (seat.spent.get(name, Spent()), whole) if one.n_told), Spent())
        priced = next((one for one in (seat.spent.get(name, Spent()), whole) if one.n_priced), Spent())
        tokens += count * told.tokens / max(1, told.n_told)
        usd += count * priced.usd / max(1, priced.n_priced)
    return Saved(
        attempts=sum(left.values()),
        of=of,
        tokens=round(tokens) if whole.n_told else None,
        usd=usd if whole.n_priced else None,
    )


def _accuracy(seat: Seat, parts: Sequence[Stratum]) -> float | None:
    found = [_mean(seat.blocks(stratum)) for stratum in parts if stratum.units]
    sizes = [stratum.n_samples for stratum in parts if stratum.units]
    if any(one is None for one in found):
        return None
    return min(1.0, sum((mean or 0.0) * size for mean, size in zip(found, sizes, strict=True)) / sum(sizes))


def _mean(blocks: Blocks) -> float | None:
    count = sum(size * times for (_, size), times in blocks.items())
    return sum(total * times for (total, _), times in blocks.items()) / count if count else None


def _accuracy_interval(seat: Seat, parts: Sequence[Stratum]) -> Interval | None:
    """Weighted sum of the clusters' confidence sequences, each at its part of what the level leaves (Bonferroni)."""
    asked = [stratum for stratum in parts if stratum.units]
    level = 1 - (1 - _LEVEL) / len(asked)
    found = [mean_sequence(seat.blocks(one), largest=one.largest, level=level) for one in asked]
    if not any(found):
        return None
    n = sum(one.n_samples for one in asked)
    low = sum((one.low if one else 0.0) * part.n_samples for one, part in zip(found, asked, strict=True)) / n
    high = sum((one.high if one else 1.0) * part.n_samples for one, part in zip(found, asked, strict=True)) / n
    return Interval(low=low, high=min(1.0, high), level=_LEVEL, method="betting confidence sequence")


def _by_category(seat: Seat, parts: Sequence[Stratum]) -> dict[str, Interval]:
    found = {}
    for stratum in parts:
        for category in sorted({sample.category for unit in stratum.units for sample in unit}):
            largest = max(sum(one.category == category for one in unit) for unit in stratum.units)
            blocks = seat.blocks(stratum, category)
            if (interval := mean_sequence(blocks, largest=largest, level=_LEVEL)) is not None:
                found[category] = interval
    return found
