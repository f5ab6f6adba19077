"""A teacher's answers to samples of the train split: asked by the ordinary runner, kept where they are right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from harness.backends import backend_for
from harness.config import PathsConfig, RunConfig, SuiteConfig, compose_run
from harness.config.convert import ConvertData
from harness.convert.data.answers import Answer
from harness.convert.data.setup import Setup
from harness.errors import BackendError, ConfigError, DataError
from harness.prices import priced
from harness.records import Attempt, Sample, Score
from harness.records.logs import canonical
from harness.records.summary import Summary
from harness.runner.identity import Job, config_hash
from harness.runner.job import execute
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import read_manifest, read_summary, run_folders
from harness.suite.spec import samples_hash
from harness.toolcalling.decode import decode, said

__all__ = ["Lesson", "Teaching", "ask", "choose", "compose_teacher"]

_WORKED = 0.5


@dataclass(frozen=True, slots=True)
class Lesson:
    """One answer of a teacher, read by its own protocol."""

    answer: Answer | None
    """None: it cannot be read, says nothing, or did not come."""
    value: float | None
    """By the suite's scorer; None: not scored."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """All answers of a teacher, and what they took."""

    name: str
    lessons: Mapping[str, Sequence[Lesson]] = field(default_factory=dict)
    calls: int = 0
    tokens: int | None = None
    """Prompt and output tokens; None where nobody counted."""
    usd: float | None = None
    """At list price, or by the hour of the machine; None where neither is known."""
    run: str | None = None
    """Name of the run folder."""
    config: RunConfig | None = None


def compose_teacher(data: ConvertData) -> RunConfig:
    """The configuration of a run by the teacher, as on a command line of its own. Works inside the app.

    Raises ConfigError where the model is not known or an override does not fit.
    """
    try:
        found = compose_run(f"model={data.teacher}", *data.teacher_overrides)
    except (HydraException, OmegaConfBaseException) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"convert.data.teacher={data.teacher} with its overrides: {reason}") from None
    except ConfigError as error:
        raise ConfigError(f"convert.data.teacher_overrides: {error}") from None
    if found.model.examples:
        raise ConfigError(
            f"convert.data.teacher_overrides: model.examples={found.model.examples}, and a teacher is asked without; "
            "leave it out"
        )
    return found


def ask(samples: Sequence[Sample], data: ConvertData, setup: Setup, out: Path) -> Teaching:
    """The teacher's answers, its run in `out/run/`; what an earlier command has asked is not asked again.

    Raises BackendError where the teacher does not answer, KeyboardInterrupt where it was stopped: the same command
    goes on from there.
    """
    config = setup.teacher or compose_teacher(data)
    job = _job(config, samples, data, setup, out)
    done = _complete(job, out)
    folder, summary = done if done is not None else _run(job, setup)
    lessons: dict[str, list[Lesson]] = {}
    name, by_id = job.config.model.name, {one.id: one for one in samples}
    tokens: list[int | None] = []
    for attempt, score in final_outcomes(folder):
        lessons.setdefault(attempt.sample, []).append(_lesson(attempt, score, by_id[attempt.sample], name))
        tokens.append(_tokens(attempt))
    counted = [one for one in tokens if one is not None]
    return Teaching(
        name=name,
        lessons=lessons,
        calls=len(tokens),
        tokens=sum(counted) if len(counted) == len(tokens) else None,
        usd=summary.cost_usd,
        run=folder.name,
        config=job.config,
    )


def _job(config: RunConfig, samples: Sequence[Sample], data: ConvertData, setup: Setup, out: Path) -> Job:
    model = priced(config.model, getattr(config.backend, "python", None))
    run = config.run.model_copy(update={"trials": data.teacher_trials, "stop": None, "recheck": None})
    config = config.model_copy(
        update={
            "model": model.model_copy(update={"examples": 0}),
            "run": run,
            "suite": SuiteConfig(name=setup.spec.name),
            "paths": PathsConfig(results=str(out), reports=str(out), replies=config.paths.replies),
        }
    )
    backend = backend_for(config.model, config.backend, on_progress=setup.on_progress)
    weights = backend.prepare()
    whole = tuple(samples)
    return Job(config, setup.spec.name, samples_hash(whole), whole, backend, weights, setup.scorer, setup.suite_data)


def _complete(job: Job, out: Path) -> tuple[Path, Summary] | None:
    """A run of the same samples by the same teacher that came to its end."""
    wanted = config_hash(job)
    for folder in reversed(run_folders(out)):
        try:
            if read_manifest(folder).config_hash == wanted and (summary := read_summary(folder)).complete:
                return folder, summary
        except DataError:  # a run that was killed: the runner takes it up again
            continue
    return None


def _run(job: Job, setup: Setup) -> tuple[Path, Summary]:
    n = len(job.samples) * job.config.run.trials
    setup.say(f"teacher      {job.config.model.name} is asked {n:,} times")
    outcome = execute([job])[0]
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.stopped is not None:
        raise BackendError(
            f"the teacher's budget ended before its work did ({outcome.stopped}); the same command goes on from there"
        )
    if outcome.summary.n_failed > _WORKED * n:
        raise BackendError(
            f"{outcome.summary.n_failed} of {n} answers of the teacher {job.config.model.name} were lost to the "
            "infrastructure; look at its endpoint, then type the same command"
        )
    return outcome.folder, outcome.summary


def _tokens(attempt: Attempt) -> int | None:
    usage = attempt.usage
    if usage.prompt_tokens is None and usage.output_tokens is None:
        return None
    return (usage.prompt_tokens or 0) + (usage.output_tokens or 0)


def _lesson(attempt: Attempt, score: Score | None, sample: Sample, name: str) -> Lesson:
    value = None if score is None else score.value
    reply = attempt.reply
    if reply is None or attempt.failure is not None or reply.finish_reason == "length":
        return Lesson(None, value)
    source = f"teacher:{name}"
    if not sample.tools:
        text = said(reply.content)
        return Lesson(Answer((), text, source) if text else None, value)
    decoded = decode(reply, attempt.protocol, sample.tools)
    if decoded.error is not None:
        return Lesson(None, value)
    if not decoded.calls and not (reply.content or "").strip():
        return Lesson(None, value)
    return Lesson(Answer(decoded.calls, decoded.text, source), value)


def choose(
    lessons: Sequence[Lesson], keep: Literal["scored", "agreeing", "all"], *, referenced: bool
) -> tuple[Answer, bool] | None:
    """The answer of a teacher that is learned, with whether the scorer found it right; None where none is kept.

    referenced: an answer on record says what is right; then `keep` does not count.
    """
    right = next((one.answer for one in lessons if one.value == 1.0 and one.answer is not None), None)
    if referenced or keep == "scored":
        return None if right is None else (right, True)
    readable = [one.answer for one in lessons if one.answer is not None]
    if keep == "all":
        return (readable[0], False) if readable else None
    votes = Counter(_action(one) for one in readable)
    if not votes:
        return None
    action, count = votes.most_common(1)[0]
    if count < 2 or 2 * count <= len(lessons):
        return None
    return next(one for one in readable if _action(one) == action), False


def _action(answer: Answer) -> bytes:
    """Equal for the same calls in any order; of words, for the same words."""
    calls = sorted(canonical([one.name, one.arguments]) for one in answer.calls)
    return b"\n".join(calls) if calls else b"words:" + " ".join((answer.text or "").split()).encode()
