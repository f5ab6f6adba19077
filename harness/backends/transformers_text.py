"""Cuts what a model says at stop strings, and tells its tool calls from its words, while it still speaks. No torch."""

import json
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Call", "Speech", "call_of"]

Parser = Literal["hermes", "json", "none"]
_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a model made."""

    name: str
    arguments: str
    """JSON."""


def call_of(value: Any) -> Call | None:
    """The call in what a model wrote as JSON; None where it is none.

    >>> call_of({"name": "f", "parameters": {"a": 1}})
    Call(name='f', arguments='{"a": 1}')
    """
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        return Call(value["name"], arguments)
    return Call(value["name"], json.dumps(arguments, ensure_ascii=False)) if isinstance(arguments, dict) else None


def _calls_in(text: str) -> list[Call] | None:
    """The calls in a JSON object, or in a list of them; None where anything else is in it."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    calls = [call_of(one) for one in (value if isinstance(value, list) else [value])]
    return [one for one in calls if one is not None] if calls and None not in calls else None


def _overhang(text: str, marks: tuple[str, ...]) -> int:
    """Length of the end of `text` that may be the beginning of a mark.

    >>> _overhang("so <tool", ("<tool_call>",)), _overhang("so", ("<tool_call>",))
    (5, 0)
    """
    longest = max((len(mark) for mark in marks), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(mark.startswith(text[-size:]) for mark in marks):
            return size
    return 0


class Speech:
    """Text in, pieces out: a `str` is content, a `Call` a tool call. Holds back what may still become something else.

    parser: `hermes`: JSON between <tool_call> tags. `json`: a reply that is nothing but JSON with a name and arguments
    (or parameters). `none`: all is content. What cannot be read as a call stays content.
    """

    def __init__(self, stops: tuple[str, ...], parser: Parser) -> None:
        self._stops, self._parser = stops, parser
        self._unstopped = ""
        self._held = ""
        self.stopped = False
        """Whether a stop string was met: what follows is not heard."""
        self.called = False
        """Whether there was a tool call."""

    def feed(self, text: str) -> list[str | Call]:
        """The pieces that are certain now."""
        if self.stopped:
            return []
        self._unstopped += text
        at = min((found for stop in self._stops if (found := self._unstopped.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.stopped = True
            clear, self._unstopped = self._unstopped[:at], ""
        else:
            keep = len(self._unstopped) - _overhang(self._unstopped, self._stops)
            clear, self._unstopped = self._unstopped[:keep], self._unstopped[keep:]
        return self._parsed(clear)

    def end(self) -> list[str | Call]:
        """What was held back."""
        pieces = [] if self.stopped else self._parsed(self._unstopped)
        rest, self._held, self._unstopped = self._held, "", ""
        calls = None
        if self._parser == "json":
            calls = _calls_in(rest)
        elif rest.startswith(_OPEN):  # the closing tag may be a token that ended the reply
            calls = _calls_in(rest.removeprefix(_OPEN))
        return [*pieces, *(self._noted(calls) if calls else self._said(rest))]

    def _parsed(self, text: str) -> list[str | Call]:
        if self._parser == "none":
            return [text] if text else []
        self._held += text
        return [] if self._parser == "json" else self._tagged()

    def _tagged(self) -> list[str | Call]:
        pieces: list[str | Call] = []
        while True:
            opened = self._held.find(_OPEN)
            if opened < 0:
                keep = len(self._held) - _overhang(self._held, (_OPEN,))
                pieces += self._said(self._held[:keep])
                self._held = self._held[keep:]
                return pieces
            pieces += self._said(self._held[:opened])
            self._held = self._held[opened:]
            closed = self._held.find(_CLOSE)
            if closed < 0:
                return pieces
            whole, self._held = self._held[: closed + len(_CLOSE)], self._held[closed + len(_CLOSE) :]
            calls = _calls_in(whole[len(_OPEN) : -len(_CLOSE)])
            pieces += self._noted(calls) if calls else [whole]

    def _noted(self, calls: list[Call]) -> list[str | Call]:
        self.called = True
        return list(calls)

    def _said(self, text: str) -> list[str | Call]:
        """Content; blanks after a call are none."""
        return [text] if text and not (self.called and not text.strip()) else []
