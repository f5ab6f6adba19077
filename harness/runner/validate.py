"""A scorer put to the proof on a suite's own samples: what is right must score 1, what is not must not."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from harness.errors import HarnessError
from harness.protocols import Case, Checkable, LateScorer, Scorer
from harness.records import AgentTarget, Attempt, RawToolCall, Reply, Sample, Score, Timing
from harness.scorers.context import is_late

__all__ = ["GARBAGE", "Finding", "Validation", "attempt_of", "judging", "validate"]

_SHOWN = 200

Judge = Callable[[Sample, Attempt], Awaitable[Score]]

GARBAGE: tuple[Reply, ...] = (
    Reply(content="null"),
    Reply(content="\x00\ufffe \ufffd{]x7"),
    Reply(content="[" * 5_000),
    Reply(content='{"name": "x", "arguments": {"n": ' + "9" * 4_000 + "}}"),
    Reply(content="```\n" * 2_000),
    Reply(content="<think>" + "word " * 2_000, finish_reason="length"),
    Reply(content=None, tool_calls=(RawToolCall(name="", arguments="{"),), finish_reason="tool_calls"),
    Reply(content="a" * 200_000),
)
"""Replies that no target wants: each must get a verdict, the same one twice."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict that is not as it must be."""

    sample: str
    case: str
    why: str


@dataclass(slots=True)
class Validation:
    """What was checked, and what was found."""

    n_samples: int = 0
    with_gold: set[str] = field(default_factory=set)
    """Samples of which a right outcome was judged."""
    checked: Counter[str] = field(default_factory=Counter)
    """Cases judged, by kind: gold, near_miss, empty, garbage."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def without_gold(self) -> int:
        """Samples for which no right outcome is known."""
        return self.n_samples - len(self.with_gold)


def attempt_of(sample: Sample, case: Case) -> Attempt:
    """The attempt that ends in a case's outcome."""
    reply = case.steps[-1].reply if case.steps else case.reply
    return Attempt(
        sample=sample.id,
        model="validate",
        protocol="native",
        backend="none",
        reply=reply,
        timing=Timing(at=0.0, end_ns=1),
        steps=case.steps,
        ended="answered" if case.steps else None,
    )


@asynccontextmanager
async def judging(scorer: Scorer | LateScorer) -> AsyncIterator[Judge]:
    """One way to ask a scorer of either kind."""
    if is_late(scorer):
        async with cast(LateScorer, scorer).open() as late:
            yield late
        return

    async def at_once(sample: Sample, attempt: Attempt) -> Score:
        assert attempt.reply is not None
        return cast(Scorer, scorer).score(sample, attempt.reply, attempt.protocol, attempt.trial)

    yield at_once


async def validate(
    scorer: Scorer | LateScorer, samples: Sequence[Sample], progress: Callable[[], None] = lambda: None
) -> Validation:
    """Every sample's known cases, the empty reply, and (of the first three samples) garbage, judged and compared.

    A sample that cannot be judged, and a scorer that raises, are findings. Raises HarnessError if the scorer cannot
    work here at all.
    """
    found = Validation(n_samples=len(samples))
    async with judging(scorer) as judge:
        room = asyncio.Semaphore(getattr(scorer, "concurrency", 1))

        async def one(number: int, sample: Sample) -> None:
            async with room:
                await _check_sample(judge, sample, _cases(scorer, sample, with_garbage=number < 3), found)
                progress()

        async with asyncio.TaskGroup() as group:
            for number, sample in enumerate(samples):
                group.create_task(one(number, sample))
    found.findings.sort(key=lambda finding: (finding.sample, finding.case))
    return found


@dataclass(frozen=True, slots=True)
class _Named:
    kind: str
    case: Case


def _cases(scorer: Scorer | LateScorer, sample: Sample, *, with_garbage: bool) -> Iterator[_Named]:
    for case in cast(Checkable, scorer).cases(sample):
        yield _Named(case.kind, case)
    if not _silence_is_right(sample):
        yield _Named("empty", Case("near_miss", "an empty reply", Reply(content="", finish_reason="stop")))
    if with_garbage:
        for reply in GARBAGE:
            yield _Named("garbage", Case("near_miss", f"garbage {(reply.content or 'call')[:12]!r}", reply))


def _silence_is_right(sample: Sample) -> bool:
    if isinstance(sample.target, AgentTarget):
        return not any(sample.target.plan)
    return sample.wants_call is False


async def _check_sample(judge: Judge, sample: Sample, cases: Iterator[_Named], found: Validation) -> None:
    """Judges a sample's cases up to the first that shows the sample itself, or what judges it, to be unfit."""
    try:
        for named in cases:
            try:
                await _check(judge, sample, named, found)
            except HarnessError as error:
                found.findings.append(Finding(sample.id, _title(named), str(error)))
                return
            except Exception as error:  # a scorer must bear whatever a model may say
                found.findings.append(Finding(sample.id, _title(named), _raised(error)))
    except HarnessError as error:
        found.findings.append(Finding(sample.id, "its cases", str(error)))
    except Exception as error:
        found.findings.append(Finding(sample.id, "its cases", _raised(error)))


def _raised(error: Exception) -> str:
    return f"raises {type(error).__name__}: {' '.join(str(error).split())[:_SHOWN]}".rstrip(": ")


def _title(named: _Named) -> str:
    return f"{named.kind}: {named.case.why}"


async def _check(judge: Judge, sample: Sample, named: _Named, found: Validation) -> None:
    kind = named.kind
    found.checked[kind] += 1
    if kind == "gold":
        found.with_gold.add(sample.id)
    attempt = attempt_of(sample, named.case)
    first = await judge(sample, attempt)
    if wrong := _wrong(first, kind):
        found.findings.append(Finding(sample.id, _title(named), f"{wrong}; {first.why}".rstrip("; ")))
    if kind == "garbage" and _timeless(await judge(sample, attempt)) != _timeless(first):
        found.findings.append(Finding(sample.id, _title(named), "two verdicts on one reply"))


def _wrong(score: Score, kind: str) -> str | None:
    """What is wrong with a verdict, if anything."""
    if score.value is None:
        return "not scored"
    if kind == "gold":
        return None if score.value == 1 else f"scores {score.value:g}, must be 1"
    if kind == "empty":
        return None if score.value == 0 else f"scores {score.value:g}, must be 0"
    if kind == "near_miss":
        return None if score.value < 1 else "scores 1, must be less"
    return None


def _timeless(score: Score) -> Score:
    """A verdict without what it took to reach it."""
    return score.model_copy(update={"judge": None})
