"""What a protocol changes for one model, told on the samples that both runs answered and that want a call.

Samples that want no call are told apart: a model that cannot write a call abstains from everything, and its silence
there would pass for success.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from harness.measure import e2e_s, tpot_s, ttft_s
from harness.records import Attempt, Protocol
from harness.report.family import Family, family_of
from harness.report.formats import change, counted
from harness.report.view import RunView

__all__ = ["Pair", "pair_up"]

_STEPS: tuple[tuple[Protocol, Protocol], ...] = (
    ("prompted", "constrained"),
    ("native", "constrained"),
    ("prompted", "native"),
)
_MOST = 0.5
"""Share of the lost points that must come back before the loss is called one of format."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of one model on one suite, sample by sample: `before` and `after` a change of protocol."""

    before: RunView
    after: RunView
    family: Family
    n: int
    """Samples scored in both runs, of single calls those that want a call."""
    n_silent: int
    """Samples scored in both runs that want none."""
    silent_before: int
    """Of those, exact before."""
    silent_after: int
    """Of those, exact after."""
    both: int
    """Exact in both."""
    gained: int
    """Exact only after the change."""
    lost: int
    """Exact only before the change."""
    neither: int
    """Exact in neither."""
    points_lost: float
    """What the run before misses, in points: 100 × mean of 1 − value."""
    points_back: float
    """How much of it returns: 100 × mean gain over the samples that gained."""
    points_gone: float
    """What goes missing instead: 100 × mean loss over the samples that lost."""
    price: str
    """What the change costs in time, in words; empty where it was not measured."""

    @property
    def counted_as(self) -> str:
        """What the counts count, as the end of a sentence."""
        what = "wanted calls" if self.family.key == "calls" else self.family.units
        return f"{self.family.won} of {self.n} {what}"

    @property
    def share_back(self) -> float | None:
        """Net share of the lost points that return, negative if the change harms; None if none were lost."""
        return (self.points_back - self.points_gone) / self.points_lost if self.points_lost else None

    @property
    def mostly_format(self) -> bool:
        """Whether more than half of what is lost in free text comes back under a grammar."""
        back = self.share_back
        return self.after.summary.protocol == "constrained" and back is not None and back > _MOST

    @property
    def sentence(self) -> str:
        """The change in points, as one sentence."""
        where = {"prompted": "when prompted", "native": "with native calls", "constrained": "under a grammar"}
        before, after = where[self.before.summary.protocol], where[self.after.summary.protocol]
        if self.points_lost == 0:
            return f"Nothing is lost {before}: there is nothing for the other protocol to bring back."
        gone = f"; {_points(self.points_gone)} go missing that were there before" if self.points_gone else ""
        returned = "none returns" if self.points_back == 0 else f"{_points(self.points_back)} return"
        return f"Of {_points(self.points_lost)} points lost {before}, {returned} {after}{gone}."

    @property
    def meaning(self) -> str:
        """What the change says about the model, no more than the counts carry."""
        n = counted(self.n, "shared sample")
        wanted = " that want a call" if self.family.key == "calls" else ""
        counts = f"{self.gained} samples were won, {self.lost} lost, of {n}{wanted}."
        if self.n_silent:
            kept = f"{self.silent_before} before, {self.silent_after} after"
            counts += f" Of {self.n_silent} that want none, it kept silent on {kept}."
        back = self.share_back
        if back is None or self.after.summary.protocol != "constrained":
            return counts
        if self.gained + self.lost == 0:
            return f"{counts} The grammar changes nothing here: what is missing is not format."
        if back > _MOST:
            return f"{counts} Most of the loss is format, which a grammar or a little tuning repairs."
        if back <= 0:
            return f"{counts} On balance the grammar brings nothing back: what is missing is not format."
        return f"{counts} Part of the loss is format; the larger part stays under the grammar."


def _points(value: float) -> str:
    return f"{value:.0f}" if value >= 1 else f"{value:.1f}"


def pair_up(runs: Sequence[RunView]) -> list[Pair]:
    """The pairs of runs that differ in their protocol only and share scored samples, in the order of the runs."""
    found = []
    for step_before, step_after in _STEPS:
        for before in runs:
            for after in runs:
                protocols = (before.summary.protocol, after.summary.protocol)
                same = before.model_key == after.model_key and before.suite_key == after.suite_key
                if same and protocols == (step_before, step_after):
                    pair = _pair(before, after, family_of(runs))
                    found += [pair] if pair is not None else []
    return found


def _pair(before: RunView, after: RunView, family: Family) -> Pair | None:
    first, second = before.sample_values(), after.sample_values()
    silent = {sample.id for sample in before.samples if sample.wants_call is False}
    shared = sorted(first.keys() & second.keys())
    values = [(first[sample], second[sample]) for sample in shared if sample not in silent]
    quiet = [(first[sample], second[sample]) for sample in shared if sample in silent]
    n = len(values)
    if not n:
        return None
    return Pair(
        before=before,
        after=after,
        family=family,
        n=n,
        n_silent=len(quiet),
        silent_before=sum(x == 1 for x, _ in quiet),
        silent_after=sum(y == 1 for _, y in quiet),
        both=sum(x == 1 and y == 1 for x, y in values),
        gained=sum(x < 1 and y == 1 for x, y in values),
        lost=sum(x == 1 and y < 1 for x, y in values),
        neither=sum(x < 1 and y < 1 for x, y in values),
        points_lost=100 * sum(1 - x for x, _ in values) / n,
        points_back=100 * sum(max(0.0, y - x) for x, y in values) / n,
        points_gone=100 * sum(max(0.0, x - y) for x, y in values) / n,
        price=_price(before, after),
    )


_Figure = tuple[str, Callable[[Attempt], float | None]]
_FIGURES: tuple[_Figure, ...] = (
    ("to the first token", lambda one: ttft_s(one.timing)),
    ("per further token", lambda one: tpot_s(one.timing, one.usage)),
)
_REPLY: _Figure = ("for the whole reply", lambda one: e2e_s(one.timing))
_TASK: _Figure = ("for the whole task", lambda one: e2e_s(one.timing))


def _price(before: RunView, after: RunView) -> str:
    """Medians of the differences in time, attempt by attempt; empty where no attempt has both."""
    timed, again = (
        {one.key: one for one in run.attempts if one.reply is not None and one.origin == "measured"}
        for run in (before, after)
    )
    both = [(timed[key], one) for key, one in again.items() if key in timed]
    found = []
    for words, figure in (*_FIGURES, _TASK if before.summary.task_s else _REPLY):
        times = [(figure(x), figure(y)) for x, y in both]
        known = [y - x for x, y in times if x is not None and y is not None]
        if known:
            found.append(f"{change(median(known))} {words}")
    return ", ".join(found)
