"""The samples and replies of a page as JSON that is safe inside HTML, each text once, within a size."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from pydantic import BaseModel, JsonValue

from harness.records import AcceptedCall, Attempt, Sample, Score, Target, Timing, ToolTarget
from harness.report.text import clip, visible
from harness.report.view import RunView

__all__ = ["BUDGET_BYTES", "Embedded", "embed", "html_json"]

BUDGET_BYTES: Final = 4_500_000
_SHORTEST: Final = 160
"""Texts are never cut below this many characters: what is left could not be understood."""
_IN_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))

Json = dict[str, JsonValue]


def html_json(value: JsonValue) -> bytes:
    r"""JSON in which no tag, comment or entity can begin: `<`, `>` and `&` only occur inside strings, and are escaped.

    >>> html_json("</script>")
    b'"\\u003c/script\\u003e"'
    """
    text = orjson.dumps(value)
    for raw, escaped in _IN_HTML:
        text = text.replace(raw, escaped)
    return text


@dataclass(frozen=True, slots=True)
class Embedded:
    """The data of the explorer, and what had to be shortened for it."""

    json: str
    cut_to: int | None
    """Characters that the longest texts were cut to; None if all are whole."""


@dataclass(slots=True)
class _Texts:
    """Every text once; records refer to it by its number."""

    items: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)

    def add(self, text: str | None) -> int | None:
        if text is None:
            return None
        if text not in self.index:
            self.index[text] = len(self.items)
            self.items.append(text)
        return self.index[text]


def embed(runs: Sequence[RunView], budget: int = BUDGET_BYTES) -> Embedded:
    """What the sample explorer reads: `texts`, `samples` shared by the runs, and `runs` with their attempts.

    budget: bytes that the JSON should stay within; the longest texts are shortened, with a note of how much,
    until it does or until none is longer than 160 characters. No sample is ever dropped.
    """
    texts = _Texts()
    samples: list[JsonValue] = []
    places: dict[bytes, int] = {}
    tables: list[JsonValue] = [_run(run, texts, samples, places) for run in runs]
    rest: Json = {"samples": samples, "runs": tables}
    shown = [visible(text) for text in texts.items]
    whole, cut_to = _fit(shown, budget - len(html_json(rest)))
    return Embedded(html_json({"texts": list(whole), **rest}).decode(), cut_to)


def _fit(texts: Sequence[str], budget: int) -> tuple[list[str], int | None]:
    """The texts, cut to the greatest length at which all of them fit into the budget."""
    sizes = [len(html_json(text)) + 1 for text in texts]
    if sum(sizes) <= budget:
        return list(texts), None
    low, high = _SHORTEST, max(map(len, texts))
    while high - low > max(8, low // 50):
        middle = (low + high) // 2
        size = sum(
            len(html_json(clip(text, middle))) + 1 if len(text) > middle else own
            for text, own in zip(texts, sizes, strict=True)
        )
        low, high = (middle, high) if size <= budget else (low, middle)
    return [clip(text, low) for text in texts], low


def _plain(record: BaseModel) -> str:
    """A record's JSON without what it leaves unset."""
    return _json_text(record.model_dump(exclude_defaults=True))


def _known(values: Json) -> Json:
    """The entries that say something."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _json_text(value: object) -> str:
    """JSON that keeps lone surrogates, which no encoder would take, for `visible` to spell out."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sample(sample: Sample, texts: _Texts) -> Json:
    messages: list[JsonValue] = [
        _known(
            {
                "role": message.role,
                "text": texts.add(message.content),
                "name": visible(message.name or ""),
                "calls": [texts.add(_plain(call)) for call in message.tool_calls],
            }
        )
        for message in sample.messages
    ]
    tools: list[JsonValue] = [
        {
            "name": visible(tool.name),
            "text": texts.add(tool.description),
            "parameters": texts.add(_json_text(tool.parameters)),
        }
        for tool in sample.tools
    ]
    asked: Json = {
        "id": visible(sample.id),
        "category": visible(sample.category),
        "messages": messages,
        "tools": tools,
    }
    return _known(asked | _target(sample.target, texts))


def _target(target: Target, texts: _Texts) -> Json:
    """What was wanted: of a tool call its parts, of any other kind the record itself."""
    if not isinstance(target, ToolTarget):
        return {"kind": target.kind, "want": texts.add(_plain(target))}
    calls: list[JsonValue] = [texts.add(_accepted(call)) for call in target.calls]
    return {"expect": target.expect, "calls": calls, "language": target.language}


def _accepted(call: AcceptedCall) -> str:
    arguments: Json = {name: list(values) for name, values in call.arguments.items()}
    return _json_text({"name": call.name, "arguments": arguments, "optional": sorted(call.optional)})


def _run(run: RunView, texts: _Texts, samples: list[JsonValue], places: dict[bytes, int]) -> Json:
    local: dict[str, int] = {}
    for sample in run.samples:
        shown = _sample(sample, texts)
        identity = html_json(shown)
        if identity not in places:
            places[identity] = len(samples)
            samples.append(shown)
        local[sample.id] = places[identity]
    attempts = {attempt.key: attempt for attempt in run.attempts}
    scores = run.by_key
    rows: list[JsonValue] = []
    for key in dict.fromkeys([*attempts, *scores]):
        attempt, score = attempts.get(key), scores.get(key)
        name = attempt.sample if attempt else score.sample if score else ""
        if name not in local:
            local[name] = len(samples)
            category = visible(score.category) if score else ""
            samples.append({"id": visible(name), "category": category, "missing": True})
        trial = attempt.trial if attempt else score.trial if score else 0
        row: Json = {"s": local[name], **({"t": trial} if trial else {})}
        rows.append({**row, **_verdict(score, texts), **_answer(attempt, texts)})
    summary = run.summary
    label = f"{run.title}, {summary.protocol}" + (f", {summary.quantization}" if summary.quantization else "")
    return {"id": visible(run.id), "label": visible(label), "protocol": summary.protocol, "rows": rows}


def _verdict(score: Score | None, texts: _Texts) -> Json:
    if score is None:
        return {}
    value: Json = {} if score.value is None else {"v": score.value}
    return value | _known(
        {
            "miss": score.miss,
            "boundary": score.boundary,
            "why": texts.add(score.why) if score.why else None,
            "got": None if score.extracted is None else texts.add(_json_text(score.extracted)),
            "parts": {visible(name): part for name, part in score.parts.items()},
        }
    )


def _answer(attempt: Attempt | None, texts: _Texts) -> Json:
    if attempt is None:
        return {}
    reply, usage, failure = attempt.reply, attempt.usage, attempt.failure
    found: Json = {"timing": _marks(attempt.timing), "tries": attempt.tries if attempt.tries > 1 else None}
    if reply is not None:
        found |= {
            "reply": texts.add(reply.content),
            "thought": texts.add(reply.reasoning),
            "tools": [texts.add(_plain(call)) for call in reply.tool_calls],
            "finish": visible(reply.finish_reason or ""),
        }
    if failure is not None:
        found["failure"] = texts.add(f"{failure.boundary} · {failure.kind}: {failure.message}")
    found["tokens"] = _known(
        {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "output": usage.output_tokens,
            "reasoning": usage.reasoning_tokens,
            "by": usage.counted_by,
        }
    )
    found["usd"] = attempt.cost_usd
    return _known(found)


def _marks(timing: Timing) -> Json:
    """Milliseconds from the intended send; absent marks stay absent."""
    tokens = (timing.first_content_ns, timing.first_reasoning_ns, timing.first_tool_ns)
    marks = {
        "sent": 0 if timing.intended_ns else None,
        "headers": timing.headers_ns,
        "first": min((mark for mark in tokens if mark is not None), default=None),
        "last": timing.last_ns,
        "end": timing.end_ns,
    }
    start = min(0, timing.intended_ns)
    return {name: round((mark - start) / 1e6, 2) for name, mark in marks.items() if mark is not None}
