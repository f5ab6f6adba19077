"""The scorer of answers by likeness of meaning: cosine of their embeddings, after the last reply."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from harness.assets import cache_dir
from harness.embed import Embedder, VectorCache, cosine, embed_texts, load_embedder
from harness.protocols import Case, LateScore
from harness.records import Attempt, Reply, Sample, Score, TextTarget
from harness.scorers.context import ScorerContext, workers
from harness.scorers.rehearsal import rehearse
from harness.scorers.text import TextScorer, as_score, unanswered
from harness.scorers.text_verdict import Judged, text_target
from harness.scorers.text_words import by_threshold
from harness.toolcalling.decode import said

__all__ = ["EmbeddingScorer"]

_VECTORS = "vectors.sqlite"


class EmbeddingScorer:
    """Judges replies to samples with match `embedding`; those with another match as the scorer `text` does.

    Late, since embedding a text takes 5 to 60 ms of a processor, which the measured replies must not share.
    """

    name = "embedding"

    def __init__(self, concurrency: int = 1, *, repair: bool = True) -> None:
        self.concurrency = concurrency
        self._text = TextScorer(repair=repair)

    @classmethod
    def from_context(cls, context: ScorerContext) -> "EmbeddingScorer":
        """As for any scorer's class."""
        return cls(workers(context.scoring), repair=context.scoring.repair)

    async def ready(self, samples: Sequence[Sample]) -> None:
        """Loads the model and judges once by each other kind of match. Raises as `open`."""
        await asyncio.to_thread(load_embedder, cache_dir())
        rehearse(self._text, samples)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """The model in memory. Raises AssetError or ConfigError where it cannot be had."""
        embed = await asyncio.to_thread(load_embedder, cache_dir())
        cache = VectorCache(cache_dir() / _VECTORS)

        async def judge(sample: Sample, attempt: Attempt) -> Score:
            assert attempt.reply is not None
            if text_target(sample).match != "embedding":
                score = self._text.score(sample, attempt.reply, attempt.protocol, attempt.trial)
                return score.model_copy(update={"scorer": self.name})
            judged = await asyncio.to_thread(_judge, attempt.reply, text_target(sample), embed, cache)
            return as_score(self.name, sample, attempt.trial, judged)

        yield judge

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Each accepted answer; an answer about something else; of other matches those of `text`."""
        target = text_target(sample)
        if target.match != "embedding":
            yield from self._text.cases(sample)
            return
        for one in target.accepted:
            yield Case("gold", "an accepted answer", Reply(content=one, finish_reason="stop"))
        yield Case("near_miss", "nothing is said", Reply(content="", finish_reason="stop"))
        yield Case("near_miss", "about something else", Reply(content="xylophone 7 7 7 lorem", finish_reason="stop"))


def _judge(reply: Reply, target: TextTarget, embed: Embedder, cache: VectorCache) -> Judged:
    """Cosine with the nearest accepted answer, what is below 0 as 0; or 1 and 0 by the threshold."""
    answer = said(reply.content)
    if not answer:
        return replace(unanswered(reply), parts={"cosine": 0.0})
    first, *accepted = embed_texts((answer, *target.accepted), embed, cache)
    likeness = max(cosine(first, one) for one in accepted)
    if answer in target.accepted:
        likeness = 1.0  # float32 leaves a product of equal unit vectors a hair off
    return by_threshold("cosine similarity", max(0.0, likeness), target.threshold, {"cosine": max(0.0, likeness)})
