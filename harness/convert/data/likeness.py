"""How alike samples are: the same question, the same family, or nearly the same words (as `do=curate` sees it)."""

import re
import tempfile
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import orjson
from pydantic import JsonValue

from harness.curate.entry import Entry
from harness.curate.groups import Links
from harness.curate.near import Near
from harness.curate.shingles import Shingles, jaccard, shingle
from harness.curate.spool import Spool
from harness.records import Message, Sample
from harness.records.logs import canonical

__all__ = ["THRESHOLD", "Likeness", "normal_words", "unit_of"]

THRESHOLD: Final = 0.8
"""Jaccard similarity from which on two samples count as nearly the same: that of `do=curate`."""
_PERMS: Final = 128
_TEMPLATE_FRAC: Final = 0.1
_LEAST_UNITS: Final = 2
_BEGINNING: Final = 80
"""Characters of a system message by which agents are told apart."""
_SPACE: Final = re.compile(r"\s+")


def unit_of(sample: Sample) -> str:
    """What hangs together in any case: the session, or the sample itself where there is none."""
    return f"s:{sample.session}" if sample.session is not None else f"r:{sample.id}"


def normal_words(text: str | None) -> str:
    r"""Text in one form for all ways of writing it: compatible characters, case and blanks.

    >>> normal_words("Cancel  My\nORDER")
    'cancel my order'
    """
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text or "").casefold()).strip()


class Likeness:
    """An index of what samples say: words, tool results and arguments, without what is template.

    Template are system messages that all sessions of an agent have, and what `do=curate` takes for it: runs of words
    that a tenth of them, and three, have. Whose tools are the same and whose first system message begins alike is one
    agent. Opens a temporary file.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._spool = Spool(Path(tempfile.gettempdir()))
        shared = _shared_prompts(samples)
        self._entries = {one.id: self._entry(one, shared) for one in samples}
        shingles = Shingles(self._spool, list(self._entries.values()), _TEMPLATE_FRAC)
        self._shingles = shingles
        self._near = Near(self._spool, shingles, THRESHOLD, _PERMS, self._entries.values())
        self._numbers = {name: self._near.number(entry) for name, entry in self._entries.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()

    def key(self, sample: Sample) -> bytes:
        """Equal for samples that ask the same: messages in normal form with their calls, and tools."""
        return self._entries[sample.id].request

    def number(self, sample: Sample) -> int:
        """Equal for samples that say the same apart from their template."""
        return self._numbers[sample.id]

    def similar(self, sample: Sample) -> dict[int, float]:
        """Numbers of what is perhaps alike with its exact Jaccard similarity, itself among them with 1."""
        mine = self._numbers[sample.id]
        found = dict(self._near.similar(mine))
        found[mine] = 1.0
        return found

    def says_something(self, sample: Sample) -> bool:
        """Whether anything is left of a sample without its template: two empty ones are not alike."""
        places = tuple(place for place in self._shingles.places(self._entries[sample.id]) if place >= 0)
        return any(len(self._shingles.part(place)) for place in places)

    def last_turn(self, one: Sample, other: Sample) -> float:
        """Similarity of what came last, since the assistant spoke."""
        return jaccard(shingle(_turn(one), ""), shingle(_turn(other), ""))

    def groups(self, samples: Sequence[Sample]) -> dict[str, int]:
        """A number for each sample, equal for those of one session, with one question, or nearly the same."""
        links = Links(len(samples))
        first: dict[object, int] = {}
        by_number: dict[int, int] = {}
        for place, sample in enumerate(samples):
            number = self._numbers[sample.id]
            for key in (unit_of(sample), self.key(sample), number):
                links.join(first.setdefault(key, place), place)
            by_number.setdefault(number, place)
        for number, place in by_number.items():
            for other in self._near.candidates(number):
                if other in by_number and self._near.alike(number, other):
                    links.join(place, by_number[other])
        return {sample.id: links.root(place) for place, sample in enumerate(samples)}

    def _entry(self, sample: Sample, shared: frozenset[tuple[str, str]]) -> Entry:
        told, agent = [_payload(one) for one in sample.messages], _agent_of(sample)
        kept = [one for one in told if not (one["role"] == "system" and (agent, one["content"]) in shared)]
        places = array("i", [self._spool.put(one) for one in kept])
        tools = self._spool.put([one.model_dump(mode="json") for one in sample.tools]) if sample.tools else -1
        request = canonical([told, tools])
        return Entry(
            record=sample.id, messages=places, tools=tools, reply=-1, params=-1, facts=-1, request=request, answer=b"",
            at=None, session=sample.session, step=None, agent=agent, user_group=None, model=None,
            outcome=None, outcome_by=None, failed=False, finish=None, empty=False, size=len(request),
        )  # fmt: skip


def _payload(message: Message) -> dict[str, JsonValue]:
    """A message as it is compared: no ids, which are drawn anew each time."""
    calls: list[JsonValue] = [
        {"name": one.name, "arguments": normal_words(orjson.dumps(one.arguments, option=orjson.OPT_SORT_KEYS).decode())}
        for one in message.tool_calls
    ]
    told: dict[str, JsonValue] = {"role": message.role, "content": normal_words(message.content)}
    return {**told, "tool_calls": calls} if calls else told


def _agent_of(sample: Sample) -> str:
    """Equal for samples of one agent, as far as tools and the beginning of its instructions tell."""
    tools = ",".join(sorted(tool.name for tool in sample.tools))
    system = next((normal_words(one.content) for one in sample.messages if one.role == "system"), "")
    return f"{system[:_BEGINNING]}|{tools}"


def _shared_prompts(samples: Iterable[Sample]) -> frozenset[tuple[str, str]]:
    """System messages, each with its agent, that all sessions of that agent have, two at least."""
    units: dict[str, set[str]] = defaultdict(set)
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in samples:
        agent, unit = _agent_of(sample), unit_of(sample)
        units[agent].add(unit)
        for one in sample.messages:
            if one.role == "system":
                seen[agent, normal_words(one.content)].add(unit)
    return frozenset(key for key, found in seen.items() if len(found) >= max(_LEAST_UNITS, len(units[key[0]])))


def _turn(sample: Sample) -> str:
    roles = [one.role for one in sample.messages]
    start = max((place + 1 for place, role in enumerate(roles) if role == "assistant"), default=0)
    told = [normal_words(one.content) for one in sample.messages[start:] if one.role != "system"]
    return "\n".join(told)
