"""What can be seen in a recorded reply without knowing the right answer: the ground that a hybrid stands on."""

from harness.config import Signal
from harness.records import Attempt, Sample, Score, TextTarget
from harness.toolcalling.decode import decode
from harness.toolcalling.signals import action_in, calls_signal, json_signal, wants_json

__all__ = ["FORM", "action_of", "has_form", "signal_of"]

FORM: frozenset[Signal] = frozenset({"no_reply", "cut_off", "unreadable", "unknown_tool", "schema"})
"""Signals that say that a reply has not the form that was asked for."""

_FROM_MISS: dict[str, Signal] = {"schema": "schema", "decode": "unreadable", "no_answer": "no_answer"}
"""Misses of scorers that are found without the target's answer."""


def has_form(sample: Sample) -> bool:
    """Whether a form is asked for that a reply can break: tools, or JSON."""
    if wants_json(sample.params):
        return True
    return bool(sample.tools) or (isinstance(sample.target, TextTarget) and sample.target.match == "json")


def signal_of(sample: Sample, attempt: Attempt, score: Score) -> Signal | None:
    """The first sign that something is wrong with a reply; None where there is none.

    In this order: no reply by the model's own fault, cut off at the limit of tokens, unreadable, a tool that was not
    offered, arguments against the tool's schema, no answer found in the text, no call though tools were offered.
    """
    reply = attempt.reply
    if reply is None:
        return "no_reply"
    if attempt.steps:  # an agent's task: what it did in between was answered by its tools
        return None
    if reply.finish_reason == "length":
        return "cut_off"
    if not sample.tools:
        if has_form(sample) and reply.content and not isinstance(sample.target, TextTarget):
            return json_signal(reply.content)
        if not (reply.content or reply.tool_calls):
            return "no_reply"
        return _FROM_MISS.get(score.miss or "")
    return calls_signal(decode(reply, attempt.protocol, sample.tools), sample.tools)


def action_of(sample: Sample, attempt: Attempt, score: Score) -> str | None:
    """What a reply comes to (`action_in`); an agent's task has no vote."""
    reply = attempt.reply
    if reply is None or attempt.steps:
        return None
    return action_in(reply, attempt.protocol, sample.tools, score.extracted)
