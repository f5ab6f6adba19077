"""What the calls of an audit will take, before the first: calls, tokens, minutes, USD, each with its source."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from harness.config import ModelConfig, RunConfig
from harness.cost import hosted_cost_usd
from harness.records import Attempt, Sample, Usage
from harness.records.audit import AuditEstimate
from harness.records.summary import Summary

__all__ = ["estimate", "estimate_text"]

_CHARACTERS: Final = 4
"""Of a token, where nobody counted: about what tokenizers of English text and code come to."""


def estimate(
    config: RunConfig, left: Sequence[Sample], answers: Mapping[str, Attempt], earlier: Iterable[Summary]
) -> AuditEstimate:
    """The estimate for one model. left: samples that it has not answered; answers: the log's own, by sample.

    Prompt tokens as the log counted them, else by length; output tokens as the log's model needed them. Minutes by the
    latest run of the same model, protocol and backend here.
    """
    usages = [_usage(sample, answers.get(sample.id)) for sample in left]
    trials = config.run.trials
    prompts = [prompt for prompt, _, _ in usages]
    outputs = [output for _, output, _ in usages if output is not None]
    counted = sum(logged for _, _, logged in usages)
    minutes, source = _minutes(config, len(left), earlier)
    output = round(sum(outputs) * len(left) / len(outputs)) if outputs else None
    context = _context(config)
    return AuditEstimate(
        model=config.model.title or config.model.name,
        calls=len(left) * trials,
        prompt_tokens=sum(prompts) * trials,
        output_tokens=None if output is None else output * trials,
        tokens_from=_source(counted, len(left)),
        minutes=None if minutes is None else minutes * trials,
        minutes_from=source,
        usd=_usd(config.model, usages, trials),
        too_long=None if context is None else sum(prompt >= context for prompt in prompts),
        context_tokens=context,
    )


def _usage(sample: Sample, answer: Attempt | None) -> tuple[int, int | None, bool]:
    """Prompt tokens, output tokens, and whether the log counted the former."""
    usage = answer.usage if answer is not None else Usage()
    if usage.prompt_tokens:
        return usage.prompt_tokens, usage.output_tokens, True
    return len(sample.model_dump_json(include={"messages", "tools"})) // _CHARACTERS, usage.output_tokens, False


def _source(counted: int, of: int) -> str:
    if counted == of:
        return "as the log counted them"
    return "by length" if not counted else f"as the log counted {counted:,}, the others by length"


def _minutes(config: RunConfig, calls: int, earlier: Iterable[Summary]) -> tuple[float | None, str | None]:
    """Of the newest run like it: its own seconds of a call."""
    like = [
        one
        for one in earlier
        if (one.model, one.protocol, one.backend) == (config.model.name, config.model.protocol, config.backend.name)
        and one.wall_s
        and one.n_scored
    ]
    if not like:
        return None, None
    last = max(like, key=lambda one: one.started_at)
    assert last.wall_s is not None
    return last.wall_s / last.n_scored * calls / 60, f"{last.wall_s / last.n_scored:.2g} s a call on {last.suite}"


def _usd(model: ModelConfig, usages: Sequence[tuple[int, int | None, bool]], trials: int) -> float | None:
    """At list prices; None without a price or without a count of what is written."""
    if model.price is None or any(output is None for _, output, _ in usages):
        return None
    costs = [
        hosted_cost_usd(Usage(prompt_tokens=prompt, output_tokens=output), model.price) for prompt, output, _ in usages
    ]
    return None if any(one is None for one in costs) else sum(one for one in costs if one is not None) * trials


def _context(config: RunConfig) -> int | None:
    """Tokens that a prompt may have at most, as far as the configuration says."""
    own = getattr(config.backend, "context_tokens", None)
    return own if isinstance(own, int) else config.model.context_tokens


def estimate_text(found: AuditEstimate) -> str:
    """The estimate in one line."""
    tokens = (
        "" if found.prompt_tokens is None else f", ≈ {_short(found.prompt_tokens)} prompt tokens {found.tokens_from}"
    )
    minutes = "" if found.minutes is None else f", ≈ {_time(found.minutes)} ({found.minutes_from})"
    unknown = ", minutes not known before the first calls" if found.minutes is None and found.calls else ""
    usd = "" if found.usd is None else f", ≈ ${found.usd:.2g}"
    long = ""
    if found.too_long:
        prompts = "prompt is" if found.too_long == 1 else "prompts are"
        long = f"; {found.too_long:,} {prompts} longer than the context of {found.context_tokens:,} tokens"
    return f"{found.calls:,} calls{tokens}{minutes}{unknown}{usd}{long}"


def _time(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{max(1, round(minutes))} min"


def _short(count: int) -> str:
    """A count in thousands or millions.

    >>> _short(950), _short(12_300), _short(4_500_000)
    ('950', '12k', '4.5M')
    """
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f}M"
    return f"{count / 1000:.0f}k" if count >= 1000 else str(count)
