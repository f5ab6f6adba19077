"""Which calls of a log follow each other: a call goes on from another if its history begins with that one's, answered.

The last call of a session holds the whole of it; the others say what they were asked for, took and cost.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

from harness.config.building import BuildOptions
from harness.records.call import Call, Split
from harness.records.logs import Payload, canonical
from harness.suite.build_sample import Names, Unfit, params_of, target_for, text_of
from harness.toolcalling.strict_json import NotJson, read

__all__ = ["Linked", "Links", "Trail", "linked_of"]

_BYTES: Final = 12
"""Of a hash: two histories of 100,000 calls are alike by chance once in 10^19."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A call, as far as it takes to say which others it follows."""

    id: str
    cluster: str
    weight: int
    length: int
    """Messages that it was asked with."""
    after: bytes
    """Hash of these and its answer."""
    points: tuple[tuple[int, bytes], ...]
    """Place of each of the assistant's messages, its own answer last, with the hash of all up to it."""
    stop: str | None
    """Why its answer is none to be held against; None if it is."""
    split: Split
    session: str
    settings: bytes
    """Hash of tools, fields of the request, agent and model: equal within a session's sample."""


def linked_of(call: Call, session: str, options: BuildOptions) -> Linked:
    """A call of a session as far as links need it; its cluster is not told yet."""
    names = Names.of(str(tool["name"]) for tool in call.tools)
    asked = params_of(call.params, names, options.params)
    settings = blake2b(canonical([call.tools, asked, call.agent, call.model]), digest_size=_BYTES).digest()
    points = tuple(_points([*call.messages, {**call.reference.reply, "role": "assistant"}]))
    stop = None
    try:
        target_for(call, names, options)
    except Unfit as why:
        stop = str(why)
    weight, length = max(1, call.weight), len(call.messages)
    return Linked(call.id, "", weight, length, points[-1][1], points, stop, call.split, session, settings)


@dataclass(frozen=True, slots=True)
class Trail:
    """A session, or a part of one, as the log has it."""

    id: str
    last: str
    """Id of the call that holds all of it."""
    split: Split
    session: str
    cluster: str
    """Of its first call."""
    start: int
    """Messages before the first step."""
    places: tuple[int, ...]
    """Of the steps: where each answer stands among the messages of the last call, that one's own answer last."""
    calls: dict[int, str]
    """Id of the logged call of each place; the history alone tells of a step that has none."""
    stops: dict[int, str]
    """Places whose answers cannot be held against anything, with the reason."""
    weight: int
    """Calls of the log that it stands for."""


@dataclass(slots=True)
class Links:
    """Finds trails. Keeps a few dozen bytes for each answer in each history, and no text."""

    alone: int = 0
    """Calls without a session."""
    _groups: dict[tuple[Split, str, bytes], list[Linked]] = field(default_factory=lambda: defaultdict(list))

    def add(self, linked: Linked, cluster: str) -> None:
        """Notes a call of the splits that are wanted; the cluster is its own."""
        self._groups[(linked.split, linked.session, linked.settings)].append(replace(linked, cluster=cluster))

    def trails(self) -> list[Trail]:
        """Every trail, in the order in which the log has their sessions.

        The longest call first, what is on its way with it, and
        the same again with the rest.
        """
        found = []
        for (split, session, _), calls in self._groups.items():
            rest = sorted(calls, key=lambda one: (-one.length, one.id))
            while rest:
                last = rest[0]
                known = {digest: place for place, digest in last.points}
                own = [one for one in rest if known.get(one.after) == one.length]
                found.append(_trail(split, session, last, own))
                taken = {one.id for one in own}
                rest = [one for one in rest if one.id not in taken]
        return found


def _trail(split: Split, session: str, last: Linked, own: Sequence[Linked]) -> Trail:
    start = min(one.length for one in own)
    first = next(one for one in own if one.length == start)
    return Trail(
        id=f"session-{first.id}",
        last=last.id,
        split=split,
        session=session,
        cluster=first.cluster,
        start=start,
        places=tuple(place for place, _ in last.points if place >= start),
        calls={one.length: one.id for one in own},
        stops={one.length: one.stop for one in own if one.stop is not None},
        weight=sum(one.weight for one in own),
    )


def _points(messages: Sequence[Payload]) -> list[tuple[int, bytes]]:
    """Place of each of the assistant's messages, with the hash of all messages up to it."""
    found = []
    digest = b""
    order: dict[str, int] = {}
    for place, message in enumerate(messages):
        digest = blake2b(digest + canonical(_plain(message, order)), digest_size=_BYTES).digest()
        if message.get("role") == "assistant":
            found.append((place, digest))
    return found


def _plain(message: Payload, order: dict[str, int]) -> list[Any]:
    """What a message says: thoughts aside, space around it aside, ids by the order in which they first came."""
    try:
        text = (text_of(message.get("content")) or "").strip()
    except Unfit:
        text = canonical(message.get("content")).decode()
    calls = [
        [str(one["name"]), _arguments(one.get("arguments")), _order(one.get("id"), order)]
        for one in message.get("tool_calls") or ()
    ]
    return [message.get("role"), text, calls, _order(message.get("tool_call_id"), order)]


def _order(identity: object, order: dict[str, int]) -> int | None:
    return None if identity is None else order.setdefault(str(identity), len(order))


def _arguments(text: object) -> Any:
    try:
        return read(str(text or "{}"))
    except NotJson:
        return str(text)
