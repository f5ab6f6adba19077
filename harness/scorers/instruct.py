"""Instruction following as IFEval and IFBench judge it: each instruction by a program, strict and loose."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import ConfigError, DataError
from harness.protocols import Case, LateScore
from harness.records import Attempt, InstructionTarget, MissClass, Reply, Sample, Score, target_of
from harness.scorers.context import ScorerContext
from harness.scorers.instruct_checkers import Checked, Checkers, ifbench_checkers, ifeval_checkers
from harness.scorers.instruct_gold import gold_and_near_misses
from harness.toolcalling.decode import said

__all__ = ["InstructScorer", "Verdicts", "answer_of", "loose_variants", "verdicts"]

_SHOWN_INSTRUCTIONS = 5
_SHOWN_CHARACTERS = 120
_REHEARSED = "Say one word."


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Whether each instruction of a prompt is followed, in the order of the prompt."""

    strict: tuple[bool, ...]
    """By the answer as it is."""
    loose: tuple[bool, ...]
    """By any of the eight variants of it."""


def answer_of(reply: Reply) -> str:
    """The text that is judged: all but the thoughts up to `</think>`; nothing if it never gets past them."""
    text = reply.content or ""
    return said(text) if "</think>" in text or text.lstrip().startswith("<think>") else text


def loose_variants(answer: str) -> tuple[str, ...]:
    r"""The answer as it is, without its first line, last line, both; then the same without asterisks. No one twice.

    Source: Zhou et al. 2023, arXiv:2311.07911.
    >>> loose_variants("Sure:\n*yes*")
    ('Sure:\n*yes*', '*yes*', 'Sure:', '', 'Sure:\nyes', 'yes')
    """
    lines = answer.split("\n")
    parts = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return tuple(dict.fromkeys(parts + [part.replace("*", "") for part in parts]))


def verdicts(checks: Sequence[Checked], answer: str) -> Verdicts:
    """Both verdicts on an answer for each instruction."""
    variants = loose_variants(answer)
    strict = tuple(one.follows(answer) for one in checks)
    loose = tuple(
        kept or any(one.follows(variant) for variant in variants[1:]) for one, kept in zip(checks, strict, strict=True)
    )
    return Verdicts(strict, loose)


class InstructScorer:
    """Judges replies against an InstructionTarget, after the last reply: telling a language can take 10 ms and more."""

    name = "instruct"
    reads = ("tagger",)
    """Options of a suite that it reads."""
    concurrency = 1

    def __init__(self, data: Path | None = None, tagger: Path | None = None) -> None:
        """Takes the folder of IFBench's files, for targets that name its checkers, and of NLTK's tagger for one."""
        self._data, self._tagger = data, tagger

    @classmethod
    def from_context(cls, context: ScorerContext) -> "InstructScorer":
        """As for any scorer's class; the suite's option `tagger` is a folder."""
        tagger = context.options.get("tagger")
        return cls(context.data, Path(str(tagger)).expanduser() if tagger else None)

    async def ready(self, samples: Sequence[Sample]) -> None:
        """Checks one text by each type of instruction among the samples.

        Raises ConfigError for a package or a tagger that is missing, AssetError for missing data. Instructions that
        make no sense are left for the run to complain of.
        """
        await asyncio.to_thread(self._rehearse, samples)

    def _rehearse(self, samples: Sequence[Sample]) -> None:
        seen: set[tuple[str, str]] = set()
        for sample in samples:
            target = sample.target
            if not isinstance(target, InstructionTarget):
                continue
            library = self._library(target.checker)
            for one in target.instructions:
                if (target.checker, one.id) not in seen:
                    with suppress(DataError):
                        library.check(one).follows(_REHEARSED)
                        seen.add((target.checker, one.id))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """As for any late scorer. Raises ConfigError for a package that is missing, AssetError for missing data."""

        async def score(sample: Sample, attempt: Attempt) -> Score:
            return await asyncio.to_thread(self.judge, sample, attempt)

        yield score

    def judge(self, sample: Sample, attempt: Attempt) -> Score:
        """The verdict on an attempt that has a reply. Raises DataError for instructions that make no sense."""
        target = target_of(sample, InstructionTarget)
        library = self._library(target.checker)
        checks = [library.check(one) for one in target.instructions]
        reply = attempt.reply or Reply()
        answer = answer_of(reply)
        found = verdicts(checks, answer)
        gate: Literal["strict", "loose"] = "loose" if target.checker == "ifbench" else "strict"
        held = found.loose if gate == "loose" else found.strict
        miss, why = (None, "") if all(held) else _miss(checks, held, answer, cut=reply.finish_reason == "length")
        return Score(
            sample=sample.id,
            category=sample.category,
            trial=attempt.trial,
            scorer=self.name,
            value=float(all(held)),
            parts={"prompt_strict": float(all(found.strict)), "prompt_loose": float(all(found.loose))},
            counts=_counts(checks, found, gate),
            miss=miss,
            boundary="model" if miss else None,
            why=why,
            extracted={"strict": list(found.strict), "loose": list(found.loose)},
        )

    def cases(self, sample: Sample) -> Iterator[Case]:
        """An answer made up for the instructions where they are simple, that answer spoilt, and the empty reply."""
        yield from gold_and_near_misses(target_of(sample, InstructionTarget))

    def _library(self, checker: Literal["ifeval", "ifbench"]) -> Checkers:
        if checker == "ifeval":
            return ifeval_checkers()
        if self._data is None or not (self._data / "instructions.py").is_file():
            raise ConfigError(
                "IFBench's checkers are read from its package, and this suite's data is not its folder; "
                "name the asset of suites/ifbench/suite.yaml under `data`"
            )
        return ifbench_checkers(self._data, self._tagger)


def _counts(checks: Sequence[Checked], found: Verdicts, gate: Literal["strict", "loose"]) -> dict[str, tuple[int, int]]:
    """(followed, of) over all instructions, strict and loose, and by type as the gate has it."""
    held = found.loose if gate == "loose" else found.strict
    of = Counter(one.id for one in checks)
    followed = Counter(one.id for one, kept in zip(checks, held, strict=True) if kept)
    by_type: Mapping[str, tuple[int, int]] = {f"{gate}:{name}": (followed[name], count) for name, count in of.items()}
    return {
        "instruction_strict": (sum(found.strict), len(checks)),
        "instruction_loose": (sum(found.loose), len(checks)),
        **by_type,
    }


def _miss(checks: Sequence[Checked], held: Sequence[bool], answer: str, *, cut: bool) -> tuple[MissClass, str]:
    broken = [_short(one.words) for one, kept in zip(checks, held, strict=True) if not kept]
    more = f" and {len(broken) - _SHOWN_INSTRUCTIONS} more" if len(broken) > _SHOWN_INSTRUCTIONS else ""
    told = f"not followed, {len(broken)} of {len(checks)}: {' | '.join(broken[:_SHOWN_INSTRUCTIONS])}{more}"
    if cut:
        return "length", f"the reply was cut off at the limit of tokens; {told}"
    if not answer.strip():
        return "no_answer", f"the reply is empty; {told}"
    return "instruction_missed", told


def _short(words: str) -> str:
    return words if len(words) <= _SHOWN_CHARACTERS else f"{words[: _SHOWN_CHARACTERS - 1]}…"
