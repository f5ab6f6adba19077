"""Signs in a live reply that something is wrong with it, by the same code as for replies on record."""

from harness.records import Protocol, Reply
from harness.records.signal import Signal
from harness.router.question import Question
from harness.toolcalling.decode import decode
from harness.toolcalling.signals import action_in, calls_signal, json_signal, wants_json

__all__ = ["agreed", "reply_action", "reply_signal"]


def reply_signal(question: Question, reply: Reply | None, protocol: Protocol) -> Signal | None:
    """The first sign that something is wrong with a reply; None where there is none.

    As `select.signals.signal_of` without its scorer: of an answer in JSON the form and, where the request gives one,
    the schema are looked at; `no_answer` cannot be seen.
    """
    if reply is None:
        return "no_reply"
    if reply.finish_reason == "length":
        return "cut_off"
    if question.tools:
        return calls_signal(decode(reply, protocol, question.tools), question.tools)
    if not (reply.content or reply.tool_calls):
        return "no_reply"
    if wants_json(question.params) and reply.content:
        wanted = question.params["response_format"].get("json_schema")
        return json_signal(reply.content, wanted.get("schema") if isinstance(wanted, dict) else None)
    return None


def reply_action(question: Question, reply: Reply | None, protocol: Protocol) -> str | None:
    """What a reply comes to, so that two that do the same are equal; None for one that cannot be read."""
    return None if reply is None else action_in(reply, protocol, question.tools)


def agreed(actions: tuple[str | None, ...]) -> tuple[int, float]:
    """The first of the samples that do what most do, and the share of all samples that do so; of equals the earlier.

    A sample that cannot be read agrees with none. Of no sample, or none that can be read, the first and 0.
    >>> agreed(("a", "b", "b", None))
    (1, 0.5)
    """
    votes = [actions.count(one) if one is not None else 0 for one in actions]
    most = max(votes, default=0)
    return (votes.index(most), most / len(actions)) if most else (0, 0.0)
