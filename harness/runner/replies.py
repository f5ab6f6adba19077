"""Answers of servers kept for a rerun that costs nothing: under which key, what of them, and which are never kept."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
from pydantic import JsonValue, ValidationError

from harness.assets import cache_dir
from harness.backends.stream import Kept, Reading, Told
from harness.config import BackendConfig, LitellmConfig, ModelConfig, PluginConfig, RunConfig
from harness.errors import DataError
from harness.protocols import Endpoint
from harness.records import Record, RecordedBy, Reply, Sample, ServerTiming, Timing, Usage
from harness.store.replies import ReplyStore

__all__ = ["Replies", "open_replies"]

_VERSION: Final = 1
"""Of key and value: another one finds nothing of before."""
_OWN_ENGINES: Final = frozenset({"llamacpp", "recorded", "transformers", "vllm"})
"""Backends without a server to spare: ours is measured anew, and what is on record is on record."""
_NOT_ASKED: Final = frozenset({"stream", "stream_options"})
"""Fields of a request that change how an answer comes, not which."""


class _Kept(Record):
    """An answer as it is kept. Never a failure."""

    reply: Reply
    timing: Timing
    usage: Usage
    server: ServerTiming | None = None
    cost_usd: float | None = None
    told_usd: float | None = None
    told_by: RecordedBy | None = None
    model: str | None = None
    """Who answered, by the server's own name."""
    fingerprint: str | None = None


@dataclass(slots=True)
class Replies:
    """The cache as one run sees it. A request that comes twice in a suite is asked twice, and found twice by the next
    run: which of them a sample's is follows from the suite, not from the order of asking, so that a run that is gone
    on with finds no other sample's answer.
    """

    source: bytes
    """Who answers: provider or address, model, and what else of the set-up is in no request."""
    reader: ReplyStore | None
    writer: ReplyStore | None
    slot_field: str | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    """Of samples that ask what an earlier one asks: the how manieth they are."""
    trouble: str | None = None
    """Why answers are no longer kept; None: they are. The run goes on, since what it asks for may be paid."""
    _asked: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    _aside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "replies"))

    def key(self, body: bytes, trial: int, sample: str) -> str:
        """SHA-256 in hexadecimal over version, source, request without order or streaming, trial and occurrence.

        Occurrence: the sample's place among those that ask the same, and how often an agent's task asked this before.
        """
        asked: dict[str, JsonValue] = orjson.loads(body)
        fields = {name: value for name, value in asked.items() if name not in _NOT_ASKED and name != self.slot_field}
        request = orjson.dumps([_VERSION, fields, trial], option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(self.source + b"\0" + request).digest()
        self._asked[digest, sample] += 1
        place, again = self.places.get(sample, 1), self._asked[digest, sample]
        return hashlib.sha256(digest + (b"%d" % place if again == 1 else b"%d.%d" % (place, again))).hexdigest()

    def find(self, key: str) -> Reading | None:
        """The answer of an earlier run; None if there is none, or one of a form that this version does not know."""
        data = None if self.reader is None else self.reader.get(key)
        if data is None:
            return None
        try:
            kept = _Kept.model_validate_json(data)
        except ValidationError:
            return None
        told = Told(model=kept.model, fingerprint=kept.fingerprint, cost_usd=kept.told_usd, cost_by=kept.told_by)
        return Reading(kept.reply, kept.timing, kept.usage, kept.server, None, told, Kept(kept.cost_usd))

    async def keep(self, key: str, reading: Reading, cost_usd: float | None) -> None:
        """Writes an answer, on a thread of its own; a failure is never kept. Where the disk refuses, `trouble` says so
        and no further one is kept.
        """
        if self.writer is None or self.trouble or reading.failure is not None or reading.reply is None:
            return
        told = reading.told or Told()
        kept = _Kept(
            reply=reading.reply,
            timing=reading.timing,
            usage=reading.usage,
            server=reading.server,
            cost_usd=cost_usd,
            told_usd=told.cost_usd,
            told_by=told.cost_by,
            model=told.model,
            fingerprint=told.fingerprint,
        )
        data = kept.model_dump_json(exclude_none=True).encode()
        try:
            await asyncio.get_running_loop().run_in_executor(self._aside, self.writer.put, key, data)
        except DataError as error:
            self.trouble = f"answers are no longer kept for a rerun: {error}"

    def close(self) -> None:
        """Closes the file; what is being written is written first."""
        self._aside.shutdown()
        for one in (self.reader, self.writer):
            if one is not None:
                one.close()


def open_replies(config: RunConfig, endpoint: Endpoint, samples: Sequence[Sample] = ()) -> Replies | None:
    """The cache for one run; None where it is off or the engine is our own. Raises DataError if it cannot be used.

    samples: all of the run, in the suite's order.
    """
    mode = config.run.reply_cache
    if mode == "off" or config.backend.name in _OWN_ENGINES or isinstance(config.backend, PluginConfig):
        return None
    folder = cache_dir() / "replies" if config.paths.replies is None else Path(config.paths.replies).expanduser()
    size = config.run.reply_cache_mb
    return Replies(
        source=_source(config.model, config.backend, endpoint),
        reader=ReplyStore(folder, size) if mode in {"on", "read"} else None,
        writer=ReplyStore(folder, size) if mode in {"on", "write"} else None,
        slot_field=endpoint.slot_field,
        places=_places(samples),
    )


def _places(samples: Sequence[Sample]) -> dict[str, int]:
    """Of samples that ask what an earlier one asks: the second is 2."""
    seen: Counter[bytes] = Counter()
    places: dict[str, int] = {}
    for sample in samples:
        asked = sample.model_dump_json(include={"messages", "tools", "params"}).encode()
        digest = hashlib.blake2b(asked, digest_size=16).digest()
        seen[digest] += 1
        if seen[digest] > 1:
            places[sample.id] = seen[digest]
    return places


def _source(model: ModelConfig, backend: BackendConfig, endpoint: Endpoint) -> bytes:
    """Who answers, as JSON: not by which key, and of litellm not by the relay's address, which is another each time."""
    facts = endpoint.facts
    found: dict[str, JsonValue] = {"backend": backend.name, "model": endpoint.model, "protocol": model.protocol}
    if isinstance(backend, LitellmConfig):
        found |= {"url": model.url, "cache": backend.cache, "dropped": facts.flags.get("dropped")}
        found["extra"] = backend.extra_body
    else:
        found["url"] = endpoint.base_url
    if not model.hosted:  # the same address may serve other weights tomorrow
        found["build"] = facts.build
        found["weights"] = facts.weights.sha256 if facts.weights else None
        found["template"] = facts.chat_template_sha256
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
