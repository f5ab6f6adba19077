"""Runs for the pages, made up but shaped like real ones: two models, two protocols, forty samples."""

from collections import Counter
from collections.abc import Callable
from math import sqrt
from random import Random
from typing import Literal

from harness.records import (
    AcceptedCall,
    Attempt,
    Failure,
    Message,
    MissClass,
    Protocol,
    RawToolCall,
    Reply,
    Sample,
    Score,
    Timing,
    Tool,
    ToolTarget,
    Usage,
)
from harness.records.manifest import BackendFacts, MachineFacts, Manifest, WeightFacts
from harness.records.summary import CategorySummary, DecisionTable, Interval, Quantiles, Summary
from harness.report.view import RunView

CATEGORIES = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
_CITIES = ("Lisbon", "Kyoto", "Tromsø", "Nairobi", "Valparaíso", "Hanoi", "São Paulo", "Zürich")
_MISSES: dict[Protocol, tuple[tuple[MissClass, int], ...]] = {
    "prompted": (
        ("decode", 11),
        ("schema", 3),
        ("should_have_called", 6),
        ("wrong_tool", 2),
        ("wrong_count", 3),
        ("missing_argument", 2),
        ("length", 2),
        ("wrong_value", 3),
    ),
    "constrained": (
        ("should_not_have_called", 5),
        ("wrong_tool", 4),
        ("wrong_count", 5),
        ("missing_argument", 1),
        ("extra_argument", 1),
        ("wrong_value", 8),
        ("length", 1),
    ),
    "native": (("should_have_called", 6), ("wrong_tool", 2), ("wrong_value", 4), ("decode", 1)),
}


def made_samples(n: int = 40) -> list[Sample]:
    """Samples over all categories in turn; irrelevance ones want silence."""
    return [_sample(place) for place in range(n)]


def _sample(place: int) -> Sample:
    category = CATEGORIES[place % len(CATEGORIES)]
    city = _CITIES[place % len(_CITIES)]
    forecast = Tool(
        name="get_forecast",
        description="Weather forecast for a city over the next days.",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city."},
                "days": {"type": "integer", "description": "Days to look ahead, 1 to 14.", "default": 3},
                "unit": {"type": "string", "enum": ["metric", "imperial"]},
            },
            "required": ["city"],
        },
    )
    route = Tool(
        name="plan_route",
        description="Travel time and steps between two places by car, train or on foot.",
        parameters={
            "type": "object",
            "properties": {"origin": {"type": "string"}, "to": {"type": "string"}, "mode": {"type": "string"}},
            "required": ["origin", "to"],
        },
    )
    silent = category.endswith("irrelevance")
    days = 2 + place % 6
    call = AcceptedCall(
        name="get_forecast",
        arguments={"city": (city, f"{city} city"), "days": (days,), "unit": ("metric", "")},
        optional=frozenset({"unit"}),
    )
    second = AcceptedCall(name="plan_route", arguments={"origin": (city,), "to": ("the coast",)})
    expect: Literal["calls", "no_call", "any_call"] = "no_call" if silent else "calls"
    question = f"What will the weather in {city} be like over the next {days} days?"
    if "parallel" in category:
        question += " And how do I get from there to the coast?"
    if silent:
        question = f"Who wrote the national anthem that is sung in {city}?"
    return Sample(
        id=f"{category}_{place}",
        category=category,
        messages=(Message(role="user", content=question),),
        tools=(forecast,) if category.startswith("simple") else (forecast, route),
        target=ToolTarget(
            expect="any_call" if category == "live_relevance" else expect,
            calls=()
            if silent or category == "live_relevance"
            else (call, second)
            if "parallel" in category
            else (call,),
        ),
        scorer="bfcl",
    )


def _call(sample: Sample) -> dict[str, object]:
    accepted = sample.tool_target.calls[0] if sample.tool_target.calls else None
    return {
        "name": accepted.name if accepted else "get_forecast",
        "arguments": {name: values[0] for name, values in accepted.arguments.items()} if accepted else {"city": "Oslo"},
    }


_WHY: dict[MissClass, str] = {
    "transport": "No reply came back.",
    "context_overflow": "The prompt has 9,112 tokens, the context 8,192.",
    "length": "The reply ran into the limit of 256 tokens inside a string.",
    "decode": "The reply is no JSON: expected ',' or '}' at character 41, saw 'days'.",
    "schema": '`days` is "three", a string; the schema wants an integer.',
    "should_have_called": "No call was made; expected get_forecast.",
    "should_not_have_called": "get_forecast was called; none of the tools helps here.",
    "wrong_tool": "plan_route was called; expected get_forecast.",
    "wrong_count": "1 call was made; expected 2.",
    "missing_argument": "get_forecast: `days` is missing and may not be left out.",
    "extra_argument": "get_forecast: `country` is not among its arguments.",
    "wrong_value": "get_forecast: `days` is 30; accepted: 3.",
}


def _reply_text(sample: Sample, miss: MissClass | None, protocol: Protocol) -> str:
    call = str([_call(sample)]).replace("'", '"')
    if sample.tool_target.expect == "no_call" and miss is None:
        return '{"calls": []}' if protocol == "constrained" else "I cannot answer that with the tools I have."
    if miss == "decode":
        return f"Sure! Here is the call you need:\n```json\n{call[:-3]} days: three\n```\nLet me know if I can help."
    if miss == "length":
        return call[:60] + ' "' + "very " * 80
    if miss == "should_have_called":
        return "The weather will be lovely. Remember to bring a hat."
    return '{"calls": ' + call + "}" if protocol == "constrained" else call


def made_run(
    model: str = "smollm2",
    title: str = "SmolLM2-135M-Instruct",
    protocol: Protocol = "prompted",
    *,
    quantization: str | None = "Q4_1",
    skill: float = 0.1,
    base_s: float = 0.4,
    n: int = 40,
    seed: int = 1,
    usd_per_s: float | None = 0.00002,
    warnings: tuple[str, ...] = (),
    started_at: str = "2026-03-02T10:15:00Z",
    suite_hash: str = "5f1c" * 16,
    change_reply: Callable[[str], str] = lambda text: text,
) -> RunView:
    """One run with everything computed from its attempts. `skill`: chance that a sample is exact."""
    random = Random(f"{seed}{model}{protocol}")
    samples = made_samples(n)
    run = f"{started_at[:10]}_{started_at[11:19].replace(':', '-')}_{model}_{protocol}"
    attempts, scores = [], []
    for place, sample in enumerate(samples):
        # One draw a sample for all protocols of a model: what is hard stays hard.
        hard = Random(f"{model}{place}").random()
        lucky = hard < skill + random.uniform(-0.04, 0.04)
        miss = None if lucky else _miss(sample, protocol, random)
        attempts.append(_attempt(sample, model, protocol, miss, random, base_s, usd_per_s, change_reply))
        scores.append(_score(sample, miss))
    if n > 30:
        attempts[-1] = attempts[-1].model_copy(
            update={
                "reply": None,
                "failure": Failure(boundary="infrastructure", kind="timeout", message="no byte for 30 s"),
                "tries": 3,
            }
        )
        scores[-1] = Score(
            sample=samples[-1].id,
            category=samples[-1].category,
            scorer="bfcl",
            boundary="infrastructure",
            why="Not scored: no byte for 30 s.",
        )
    manifest = made_manifest(run, model, protocol, quantization, started_at, suite_hash)
    summary = made_summary(manifest, title, quantization, samples, attempts, scores, warnings)
    return RunView.of(manifest, summary, samples, attempts, scores)


def _miss(sample: Sample, protocol: Protocol, random: Random) -> MissClass:
    classes = [
        one
        for one in _MISSES[protocol]
        if (one[0] == "should_not_have_called") == (sample.tool_target.expect == "no_call")
    ]
    if not classes:
        return "decode"
    return random.choices([name for name, _ in classes], [weight for _, weight in classes])[0]


def _attempt(
    sample: Sample,
    model: str,
    protocol: Protocol,
    miss: MissClass | None,
    random: Random,
    base_s: float,
    usd_per_s: float | None,
    change_reply: Callable[[str], str],
) -> Attempt:
    text = change_reply(_reply_text(sample, miss, protocol))
    tokens = max(4, len(text) // 4)
    first = round(base_s * random.lognormvariate(0, 0.35) * 1e9)
    last = first + round(tokens * 0.012 * random.uniform(0.9, 1.2) * 1e9)
    native = protocol == "native"
    return Attempt(
        sample=sample.id,
        model=model,
        protocol=protocol,
        backend="llamacpp",
        seed=0,
        reply=Reply(
            content=None if native else text,
            tool_calls=(RawToolCall(name="get_forecast", arguments=text),) if native else (),
            finish_reason="length" if miss == "length" else "stop",
        ),
        timing=Timing(
            at=1_772_446_500.0,
            headers_ns=first // 3,
            first_byte_ns=first // 2,
            first_content_ns=first,
            last_ns=last,
            end_ns=last + 900_000,
        ),
        usage=Usage(prompt_tokens=412, output_tokens=tokens, counted_by="server"),
        cost_usd=None if usd_per_s is None else usd_per_s * last / 1e9,
    )


def _score(sample: Sample, miss: MissClass | None) -> Score:
    return Score(
        sample=sample.id,
        category=sample.category,
        scorer="bfcl",
        value=0.0 if miss else 1.0,
        parts={"decoded": 0.0 if miss in {"decode", "schema", "length"} else 1.0},
        miss=miss,
        boundary="model" if miss else None,
        why=_WHY[miss] if miss else "",
        extracted=None
        if miss in {"decode", "length"}
        else []
        if miss == "should_have_called" or (not miss and sample.tool_target.expect == "no_call")
        else [_call(sample)],
    )


def made_manifest(
    run: str, model: str, protocol: Protocol, quantization: str | None, started_at: str, suite_hash: str
) -> Manifest:
    """A manifest of a local llama.cpp run."""
    return Manifest(
        run=run,
        job="job",
        started_at=started_at,
        ended_at=started_at,
        harness_version="0.1.0",
        commit="0123456789abcdef0123456789abcdef01234567",
        dirty=False,
        config={"model": {"name": model, "licence": "Apache-2.0", "hosted": False}},
        config_hash="c" * 64,
        suite="toolcall",
        suite_hash=suite_hash,
        model=model,
        protocol=protocol,
        backend=BackendFacts(
            name="llamacpp",
            build="b7012 (a1b2c3d4)",
            flags={"threads": 2, "flash_attention": "auto", "kv_type": "f16", "cache": "off"},
            chat_template_sha256="ab" * 32,
            template_supports_tools=False,
            context_tokens=8192,
            slots=1,
            weights=WeightFacts(
                file=f"{model}.gguf",
                bytes=98_400_000,
                sha256="de" * 32,
                quantization=quantization,
                parameters=134_515_008,
                source="pypi:example==0.1",
            ),
            memory_bytes=312_000_000,
        ),
        machine=MachineFacts(
            system="Linux 6.8 x86_64", cpu="Example CPU 2.1 GHz", cores=2, memory_bytes=8 << 30, python="3.11.9"
        ),
        packages={},
        seed=0,
        wall_s=61.0,
        status="complete",
    )


def wilson(passes: float, n: int) -> Interval:
    """Wilson's interval at 95 %."""
    z, p = 1.96, passes / n
    centre, half = (p + z * z / 2 / n), z * sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return Interval(
        low=max(0.0, (centre - half) / (1 + z * z / n)), high=min(1.0, (centre + half) / (1 + z * z / n)), level=0.95,
        method="Wilson",
    )  # fmt: skip


def _quantiles(values: list[float]) -> Quantiles | None:
    if not values:
        return None
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Quantiles(n=len(ordered), mean=sum(ordered) / len(ordered), p50=at(0.5), p95=at(0.95), p99=at(0.99))


def made_summary(
    manifest: Manifest,
    title: str,
    quantization: str | None,
    samples: list[Sample],
    attempts: list[Attempt],
    scores: list[Score],
    warnings: tuple[str, ...],
) -> Summary:
    """The numbers of the lines."""
    values = [score.value for score in scores if score.value is not None]
    answered = [a for a in attempts if a.reply is not None and a.timing.last_ns is not None]
    first = [(a.timing.first_content_ns or 0) / 1e9 for a in answered]
    end = [(a.timing.end_ns or 0) / 1e9 for a in answered]
    gaps = [(e - f) / max(1, (a.usage.output_tokens or 2) - 1) for a, e, f in zip(answered, end, first, strict=True)]
    costs = [a.cost_usd for a in attempts if a.cost_usd is not None]
    cost = sum(costs) if costs else None
    passed = sum(values)
    by_category: dict[str, list[float]] = {}
    for score in scores:
        if score.value is not None:
            by_category.setdefault(score.category, []).append(score.value)
    silent = {sample.id for sample in samples if sample.tool_target.expect == "no_call"}
    needless = sum(score.miss == "should_not_have_called" for score in scores)
    tpot = _quantiles(gaps)
    return Summary(
        run=manifest.run,
        suite=manifest.suite,
        suite_hash=manifest.suite_hash,
        model=manifest.model,
        model_title=title,
        protocol=manifest.protocol,
        backend="llamacpp",
        quantization=quantization,
        trials=1,
        started_at=manifest.started_at,
        wall_s=manifest.wall_s,
        complete=True,
        n_planned=len(samples),
        n_samples=len(samples),
        n_scored=len(values),
        n_failed=len(samples) - len(values),
        n_model_failures=0,
        n_not_run=0,
        accuracy=sum(values) / len(values) if values else None,
        accuracy_interval=wilson(sum(values), len(values)) if values else None,
        by_category={
            name: CategorySummary(
                n_samples=len(found), n_scored=len(found), accuracy=sum(found) / len(found),
                interval=wilson(sum(found), len(found)),
            )
            for name, found in by_category.items()
        },
        misses=dict(Counter(score.miss for score in scores if score.miss is not None)),
        failures={},
        decisions=DecisionTable(
            should_call_called=20,
            should_call_silent=3,
            should_abstain_called=needless,
            should_abstain_silent=len(silent) - needless,
        ),
        ttft_s=_quantiles(first),
        tpot_s=tpot,
        tpot_with_first_s=tpot,
        e2e_s=_quantiles(end),
        output_tokens_per_s=1 / tpot.p50 if tpot else None,
        system_tokens_per_s=31.0,
        prompt_tokens=412 * len(samples),
        cached_tokens=0,
        output_tokens=sum(a.usage.output_tokens or 0 for a in attempts),
        cost_usd=cost,
        cost_usd_per_sample=cost / len(samples) if cost is not None else None,
        cost_usd_per_success=cost / passed if cost is not None and passed else None,
        cost_basis="hardware laptop: $0.07 an hour" if cost is not None else None,
        warnings=warnings,
    )  # fmt: skip


def four_runs() -> list[RunView]:
    """Two models, prompted and constrained: what `make demo` makes."""
    busy = "The machine was busy with something else: 0.9 of 2 cores before the run. Times may be too long."
    template = "The chat template drops the tools: the prompt is as long with them as without."
    gemma = ("gemma3_270m", "Gemma 3 270M")
    return [
        made_run(protocol="prompted", skill=0.07, base_s=0.42, started_at="2026-03-02T10:15:00Z", warnings=(busy,)),
        made_run(protocol="constrained", skill=0.46, base_s=0.47, started_at="2026-03-02T10:17:00Z"),
        made_run(*gemma, "prompted", quantization="Q4_K_M", skill=0.03, base_s=0.71,
                 started_at="2026-03-02T10:19:00Z", warnings=(template, busy)),
        made_run(*gemma, "constrained", quantization="Q4_K_M", skill=0.3, base_s=0.78,
                 started_at="2026-03-02T10:22:00Z"),
    ]  # fmt: skip
