"""What a run says of the traffic that its samples stand for: accuracy by weight, and what does not fit."""

from collections.abc import Mapping, Sequence
from math import isclose

from harness.records import Sample
from harness.records.summary import OverflowSummary, Summary, TrafficSummary
from harness.runner.samplesums import SampleSums
from harness.runner.tally import Tally
from harness.stats.bounded import units_interval, units_of

__all__ = ["named", "overflow_summary", "overflow_text", "traffic_summary"]


def traffic_summary(samples: SampleSums, traffic: Mapping[str, float]) -> TrafficSummary | None:
    """The accuracy with each category counting by its traffic; None for a suite that stands for none, or no score.

    traffic: calls that each category of the whole suite stands for. Within a category samples count by their weights,
    which are scaled to the category's traffic whatever part of the suite was run. The interval takes the samples of one
    session together, by their weights.
    """
    means, sessions, weights, categories = samples.weighted()
    if not traffic or not means:
        return None
    own: dict[str, float] = {}
    for category, weight in zip(categories, weights, strict=True):
        own[category] = own.get(category, 0.0) + weight
    scaled = [
        weight * traffic.get(category, own[category]) / own[category]
        for category, weight in zip(categories, weights, strict=True)
    ]
    units = units_of([min(1.0, one) for one in means], _labels(sessions), scaled)
    covered = sum(traffic.get(category, 0.0) for category in own) / sum(traffic.values())
    return TrafficSummary(
        accuracy=min(1.0, units.mean),
        interval=units_interval(units),
        covered_frac=min(1.0, covered),
        calls=sum(traffic.values()),
        effective_n=units.effective,
    )


def _labels(sessions: Sequence[int]) -> list[object]:
    """Numbers below zero are of samples without a session."""
    return [None if one < 0 else one for one in sessions]


def overflow_summary(
    tally: Tally, samples: Sequence[Sample], traffic: Mapping[str, float], context_tokens: int | None
) -> OverflowSummary | None:
    """How many calls do not fit into the model's context, and how much of traffic and text; None if all fit.

    Over the samples with a finished attempt. Text is counted in characters of messages and tools as JSON: of a prompt
    that does not fit, not every server tells the tokens.
    """
    if not tally.overflowed:
        return None
    whole = [sample for sample in samples if tally.samples.position(sample.id) is not None]
    over = [sample for sample in whole if sample.id in tally.overflowed]
    if not over:
        return None
    by_traffic = None
    if traffic:
        own: dict[str, float] = {}
        for sample in whole:
            own[sample.category] = own.get(sample.category, 0.0) + sample.weight
        calls = sum(traffic.get(category, weight) for category, weight in own.items())
        scale = {category: traffic.get(category, weight) / weight for category, weight in own.items()}
        by_traffic = sum(sample.weight * scale[sample.category] for sample in over) / calls
    lengths = {sample.id: _length(sample) for sample in whole}
    return OverflowSummary(
        n=len(over),
        of=len(whole),
        traffic_frac=None if by_traffic is None else min(1.0, by_traffic),
        text_frac=sum(lengths[sample.id] for sample in over) / sum(lengths.values()),
        context_tokens=context_tokens,
    )


def _length(sample: Sample) -> int:
    return len(sample.model_dump_json(include={"messages", "tools"}))


def overflow_text(found: OverflowSummary) -> str:
    """A sentence: how many calls do not fit, and how much that is.

    >>> overflow_text(OverflowSummary(n=3, of=12, traffic_frac=0.1, text_frac=0.5, context_tokens=8192))
    '3 of 12 calls (25.0%; 10.0% of the traffic, 50.0% of the text) do not fit into the context of 8,192 tokens: \
each counts as a miss'
    """
    shares = [f"{found.n / found.of:.1%}"]
    more = [] if found.traffic_frac is None else [f"{found.traffic_frac:.1%} of the traffic"]
    shares.append(", ".join([*more, f"{found.text_frac:.1%} of the text"]))
    size = "" if found.context_tokens is None else f" of {found.context_tokens:,} tokens"
    if isclose(found.text_frac, 1.0) and found.n == found.of:
        return f"not one of {found.of:,} calls fits into the context{size}: each counts as a miss"
    told = f"{found.n:,} of {found.of:,} calls ({'; '.join(shares)})"
    return f"{told} do not fit into the context{size}: each counts as a miss"


def named(summary: Summary, titles: Mapping[str, str]) -> Summary:
    """The summary with what people call its categories, where these are only ids."""
    if not titles:
        return summary
    found = {name: one.model_copy(update={"title": titles.get(name)}) for name, one in summary.by_category.items()}
    return summary.model_copy(update={"by_category": found})
