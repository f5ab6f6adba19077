"""Stored runs as routing reads them: each call of the suite with what every model answered to it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from harness.config import GenerationConfig
from harness.errors import DataError
from harness.records import Attempt, Reply, Sample
from harness.records.route import ModelTarget
from harness.router.question import Question, sample_question
from harness.runner.request import sampling_fields
from harness.select.lane import lane_of
from harness.store.runs import StoredRun

__all__ = ["Call", "Drawn", "Evidence", "Told", "answers_of", "evidence_of", "part"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer of a model. None was not measured."""

    value: float
    reply: Reply | None = field(repr=False)
    """None: no reply by the model's own fault."""
    cost_usd: float | None = None
    e2e_s: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None


Told = tuple[Drawn, ...]
"""What a model answered to a call, one for each trial in their order; the first where one alone is asked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the suite that all models have answered."""

    sample: Sample = field(repr=False)
    question: Question = field(repr=False)
    """As a router reads it."""
    large: Drawn
    small: Mapping[str, Told]
    """By name of the model."""

    @property
    def id(self) -> str:
        """Of its sample."""
        return self.sample.id

    @property
    def session(self) -> str:
        """What it hangs together with: its session, else itself."""
        return self.sample.session or self.sample.id


@dataclass(frozen=True, slots=True)
class Evidence:
    """The calls in two parts: policies are made on one, and certified on the other."""

    suite: str
    suite_hash: str
    large: ModelTarget
    small: tuple[ModelTarget, ...]
    tuning: tuple[Call, ...] = field(repr=False)
    testing: tuple[Call, ...] = field(repr=False)
    split: str
    slots: Mapping[str, int | None] = field(default_factory=dict)
    """Calls that a model's engine served at once."""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models, the large one first."""
        return (self.large.name, *(one.name for one in self.small))


def evidence_of(large: StoredRun, small: Sequence[StoredRun], seed: int = 0) -> Evidence:
    """The runs side by side, on the samples that all of them have scored.

    Of a large model with several trials the first counts. Raises DataError for runs of different samples, for agents'
    tasks, and where the samples cannot be parted in two.
    """
    runs = [large, *small]
    _comparable(large, small)
    names = _names(runs)
    told = {name: answers_of(run) for name, run in zip(names, runs, strict=True)}
    shared = [one for one in large.samples if all(one.id in each for each in told.values())]
    if not shared:
        raise DataError(
            f"no sample is answered and scored in all of {', '.join(names)}; leave out the run that lost them, or run "
            "it again"
        )
    tuning, testing, split = part(shared, seed)

    def call(sample: Sample) -> Call:
        small = {name: told[name][sample.id] for name in names[1:]}
        return Call(sample, sample_question(sample), told[names[0]][sample.id][0], small)

    return Evidence(
        suite=large.summary.suite,
        suite_hash=large.summary.suite_hash,
        large=_target(large, names[0], 1).model_copy(update={"params": {}}),  # it gets requests as they are
        small=tuple(_target(run, name, run.summary.trials) for run, name in zip(small, names[1:], strict=True)),
        tuning=tuple(map(call, tuning)),
        testing=tuple(map(call, testing)),
        split=split,
        slots={name: _slots(run) for name, run in zip(names, runs, strict=True)},
        notes=tuple(_notes(large.samples, shared)),
    )


def _slots(run: StoredRun) -> int | None:
    return run.manifest.backend.slots if run.manifest.backend else None


def _notes(samples: Sequence[Sample], shared: Sequence[Sample]) -> list[str]:
    notes = []
    if len(shared) < len(samples):
        lost = len(samples) - len(shared)
        notes.append(f"{lost} of {len(samples)} samples are left out: not every model has a scored answer to them.")
    if any(one.split == "train" for one in shared):
        notes.append("Samples of the train split are left out: a small model may have learned from them.")
    return notes


def _comparable(large: StoredRun, small: Sequence[StoredRun]) -> None:
    other = next((run for run in small if run.summary.suite_hash != large.summary.suite_hash), None)
    if other is not None:
        raise DataError(
            f"{other.folder.name} has other samples than {large.folder.name} (suite {other.summary.suite}, "
            f"{other.summary.n_samples} scored; {large.summary.suite}, {large.summary.n_samples}); name runs of one "
            "suite and limit: route.large=… 'route.small=[…]'"
        )
    stopped = next((run for run in [large, *small] if run.summary.early and run.summary.early.stopped), None)
    if stopped is not None:
        raise DataError(
            f"{stopped.folder.name} was ended early by run.stop, when its outcomes were clear: a certificate would be "
            "too sure; run it without run.stop"
        )
    shown = next((run for run in small if _examples(run)), None)
    if shown is not None:
        raise DataError(
            f"{shown.folder.name} was asked with examples of the suite before each question (model.examples), which no "
            "router puts there; run it without"
        )
    if any(one.steps for run in [large, *small] for one in run.attempts):
        raise DataError(
            f"{large.summary.suite} has tasks of several steps, and a router decides call by call: make their calls "
            "into samples (do=build) and run those"
        )


def _examples(run: StoredRun) -> bool:
    model = run.manifest.config.get("model")
    return isinstance(model, dict) and bool(model.get("examples"))


def _names(runs: Sequence[StoredRun]) -> list[str]:
    """Names that tell the runs apart: of the model, else with its protocol, else with its folder."""
    if len({run.folder.name for run in runs}) < len(runs):
        raise DataError(f"{runs[0].folder.name} is named twice: the large and each small model need a run of their own")
    models = Counter(run.summary.model for run in runs)
    ways = Counter((run.summary.model, run.summary.protocol) for run in runs)
    found = []
    for run in runs:
        model, protocol = run.summary.model, run.summary.protocol
        alone, own_way = models[model] == 1, ways[model, protocol] == 1
        found.append(model if alone else f"{model}-{protocol}" if own_way else f"{model}-{run.folder.name}")
    return found


def _target(run: StoredRun, name: str, samples: int) -> ModelTarget:
    config = run.manifest.config.get("model")
    model = config if isinstance(config, dict) else {}
    return ModelTarget(
        name=name,
        run=run.folder.name,
        model=run.summary.model,
        protocol=run.summary.protocol,
        label=f"{run.summary.model_title or run.summary.model}, {run.summary.protocol}",
        samples=samples,
        **_asked_with(run, model),
    )


def _asked_with(run: StoredRun, model: Mapping[str, Any]) -> dict[str, Any]:
    """How the run asked, as a router has to ask; nothing of that is known of answers on record.

    Fields that a sample brings itself are left to the request, which brings them, too.
    """
    price = model.get("price") or {}
    prompt = model.get("prompt") or {}
    found: dict[str, Any] = {
        "usd_per_mtok_in": price.get("input_usd_per_mtok"),
        "usd_per_mtok_out": price.get("output_usd_per_mtok"),
        "prompt_style": prompt.get("style", "signature"),
        "prompt_examples": prompt.get("examples", 0),
    }
    if run.summary.recorded is not None or "generation" not in model:
        return found
    generation = GenerationConfig.model_validate(model["generation"])
    own = {name for sample in run.samples for name in sample.params}
    own |= {generation.max_tokens_field} if own & {"max_tokens", "max_completion_tokens"} else set()
    sent = sampling_fields(generation, 0)
    return found | {"params": {name: one for name, one in sent.items() if name not in {"seed", "logprobs", *own}}}


def answers_of(run: StoredRun) -> dict[str, Told]:
    """What a run answered, by sample; samples with a trial that was lost to the infrastructure are not among them."""
    lane = lane_of(run, {})
    scored = {(one.sample, one.trial) for one in run.scores if one.value is not None}
    attempts: dict[str, list[Attempt]] = {}
    for one in sorted(run.attempts, key=lambda attempt: attempt.trial):
        if (one.sample, one.trial) in scored:
            attempts.setdefault(one.sample, []).append(one)
    return {
        name: tuple(
            Drawn(
                value=answer.value,
                reply=attempt.reply,
                cost_usd=answer.cost_usd,
                e2e_s=answer.e2e_s,
                prompt_tokens=attempt.usage.prompt_tokens,
                output_tokens=attempt.usage.output_tokens,
            )
            for answer, attempt in zip(answers, attempts[name], strict=True)
        )
        for name, answers in lane.answers.items()
        if len(answers) == run.summary.trials
    }


def part(samples: Sequence[Sample], seed: int = 0) -> tuple[list[Sample], list[Sample], str]:
    """Samples to tune on, samples to certify on, and how they were parted: by the suite's splits, else by session.

    By session: a hash of the seed and the session puts about half of them on either side, so that the same session is
    always on the same one. Raises DataError where one side would be empty.
    """
    tuning = [one for one in samples if one.split == "calibration"]
    testing = [one for one in samples if one.split == "test"]
    both = {one.session for one in tuning if one.session} & {one.session for one in testing if one.session}
    apart = [one for one in tuning if one.session not in both]
    if apart and testing:
        less = f", less the calibration calls of {len(both)} sessions that are in both" if both else ""
        apart, again = _not_again(apart, testing, "calibration call{}")
        return apart, testing, f"the suite's own calibration and test splits{less}{again}"
    usable = [one for one in samples if one.split != "train"]
    sides: tuple[list[Sample], list[Sample]] = ([], [])
    for one in usable:
        digest = blake2b(f"{seed} {one.session or one.id}".encode(), digest_size=8).digest()
        sides[digest[0] & 1].append(one)
    if not sides[0] or not sides[1]:
        sessions = len({one.session or one.id for one in usable})
        raise DataError(
            f"{len(usable)} calls of {sessions} session{'s' if sessions != 1 else ''} cannot be parted: a policy is "
            "made on one half of the sessions and certified on the other; add sessions to the suite"
        )
    tuning, again = _not_again(sides[0], sides[1], "call{} to tune on")
    return tuning, sides[1], f"halves by session, drawn by a hash (seed {seed}){again}"


def _not_again(tuning: Sequence[Sample], testing: Sequence[Sample], what: str) -> tuple[list[Sample], str]:
    """Calls to tune on without those that a test call asks again word for word, and how many went, in words.

    What is learned of a call would be tested on itself. Raises DataError where none is left.
    """
    asked = {_asked(one) for one in testing}
    kept = [one for one in tuning if _asked(one) not in asked]
    gone = len(tuning) - len(kept)
    if not kept:
        raise DataError(
            f"all {gone} calls to tune on are asked again word for word by calls to certify on; add other calls to the "
            "suite"
        )
    who = "test calls ask" if gone > 1 else "a test call asks"
    return kept, f", less {gone} {what.format('s' if gone > 1 else '')} that {who} again" if gone else ""


def _asked(sample: Sample) -> bytes:
    told = sample.model_dump_json(include={"messages", "tools", "params"})
    return blake2b(told.encode(), digest_size=16).digest()
