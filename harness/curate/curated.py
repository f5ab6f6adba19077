"""A curated folder made of records: redacted, filtered, grouped, split and written, whole or not at all."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

from harness import __version__
from harness.assets.progress import OnProgress, Progress
from harness.config.curate import CurateOptions
from harness.cores import ONE_CORE, Cores
from harness.curate.entry import Entry
from harness.curate.groups import drop_across, drop_near_duplicates, group, sizes
from harness.curate.intake import Intake, Taken, take_in
from harness.curate.leakage import leakage
from harness.curate.log import Log
from harness.curate.near import Near
from harness.curate.redaction import Off, Redaction
from harness.curate.references import Answers, disagreement, family_of
from harness.curate.rules import Books, FirstRules, drop_by_content, drop_duplicates
from harness.curate.scan import PART
from harness.curate.shingles import Shingles
from harness.curate.splits import split_by_seed, split_by_time
from harness.curate.spool import Spool
from harness.curate.turns import Turns
from harness.errors import DataError
from harness.records import Record, Usage
from harness.records.call import SPLITS, Call, Split
from harness.records.curated import CuratedManifest, DisagreementRow, LeakageReport, RuleCount
from harness.store.calls import CALLS, CONTENTS, CURATED_MANIFEST, CallWriter, read_curated, read_splits, sha256_of
from harness.store.remaking import making, write_closed

__all__ = ["DISAGREEMENT", "LEAKAGE", "Curated", "Source", "curate"]

LEAKAGE: Final = "leakage.json"
DISAGREEMENT: Final = "disagreement.json"


@dataclass(frozen=True, slots=True)
class Source:
    """Where records come from, and how they are redacted."""

    log: Log
    named: str
    """As the user gave it, for the manifest."""
    redaction: Redaction | Off


@dataclass(frozen=True, slots=True)
class Curated:
    """What was made."""

    folder: Path
    manifest: CuratedManifest
    leakage: LeakageReport
    disagreement: tuple[DisagreementRow, ...]
    request_bytes: int
    """Of all requests that were redacted, as JSON, each with its whole history."""
    seconds: float
    untested: tuple[str, ...]
    """Agents without a test call."""


class _Disagreement(Record):
    rows: tuple[DisagreementRow, ...]


def curate(
    source: Source, options: CurateOptions, tell: OnProgress, *, cores: Cores = ONE_CORE, part: int = PART
) -> Curated:
    """Makes `<out>/<name>/`, in place of one that is there. The same bytes for any cores and size of parts.

    Raises DataError where nothing is left, the folder holds something else, or another process makes it; ConfigError
    for options that do not fit. Whatever ends it, a folder that was there before stays whole.
    """
    folder = Path(options.out) / options.name
    first = FirstRules(options)
    began_s = time.monotonic()
    tell(Progress("reading", 0, 0))
    with making(folder) as temporary, Spool(temporary) as spool, closing(Turns(temporary)) as turns:
        books = Books()
        intake = Intake(spool, turns, books, first, lambda what, done: tell(Progress(what, done, None)), part)
        taken = take_in(source.log, intake, source.redaction, cores)
        return _Work(source, options, tell, spool, turns, books, taken, began_s).finish(temporary, folder)


@dataclass(slots=True)
class _Work:
    source: Source
    options: CurateOptions
    tell: OnProgress
    spool: Spool
    turns: Turns
    books: Books
    taken: Taken
    began_s: float

    def finish(self, temporary: Path, folder: Path) -> Curated:
        """Writes all files into the temporary folder; they are of `folder` once the context ends."""
        options, spool, entries = self.options, self.spool, self.taken.entries
        drop_by_content(entries, options)
        answered = [entry for entry in entries if entry.dropped is None]
        rows = disagreement(answered, spool)
        answers = Answers(answered, spool, options.verified_from)
        if "duplicate" in options.drop:
            drop_duplicates(entries)
        kept, near = self._grouped(entries)
        names = {entry.group: kept[entry.group].record for entry in kept}
        self._split(kept, near)
        self._say("measuring leakage")
        shares = {split: float(getattr(options.split, split)) for split in SPLITS}
        report = leakage(kept, near, self.turns, shares, options.split.seed)
        kept = [entry for entry in kept if entry.dropped is None]
        self._say("writing")
        with CallWriter(temporary) as writer:
            for call in self._calls(kept, answers, names):
                writer.add(call)
        write_closed(temporary / LEAKAGE, report.model_dump_json(indent=2).encode() + b"\n")
        write_closed(temporary / DISAGREEMENT, _Disagreement(rows=rows).model_dump_json(indent=2).encode() + b"\n")
        more = self.source.redaction.files()
        for name, data in more.items():
            write_closed(temporary / name, data)
        manifest = self._manifest(temporary, kept, (CALLS, CONTENTS, LEAKAGE, DISAGREEMENT, *more))
        write_closed(temporary / CURATED_MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
        write_closed(temporary / ".gitignore", b"*\n")
        untested = {entry.agent for entry in kept} - {entry.agent for entry in kept if entry.split == "test"} - {None}
        return Curated(
            folder=folder,
            manifest=manifest,
            leakage=report,
            disagreement=rows,
            request_bytes=self.taken.request_bytes,
            seconds=time.monotonic() - self.began_s,
            untested=tuple(sorted(str(agent) for agent in untested)),
        )

    def _say(self, what: str) -> None:
        self.tell(Progress(what, 0, 0))

    def _grouped(self, entries: Sequence[Entry]) -> tuple[list[Entry], Near]:
        near_options = self.options.near
        self._say("looking for near duplicates")
        kept = [entry for entry in entries if entry.dropped is None]
        if not kept:
            raise DataError(_nothing_left(self.books, entries))
        shingles = Shingles(self.spool, kept, near_options.template_frac, self.turns.runs)
        near = Near(self.spool, shingles, near_options.threshold, near_options.perms, kept)
        if "near_duplicate" in self.options.drop:
            drop_near_duplicates(kept, near)
            kept = [entry for entry in kept if entry.dropped is None]
        group(kept, near, users=self.options.split.users, chains=self.options.split.chains == "together")
        return kept, near

    def _split(self, kept: Sequence[Entry], near: Near) -> None:
        self._say("splitting")
        if self.options.split_by == "time":
            split_by_time(kept, self.options.split)
        else:
            split_by_seed(kept, self.options.split, _splits_before(self.options))
        if self.options.split.chains == "drop":
            drop_across([entry for entry in kept if entry.dropped is None], near)

    def _calls(self, kept: Sequence[Entry], answers: Answers, names: Mapping[int, str]) -> Iterator[Call]:
        ids: set[str] = set()
        for entry in kept:
            call = self._call(entry, answers, names[entry.group], ids)
            ids.add(call.id)
            yield call

    def _call(self, entry: Entry, answers: Answers, group_name: str, ids: set[str]) -> Call:
        value = self.spool.value
        facts = value(entry.facts)
        also = answers.also(entry)
        name = entry.content_id
        if name in ids:  # exact duplicates are kept
            name = blake2b(f"{name} {entry.record}".encode(), digest_size=16).hexdigest()
        assert entry.split is not None
        return Call(
            id=name,
            record=entry.record,
            messages=tuple(value(place) for place in entry.messages),
            reference=answers.reference(entry),
            split=entry.split,
            duplicate_group=group_name,
            tools=() if entry.tools < 0 else tuple(value(entry.tools)),
            params=value(entry.params),
            also=also,
            family=family_of(entry.tools >= 0, value(entry.reply)),
            weight=entry.weight,
            session=entry.session,
            step=entry.step,
            agent=entry.agent,
            user_group=entry.user_group,
            at=entry.at,
            model=entry.model,
            usage=Usage(**facts["usage"]),
            latency_s=facts["latency_s"],
            latency_kind=facts["latency_kind"],
            ttft_s=facts["ttft_s"],
            cost_usd=facts["cost_usd"],
            outcome=entry.outcome,
            outcome_by=entry.outcome_by,
            notes=_notes(entry, bool(also)),
        )

    def _manifest(self, temporary: Path, kept: Sequence[Entry], files: Sequence[str]) -> CuratedManifest:
        books = self.books
        books.dropped.update(entry.dropped for entry in self.taken.entries if entry.dropped is not None)
        weights: Counter[str | None] = Counter()
        for entry in kept:
            weights[entry.split] += entry.weight
        counts = Counter(entry.split for entry in kept)
        group_sizes = sizes(kept)
        settings = self.options.model_dump(mode="json", exclude={"name", "out", "store", "key_file", "key_env"})
        return CuratedManifest(
            name=self.options.name,
            source=self.source.named,
            records_hash=self.taken.records_hash,
            settings=settings,
            redaction=dict(self.source.redaction.facts()),
            read=books.read,
            kept=books.kept,
            dropped=tuple(RuleCount(rule=rule, calls=count) for rule, count in books.rows()),
            splits={split: counts[split] for split in SPLITS},
            split_weights={split: weights[split] for split in SPLITS},
            groups=len(group_sizes),
            largest_group=max(group_sizes.values(), default=0),
            files={name: sha256_of(temporary / name) for name in files},
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            harness=__version__,
        )


def _splits_before(options: CurateOptions) -> Mapping[str, Split]:
    """Splits that calls had already: in the folder to keep to, or in this one where its splits were made alike."""
    if options.split.keep is not None:
        return read_splits(Path(options.split.keep))
    folder = Path(options.out) / options.name
    if not (folder / CURATED_MANIFEST).is_file():
        return {}
    made = read_curated(folder).settings
    alike = made.get("split_by") == options.split_by and made.get("split") == options.split.model_dump(mode="json")
    return read_splits(folder) if alike else {}


def _notes(entry: Entry, several: bool) -> tuple[str, ...]:
    notes = {
        "no session logged": entry.session is None,
        "no time logged": entry.at is None,
        "other answers to the same request": several,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _nothing_left(books: Books, entries: Iterable[Entry]) -> str:
    books.dropped.update(entry.dropped for entry in entries if entry.dropped is not None)
    if not books.read:
        return "the store holds no calls; fill it with do=collect logs.path=…"
    told = ", ".join(f"{count:,} {rule}" for rule, count in books.rows())
    return f"none of {books.read:,} calls is left ({told}); loosen curate.drop, agents, models, min_outcome or times"
