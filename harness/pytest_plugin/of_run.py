"""A run as a test sees it: figures with exact bounds, and assertions that say pass, fail or too few samples."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.config import GateOptions, GateRate, GateSize, GateTime
from harness.errors import DataError
from harness.gate.changed import refuse_other_samples
from harness.gate.checks import Two, rate_checks, reading, size_checks, two_of, within_check
from harness.gate.find import candidate_of, sides_of
from harness.gate.side import Side
from harness.gate.words import label_of, share_words, size_words
from harness.pytest_plugin.answers import Answer, Finding, settled
from harness.records.gate import GateCheck, Outcome
from harness.records.interval import Interval
from harness.stats.bounded import Units, limit, units_interval, units_of

__all__ = ["HarnessRun", "Rate", "Size", "Time"]

_ALPHA = 0.05
_WORDS = {"pass": "shown", "fail": "shown not to be", "inconclusive": "neither shown nor refuted"}
_Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of good answers of a run."""

    name: str
    two: Two
    """Both sides of it are the run itself."""
    inconclusive: Answer

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.two.shared)

    @property
    def units(self) -> Units:
        """The samples by whole sessions. Raises DataError where no sample of the run is about it."""
        if not self.two.shared:
            raise DataError(f"{self.name}: no sample of the run is about it")
        return units_of(self.two.after, self.two.labels)

    @property
    def value(self) -> float:
        """The share itself."""
        return self.units.mean

    @property
    def interval(self) -> Interval:
        """95 %: exact for independent answers that are right or wrong, by whole sessions where samples share one."""
        return units_interval(self.units)

    def lower(self, alpha: float = _ALPHA) -> float:
        """The greatest share that the data refute from below: the true one is less with a chance of α at most."""
        return limit(self.units, alpha)

    def upper(self, alpha: float = _ALPHA) -> float:
        """Likewise from above."""
        return limit(self.units, alpha, greater=False)

    def at_least(self, share: float, *, alpha: float = _ALPHA) -> Finding:
        """Passes where the share is shown to be at least this, fails where it is shown to be less."""
        __tracebackhide__ = True
        check = self._check(share, alpha)
        bound = f"lower bound at α {alpha:g}: {share_words(self.lower(alpha))}"
        found = self._finding(f"at least {share_words(share)}", _status(check.p, check.p_failing, alpha), check, bound)
        return settled(found, self.inconclusive)

    def at_most(self, share: float, *, alpha: float = _ALPHA) -> Finding:
        """Passes where the share is shown to be at most this: for what should be rare."""
        __tracebackhide__ = True
        check = self._check(share, alpha)
        bound = f"upper bound at α {alpha:g}: {share_words(self.upper(alpha))}"
        found = self._finding(f"at most {share_words(share)}", _status(check.p_failing, check.p, alpha), check, bound)
        return settled(found, self.inconclusive)

    def _check(self, share: float, alpha: float) -> GateCheck:
        if not 0 < share < 1 or not 0 < alpha < 0.5:
            raise DataError(
                f"{self.name}: a limit lies within 0 and 1 and alpha within 0 and 0.5, not {share}, {alpha}"
            )
        if not self.two.shared:
            raise DataError(f"{self.name}: no sample of the run is about it")
        (check,) = rate_checks(self.name, self.two, GateRate(margin=None, least=share), alpha)
        return check

    def _finding(self, limit_words: str, status: _Status, check: GateCheck, bound: str) -> Finding:
        ends = self.interval
        where = f" in {check.sessions} sessions" if check.sessions is not None else ""
        seen = (
            f"observed {share_words(self.value)} of {self.n} samples{where} (95 %: {share_words(ends.low)} … "
            f"{share_words(ends.high)}), {bound}"
        )
        return Finding(status, f"{self.name} {limit_words}: {_WORDS[status]}; {seen}{_more(status, check)}")


@dataclass(frozen=True, slots=True)
class Size:
    """What a call of a run takes on the mean: tokens or USD."""

    name: str
    two: Two
    inconclusive: Answer

    def at_most(self, most: float, *, alpha: float = _ALPHA) -> Finding:
        """Passes where the mean of a call is shown to be at most this."""
        __tracebackhide__ = True
        (check,) = size_checks(self.name, self.two, GateSize(ratio=None, most=most), alpha)
        return settled(
            _of_check(check, f"{label_of(self.name)}: {size_words(self.name, most)}", alpha), self.inconclusive
        )


@dataclass(frozen=True, slots=True)
class Time:
    """A time of a run."""

    name: str
    two: Two
    inconclusive: Answer

    def p95_within(self, seconds: float, *, alpha: float = _ALPHA) -> Finding:
        """Passes where 95 of 100 calls are shown to be within this."""
        __tracebackhide__ = True
        (check,) = within_check(self.name, self.two, GateTime(ratio=None, p95_s=seconds))
        return settled(
            _of_check(check, f"{label_of(self.name)}: 95 of 100 within {seconds:g} s", alpha), self.inconclusive
        )


@dataclass(frozen=True, slots=True, repr=False)
class HarnessRun:
    """A stored run, or the results of another program."""

    side: Side
    folder: Path
    results: Path
    """Where accepted baselines lie."""
    inconclusive: Answer = "fail"

    def __repr__(self) -> str:
        return f"<run {self.side.run.run}: {self.side.run.model} on {self.side.run.suite or 'a suite not named'}>"

    @property
    def accuracy(self) -> Rate:
        """Right answers."""
        return self._rate("accuracy", "value")

    @property
    def form(self) -> Rate:
        """Replies in the form that was asked for."""
        return self._rate("form", "formed")

    @property
    def wrong_calls(self) -> Rate:
        """Silence where no call is wanted."""
        return self._rate("wrong_calls", "decision", wants=False)

    @property
    def missed_calls(self) -> Rate:
        """Calls where one is wanted."""
        return self._rate("missed_calls", "decision", wants=True)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories or clusters of its samples."""
        return tuple(sorted({one.category for one in self.side.outcomes}))

    def category(self, name: str) -> Rate:
        """Right answers of one category. Raises DataError for one that the suite does not have."""
        if name not in self.categories:
            raise DataError(f"run {self.side.run.run} has no category {name}; it has {', '.join(self.categories[:20])}")

        def read(one: Outcome) -> float | None:
            return one.value if one.category == name else None

        return Rate(f"category {name}", two_of(self.side, self.side, read), self.inconclusive)

    @property
    def tokens(self) -> Size:
        """Of prompt and reply of a call."""
        return Size("tokens", two_of(self.side, self.side, reading("tokens")), self.inconclusive)

    @property
    def cost(self) -> Size:
        """USD of a call."""
        return Size("cost", two_of(self.side, self.side, reading("cost_usd")), self.inconclusive)

    @property
    def ttft(self) -> Time:
        """Until the first token."""
        return Time("ttft", two_of(self.side, self.side, reading("ttft_s", timed=True)), self.inconclusive)

    @property
    def e2e(self) -> Time:
        """Until the end of the reply."""
        return Time("e2e", two_of(self.side, self.side, reading("e2e_s", timed=True)), self.inconclusive)

    def no_worse_than(
        self, baseline: "HarnessRun | str | Path | None" = None, *, margin: float = 0.05, alpha: float = _ALPHA
    ) -> Finding:
        """Passes where right answers are shown to be lost by less than the margin, pair by pair.

        baseline: a run, a folder of a run or of `do=accept`, a file of another program; None: what was accepted.
        """
        __tracebackhide__ = True
        other = baseline.side if isinstance(baseline, HarnessRun) else self._side(baseline)
        refuse_other_samples(other, self.side)
        two = two_of(other, self.side, reading("value"))
        (check,) = rate_checks("accuracy", two, GateRate(margin=margin), alpha)
        words = f"no more than {100 * margin:g} points worse than {other.run.model} (run {other.run.run})"
        return settled(_of_check(check, words, alpha), self.inconclusive)

    def _side(self, baseline: "str | Path | None") -> Side:
        if baseline is not None:
            return sides_of(os.fspath(self.folder), GateOptions(baseline=os.fspath(baseline)), self.results)[0]
        return sides_of(os.fspath(self.folder), GateOptions(), self.results)[0]

    def _rate(self, name: str, field: str, *, wants: bool | None = None) -> Rate:
        return Rate(label_of(name), two_of(self.side, self.side, reading(field, wants=wants)), self.inconclusive)


def run_at(folder: Path, results: Path, inconclusive: Answer) -> HarnessRun:
    """The run in a folder. Raises DataError or BackendError for what is none."""
    return HarnessRun(candidate_of(folder), folder, results, inconclusive)


def _status(p: float | None, failing: float | None, alpha: float) -> _Status:
    if p is not None and p <= alpha:
        return "pass"
    return "fail" if failing is not None and failing <= alpha else "inconclusive"


def _of_check(check: GateCheck, words: str, alpha: float) -> Finding:
    """A check as a finding. Raises DataError where nothing was measured."""
    if check.p is None:
        raise DataError(f"{words}: {check.why}")
    status = _status(check.p, check.p_failing, alpha)
    return Finding(status, f"{words}: {_WORDS[status]}; {check.why}; n {check.n}{_more(status, check)}")


def _more(status: _Status, check: GateCheck) -> str:
    return f"; about {check.more:,} samples more would decide it" if check.more and status == "inconclusive" else ""
