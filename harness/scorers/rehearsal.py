"""Text judged once before a run, for scorers that judge late: a missing package shows before the first question."""

from collections.abc import Iterable
from contextlib import suppress

from harness.errors import ConfigError, DataError, extra
from harness.records import Reply, Sample
from harness.scorers.text import TextScorer
from harness.scorers.text_verdict import text_target

__all__ = ["rehearse"]

_LATE = {"embedding", "judge"}
_SAID = Reply(content="{}", finish_reason="stop")
"""Words, and JSON that is held against the schema."""


def rehearse(scorer: TextScorer, samples: Iterable[Sample]) -> None:
    """Nothing where every kind of match among the samples can be judged here, but for those that a model decides.

    Raises ConfigError for a missing package. Targets that cannot be read are left for the run to complain of.
    """
    seen: set[tuple[str, bool]] = set()
    for sample in samples:
        with suppress(DataError):
            target = text_target(sample)
            kind = target.match, target.schema_ is None
            if kind in seen or target.match in _LATE:
                continue
            seen.add(kind)
            try:
                scorer.score(sample, _SAID, "native")
            except ModuleNotFoundError as error:
                raise ConfigError(f"match {target.match} needs the package {error.name}: {extra('suites')}") from None
