"""The task that a request is nearest to, by what is known before any reply: instruction, tools, format, varying text.

The folders of `do=cluster` place a call by its action too, which a router does not know yet: so the index is made anew,
from requests alone (`indexing.py`). It holds means over calls and hashes of template sentences, no text of a call.
"""

import hashlib
import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np
from pydantic import ValidationError

from harness.cluster.features import Features, Seen, features_of, masked
from harness.cluster.nodes import parts_of, unit_hashes, units_of
from harness.embed import MINILM_SHA256
from harness.errors import DataError
from harness.records.base import Record
from harness.records.call import Call, Reference
from harness.router.decide import Place
from harness.router.question import Question

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

V = TypeVar("V")

__all__ = ["EMBEDDING", "MOST_TOKENS", "Embed", "IndexHead", "NodeHead", "TaskIndex", "row_of", "seen_of"]

Embed = Callable[[Sequence[str]], "Matrix"]
"""From n texts to unit vectors, shape (n, width)."""

_TEXT_PART, _TRIGGER_PART, _STEP_PART = 0.7, 0.25, 0.05
"""Shares in the squared length of a row. On 1,653 held-out calls of a log with 168 tasks (600 characters each) these
found 81 % of the tasks, text alone 73 %; k nearest calls, several middles a task and a logistic regression did no
better."""
_MOST_TEXT: Final = 300
"""Characters that are embedded, fewer than clustering looks at: a caller waits for them."""
MOST_TOKENS: Final = 48
"""Of a text that the built-in embedding reads. Found of 1,618 held-out calls of that log, and strangers placed all the
same: 24 tokens 62 % and 58 %, 40 tokens 63 and 45, 64 tokens 64 and 39, all of 300 characters 64 and 35."""
EMBEDDING: Final = f"minilm-{MOST_TOKENS}@{MINILM_SHA256[:12]}"
_TRIGGERS, _STEPS = 64, 8
BESIDE: Final = _TRIGGERS + _STEPS
_LIKE: Final = 0.5
_KEPT: Final = 4096


class NodeHead(Record):
    """What a node's requests have in common."""

    units: tuple[str, ...]
    """Hashes of the template's sentences."""
    tools: tuple[str, ...]
    form: str
    system: bool
    slot: str | None


class IndexHead(Record):
    """What stands in an index beside its numbers."""

    format: int = 1
    embedding: str
    """Name; vectors of another do not compare."""
    nodes: tuple[NodeHead, ...]
    clusters: tuple[str, ...]
    node_of: tuple[int, ...]
    """Of each cluster, the place of its node; a task that is in two nodes stands twice."""


class _Recent(Generic[V]):
    """The values found last, by the digest of what they were found for."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: bytes) -> V | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: bytes, value: V) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > _KEPT:
                self._values.popitem(last=False)


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as the index looks at it."""

    features: Features

    @property
    def call(self) -> Seen:
        """Its features."""
        return self.features.calls[0]

    @property
    def prompt(self) -> str:
        """The instruction."""
        return self.features.prompts[0]

    @property
    def tools(self) -> tuple[str, ...]:
        """Names, sorted."""
        return self.features.tools[0]

    def text(self, units: frozenset[str]) -> str:
        """What varies, cut. units: hashes of the template's sentences, which are taken off a first user message."""
        text = self.features.texts[0]
        if not self.call.system and units:
            parts = parts_of(text)
            left = [part for part in parts if unit_hashes((masked(part),))[0] not in units]
            text = "\n".join(left) or text
        return text[:_MOST_TEXT]


def seen_of(question: Question) -> SeenRequest:
    """The request as clustering sees a call, its reply left out."""
    call = Call(
        id="",
        record="",
        messages=question.messages,
        reference=Reference(reply={}, label="incumbent", count=1),
        split="test",
        duplicate_group="",
        tools=tuple({"name": one.name} for one in question.tools),
        params=question.params,
    )
    return SeenRequest(features_of([call]))


def row_of(seen: SeenRequest, vector: "Matrix") -> "Matrix":
    """The row of a request, shape (width + 72,): text, what it answers, and its place in the session."""
    wide = len(vector)
    row = np.zeros(wide + BESIDE, dtype=np.float32)
    row[:wide] = vector * np.float32(_TEXT_PART**0.5)
    digest = hashlib.blake2b(seen.call.trigger.encode("utf-8", "replace"), digest_size=4).digest()
    row[wide + int.from_bytes(digest, "big") % _TRIGGERS] = _TRIGGER_PART**0.5
    row[wide + _TRIGGERS + min(_STEPS - 1, (seen.call.step + 1).bit_length() - 1)] = _STEP_PART**0.5
    return row


@dataclass(slots=True)
class TaskIndex:
    """Places of tasks. `place` is safe to call from several threads if `embed` is."""

    head: IndexHead
    means: "Matrix" = field(repr=False)
    """Of each node's rows, shape (nodes, width)."""
    middles: "Matrix" = field(repr=False)
    """Of each task's centred rows, at length 1, shape (tasks, width)."""
    radii: "Matrix" = field(repr=False)
    """Least cosine with which a request belongs to a task, shape (tasks,)."""
    embed: Embed = field(repr=False)
    _units: list[frozenset[str]] = field(default_factory=list, repr=False)
    _nodes: _Recent[int] = field(default_factory=_Recent, repr=False)
    _vectors: "_Recent[Matrix]" = field(default_factory=_Recent, repr=False)

    def __post_init__(self) -> None:
        self._units = [frozenset(one.units) for one in self.head.nodes]

    def place(self, question: Question) -> Place:
        """The nearest task within its radius; none where the node is unknown or all tasks are too far."""
        seen = seen_of(question)
        node = self._node(seen)
        if node < 0:
            return Place(None)
        which = [place for place, owner in enumerate(self.head.node_of) if owner == node]
        row = centred(row_of(seen, self._vector(seen.text(self._units[node]))), self.means[node])
        cosines = self.middles[which] @ row
        best = int(np.argmax(cosines))
        cosine = float(cosines[best])
        near = cosine >= float(self.radii[which[best]])
        return Place(self.head.clusters[which[best]] if near else None, cosine)

    def _vector(self, text: str) -> "Matrix":
        key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        vector = self._vectors.get(key)
        if vector is None:
            vector = np.asarray(self.embed([text]), dtype=np.float32)[0]
            self._vectors.put(key, vector)
        return vector

    def _node(self, seen: SeenRequest) -> int:
        """The place of the node whose template and tools fit best; -1 for none."""
        about = "\0".join((seen.prompt, *seen.tools, seen.call.form, str(seen.call.system)))
        key = hashlib.blake2b(about.encode("utf-8", "replace"), digest_size=16).digest()
        found = self._nodes.get(key)
        if found is None:
            text = masked(seen.prompt)
            hashes = set(unit_hashes(units_of(text)))
            fits = [_fit(one, units, seen, hashes) for one, units in zip(self.head.nodes, self._units, strict=True)]
            best = max(range(len(fits)), key=lambda place: (fits[place], -place), default=-1)
            found = best if best >= 0 and fits[best] > 0 else -1
            self._nodes.put(key, found)
        return found

    def save(self, path: Path) -> str:
        """Writes the index and tells its SHA-256. Raises OSError."""
        buffer = io.BytesIO()
        head = np.frombuffer(self.head.model_dump_json().encode(), dtype=np.uint8)
        np.savez(buffer, head=head, means=self.means, middles=self.middles, radii=self.radii)
        path.write_bytes(buffer.getvalue())
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    @classmethod
    def load(cls, path: Path, sha256: str, embed: Embed) -> "TaskIndex":
        """The index of a policy. Raises DataError where it is missing, damaged, or not the one that is meant."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); the policy needs it") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DataError(f"{path} is not the index that the policy was certified with; copy the whole folder again")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                head = IndexHead.model_validate_json(arrays["head"].tobytes())
                return cls(head, arrays["means"], arrays["middles"], arrays["radii"], embed)
        except (KeyError, ValueError, OSError, ValidationError, zipfile.BadZipFile):
            raise DataError(f"{path} cannot be read as an index of tasks; make the policy anew") from None


def centred(row: "Matrix", mean: "Matrix") -> "Matrix":
    """The row seen from its node's mean, at length 1."""
    moved = row - mean
    length = float(np.linalg.norm(moved))
    found: Matrix = moved / np.float32(length) if length > 0 else moved
    return found


def _fit(node: NodeHead, units: frozenset[str], seen: SeenRequest, hashes: set[str]) -> float:
    """How well a request fits a node: 0 for not at all."""
    if (node.form, node.system) != (seen.call.form, seen.call.system):
        return 0.0
    one, other = set(node.tools), set(seen.tools)
    tools = len(one & other) / len(one | other) if one | other else 1.0
    like = len(units & hashes) / len(units) if units else _LIKE
    if tools < _LIKE or like < _LIKE or (node.slot is not None and not _in_slot(node.slot, seen.prompt)):
        return 0.0
    return tools + like


def _in_slot(slot: str, prompt: str) -> bool:
    """Whether a labelled line of the prompt, numbers and the like masked, has the node's value."""
    return any(line.strip().lstrip("-* \t") == slot for line in masked(prompt).splitlines())
