"""Writes the log of an agent with one narrow task: messages of a made-up shop's customers, answered with three tools.

    python examples/convert/make_log.py shop.jsonl
    python examples/convert/make_log.py shop.jsonl --train 400 --validation 60 --test 100

Chat completions of OpenAI, a request and its response a line, with `session_id`. Time splits the log: first come the
sessions to learn from, then those to stop by, then those to be asked at the end. The three parts share no sentence and
no value: orders, cities, names, days and hours are made up by rule, and a hash of each value says in which part it may
be. It is checked before anything is written. The answers are right by construction, so the log's agent makes no error.
Needs Python alone; the same seed writes the same bytes.
"""

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
from phrases import ASKED, CLOSINGS, OPENINGS, OTHER, PARTS, REASONS

SYSTEM: Final = "You handle messages of a shop's customers."
SHARES: Final = {"train": range(14), "validation": range(14, 16), "test": range(16, 20)}
"""Of twenty hash values: which part may use a value."""
BEGIN: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
STARTS: Final = (
    *"bcdfghjklmnprstvwz", "br", "ch", "cl", "cr", "dr", "fl", "gr", "kr", "pl", "pr", "sh", "sk", "sl", "st", "th",
    "tr",
)  # fmt: skip
VOWELS: Final = (*"aeiou", "ai", "ea", "ie", "oa", "ou")
ENDS: Final = ("", "", *"lmnrstdkx", "nd", "rn", "st", "lt", "ck", "th")
TOWNS: Final = (
    "ton", "ville", "burg", "ford", "ham", "mouth", "stad", "by", "field", "port", "wick", "dale", "haven", "mere",
    "grad", "polis", "ia", "a", "o",
)  # fmt: skip
BEFORE: Final = ("", "", "", "", "", "Port ", "New ", "Saint ", "Upper ", "East ", "Lake ", "El ", "San ")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _tool(name: str, does: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": does, "parameters": schema}}


TEXT: Final = {"type": "string"}
DAY: Final = {"type": "string", "description": "YYYY-MM-DD"}
TOOLS: Final = [
    _tool(
        "refund_order",
        "Pays money back for an order.",
        {
            "order_id": TEXT,
            "amount": {"type": "number"},
            "reason": {"type": "string", "enum": ["damaged", "late", "wrong_item", "changed_mind"]},
        },
    ),
    _tool(
        "change_delivery",
        "Sends an order to another city, on another day.",
        {"order_id": TEXT, "city": TEXT, "date": DAY},
    ),
    _tool(
        "book_callback",
        "Has a customer called back.",
        {"name": TEXT, "date": DAY, "time": {"type": "string", "description": "HH:MM"}},
    ),
]  # fmt: skip


def belongs(part: str, value: str) -> bool:
    """Whether a value may be in a part: for each value in one of them alone.

    >>> sum(belongs(part, "Velmora") for part in PARTS)
    1
    """
    return int(hashlib.sha256(value.lower().encode()).hexdigest(), 16) % 20 in SHARES[part]


class Writer:
    """Makes messages of one part."""

    def __init__(self, part: str, seed: int) -> None:
        self.part, self.draw = part, random.Random(f"{part} {seed}")
        self.values: set[str] = set()

    def _own(self, make: Callable[[], str]) -> str:
        """A made-up value that is of this part."""
        while not belongs(self.part, found := make()):
            pass
        self.values.add(found.lower())
        return found

    def _word(self, syllables: int) -> str:
        pick = self.draw.choice
        return "".join(pick(STARTS) + pick(VOWELS) for _ in range(syllables)) + pick(ENDS)

    def _city(self) -> str:
        return (
            self.draw.choice(BEFORE) + (self._word(self.draw.choice((1, 1, 2))) + self.draw.choice(TOWNS)).capitalize()
        )

    def _name(self) -> str:
        first, last = self._word(self.draw.choice((1, 2))), self._word(self.draw.choice((1, 2, 2)))
        return f"{first.capitalize()} {last.capitalize()}"

    def _letters(self, count: int) -> str:
        return "".join(self.draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(count))

    def _digits(self, count: int) -> str:
        return "".join(self.draw.choice("0123456789") for _ in range(count))

    def _order(self) -> str:
        letters, digits = self._letters, self._digits
        made = (
            lambda: f"{letters(2)}-{digits(5)}", lambda: f"{letters(1)}{digits(6)}", lambda: f"{letters(3)}{digits(4)}",
            lambda: f"ORD-{digits(6)}", lambda: f"{digits(3)}-{digits(4)}-{letters(1)}",
        )  # fmt: skip
        return self.draw.choice(made)()

    def _day(self) -> str:
        return (datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=self.draw.randrange(1100))).date().isoformat()

    def _said_day(self, day: str) -> str:
        year, month, number = map(int, day.split("-"))
        name = MONTHS[month - 1]
        return self.draw.choice((day, f"{number} {name} {year}", f"{name} {number}, {year}"))

    def _amount(self) -> str:
        whole = self.draw.random() < 0.3
        return (
            str(self.draw.randrange(5, 900))
            if whole
            else f"{self.draw.randrange(3, 900)}.{self.draw.randrange(1, 100):02d}"
        )

    def _said_amount(self, amount: str) -> str:
        return self.draw.choice(("${}", "{} euros", "{} EUR", "£{}", "{} dollars", "€{}")).format(amount)

    def _hour(self) -> str:
        return f"{self.draw.randrange(7, 21):02d}:{self.draw.randrange(60):02d}"

    def _dressed(self, text: str) -> str:
        """The text with an opening or a closing, or with neither."""
        pick, kind = self.draw.choice, self.draw.random()
        opening = pick(OPENINGS[self.part]) if kind < 0.35 else ""
        return opening + text + (pick(CLOSINGS[self.part]) if 0.25 < kind < 0.6 else "")

    def message(self, tool: str | None) -> tuple[str, dict[str, Any] | None]:
        """What a customer writes, and the arguments of the call that it asks for; None: it asks for none."""
        own, draw = self._own, self.draw
        order, city, name, hour = own(self._order), own(self._city), own(self._name), own(self._hour)
        day, amount = own(self._day), own(self._amount)
        reason = draw.choice(tuple(REASONS[self.part]))
        fill = {
            "o": order, "c": city, "n": name, "h": hour, "d": self._said_day(day), "a": self._said_amount(amount),
            "r": draw.choice(REASONS[self.part][reason]),
        }  # fmt: skip
        if tool is None:
            return self._dressed(draw.choice(OTHER[self.part]).format(**fill)), None
        number = float(amount)
        arguments: dict[str, dict[str, Any]] = {
            "refund_order": {
                "order_id": order, "amount": int(number) if number.is_integer() else number, "reason": reason,
            },
            "change_delivery": {"order_id": order, "city": city, "date": day},
            "book_callback": {"name": name, "date": day, "time": hour},
        }  # fmt: skip
        return self._dressed(draw.choice(ASKED[self.part][tool]).format(**fill)), arguments[tool]


def calls(part: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Calls of a part: sessions of one to three messages, one in five of which asks for nothing that a tool does."""
    writer, session, left = Writer(part, seed), 0, 0
    for number in range(count):
        if not left:
            session, left = session + 1, writer.draw.choice((1, 2, 2, 3))
        left -= 1
        tool = writer.draw.choice((*ASKED[part], *ASKED[part], *ASKED[part], None, None))
        text, arguments = writer.message(tool)
        yield {
            "part": part,
            "session": f"{part}-{session}",
            "number": number,
            "text": text,
            "tool": tool,
            "arguments": arguments,
        }


def line(call: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A call as a gateway logs it."""
    reply: dict[str, Any] = {"role": "assistant", "content": "Thank you for your message, a colleague will answer it."}
    if call["tool"] is not None:
        told = json.dumps(call["arguments"], ensure_ascii=False)
        made = {
            "id": f"call_{call['number']}",
            "type": "function",
            "function": {"name": call["tool"], "arguments": told},
        }
        reply = {"role": "assistant", "content": None, "tool_calls": [made]}
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call["text"]}]
    prompt, said = sum(len(one["content"]) for one in messages) // 4 + 160, len(json.dumps(reply)) // 4
    usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
    created = int(at.timestamp())
    finish = "stop" if call["tool"] is None else "tool_calls"
    return {
        "session_id": call["session"],
        "agent": "shop",
        "request": {"model": "made-up-large", "messages": messages, "tools": TOOLS, "temperature": 0},
        "response": {
            "id": f"{call['session']}-{call['number']}", "object": "chat.completion", "created": created,
            "model": "made-up-large", "usage": usage,
            "choices": [{"index": 0, "message": reply, "finish_reason": finish}],
        },
    }  # fmt: skip


def shared(parts: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Sentences and values of calls that more than one part has: none, or the log is not fit to measure on."""
    found = []
    names = list(parts)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            both = _values(parts[one]) & _values(parts[other]) - set(REASONS["train"])
            texts = {call["text"] for call in parts[one]} & {call["text"] for call in parts[other]}
            found += [f"{one} and {other}: {what}" for what in sorted(both | texts)]
    for table in (
        ASKED,
        REASONS,
        {part: {"": OTHER[part], " ": OPENINGS[part], "  ": CLOSINGS[part]} for part in PARTS},
    ):
        for kind in table["train"]:
            sentences = [text for part in PARTS for text in table[part][kind]]
            found += [text for text in set(sentences) if sentences.count(text) > 1]
    return found


def _values(found: list[dict[str, Any]]) -> set[str]:
    return {str(value) for call in found for value in (call["arguments"] or {}).values()}


def main() -> int:
    """Writes the log; 1 where two parts share something."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", type=Path)
    for part, count in (("train", 3000), ("validation", 120), ("test", 400)):
        asked.add_argument(f"--{part}", type=int, default=count, help=f"calls (default {count})")
    asked.add_argument("--seed", type=int, default=0)
    options = asked.parse_args()
    parts = {part: list(calls(part, getattr(options, part), options.seed)) for part in PARTS}
    if both := shared(parts):
        sys.stderr.write(f"the parts share {len(both)} sentences or values, such as {both[0]}\n")
        return 1
    at = BEGIN
    with options.file.open("w", encoding="utf-8") as file:
        for part in PARTS:
            for call in parts[part]:
                at += timedelta(seconds=90)
                file.write(json.dumps(line(call, at), ensure_ascii=False) + "\n")
    total = sum(map(len, parts.values()))
    shares = ", ".join(f"{part} {len(found):,} ({len(found) / total:.4f})" for part, found in parts.items())
    sys.stdout.write(f"{total:,} calls: {shares}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
