"""What a run with `run.stop=verdict` found out, and what it did not have to ask, in words."""

from collections import Counter
from collections.abc import Sequence

from harness.records.sequential import ClusterVerdict, EarlyStop, Saved
from harness.records.summary import Summary

__all__ = ["HEADS", "early_lines", "early_rows"]

HEADS = ("cluster", "traffic", "verdict", "pairs", "gained", "lost", "difference", "95 % at every look")

_SHOWN = 12
"""Clusters that the terminal shows, those with most traffic."""


def early_lines(summaries: Sequence[Summary]) -> list[str]:
    """Each model's verdicts and savings, for the terminal; nothing for runs without the rule."""
    lines: list[str] = []
    for summary in summaries:
        early = summary.early
        if early is None:
            continue
        lines.append(f"{summary.model}: {_standing(early)}")
        shown, others = early.clusters[:_SHOWN], early.clusters[_SHOWN:]
        wide = max((len(one.cluster) for one in shown), default=0)
        lines += [f"  {one.cluster:<{wide}}  {_certain(one, early)}" for one in shown]
        if others:
            counts = Counter(one.verdict.replace("_", " ") for one in others)
            told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
            lines.append(f"  and {len(others)} smaller clusters: {told} (verdict.json)")
    return lines


def _standing(early: EarlyStop) -> str:
    saved = early.saved
    if early.role == "baseline":
        return f"the baseline; {_saved(saved, early.stopped)}"
    began = f"against {early.against}, margin {early.margin * 100:g} points: "
    if not early.stopped:
        return f"{began}not stopped by rule; {_saved(saved, stopped=False)}"
    open_ = sum(one.verdict == "need_more" for one in early.clusters)
    certain = "certain" if not open_ else f"{open_} of {len(early.clusters)} clusters undecided with all their samples"
    return f"{began}stopped early, {certain}; {_saved(saved, stopped=True)}"


def _saved(saved: Saved, stopped: bool) -> str:
    if not saved.attempts:
        return "all of its attempts were made"
    if not stopped:
        return f"{saved.attempts:,} of {saved.of:,} attempts not made so far"
    share = saved.attempts / saved.of
    more = [] if saved.tokens is None else [f"about {saved.tokens:,} tokens"]
    more += [] if saved.usd is None else [f"about ${saved.usd:,.4g}"]
    return ", ".join([f"{saved.attempts:,} of {saved.of:,} attempts not needed ({share:.0%})", *more])


def _certain(one: ClusterVerdict, early: EarlyStop) -> str:
    seen = one.seen
    difference = "no pair" if seen.difference is None else f"{seen.difference * 100:+.1f} points"
    counts = f"{difference} in {seen.n_pairs:,} pairs ({one.gained} gained, {one.lost} lost)"
    words = {
        "pass": f"pass: no worse, certain after {seen.decided_at} pairs",
        "fail": f"fail: worse by more than {early.margin * 100:g} points, certain after {seen.decided_at} pairs",
        "dominated": f"dropped: {one.dominated_by} is surely better and costs no more",
        "need_more": "need more: not decided" + ("" if one.more is None else f", about {one.more:,} pairs to go"),
    }
    return f"{words[one.verdict]}; {counts}; {one.share:.0%} of traffic"


def early_rows(early: EarlyStop) -> list[list[str]]:
    """A row a cluster under `HEADS`, for a Markdown table."""
    rows = []
    for one in early.clusters:
        seen = one.seen
        interval = seen.interval
        rows.append(
            [
                one.cluster,
                f"{one.share:.1%}",
                one.verdict if one.dominated_by is None else f"dominated by {one.dominated_by}",
                f"{seen.n_pairs} of {one.n_planned}",
                str(one.gained),
                str(one.lost),
                "–" if seen.difference is None else f"{seen.difference:+.1%}",
                "–" if interval is None else f"{interval.low:+.1%} … {interval.high:+.1%}",
            ]
        )
    return rows
