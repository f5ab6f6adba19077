"""Cheap numbers of a request and of a reply, from which a learned score tells how sure a small model's answer is.

The one implementation: scores are fitted on these and read these. No model is asked, and no text leaves here. A number
that a request has nothing to say about is 0 and stands beside one that says so (`certainty_told`, `has_tools`).
"""

from collections.abc import Sequence
from math import log1p
from re import IGNORECASE
from re import compile as pattern
from typing import Final

import orjson

from harness.cluster.features import plain_text
from harness.records import Protocol, Reply, ToolCall
from harness.records.logs import Payload
from harness.router.question import Question, words_in
from harness.toolcalling.decode import decode, said
from harness.toolcalling.signals import wants_json

__all__ = ["REPLY_FEATURES", "REQUEST_FEATURES", "reply_features", "request_features"]

REQUEST_FEATURES: Final = (
    "messages", "steps", "results", "after_tool", "history_chars", "system_chars", "user_chars", "answered_chars",
    "user_words", "user_numbers", "user_quotes", "user_parts", "user_questions", "user_lines", "user_foreign",
    "user_code", "has_tools", "tools", "tool_chars", "tool_parameters", "tool_required", "tool_overlap",
    "tool_margin", "call_forced", "call_forbidden", "json_asked", "result_errors", "same_call_again",
)  # fmt: skip
REPLY_FEATURES: Final = (
    "calls", "call_chars", "call_values", "call_grounded", "call_repeats", "call_overlap", "text_chars",
    "text_hedges", "text_json", "ended", "certainty_told", "mean_logprob", "least_logprob", "first_logprob",
    "agreement",
)  # fmt: skip

_LONGEST: Final = 8_000
"""Characters of a text that are looked into; its length is counted whole."""
_NUMBER: Final = pattern(r"\d+(?:[.,:]\d+)*")
_QUOTE: Final = pattern(r"\"[^\"\n]{1,120}\"|'[^'\n]{2,120}'(?!\w)|“[^”\n]{1,120}”")
_PART: Final = pattern(r"[,;]|\b(?:and|und|et|then|also)\b", IGNORECASE)
_CODE: Final = pattern(r"```|[{};]\s*$|\bdef \w+\(|\bSELECT\b")
_ERROR: Final = pattern(r"\berror\b|\bnot found\b|\binvalid\b|\bfailed\b|\bdenied\b|exception", IGNORECASE)
_HEDGE: Final = pattern(r"\bsorry\b|\bcannot\b|\bcan't\b|\bunable\b|\bnot sure\b|\bi don't\b|\bapolog", IGNORECASE)


def request_features(question: Question) -> dict[str, float]:
    """The numbers named in REQUEST_FEATURES, all finite."""
    messages = question.messages
    last = messages[-1] if messages else {}
    user = next((plain_text(one) for one in reversed(messages) if one.get("role") == "user"), "")
    results = _results(messages)
    found = {
        "messages": log1p(len(messages)),
        "steps": float(sum(one.get("role") == "assistant" for one in messages)),
        "results": float(len(results)),
        "after_tool": float(last.get("role") == "tool"),
        "history_chars": log1p(sum(_length(one) for one in messages)),
        "system_chars": log1p(sum(_length(one) for one in messages if one.get("role") == "system")),
        "answered_chars": log1p(sum(map(_length, results)) if results else len(user)),
        "json_asked": float(wants_json(question.params)),
        "result_errors": float(sum(bool(_ERROR.search(plain_text(one)[:400])) for one in results)),
        "same_call_again": float(_repeated(messages)),
    }
    return found | _of_user(user) | _of_tools(question, user)


def reply_features(
    question: Question, reply: Reply | None, protocol: Protocol, agreement: float | None = None
) -> dict[str, float]:
    """The numbers named in REPLY_FEATURES, all finite.

    agreement: share of several samples that do the same as this reply, 0..1; None where one alone was drawn.
    """
    if reply is None:
        return dict.fromkeys(REPLY_FEATURES, 0.0) | {"agreement": agreement or 0.0}
    calls = decode(reply, protocol, question.tools).calls if question.tools else ()
    text = "" if calls else said(reply.content)
    certainty = reply.certainty
    return {
        **_of_calls(question, calls),
        "text_chars": log1p(len(text)),
        "text_hedges": float(len(_HEDGE.findall(text[:_LONGEST]))),
        "text_json": float(_is_json(text)),
        "ended": float(reply.finish_reason in {"stop", "tool_calls"}),
        "certainty_told": float(certainty is not None),
        "mean_logprob": certainty.mean_logprob if certainty else 0.0,
        "least_logprob": max(-100.0, certainty.least_logprob) if certainty else 0.0,
        "first_logprob": max(-100.0, certainty.first_logprob) if certainty else 0.0,
        "agreement": 1.0 if agreement is None else agreement,
    }


def _length(message: Payload) -> int:
    content = message.get("content")
    return len(content) if isinstance(content, str) else len(plain_text(message))


def _results(messages: Sequence[Payload]) -> list[Payload]:
    """The tools' results since the model's last turn."""
    found: list[Payload] = []
    for one in reversed(messages):
        if one.get("role") != "tool":
            break
        found.append(one)
    return found


def _repeated(messages: Sequence[Payload]) -> bool:
    """Whether the last two turns that called tools made the same calls."""
    turns = [one["tool_calls"] for one in messages if one.get("tool_calls")]
    if len(turns) < 2:
        return False
    one, other = ([(call.get("name"), call.get("arguments")) for call in turn] for turn in turns[-2:])
    return one == other


def _of_user(text: str) -> dict[str, float]:
    part = text[:_LONGEST]
    return {
        "user_chars": log1p(len(text)),
        "user_words": log1p(len(part.split())),
        "user_numbers": log1p(len(_NUMBER.findall(part))),
        "user_quotes": log1p(len(_QUOTE.findall(part))),
        "user_parts": log1p(len(_PART.findall(part))),
        "user_questions": float(min(10, part.count("?"))),
        "user_lines": log1p(part.count("\n")),
        "user_foreign": 0.0 if part.isascii() else sum(not one.isascii() for one in part) / len(part),
        "user_code": float(_CODE.search(part) is not None),
    }


def _of_tools(question: Question, user: str) -> dict[str, float]:
    tools, choice = question.offered, question.params.get("tool_choice")
    shares = sorted(_overlaps(question, user), reverse=True)
    return {
        "has_tools": float(bool(tools.tools)),
        "tools": float(len(tools.tools)),
        "tool_chars": log1p(tools.chars),
        "tool_parameters": log1p(tools.parameters),
        "tool_required": log1p(tools.required),
        "tool_overlap": shares[0] if shares else 0.0,
        "tool_margin": shares[0] - shares[1] if len(shares) > 1 else 0.0,
        "call_forced": float(choice == "required" or isinstance(choice, dict)),
        "call_forbidden": float(choice == "none"),
    }


def _overlaps(question: Question, user: str) -> list[float]:
    """Of each tool, the share of its words that the user said."""
    if not question.tools:
        return []
    told = words_in(user[:_LONGEST])
    return [len(words & told) / len(words) if words else 0.0 for words in question.offered.words]


def _of_calls(question: Question, calls: Sequence[ToolCall]) -> dict[str, float]:
    if not calls:
        return dict.fromkeys(REPLY_FEATURES[:6], 0.0)
    values = [leaf for one in calls for leaf in _leaves(one.arguments)]
    told = "\n".join(plain_text(one)[:_LONGEST] for one in question.messages[-12:]).casefold()
    grounded = sum(one in told for one in values)
    user = next((plain_text(one) for one in reversed(question.messages) if one.get("role") == "user"), "")
    shares = _overlaps(question, user)
    names = [tool.name for tool in question.tools]
    own = max((shares[names.index(one.name)] for one in calls if one.name in names), default=0.0)
    past = {
        (one.get("name"), _canonical(str(one.get("arguments") or "")))
        for message in question.messages
        for one in message.get("tool_calls") or ()
    }
    return {
        "calls": float(len(calls)),
        "call_chars": log1p(sum(len(leaf) for leaf in values)),
        "call_values": log1p(len(values)),
        "call_grounded": grounded / len(values) if values else 1.0,
        "call_repeats": float(
            sum((one.name, orjson.dumps(one.arguments, option=orjson.OPT_SORT_KEYS)) in past for one in calls)
        ),
        "call_overlap": own - max(shares, default=0.0),
    }


def _canonical(text: str) -> bytes:
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return text.encode("utf-8", "replace")


def _leaves(value: object) -> list[str]:
    """The texts and numbers in a call's arguments, in lower case."""
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    if isinstance(value, bool) or value is None:
        return []
    return [str(value).casefold()]


def _is_json(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict | list)
    except orjson.JSONDecodeError:
        return False
