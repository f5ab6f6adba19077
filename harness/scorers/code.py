"""The scorer of programs: what the model wrote is run against tests in a sandbox."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from harness.config import SandboxConfig
from harness.errors import DataError
from harness.protocols import Case, LateScore
from harness.records import Attempt, CodeTarget, MissClass, Reply, Sample, Score, target_of
from harness.sandbox.box import Box
from harness.sandbox.run import Job, Outcome, Reading, Verdict, find_box, judge
from harness.scorers.code_extract import readings_of
from harness.scorers.code_gold import Checked, gold_reading
from harness.scorers.context import ScorerContext, workers

__all__ = ["CodeScorer"]

_MOST_CHARS = 1_000_000
_SHOWN = 5
_KEPT_CHARS = 10_000
"""Of a program, in its score: the reply itself has all of it."""
_MISSES: dict[Outcome, MissClass] = {
    "failed": "tests_failed",
    "syntax": "does_not_compile",
    "time": "program_limit",
    "memory": "program_limit",
    "output": "program_limit",
    "processes": "program_limit",
}


class CodeScorer:
    """Judges replies by running the program in them."""

    name = "code"

    def __init__(self, config: SandboxConfig, concurrency: int) -> None:
        self.concurrency = concurrency
        self._config = config
        self._box: Box | None = None

    @classmethod
    def from_context(cls, context: ScorerContext) -> "CodeScorer":
        """As for any scorer's class."""
        return cls(context.scoring.sandbox, workers(context.scoring))

    @property
    def warning(self) -> str | None:
        """What the reader of the results has to know of how they came about."""
        if self._config.kind != "none":
            return None
        return "programs that the model wrote ran without a wall (scoring.sandbox.kind=none), with limits only"

    async def ready(self, samples: Sequence[Sample]) -> None:
        """Runs the canonical solutions of these samples, once for each content.

        Raises ConfigError if there is no sandbox here, DataError naming the samples whose own solution fails: the
        verdicts on other programs would mean nothing.
        """
        box, checked = self._found(), Checked(self._config)
        waiting = [sample for sample in samples if not checked.passed(sample)]
        failed: dict[str, str] = {}

        async def check(work: Iterator[Sample]) -> None:
            for sample in work:
                verdicts = [
                    verdict for _, verdict in await self._run(box, sample, gold_reading(target_of(sample, CodeTarget)))
                ]
                wrong = next((verdict for verdict in verdicts if verdict.outcome != "passed"), None)
                if wrong is None:
                    checked.note(sample)
                else:
                    failed[sample.id] = f"{wrong.outcome}, {wrong.why}"

        work = iter([sample for sample in waiting if target_of(sample, CodeTarget).solution is not None])
        async with asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(check(work))
        if failed:
            raise DataError(_gold_fails(failed, len(samples)))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """The sandbox. Raises ConfigError if there is none."""
        box = self._found()

        async def score(sample: Sample, attempt: Attempt) -> Score:
            return await self._score(box, sample, attempt)

        yield score

    def _found(self) -> Box:
        if self._box is None:
            self._box = find_box(self._config)
        return self._box

    async def _score(self, box: Box, sample: Sample, attempt: Attempt) -> Score:
        target = target_of(sample, CodeTarget)
        reply = attempt.reply or Reply()
        readings = readings_of(reply.content or "", target)
        if not readings:
            why = "the reply holds no program"
            return self._made(sample, attempt, 0.0, miss=_cut(reply, "no_answer"), why=why, extracted=None)
        longest = max(len(one.source) for one in readings)
        if longest > _MOST_CHARS:
            why = f"the program has {longest} characters, {_MOST_CHARS} are read"
            return self._made(sample, attempt, 0.0, miss="program_limit", why=why, extracted=None)
        verdicts = await self._run(box, sample, readings)
        parts = {name: float(verdict.outcome == "passed") for name, verdict in verdicts} if target.extra_tests else {}
        wrong = next(((name, one) for name, one in verdicts if one.outcome != "passed"), None)
        taken = next((one.reading for _, one in verdicts if one.reading is not None), None) or 0
        extracted = _shortened(readings[taken].source)
        if wrong is None:
            return self._made(sample, attempt, 1.0, parts=parts, extracted=extracted)
        name, verdict = wrong
        why = f"{name} tests: {verdict.why}" if target.extra_tests else verdict.why
        miss = _MISSES[verdict.outcome]
        miss = _cut(reply, miss) if miss == "does_not_compile" else miss
        return self._made(sample, attempt, 0.0, miss=miss, why=why, parts=parts, extracted=extracted)

    async def _run(self, box: Box, sample: Sample, readings: tuple[Reading, ...]) -> list[tuple[str, Verdict]]:
        """The verdicts by the base tests, and by the extra ones where there are some."""
        target = target_of(sample, CodeTarget)
        sets = [("base", target.tests)] + ([("extra", target.extra_tests)] if target.extra_tests else [])
        return [
            (name, await judge(box, self._config, Job(readings, tests, target.prompt, target.entry_point)))
            for name, tests in sets
        ]

    def _made(
        self,
        sample: Sample,
        attempt: Attempt,
        value: float,
        *,
        extracted: str | None,
        miss: MissClass | None = None,
        why: str = "",
        parts: dict[str, float] | None = None,
    ) -> Score:
        return Score(
            sample=sample.id,
            category=sample.category,
            trial=attempt.trial,
            scorer=self.name,
            value=value,
            parts=parts or {},
            miss=miss,
            boundary="model" if miss else None,
            why=why,
            extracted=extracted,
        )

    def cases(self, sample: Sample) -> Iterator[Case]:
        """The canonical solution as chat models write it; bodies that do nothing or always say the same."""
        target = target_of(sample, CodeTarget)
        if target.solution is None:
            return
        (gold,) = gold_reading(target)
        yield Case("gold", "the canonical solution", Reply(content=f"Here it is:\n\n```python\n{gold.source}```\n"))
        if target.prompt:
            yield Case("gold", "its body alone", Reply(content=target.solution))
            head = target.prompt.rstrip()
        else:
            head = f"def {target.entry_point}(*args, **kwargs):"
        for body in ("pass", "return 'no such value'"):
            yield Case("near_miss", f"a body of `{body}`", Reply(content=f"```python\n{head}\n    {body}\n```"))


def _shortened(source: str) -> str:
    return source if len(source) <= _KEPT_CHARS else f"{source[:_KEPT_CHARS]}…"


def _cut(reply: Reply, miss: MissClass) -> MissClass:
    """A reply that was cut off lost its point to its length."""
    return "length" if reply.finish_reason == "length" else miss


def _gold_fails(failed: dict[str, str], total: int) -> str:
    shown = "; ".join(f"{name} ({why[:120]})" for name, why in list(failed.items())[:_SHOWN])
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return (
        f"the suite's own solution fails its tests in {len(failed)} of {total} samples: {shown}{more}; "
        "mend the data, choose other samples, or give more time with scoring.sandbox.timeout_s=…"
    )
