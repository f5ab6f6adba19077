"""An attempt with its score as the explorer reads it; of an agent's task every step."""

from collections.abc import Sequence

from pydantic import JsonValue

from harness.records import Attempt, Failure, JudgeFacts, Reply, Score, ServerTiming, Step, Timing, ToolResult, Usage
from harness.report.packing import Json, Texts, known, plain
from harness.report.text import visible

__all__ = ["answer_json", "failure_text", "verdict_json"]


def verdict_json(score: Score | None, texts: Texts, *, calls_shown: bool = False) -> Json:
    """What the scorer said. `calls_shown`: what it read stands in the attempt's steps already."""
    if score is None:
        return {}
    value: Json = {} if score.value is None else {"v": score.value}
    shown = score.extracted is not None and not calls_shown
    repaired = score.repaired is not None and score.repaired > (score.value or 0.0)
    return value | known(
        {
            "miss": score.miss,
            "boundary": score.boundary,
            "why": texts.add(score.why) if score.why else None,
            "got": texts.value(score.extracted) if shown and score.extracted != [] else None,
            "none": (shown and score.extracted == []) or None,
            "parts": {visible(name): part for name, part in score.parts.items()},
            "counts": {visible(name): [passed, of] for name, (passed, of) in score.counts.items()},
            "repaired": score.repaired if repaired else None,
            "judge": None if score.judge is None else _judge(score.judge),
        }
    )


def _judge(facts: JudgeFacts) -> Json:
    return known(
        {
            "model": visible(facts.model),
            "calls": facts.calls,
            "s": round(facts.seconds, 3),
            "usd": facts.cost_usd,
            "prompt": facts.prompt_tokens,
            "output": facts.output_tokens,
            "agreed": facts.agreed,
        }
    )


def answer_json(attempt: Attempt | None, texts: Texts, most_steps: int | None = None) -> Json:
    """What came back, and when. most_steps: how many steps of an agent's task to keep, the last one among them."""
    if attempt is None:
        return {}
    failure = attempt.failure
    found: Json = {"timing": _marks(attempt.timing), "tries": attempt.tries if attempt.tries > 1 else None}
    found["server"] = _server(attempt.server)
    found["failed"] = [texts.add(failure_text(one)) for one in attempt.failed_tries]
    if attempt.steps:
        found |= _steps(attempt, texts, most_steps)
    elif attempt.reply is not None:
        found |= _reply(attempt.reply, texts)
    if failure is not None:
        found["failure"] = texts.add(failure_text(failure))
    found["tokens"] = _tokens(attempt.usage)
    found["usd"] = attempt.cost_usd
    found["told_usd"] = attempt.recorded_cost_usd
    found["origin"] = None if attempt.origin == "measured" else attempt.origin
    return known(found)


def failure_text(failure: Failure) -> str:
    """Whose failure, which, and what is known of it, in a line."""
    status = "" if failure.status is None else f" (HTTP {failure.status})"
    wait = "" if failure.retry_after_s is None else f"; asked to wait {failure.retry_after_s:g} s"
    return f"{failure.boundary} · {failure.kind}{status}: {failure.message}{wait}"


def _reply(reply: Reply, texts: Texts) -> Json:
    return {
        "reply": texts.add(reply.content),
        "thought": texts.add(reply.reasoning),
        "tools": [texts.add(plain(call)) for call in reply.tool_calls],
        "finish": visible(reply.finish_reason or ""),
    }


def _steps(attempt: Attempt, texts: Texts, most: int | None) -> Json:
    """The steps, with the number of those left out before the last one."""
    steps = list(enumerate(attempt.steps))
    shown = steps if most is None or len(steps) <= most else [*steps[: most - 1], steps[-1]]
    return {
        "steps": [_step(number, step, texts) for number, step in shown],
        "steps_cut": len(steps) - len(shown) or None,
        "ended": attempt.ended,
        "feedback": attempt.feedback_at,
    }


def _step(number: int, step: Step, texts: Texts) -> Json:
    reply = _reply(step.reply, texts)
    if step.results:
        del reply["tools"]
    return {
        "i": number,
        "turn": step.turn,
        **known(
            {
                **reply,
                "calls": _results(step.results, texts),
                "unreadable": texts.add(step.unreadable),
                "timing": _marks(step.timing),
                "server": _server(step.server),
                "out": step.usage.output_tokens,
                "tries": step.tries if step.tries > 1 else None,
            }
        ),
    }


def _results(results: Sequence[ToolResult], texts: Texts) -> list[JsonValue]:
    return [
        known(
            {
                "name": visible(result.call.name),
                "args": texts.value(result.call.arguments),
                "result": texts.add(result.content),
                "error": result.error or None,
                "disturbed": result.disturbed,
                "idle": None if result.ran else True,
                "ms": round(result.took_ns / 1e6, 2),
            }
        )
        for result in results
    ]


def _tokens(usage: Usage) -> Json:
    return known(
        {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "written": usage.cache_write_tokens,
            "output": usage.output_tokens,
            "reasoning": usage.reasoning_tokens,
            "by": usage.counted_by,
        }
    )


def _server(told: ServerTiming | None) -> Json | None:
    """What the server says of its own time, in milliseconds."""
    if told is None:
        return None
    parts = {"queue": told.queue_s, "prompt": told.prompt_s, "predicted": told.predicted_s}
    return {name: round(value * 1000, 2) for name, value in parts.items() if value is not None}


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
