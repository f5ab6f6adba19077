"""A quantized file in the cache: made once for each source, type and version of the quantizer."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.assets import OnProgress
from harness.assets.progress import Progress
from harness.assets.store import Store, key_of
from harness.backends.gguf import read_header
from harness.backends.weights import WeightFile
from harness.fit import BITS_PER_WEIGHT
from harness.quantize.tool import Quantizer
from harness.records.manifest import WeightFacts

__all__ = ["made"]

_SPARE = 1.3
"""Files of small models are larger than the type's bits per weight say: llama.cpp quantizes their embeddings less."""


def made(
    source: WeightFile, kind: str, quantizer: Quantizer, *, stem: str, threads: int, cache: Path, report: OnProgress
) -> WeightFile:
    """`source` quantized to `kind`, from the cache or made and put there, whole or not at all.

    Blocks. Raises AssetError where there is no room, BackendError where the quantizer fails.
    """
    store = Store(cache)
    key = key_of("quantize", source.facts.sha256, kind, quantizer.label)
    name = f"{re.sub(r'[^A-Za-z0-9._-]', '-', stem)}-{kind}.gguf"
    found = _kept(store, key, report)
    if found is None:
        with store.lock(key, f"{name}: quantize", report):
            found = _kept(store, key, report)
            if found is None:
                work = partial(quantizer.make, source.path, kind=kind, threads=threads)
                found = _make(store, key, name, _expected(source, kind), work, report)
    path, digest = found
    header = read_header(path)
    facts = WeightFacts(
        file=name,
        bytes=path.stat().st_size,
        sha256=digest,
        quantization=kind,
        parameters=header.parameters or None,
        source=f"made from {source.facts.sha256[:12]} by {quantizer.label}",
    )
    return WeightFile(path=path, facts=facts, header=header)


def _kept(store: Store, key: str, report: OnProgress) -> tuple[Path, str] | None:
    ref = store.read_ref(key)
    digest, name = ref.get("sha256"), ref.get("name")
    if not isinstance(digest, str) or not isinstance(name, str):
        return None
    place = store.place(digest, name)
    return (place, digest) if store.holds(place, digest, report) else None


def _make(
    store: Store, key: str, name: str, expected: int, work: Callable[..., None], report: OnProgress
) -> tuple[Path, str]:
    store.need_room(expected, name)
    what = f"{name}: quantize"
    with store.workspace(key) as folder:
        target = folder / name
        work(target, on_share=_share(report, what, expected))
        read_header(target)  # a half-written file goes no further
        size = target.stat().st_size
        digest = store.digest(target, report)
        place = store.keep(target, digest, name)
        report(Progress(what, size, size))
    store.write_ref(key, {"sha256": digest, "name": name})
    return place, digest


def _share(report: OnProgress, what: str, expected: int) -> Callable[[float], None]:
    """Turns shares into bytes; the last is told once, when the file is in its place."""
    return lambda share: report(Progress(what, int(0.99 * share * expected), expected))


def _expected(source: WeightFile, kind: str) -> int:
    """Bytes that the file will have at most, from the bits per weight of its type."""
    bits = BITS_PER_WEIGHT.get(kind, 5.5)
    spare = 1.02 if bits >= 16 else _SPARE
    return int(source.header.parameters * bits / 8 * spare) + (8 << 20)
