"""A sample as the explorer reads it: prompt, tools, and what was wanted, by the kind of its target."""

from collections.abc import Sequence

from pydantic import JsonValue

from harness.records import (
    AcceptedCall,
    AgentTarget,
    CodeTarget,
    InstructionTarget,
    Message,
    ReplayTarget,
    Sample,
    Target,
    TaskTarget,
    TextTarget,
    Tool,
    ToolTarget,
    TrajectoryStep,
    TrajectoryTarget,
)
from harness.report.packing import Json, Texts, json_text, known, plain
from harness.report.text import visible

__all__ = ["sample_json"]


def sample_json(sample: Sample, texts: Texts) -> Json:
    """The sample, its texts by number."""
    asked: Json = {
        "id": visible(sample.id),
        "category": visible(sample.category),
        "messages": _messages(sample.messages, texts),
        "tools": _tools(sample.tools, texts),
    }
    return known(asked | _target(sample.target, texts))


def _messages(messages: Sequence[Message], texts: Texts) -> list[JsonValue]:
    return [
        known(
            {
                "role": message.role,
                "text": texts.add(message.content),
                "name": visible(message.name or ""),
                "calls": [texts.add(plain(call)) for call in message.tool_calls],
            }
        )
        for message in messages
    ]


def _tools(tools: Sequence[Tool], texts: Texts) -> list[JsonValue]:
    return [
        {
            "name": visible(tool.name),
            "text": texts.add(tool.description),
            "parameters": texts.add(json_text(tool.parameters)),
        }
        for tool in tools
    ]


def _target(target: Target, texts: Texts) -> Json:
    """What was wanted, in parts."""
    match target:
        case ToolTarget():
            calls: list[JsonValue] = [texts.add(_accepted(call)) for call in target.calls]
            return {"expect": target.expect, "calls": calls, "language": target.language}
        case InstructionTarget():
            each: list[JsonValue] = [[visible(one.id), texts.value(one.arguments)] for one in target.instructions]
            return {"kind": target.kind, "instructions": each}
        case CodeTarget():
            return _code(target, texts)
        case TextTarget():
            return _text(target, texts)
        case AgentTarget():
            return _agent(target, texts)
        case ReplayTarget():
            return _replay(target, texts)
        case TrajectoryTarget():
            steps: list[JsonValue] = [_recorded(step, texts) for step in target.steps]
            return {"kind": target.kind, "match": target.match, "steps": steps}
        case TaskTarget():
            pairs: list[JsonValue] = [[texts.add(one), texts.add(other)] for one, other in target.pairs]
            asked: Json = {"kind": target.kind, "task": visible(target.task), "data": texts.value(target.data)}
            return asked | {"request": texts.value(target.request), "pairs": pairs}


def _replay(target: ReplayTarget, texts: Texts) -> Json:
    """The answers on record: as wanted calls where there is but one answer and it calls, else as answers."""
    (first, *others) = target.references
    if first.calls and not others:
        values = [{name: (value,) for name, value in call.arguments.items()} for call in first.calls]
        calls = [AcceptedCall(name=call.name, arguments=one) for call, one in zip(first.calls, values, strict=True)]
        return {"expect": "calls", "calls": [texts.add(_accepted(one)) for one in calls], "language": "python"}
    rule = "by whether a tool is called: any words count" if target.text == "decision" else target.text
    shown = [f"[{', '.join(map(plain, one.calls))}]" if one.calls else one.text for one in target.references]
    return {
        "kind": "text",
        "match": rule if target.wants == "words" else "as calls, or words where words are on record",
        "accepted": [texts.add(one) for one in shown],
        "threshold": target.threshold if target.text == "rouge" and target.wants != "call" else None,
    }


def _recorded(step: TrajectoryStep, texts: Texts) -> Json:
    """A step on record: its answers, what came back, and what came next."""
    first = step.target.references[0]
    results = [None if one is None else texts.add(one) for one in step.results]
    return known(
        {
            "calls": [texts.add(plain(call)) for call in first.calls],
            "text": None if first.calls else texts.add(first.text),
            "others": len(step.target.references) - 1 or None,
            "results": list(results),
            "then": _messages(step.then, texts),
        }
    )


def _accepted(call: AcceptedCall) -> str:
    arguments: Json = {name: list(values) for name, values in call.arguments.items()}
    return json_text({"name": call.name, "arguments": arguments, "optional": sorted(call.optional)})


def _code(target: CodeTarget, texts: Texts) -> Json:
    return {
        "kind": target.kind,
        "entry": visible(target.entry_point or ""),
        "before": texts.add(target.prompt or None),
        "tests": texts.add(target.tests),
        "extra": texts.add(target.extra_tests),
        "solution": texts.add(target.solution),
    }


def _text(target: TextTarget, texts: Texts) -> Json:
    tolerance = f"{target.tolerance:g}{' of the number' if target.relative else ''}" if target.tolerance else ""
    return {
        "kind": target.kind,
        "match": target.match,
        "accepted": [texts.add(one) for one in target.accepted],
        "choices": [texts.add(one) for one in target.choices],
        "meant": [texts.add(one) for one in target.choice_texts],
        "tolerance": tolerance,
        "threshold": target.threshold,
        "schema": texts.value(target.schema_),
        "fields": [visible(one) for one in target.fields or ()],
        "rubric": texts.add(target.rubric),
        "human": target.human,
        "human_answer": texts.add(target.human_answer),
    }


def _agent(target: AgentTarget, texts: Texts) -> Json:
    turns: list[JsonValue] = [
        known({"messages": _messages(turn.messages, texts), "tools": _tools(turn.tools, texts)})
        for turn in target.turns
    ]
    plan: list[JsonValue] = [[texts.add(plain(call)) for call in calls] for calls in target.plan]
    return {
        "kind": target.kind,
        "environment": visible(target.environment),
        "task": texts.value(target.task),
        "turns": turns,
        "plan": plan if any(target.plan) else [],
    }
