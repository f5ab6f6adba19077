"""A run folder read for a page: every number of every attempt, no text, and samples that runs share once."""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar, cast

from harness.records import Attempt, Record, Reply, Sample, Score, Step, Timing
from harness.report.view import RunView
from harness.store.journal import parse_line, read_lines
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import SAMPLES, read_manifest, read_summary

__all__ = ["SharedSamples", "read_view", "without_texts"]

R = TypeVar("R", bound=Record)

SharedSamples = dict[bytes, Sample]
"""Samples by the digest of their line, to be handed from run to run."""


def read_view(folder: Path, shared: SharedSamples) -> RunView:
    """The run with its attempts and scores without their texts, which a page reads again one at a time.

    shared: samples read so far, taken from and added to. Raises DataError as `read_run` does.
    """
    manifest, summary = read_manifest(folder), read_summary(folder)
    attempts: list[Attempt] = []
    scores: list[Score] = []
    for attempt, score in final_outcomes(folder):
        attempts.append(without_texts(attempt))
        if score is not None:
            scores.append(_slim(score, extracted=None, why=""))
    samples = tuple(_samples(folder / SAMPLES, shared))
    return RunView(manifest, summary, samples, tuple(attempts), tuple(scores), folder)


def _samples(path: Path, shared: SharedSamples) -> list[Sample]:
    found = []
    for _, body in read_lines(path):
        digest = blake2b(body, digest_size=16).digest()
        if digest not in shared:
            shared[digest] = parse_line(body, Sample, path)
        found.append(shared[digest])
    return found


def without_texts(attempt: Attempt) -> Attempt:
    """The attempt with all its numbers, marks and failures; its replies are there, and empty."""
    return _slim(
        attempt,
        reply=_bare(attempt.reply) if attempt.reply is not None else None,
        timing=_short(attempt.timing),
        usage=_slim(attempt.usage),
        steps=tuple(map(_step, attempt.steps)),
    )


_FIELDS: dict[type[Record], set[str]] = {}
"""Which fields count as set: pydantic keeps a set of its own in every record, larger than the record. One does."""


def _slim(record: R, **changed: object) -> R:
    """The record with these fields changed, in half the memory; it is not validated again."""
    fields = _FIELDS.setdefault(type(record), set(type(record).model_fields))
    return cast("R", type(record).model_construct(_fields_set=fields, **(dict(record) | changed)))


@cache
def _empty(finish_reason: str | None) -> Reply:
    return Reply(finish_reason=finish_reason)


def _bare(reply: Reply) -> Reply:
    return _empty(reply.finish_reason)


def _short(timing: Timing) -> Timing:
    """The marks without the arrival of each token."""
    return _slim(timing, chunks_ns=())


def _step(step: Step) -> Step:
    results = tuple(_slim(one, content="", call=_slim(one.call, arguments={})) for one in step.results)
    return _slim(step, reply=_bare(step.reply), timing=_short(step.timing), usage=_slim(step.usage), results=results)
