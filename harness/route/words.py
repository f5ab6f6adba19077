"""What a certificate says, in one sentence that claims no more than was shown."""

from collections.abc import Sequence

from harness.config.route import RouteOptions
from harness.records.routing import KindRecord
from harness.route.evidence import Evidence

__all__ = ["CONFIDENCES", "sentence_of", "weaker_note"]

CONFIDENCES = {
    "cluster": "how its task did on the tuning split",
    "request_score": "a learned score of the request",
    "reply_score": "a learned score of request and reply",
    "mean_logprob": "the mean log probability of the reply's tokens",
    "least_logprob": "the log probability of the least likely token",
    "first_logprob": "the log probability of the first token",
    "agreement": "the share of several answers that do the same",
    "form": "the form of the reply alone",
}
"""What a policy goes by, in words."""


def sentence_of(kinds: Sequence[KindRecord], best: KindRecord | None, evidence: Evidence, options: RouteOptions) -> str:
    """Certified: margin, confidence and coverage with its interval. Else why not, and how many calls more it takes."""
    margin = f"{100 * options.margin:g} point{'s' if options.margin != 0.01 else ''}"
    large = evidence.large.name
    if best is not None and best.certified is not None:
        found = best.certified
        return (
            f"At most {margin} below {large} with {100 * (1 - options.alpha):g} % confidence at "
            f"{100 * found.covered:.0f} % coverage ({100 * found.coverage.low:.0f}–{100 * found.coverage.high:.0f} %)"
        )
    tested = [one for one in kinds if one.status == "not certified"]
    if not tested:
        return f"No policy could be made: all calls go to {large}"
    open_ = [one.more for one in tested if one.more is not None]
    if open_:
        more = f"; about {_rough(min(open_)):,} test calls more may show it"
    else:
        more = "; more calls would not change that"
    level = f"{100 * (1 - options.alpha):g} % confidence"
    return f"No threshold is shown to stay within {margin} of {large} with {level}{more}"


def _rough(count: int) -> int:
    """Two digits of a count: an estimate carries no more."""
    return round(count, min(0, 2 - len(str(count))))


def weaker_note(evidence: Evidence, name: str) -> str | None:
    """That a small model does better than the large one on the test split, where it does."""
    calls = evidence.testing
    weight = sum(one.sample.weight for one in calls)
    small = sum(one.sample.weight * one.small[name][0].value for one in calls) / weight
    large = sum(one.sample.weight * one.large.value for one in calls) / weight
    if small < large:
        return None
    how = "as often right as" if small == large else "more often right than"
    return (
        f"{name} is {how} {evidence.large.name} on the test split ({100 * small:.1f} % and {100 * large:.1f} %): there "
        "is no gap to close, and CPT is not defined."
    )
