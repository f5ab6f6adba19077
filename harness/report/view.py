"""What a page is made of: finished runs as they were read, and which of them count."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.config import AgentConfig, GenerationConfig, JudgeConfig, PromptConfig
from harness.records import Attempt, Sample, Score
from harness.records.interval import Interval
from harness.records.manifest import Manifest
from harness.records.summary import Summary

__all__ = ["RunView", "Standing", "SuiteKey", "latest", "ranked_by_traffic", "standing", "suites"]

SuiteKey = tuple[str, str]
"""Name and hash of a suite: accuracies are compared within one key only."""


_DECIDING: dict[str, dict[str, JsonValue]] = {
    "agent": AgentConfig().model_dump(mode="json"),
    "backend.cache": {"cache": "off"},
    "backend.lora": {},
    "model.examples": {"examples": 0},
    "model.examples_by": {"examples_by": "similar"},
    "model.examples_split": {"examples_split": "train"},
    "model.generation": GenerationConfig().model_dump(mode="json"),
    "model.prompt": PromptConfig().model_dump(mode="json"),
    "scoring.judge": JudgeConfig().model_dump(mode="json"),
    "suite.options": {},
}
"""Parts of the configuration that make another set-up, with their defaults."""
_TELLING = frozenset({"model.generation.logprobs"})
"""Keys within them that only ask for more to be told."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run folder, read: the numbers, and the lines that they were computed from."""

    manifest: Manifest
    summary: Summary
    samples: tuple[Sample, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    scores: tuple[Score, ...] = ()
    folder: Path | None = field(default=None, compare=False)
    """Where the texts of attempts and scores are, if these hold none; None if they hold them."""
    by_key: dict[str, Score] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_key", {f"{score.sample}#{score.trial}": score for score in self.scores})

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        summary: Summary,
        samples: Iterable[Sample] = (),
        attempts: Iterable[Attempt] = (),
        scores: Iterable[Score] = (),
    ) -> "RunView":
        """A view from whatever yields the records; the iterables are read once."""
        return cls(manifest, summary, tuple(samples), tuple(attempts), tuple(scores))

    @property
    def id(self) -> str:
        """Name of the run folder."""
        return self.summary.run

    @property
    def title(self) -> str:
        """Model as people call it."""
        return self.summary.model_title or self.summary.model

    @property
    def suite_key(self) -> SuiteKey:
        """What the accuracy may be compared within."""
        return (self.summary.suite, self.summary.suite_hash)

    @property
    def model_key(self) -> tuple[str, str, str | None]:
        """What two runs must share to differ by their protocol only."""
        return (self.summary.model, self.summary.backend, self.summary.quantization)

    @property
    def settings(self) -> dict[str, str]:
        """What was set besides model, suite and protocol and can change a verdict, by dotted key; defaults left out."""
        found: dict[str, str] = {}
        for part, defaults in _DECIDING.items():
            node: JsonValue = self.manifest.config
            for key in part.split("."):
                node = node.get(key) if isinstance(node, dict) else None
            values = node if isinstance(node, dict) else {part.rpartition(".")[2]: node} if node else {}
            prefix = part if isinstance(node, dict) else part.rpartition(".")[0]
            for key, value in values.items():
                if value not in (None, [], {}, defaults.get(key)) and f"{prefix}.{key}" not in _TELLING:
                    found[f"{prefix}.{key}"] = value if isinstance(value, str) else orjson.dumps(value).decode()
        return found

    def sample_values(self) -> dict[str, float]:
        """Mean value over the scored trials of each sample."""
        found: dict[str, list[float]] = defaultdict(list)
        for score in self.scores:
            if score.value is not None:
                found[score.sample].append(score.value)
        return {sample: sum(values) / len(values) for sample, values in found.items()}

    def traffic_weights(self) -> dict[str, float]:
        """Calls of the log that each sample stands for: its weight, scaled to the traffic of its category.

        As `runner.traffic` has it; a category without traffic keeps the weights of its samples.
        """
        own: dict[str, float] = defaultdict(float)
        for sample in self.samples:
            own[sample.category] += sample.weight
        calls = self.summary.traffic.calls if self.summary.traffic else 0.0
        shares = {name: one.traffic_frac for name, one in self.summary.by_category.items()}
        scale = {name: calls * (shares.get(name) or 0.0) / weight or 1.0 for name, weight in own.items()}
        return {sample.id: sample.weight * scale[sample.category] for sample in self.samples}

    def exact(self) -> int | None:
        """Number of scored attempts worth exactly 1; None if the lines were not kept."""
        values = [score.value for score in self.scores if score.value is not None]
        return sum(value == 1 for value in values) if values else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run is ranked by: an accuracy with its interval, if it has one."""

    value: float
    interval: Interval | None


def ranked_by_traffic(runs: Iterable[RunView]) -> bool:
    """Whether runs of one suite are ranked by traffic: every one that was scored has an accuracy by traffic."""
    scored = [run.summary for run in runs if run.summary.accuracy is not None and run.summary.of_run is None]
    return bool(scored) and all(summary.traffic is not None for summary in scored)


def standing(run: RunView, *, by_traffic: bool) -> Standing | None:
    """What the run is ranked by; None if nothing was scored."""
    summary = run.summary
    if by_traffic:
        return None if summary.traffic is None else Standing(summary.traffic.accuracy, summary.traffic.interval)
    return None if summary.accuracy is None else Standing(summary.accuracy, summary.accuracy_interval)


def latest(runs: Iterable[RunView]) -> tuple[list[RunView], list[RunView]]:
    """Two lists: of each model × protocol × suite × settings the run that counts, and the ones it replaces.

    A complete run counts before an unfinished one, then the later before the earlier. A re-run of another run's misses
    replaces nothing but an earlier one of the same run, and is replaced with it.
    """
    groups: dict[tuple[object, ...], list[RunView]] = defaultdict(list)
    for run in runs:
        of_run = run.summary.of_run
        suite = run.suite_key if of_run is None else None
        settings = tuple(sorted(run.settings.items()))
        groups[(suite, of_run, run.model_key, run.summary.protocol, settings)].append(run)
    current: list[RunView] = []
    older: list[RunView] = []
    for group in groups.values():
        group.sort(key=lambda run: (run.summary.complete, run.summary.started_at, run.id), reverse=True)
        current.append(group[0])
        older.extend(group[1:])
    replaced = {run.id for run in older}
    older += [run for run in current if run.summary.of_run in replaced]
    return [run for run in current if run.summary.of_run not in replaced], older


def suites(runs: Sequence[RunView]) -> list[list[RunView]]:
    """The runs grouped by what may be compared: the suite with most samples first, the best run of each first.

    A re-run of misses stands with the run that it belongs to, if that is among them.
    """
    groups: dict[SuiteKey, list[RunView]] = defaultdict(list)
    keys = {run.id: run.suite_key for run in runs}
    for run in runs:
        groups[keys.get(run.summary.of_run or "", run.suite_key)].append(run)
    for group in groups.values():
        by_traffic = ranked_by_traffic(group)
        group.sort(key=partial(_order, by_traffic=by_traffic), reverse=True)
    return sorted(groups.values(), key=lambda group: (-group[0].summary.n_planned, -len(group), group[0].suite_key))


def _order(run: RunView, *, by_traffic: bool) -> tuple[bool, float, str]:
    found = standing(run, by_traffic=by_traffic)
    return run.summary.of_run is None, -1.0 if found is None else found.value, run.id
