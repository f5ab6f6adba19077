"""From an agent's logs to a suite in one go: each step that of its own verb, and none done twice."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Final, Literal

import orjson
from filelock import FileLock, Timeout
from pydantic import JsonValue

from harness import __version__
from harness.assets import OnProgress, cache_dir
from harness.assets.progress import human_bytes
from harness.cluster.build import build as cluster
from harness.cluster.features import features_of
from harness.cluster.folder import BOOK, Kept, write_kept
from harness.cluster.vectors import Embedding, embedding_named, need_sklearn
from harness.config import AUTO, ChainConfig
from harness.curate.curated import Curated, Source, curate
from harness.curate.pseudonyms import pseudonym_key
from harness.curate.redaction import Off, Redaction
from harness.embed import load_embedder
from harness.errors import ConfigError, DataError, HarnessError
from harness.logs.collect import Collected, check_share, collect
from harness.logs.reading import find_logs
from harness.logs.store import LogStore, StoreKey, store_key
from harness.logs.store.portions import StoreLog
from harness.records.cluster import ClusterBook
from harness.report.clusters import write_page
from harness.report.formats import counted, percent
from harness.store.calls import CURATED_MANIFEST, read_calls, read_curated
from harness.suite.build import SAMPLES, Built, build
from harness.suite.spec import read_spec

__all__ = ["Chain", "Step", "curated_of", "make_chain"]

StepName = Literal["collect", "curate", "cluster", "build"]
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_STEM: Final = 32
_PASSING: Final = ".passing-"
"""Beginning of the folder of a store that is encrypted with a key which nobody has once the command ends."""
_CURATE_APART: Final = {"name", "out", "store", "key_env", "key_file", "restore_map", "canaries"}
_CLUSTER_APART: Final = {"calls", "name", "out", "fresh", "embedding"}
_BUILD_APART: Final = {"calls", "name", "out", "replace", "clusters"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain."""

    name: StepName
    folder: Path | None
    """What it left; None for a store that went with the command, or where there was nothing to do it with."""
    reused: bool
    seconds: float
    said: str
    """What it did, in one line."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What was made, or was there already."""

    curated: Path
    clusters: Path | None
    """None where clustering has not what it needs; the strata are then the log's agents, by family."""
    suite: Path
    name: str
    """Of the suite."""
    steps: tuple[Step, ...]
    store: Path | None = None
    """None where no key was given: then no raw call is kept."""


def make_chain(config: ChainConfig, reports: Path, tell: OnProgress, say: Callable[[str], None]) -> Chain:
    """Makes the suite of these logs and settings, or finds it made; `say` gets a line for each step.

    Raises DataError for logs that are not there, cannot be read or leave nothing to ask; ConfigError for settings that
    do not fit; KeyboardInterrupt after an import that was stopped. What a step left is used by the next call.
    """
    files = [one.path for one in find_logs(config.logs.path, config.logs.format)]
    if not files:
        raise DataError(f"no log in {', '.join(config.logs.path)}; name files, folders or globs: logs.path=calls.jsonl")
    root = Path(config.replay.out).expanduser()
    with _alone(root):
        return _Making(config, files, root, reports, tell, say).run()


def curated_of(config: ChainConfig, reports: Path, tell: OnProgress, say: Callable[[str], None]) -> Path:
    """The folder of these logs' curated calls, made or found made; what comes after that in the chain is not done.

    Raises as `make_chain`.
    """
    files = [one.path for one in find_logs(config.logs.path, config.logs.format)]
    if not files:
        raise DataError(f"no log in {', '.join(config.logs.path)}; name files, folders or globs: logs.path=calls.jsonl")
    root = Path(config.replay.out).expanduser()
    with _alone(root):
        making = _Making(config, files, root, reports, tell, say)
        return making.curated(making.curated_address())


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """The folder for oneself, closed to others. Raises DataError where it cannot be made or is in use."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / ".gitignore").write_text("# Made from your logs: not for a repository.\n*\n")
        lock = FileLock(root / ".lock", blocking=False)
        with lock:
            for left in (root / "stores").glob(f"{_PASSING}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout:
        raise DataError(
            f"{root} is being written by another process; wait for it to end, or use replay.out=…"
        ) from None
    except OSError as error:
        raise DataError(f"{root} cannot be written ({error.strerror}); choose another folder: replay.out=…") from None


@dataclass(slots=True)
class _Making:
    config: ChainConfig
    files: list[Path]
    root: Path
    reports: Path
    tell: OnProgress
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    _stem: str = field(init=False)
    _logs: str = field(init=False)

    def __post_init__(self) -> None:
        first = self.files[0] if len(self.files) == 1 else Path(self.config.logs.path[0].partition("*")[0] or "logs")
        self._logs = self._logs_address()
        self._stem = _NOT_IN_NAMES.sub("-", first.name.partition(".")[0]).strip("-_")[:_STEM] or "logs"

    def run(self) -> Chain:
        curated_address = self.curated_address()
        curated = self.curated(curated_address)
        clusters, strata = self._clusters(curated, curated_address)
        suite = self._suite(curated, clusters, strata)
        store = next((step.folder for step in self.steps if step.name == "collect"), None)
        return Chain(curated, clusters, suite, suite.name, tuple(self.steps), store)

    def curated(self, address: str) -> Path:
        """The folder of curated calls, made where it is not there."""
        found = self._found("curated", address, CURATED_MANIFEST)
        if found is None:
            return self._collect_and_curate(self._logs, address)
        kept = read_curated(found)
        self._did("curate", found, None, f"as before: {kept.kept:,} of {kept.read:,} calls")
        return found

    def _did(self, name: StepName, folder: Path | None, began_s: float | None, said: str) -> None:
        """Notes a step and says it; began_s None: what it makes was there."""
        seconds = 0.0 if began_s is None else time.monotonic() - began_s
        self.steps.append(Step(name, folder, began_s is None, seconds, said))
        took = "" if began_s is None else f" ({seconds:.1f} s)"
        self.say(f"{name:<12} {said}{took}" + (f": {folder}" if folder is not None else ""))

    def _found(self, kind: str, address: str, file: str) -> Path | None:
        """What was made before, under whatever name the logs had then."""
        return next((one for one in sorted((self.root / kind).glob(f"*-{address}")) if (one / file).is_file()), None)

    def _named(self, address: str) -> str:
        return f"{self._stem}-{address}"

    def _logs_address(self) -> str:
        logs = self.config.logs
        hashes: list[JsonValue] = []
        for path in self.files:
            with path.open("rb") as file:
                hashes.append(file_digest(file, partial(blake2b, digest_size=16)).hexdigest())
        keep_days = self.config.store.keep_days
        return _address([*sorted(map(str, hashes))], logs.format, logs.human_chat, keep_days)

    def curated_address(self) -> str:
        """What names the curated calls: what they are made of."""
        options = self.config.curate
        off = options.pii == "off"
        key = b"" if off else pseudonym_key(options.key_env, options.key_file)
        whose = blake2b(key, digest_size=8, person=b"slm-chain").hexdigest()
        settings = options.model_dump(mode="json", exclude=_CURATE_APART)
        return _address(self._logs, settings, None if off else self.config.pii.model_dump(mode="json"), whose)

    def _collect_and_curate(self, logs: str, address: str) -> Path:
        key = store_key(self.config.store.key_env, self.config.store.key_file)
        stores = self.root / "stores"
        stores.mkdir(mode=0o700, exist_ok=True)
        if key is not None:
            folder = next((one for one in stores.glob(f"*-{logs}") if one.is_dir()), stores / self._named(logs))
            self._collect(folder, key, kept=True)
            return self._curate(folder, key, address)
        folder = Path(tempfile.mkdtemp(dir=stores, prefix=_PASSING))
        try:
            passing = StoreKey(os.urandom(32))
            self._collect(folder / "store", passing, kept=False)
            return self._curate(folder / "store", passing, address)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _collect(self, folder: Path, key: StoreKey, *, kept: bool) -> None:
        done = folder.with_name(f"{folder.name}.done")
        if done.is_file():
            self._did("collect", folder, None, "as before")
            return
        began_s = time.monotonic()
        with LogStore.open(folder, key=key, create=True, reader="suite=replay") as store:
            found = collect(self.config.logs, store, keep_days=self.config.store.keep_days, tell=self.tell)
        said = _collected(found) + ("" if kept else "; not kept without a key")
        self._did("collect", folder if kept else None, began_s, said)
        if found.interrupted:
            raise KeyboardInterrupt
        check_share(found.books, self.config.logs.max_bad_frac, kept=kept)
        if kept:
            done.touch(mode=0o600)

    def _curate(self, folder: Path, key: StoreKey, address: str) -> Path:
        began_s = time.monotonic()
        update = {"out": str(self.root / "curated"), "name": self._named(address)}
        options = self.config.curate.model_copy(update=update)
        lasting = store_key(self.config.store.key_env, self.config.store.key_file)  # `key` may be for this time alone
        secret = None if lasting is None else lasting.secret
        redaction = Off(options) if options.pii == "off" else Redaction(options, self.config.pii, secret)
        named = ", ".join(path.name for path in self.files[:3]) + (" …" if len(self.files) > 3 else "")
        with LogStore.open(folder, key=key, reader="suite=replay") as store:
            log = StoreLog.of(store, self.config.store.key_env, self.config.store.key_file)
            done = curate(Source(log, named, redaction), options, self.tell)
        self._did("curate", done.folder, began_s, _curated(done))
        return done.folder

    def _embedding(self) -> Embedding:
        options = self.config.cluster
        if options.embedding != AUTO:
            return embedding_named(options.embedding, self.tell, options.embedding_url, options.embedding_key_env)
        try:
            load_embedder(cache_dir(), self.tell)
        except HarnessError as error:
            self.say(f"{'':<12} cluster.embedding=tfidf, since minilm cannot be had: {error}")
            return embedding_named("tfidf", self.tell)
        return embedding_named("minilm", self.tell)

    def _clusters(self, curated: Path, address: str) -> tuple[Path | None, str]:
        """The folder of clusters with its address; none without scikit-learn."""
        try:
            need_sklearn()
        except ConfigError as error:
            self._did("cluster", None, time.monotonic(), f"left out, strata are the log's agents by family: {error}")
            return None, _address(address)
        embedding = self._embedding()
        options = self.config.cluster
        own = _address(address, options.model_dump(mode="json", exclude=_CLUSTER_APART), embedding.name)
        found = self._found("clusters", own, BOOK)
        if found is not None:
            book = ClusterBook.model_validate_json((found / BOOK).read_bytes())
            self._did("cluster", found, None, f"as before: {_clustered(book)}")
            return found, own
        began_s = time.monotonic()
        folder = self.root / "clusters" / self._named(own)
        options = options.model_copy(update={"calls": str(curated), "name": folder.name, "out": str(folder.parent)})
        built = cluster(features_of(read_calls(curated)), options, embedding, Kept())
        write_kept(folder, built.kept)
        write_page(built.book, built.points, self.reports / "clusters.html")
        self._did("cluster", folder, began_s, _clustered(built.book))
        return folder, own

    def _suite(self, curated: Path, clusters: Path | None, strata: str) -> Path:
        options = self.config.build
        address = _address(strata, options.model_dump(mode="json", exclude=_BUILD_APART))
        found = self._found("suites", address, SAMPLES)
        if found is not None:
            self._did("build", found, None, f"as before: {read_spec(found.name, found).description.rstrip('.')}")
            return found
        began_s = time.monotonic()
        where = {"calls": str(curated), "out": str(self.root / "suites"), "name": self._named(address)}
        told = {"clusters": None if clusters is None else str(clusters), "replace": True}
        done = build(options.model_copy(update={**where, **told}))
        self._did("build", done.folder, began_s, _built(done))
        return done.folder


def _address(*parts: JsonValue) -> str:
    """Ten hex digits that name what was made of these."""
    told = orjson.dumps([__version__, *parts], option=orjson.OPT_SORT_KEYS)
    return blake2b(told, digest_size=5).hexdigest()


def _collected(found: Collected) -> str:
    books = found.books
    bad = books.total("quarantined")
    more = f", {bad:,} cannot be read" if bad else ""
    skipped = sum(books.skipped().values())
    more += f", {skipped:,} skipped" if skipped else ""
    return f"{books.total('read'):,} entries read ({human_bytes(books.total('bytes'))}){more}"


def _curated(done: Curated) -> str:
    told = done.manifest
    splits = " · ".join(f"{name} {count:,}" for name, count in told.splits.items())
    dropped = ", ".join(f"{row.rule} {row.calls:,}" for row in told.dropped if row.calls)
    return f"{told.kept:,} of {told.read:,} calls kept ({splits})" + (f"; left out: {dropped}" if dropped else "")


def _clustered(book: ClusterBook) -> str:
    tasks = sum(1 for one in book.clusters if one.rows and not one.noise)
    covered = "" if book.coverage is None else f" with {percent(book.coverage)} of {book.calls:,} calls"
    return f"{counted(tasks, 'task')}{covered} by {book.embedding.partition('@')[0]}"


def _built(done: Built) -> str:
    n = sum(len(one.taken) for one in done.strata)
    unfit = done.facts.unfit.total()
    more = f"; {unfit:,} calls cannot be asked again" if unfit else ""
    if done.facts.elsewhere > n:
        more += f"; {done.facts.elsewhere:,} calls are in other splits (build.splits, suite.options.split)"
    return f"{counted(n, 'sample')} of {counted(len({one.cluster for one in done.strata}), 'task')}{more}"
