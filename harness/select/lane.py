"""A stored run as selection reads it: each sample's answers with what they were worth, took and cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from harness.config import Signal
from harness.fit import Serving, estimate_shape, llamacpp_need
from harness.measure import e2e_s, quantiles, ttft_s
from harness.records import Attempt, Sample, Score
from harness.records.decision import Variant
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.select.signals import FORM, action_of, has_form, signal_of
from harness.store.runs import StoredRun

__all__ = ["Answer", "Lane", "Question", "lane_of", "questions_of"]

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Question:
    """A sample without its text: where it belongs and how much traffic it stands for."""

    id: str
    cluster: str
    session: str | None
    weight: float
    wants_call: bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a sample; expected values where it stands for a draw from several. None was not measured."""

    value: float
    decision: float | None
    """1 if it called where a call is wanted, or kept silent where none is; None where that is no question."""
    formed: float | None
    """1 if it has the form asked for; None where none is."""
    signal: Signal | None = None
    action: str | None = None
    ttft_s: float | None = None
    e2e_s: float | None = None
    cost_usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A variant with its answers by sample; samples that the infrastructure lost are not among them."""

    variant: Variant
    answers: Mapping[str, tuple[Answer, ...]] = field(repr=False)

    def of(self, samples: Iterable[str]) -> list[Answer]:
        """All answers to these samples."""
        return [answer for one in samples for answer in self.answers.get(one, ())]


def questions_of(samples: Sequence[Sample], *, by_cluster: bool) -> tuple[Question, ...]:
    """The samples in their order, each in its cluster, or all in one."""
    return tuple(
        Question(
            id=one.id,
            cluster=one.category if by_cluster else _ALL,
            session=one.session,
            weight=one.weight,
            wants_call=one.wants_call,
        )
        for one in samples
    )


def lane_of(run: StoredRun, settings: Mapping[str, str]) -> Lane:
    """The variant and answers of a stored run. settings: what else was set, by key, for its label."""
    asked = {sample.id: sample for sample in run.samples}
    scores = {(score.sample, score.trial): score for score in run.scores}
    costs, basis = _costs(run)
    found: dict[str, list[Answer]] = defaultdict(list)
    for attempt in sorted(run.attempts, key=lambda one: one.trial):
        score, sample = scores.get((attempt.sample, attempt.trial)), asked.get(attempt.sample)
        if sample is None or score is None or score.value is None:
            continue
        cost = costs.get(attempt.key)
        found[sample.id].append(_answer(sample, attempt, score, cost, votes=run.summary.trials > 1))
    answers = {name: tuple(each) for name, each in found.items()}
    return Lane(_variant(run, settings, answers, basis), answers)


def _answer(sample: Sample, attempt: Attempt, score: Score, cost: float | None, *, votes: bool) -> Answer:
    """An answer as it was; what it comes to is read only where there are others to hold it against."""
    signal = signal_of(sample, attempt, score)
    decision = None
    if sample.wants_call is not None and not attempt.steps:
        decision = score.parts.get("decision", 0.0 if attempt.reply is None else None)
    usage = attempt.usage
    known = usage.prompt_tokens is not None and usage.output_tokens is not None
    assert score.value is not None
    return Answer(
        value=score.value,
        decision=decision,
        formed=float(signal not in FORM) if has_form(sample) and not attempt.steps else None,
        signal=signal,
        action=action_of(sample, attempt, score) if votes else None,
        ttft_s=ttft_s(attempt.timing) if attempt.reply is not None else None,
        e2e_s=e2e_s(attempt.timing) if attempt.reply is not None else None,
        cost_usd=cost,
        tokens=(usage.prompt_tokens or 0) + (usage.output_tokens or 0) if known else None,
    )


def _costs(run: StoredRun) -> tuple[dict[str, float], str | None]:
    """USD of each attempt by its key, with what they were computed from.

    List prices; else, of a log, what the log says; else the machine's time, which a run has as one sum, dealt out by
    the attempts' own times. One kind for a whole run, never two mixed.
    """
    ended = [one for one in run.attempts if one.reply is not None]
    listed = {one.key: one.cost_usd for one in ended if one.cost_usd is not None}
    if ended and len(listed) == len(ended):
        return listed, run.summary.cost_basis or "list price"
    told = {one.key: one.recorded_cost_usd for one in ended if one.recorded_cost_usd is not None}
    if told:
        part = "" if len(told) == len(ended) else f", which has it for {len(told)} of {len(ended)} calls"
        return told, f"as the log says{part}"
    if listed:
        return listed, f"{run.summary.cost_basis or 'list price'}, known for {len(listed)} of {len(ended)} calls"
    times = {one.key: took for one in run.attempts if (took := e2e_s(one.timing)) is not None}
    total = sum(times.values())
    if run.summary.cost_usd is None or total <= 0:
        return {}, None
    return {key: run.summary.cost_usd * took / total for key, took in times.items()}, run.summary.cost_basis


def _variant(
    run: StoredRun, settings: Mapping[str, str], answers: Mapping[str, tuple[Answer, ...]], basis: str | None
) -> Variant:
    summary, manifest = run.summary, run.manifest
    flat = [answer for each in answers.values() for answer in each]
    first, whole = (
        quantiles([value for answer in flat if (value := getattr(answer, name)) is not None])
        for name in ("ttft_s", "e2e_s")
    )
    model = _mapping(manifest.config.get("model"))
    adapter = _adapter(manifest.config.get("backend"))
    memory, source = _memory(manifest)
    examples = _whole(model.get("examples")) or _whole(_mapping(model.get("prompt")).get("examples")) or 0
    hosted = bool(model.get("hosted"))
    costs = [answer.cost_usd for answer in flat if answer.cost_usd is not None]
    return Variant(
        id=summary.run,
        run=summary.run,
        label=_label(summary, settings),
        model=summary.model,
        title=summary.model_title or summary.model,
        deployment=" ".join(
            part for part in (summary.model, summary.quantization, summary.backend, adapter) if part is not None
        ),
        protocol=summary.protocol,
        backend=summary.backend,
        quantization=summary.quantization,
        adapter=adapter,
        examples=examples,
        settings=dict(settings),
        hosted=hosted,
        licence=_text(model.get("licence")),
        languages=tuple(str(one) for one in _list(model.get("languages"))),
        parameters=_whole(model.get("parameters")),
        context_tokens=_context(manifest, model),
        memory_bytes=None if hosted else memory,
        memory_from=None if hosted or memory is None else source,
        hardware=None if hosted else _text(_mapping(manifest.config.get("hardware")).get("title")),
        cost_usd_per_call=sum(costs) / len(costs) if costs else None,
        cost_basis=basis if costs else None,
        ttft_p50_s=first.p50 if first else None,
        ttft_p95_s=first.p95 if first else None,
        e2e_p50_s=whole.p50 if whole else None,
        e2e_p95_s=whole.p95 if whole else None,
        tokens_per_s=summary.output_tokens_per_s if summary.recorded is None else None,
        barred=summary.unfit or _stopped(summary),
        times_from=None if whole is None else "log" if summary.recorded is not None else "measured",
    )


def _stopped(summary: Summary) -> str | None:
    """Why a run that `run.stop` ended is not judged here: when it ended depends on its outcomes."""
    if summary.early is None or not summary.early.stopped:
        return None
    return "stopped early by run.stop: its own verdicts are in verdict.json, tests for a fixed number would be too sure"


def _label(summary: Summary, settings: Mapping[str, str]) -> str:
    parts = [summary.model_title or summary.model, summary.protocol]
    parts += [summary.quantization] if summary.quantization else []
    parts += [f"{key.rpartition('.')[2]}={value}" for key, value in sorted(settings.items())]
    return ", ".join(parts)


def _memory(manifest: Manifest) -> tuple[int | None, "str | None"]:
    """Bytes that serving takes: as seen after loading, else weights and a cache of the context that was served."""
    facts = manifest.backend
    if facts is None:
        return None, None
    if facts.memory_bytes is not None:
        return facts.memory_bytes, "measured"
    if facts.weights is None:
        return None, None
    shape = estimate_shape(facts.weights.parameters, facts.context_tokens)
    serving = Serving(facts.context_tokens or 4096, facts.slots or 1)
    return llamacpp_need(facts.weights.bytes, shape, serving).total, "estimated"


def _context(manifest: Manifest, model: Mapping[str, JsonValue]) -> int | None:
    served = manifest.backend.context_tokens if manifest.backend else None
    return served or _whole(model.get("context_tokens"))


def _adapter(backend: JsonValue) -> str | None:
    found = _mapping(backend).get("lora")
    names = [str(_mapping(one).get("path") or _mapping(one).get("id") or "") for one in _list(found)]
    return ", ".join(name.rpartition("/")[2] for name in names) or None


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else []


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
