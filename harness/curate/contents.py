"""The contents of a part of the log: each once, found again by the object or by its canonical JSON."""

from array import array
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from harness.curate.turns import TurnsMade
from harness.records.logs import Payload, canonical

__all__ = ["Contents", "Packed"]


@dataclass(slots=True)
class Packed:
    """What goes from the process that redacted a part to the one that writes."""

    hashes: bytearray = field(default_factory=bytearray)
    """16 bytes each; zeros: a content that is not looked up again."""
    ends: "array[int]" = field(default_factory=lambda: array("Q", [0]))
    data: bytearray = field(default_factory=bytearray)
    turns: TurnsMade = field(default_factory=TurnsMade)


class Contents:
    """What redacted calls refer to."""

    def __init__(self) -> None:
        self.packed = Packed()
        self._values: list[Any] = []
        self._places: dict[bytes, int] = {}
        self._objects: dict[int, int] = {}
        self._tools: dict[tuple[int, ...], int] = {}
        self._turns: set[int] = set()
        self._alive: list[Any] = []

    def value(self, place: int) -> Any:
        """The content at a place."""
        return self._values[place]

    def size(self, place: int) -> int:
        """Bytes of a content as JSON."""
        return self.packed.ends[place + 1] - self.packed.ends[place]

    def put(self, value: Any) -> int:
        """The place of a JSON value."""
        data = canonical(value)
        hashed = blake2b(data, digest_size=16).digest()
        place = self._places.get(hashed)
        if place is None:
            place = self._places[hashed] = self._append(hashed, data, value)
        return place

    def put_alone(self, value: Any) -> int:
        """A place for a value that hardly any other call has."""
        return self._append(bytes(16), canonical(value), None)

    def message(self, message: Payload) -> int:
        """The place of a message of a request."""
        place = self._objects.get(id(message))
        if place is None:
            place = self._held(self.put(message), message, self._objects, id(message))
            if place not in self._turns:
                self._turns.add(place)
                self.packed.turns.add(place, message)
        return place

    def tools(self, tools: tuple[Payload, ...]) -> int:
        """The place of a list of tools; -1: none."""
        if not tools:
            return -1
        key = tuple(map(id, tools))
        place = self._tools.get(key)
        return self._held(self.put(tools), tools, self._tools, key) if place is None else place

    def _held(self, place: int, value: Any, places: dict[Any, int], key: Any) -> int:
        """The place, remembered for an object that is kept, so that no other one gets its number."""
        if self._values[place] is not value:
            self._alive.append(value)
        places[key] = place
        return place

    def _append(self, hashed: bytes, data: bytes, value: Any) -> int:
        self.packed.hashes += hashed
        self.packed.data += data
        self.packed.ends.append(len(self.packed.data))
        self._values.append(value)
        return len(self._values) - 1
