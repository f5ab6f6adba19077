"""The scorer of answers that a model judges: any configured one, its cost counted, each answer in two orders."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean

from pydantic import ValidationError

from harness.backends.client import ChatClient
from harness.config import JudgeConfig, explain_validation
from harness.errors import ConfigError, HarnessError
from harness.protocols import Case, LateScore
from harness.records import Attempt, Reply, Sample, Score, TextTarget
from harness.records.score import HUMAN, HUMAN_JUDGED, JUDGED
from harness.scorers.context import JudgeSeat, ScorerContext
from harness.scorers.judge_client import Bill, JudgeClient
from harness.scorers.judge_prompt import JudgeOptions, pairwise, pointwise
from harness.scorers.rehearsal import rehearse
from harness.scorers.text import TextScorer, as_score, unanswered
from harness.scorers.text_verdict import Judged, text_target, unreadable_target
from harness.toolcalling.decode import said

__all__ = ["JudgeScorer"]


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What the judge holds of one answer, over all orders of presentation."""

    value: float
    agreed: bool | None
    why: str
    first_won: tuple[int, int] | None = None
    """Pairwise: verdicts for whichever answer stood first, of those for either."""


class JudgeScorer:
    """Judges replies to samples with match `judge` by a model; those with another match as the scorer `text` does."""

    name = "judge"
    reads = ("judge",)
    """Options of a suite that it reads."""

    def __init__(self, seat: JudgeSeat, settings: JudgeConfig, options: JudgeOptions, *, repair: bool = True) -> None:
        self.concurrency = settings.concurrency
        self._seat, self._settings, self._options = seat, settings, options
        self._text = TextScorer(repair=repair)

    @classmethod
    def from_context(cls, context: ScorerContext) -> "JudgeScorer":
        """As for any scorer's class. Raises ConfigError without a model that judges, or for options that are wrong."""
        if context.judge is None:
            raise ConfigError("this suite's answers are judged by a model; add: scoring.judge.model=gpt-4o-mini")
        try:
            options = JudgeOptions.model_validate(context.options.get("judge") or {})
        except ValidationError as error:
            raise ConfigError(f"suite.options.judge.{explain_validation(error)}") from None
        return cls(context.judge, context.scoring.judge, options, repair=context.scoring.repair)

    async def ready(self, samples: Sequence[Sample]) -> None:
        """Brings the judge's endpoint up and down again, and judges once by each other kind of match.

        Raises ConfigError for what is missing here, BackendError or AssetError where the judge does not come up.
        """
        rehearse(self._text, samples)
        async with self._seat.backend.serve():
            pass

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """The judge's endpoint up. Raises BackendError or AssetError where it does not come up."""
        async with (
            self._seat.backend.serve() as endpoint,
            ChatClient(
                endpoint, concurrency=self.concurrency, connect_timeout_s=endpoint.connect_timeout_s
            ) as connection,
        ):
            client = JudgeClient(self._seat.config, endpoint, connection, self._settings.max_tokens)
            yield _Bench(self.name, client, self._options, self._text, swap=self._settings.swap).score

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Nothing said; pointwise also the accepted answers: a judge that marks down its own reference is no judge."""
        target = text_target(sample)
        if target.match != "judge":
            yield from self._text.cases(sample)
            return
        if self._options.mode == "pointwise":
            for one in target.accepted:
                yield Case("gold", "an accepted answer", Reply(content=one, finish_reason="stop"))
        yield Case("near_miss", "nothing is said", Reply(content="", finish_reason="stop"))


@dataclass(slots=True)
class _Bench:
    """Judges attempts at one endpoint."""

    name: str
    client: JudgeClient
    options: JudgeOptions
    text: TextScorer
    swap: bool
    _human: dict[str, "asyncio.Task[_Opinion | None]"] = field(default_factory=dict)
    """The opinion of each sample's recorded answer, asked for once; None where the judge had none."""

    async def score(self, sample: Sample, attempt: Attempt) -> Score:
        """The verdict on an attempt's answer. Raises BackendError where the judge gives none."""
        assert attempt.reply is not None
        target = text_target(sample)
        if target.match != "judge":
            score = self.text.score(sample, attempt.reply, attempt.protocol, attempt.trial)
            return score.model_copy(update={"scorer": self.name})
        bill = Bill()
        answer = said(attempt.reply.content)
        opinion = await self._opinion(sample, target, answer, bill) if answer else None
        judged = await self._with_human(_judged(opinion, attempt.reply, target), sample, target, bill)
        facts = bill.facts(self.client.config.model.name, opinion.agreed if opinion else None)
        return as_score(self.name, sample, attempt.trial, judged).model_copy(update={"judge": facts})

    async def _with_human(self, judged: Judged, sample: Sample, target: TextTarget, bill: Bill) -> Judged:
        """The verdict with a person's label and the judge's opinion of the same recorded answer, where there is one.

        A judge without an opinion there costs the label, not the attempt; the count says how many were lost so.
        """
        if target.human is None or target.human_answer is None:
            return judged
        if sample.id not in self._human:
            asked = self._of_human(sample, target, target.human_answer, bill)
            self._human[sample.id] = asyncio.create_task(asked)
        opinion = await self._human[sample.id]
        counts = {**judged.counts, HUMAN_JUDGED: (int(opinion is not None), 1)}
        if opinion is None:
            return replace(judged, counts=counts)
        parts = {HUMAN: _passing(target.human, target), HUMAN_JUDGED: _passing(opinion.value, target)}
        return replace(judged, counts=counts, parts={**judged.parts, **parts})

    async def _of_human(self, sample: Sample, target: TextTarget, answer: str, bill: Bill) -> _Opinion | None:
        try:
            return await self._opinion(sample, target, answer, bill) if answer.strip() else None
        except HarnessError:
            return None

    async def _opinion(self, sample: Sample, target: TextTarget, answer: str, bill: Bill) -> _Opinion:
        orders = (False, True) if self.swap else (False,)
        if self.options.mode == "pairwise":
            return await self._compared(sample, target, answer, orders, bill)
        scale = self.options.scale
        grades, reason = [], ""
        for turned in orders:
            question = pointwise(sample, target, answer, scale, turned=turned)
            grade, reason = await self.client.verdict(question, bill)
            grades.append(int(grade))
        said_so = f"the judge gives {' and '.join(map(str, grades))} of {scale}: {reason}"
        return _Opinion(fmean((grade - 1) / (scale - 1) for grade in grades), _agreed(grades), said_so)

    async def _compared(
        self, sample: Sample, target: TextTarget, answer: str, orders: tuple[bool, ...], bill: Bill
    ) -> _Opinion:
        """Better 1, tie 0.5, worse 0; where the orders lead to different verdicts, a tie."""
        if not target.accepted:
            raise unreadable_target(sample.id, "judging in pairs needs an accepted answer to compare with")
        values, won, decided, reason = [], 0, 0, ""
        for turned in orders:
            better, reason = await self.client.verdict(pairwise(sample, target, answer, turned=turned), bill)
            mine = "first" if turned else "second"
            values.append(0.5 if better == "tie" else float(better == mine))
            won += better == "first"
            decided += better != "tie"
        agreed = _agreed(values)
        value = 0.5 if agreed is False else values[0]
        words = {1.0: "better than", 0.5: "as good as", 0.0: "worse than"}
        verdicts = " and ".join(words[one] for one in values)
        why = f"the judge holds it {verdicts} the accepted answer: {reason}"
        return _Opinion(value, agreed, why, (won, decided) if decided else None)


def _agreed(verdicts: list[int] | list[float]) -> bool | None:
    """Whether all orders led to the same verdict; None for one order."""
    return len(set(verdicts)) == 1 if len(verdicts) > 1 else None


def _passing(value: float, target: TextTarget) -> float:
    return value if target.threshold is None else float(value >= target.threshold)


def _judged(opinion: _Opinion | None, reply: Reply, target: TextTarget) -> Judged:
    """The verdict from the judge's opinion; None: there was no answer to have one of."""
    if opinion is None:
        grade = {} if target.threshold is None else {"grade": 0.0}
        return replace(unanswered(reply), parts={JUDGED: 0.0, **grade})
    value = _passing(opinion.value, target)
    grade = {} if target.threshold is None else {"grade": opinion.value}
    counts = {} if opinion.first_won is None else {"first_preferred": opinion.first_won}
    return Judged(value, None if value == 1 else "wrong_answer", opinion.why, {JUDGED: value, **grade}, counts)
