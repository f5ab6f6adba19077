"""From a suite to the rows that a model learns from, with everything that is known of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config.convert import ConvertData
from harness.convert.data.balance import Made, Merged, balanced, merged, shuffled
from harness.convert.data.contamination import check
from harness.convert.data.exports import export_rows
from harness.convert.data.files import EXPORTS, MANIFEST, TRAIN, VALIDATION, data_key, held, read_rows, write_rows
from harness.convert.data.likeness import Likeness
from harness.convert.data.making import Maker, labels_of
from harness.convert.data.manifest import Facts, manifest_of
from harness.convert.data.provenance import provenance
from harness.convert.data.rows import prompt_hash
from harness.convert.data.setup import Setup
from harness.convert.data.taking import Taken, dealt, set_aside, take
from harness.convert.data.teacher import ask
from harness.convert.data.tokens import LOGITS, count, weigh
from harness.errors import DataError
from harness.records import Sample
from harness.records.convert import DatasetManifest
from harness.report.formats import counted as counted_in_words
from harness.store.runfolder import write_record

__all__ = ["prepare"]

_ASIDE = 0.2
"""Share of train that is set aside at most where the suite has no calibration split."""
_TOO_LONG = "longer than convert.training.max_tokens"


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is written, and how it came to be."""

    train: list[Made]
    validation: list[Made]
    merged: Merged
    added: int = 0
    too_long: tuple[int, ...] = ()
    """Tokens of the rows that were left out for their length."""
    counted: bool = False
    notes: list[str] = field(default_factory=list)


def prepare(options: ConvertData, samples: Sequence[Sample], setup: Setup, out: Path) -> DatasetManifest:
    """Writes `train.jsonl`, `validation.jsonl` and `dataset.json` into a folder, and says what is in them.

    samples: all of the suite, of every split. What lies in the folder already and was decided by the same things is
    left as it is. Raises DataError where a row is one of the gate's samples or nearly (no key allows it), for raw logs,
    and where no row can be made; ConfigError for settings that cannot take effect; BackendError where the teacher or a
    tokenizer fails.
    """
    labels_of(options)
    origin = provenance(setup.spec, samples)
    key = data_key(options, samples, setup)
    if (known := held(out, key)) is not None:
        return _exported(known, options, setup, out)
    with suppress(OSError):
        (out / MANIFEST).unlink(missing_ok=True)  # from here on the folder is not whole
    taken = take(samples, setup.cluster, {**setup.spec.titles, **setup.names}, setup.spec.name)
    with Likeness(_compared(options, taken)) as likeness:
        train, validation, where = _split(options, taken, likeness)
        teaching = ask([*train, *validation], options, setup, out / "teacher") if _asks(options) else None
        maker = Maker(options, setup, teaching)
        rows = _rows(options, taken, (train, validation), maker, likeness)
        checked = check([sample for sample, _ in (*rows.train, *rows.validation)], taken.gate, likeness)
    rows = _measured(rows, setup)
    if not rows.train:
        raise DataError(_nothing(setup, maker.reasons(), rows))
    write_rows(out / TRAIN, [row for _, row in rows.train])
    write_rows(out / VALIDATION, [row for _, row in rows.validation])
    logits = None
    if options.distill == "logits":
        logits = weigh([row for _, row in rows.train], options, setup, out)
    facts = Facts(
        key=key, samples=samples, taken=taken, validation_from=where, origin=origin, teaching=teaching,
        teacher_wrong=maker.teacher_wrong, checked=checked, merged=rows.merged, added=rows.added, logits=logits,
        dropped=Counter(maker.reasons()) + Counter({_TOO_LONG: len(rows.too_long)}), notes=rows.notes,
        files=[TRAIN, VALIDATION, *([LOGITS] if logits is not None else [])],
    )  # fmt: skip
    manifest = manifest_of(options, setup, out, facts, (rows.train, rows.validation))
    write_record(out / MANIFEST, manifest)
    return _exported(manifest, options, setup, out)


def _exported(manifest: DatasetManifest, options: ConvertData, setup: Setup, out: Path) -> DatasetManifest:
    """The manifest, once the rows are written in every format that was asked for; what is there already is left."""
    missing = [name for name in options.exports if not (out / EXPORTS / name).is_dir() or name not in manifest.exports]
    if not missing:
        return manifest
    train, validation = read_rows(out / TRAIN), read_rows(out / VALIDATION)
    notes = list(manifest.notes)
    for name in missing:
        told = export_rows(name, out / EXPORTS, train, validation, setup)
        notes += [one for one in told if one not in notes]
    exports = tuple(dict.fromkeys((*manifest.exports, *missing)))
    told_of = manifest.model_copy(update={"exports": exports, "notes": tuple(notes)})
    write_record(out / MANIFEST, told_of)
    return told_of


def _compared(options: ConvertData, taken: Taken) -> list[Sample]:
    """Samples whose likeness is looked at: those that rows may be made of, and the gate's."""
    spare = () if options.no_call_share is None else taken.elsewhere
    return [*taken.train, *taken.calibration, *taken.gate, *spare]


def _asks(options: ConvertData) -> bool:
    return options.teacher is not None and "teacher" in labels_of(options)


def _split(options: ConvertData, taken: Taken, likeness: Likeness) -> tuple[list[Sample], list[Sample], str]:
    """Samples of train and validation, and where the latter are from: the split calibration, else groups of train."""
    train = dealt(taken.train, options.seed)
    if taken.calibration:
        validation, where = dealt(taken.calibration, options.seed)[: options.validation], "calibration"
    else:
        train, validation = set_aside(train, likeness, options.validation, _ASIDE, options.seed)
        where = "train"
    if _asks(options) and options.rows is not None:  # each question to a teacher has its price
        train = train[: options.rows]
    return train, validation, where if validation else "none"


def _rows(
    options: ConvertData,
    taken: Taken,
    split: tuple[Sequence[Sample], Sequence[Sample]],
    maker: Maker,
    likeness: Likeness,
) -> _Rows:
    found = merged(maker.rows(split[0]), likeness, options.near)
    share = options.no_call_share
    spare = [] if share is None else _spare(options, taken, found.rows, likeness, maker)
    chosen, added = balanced(found.rows, spare, share, options.rows)
    train, notes = shuffled(chosen, options.seed), []
    asked = {prompt_hash(row) for _, row in train}
    looked_at = merged(maker.rows(split[1]), likeness, None).rows
    validation = [one for one in looked_at if prompt_hash(one[1]) not in asked]
    if len(validation) < len(looked_at):
        notes.append(f"{len(looked_at) - len(validation)} validation rows ask what a train row asks, and are left out")
    silent = sum(not row.wants_call for _, row in train)
    if share is not None and train and silent < share * len(train) - 1e-9:
        notes.append(
            f"{silent / len(train):.1%} of the rows want no call and {share:.1%} were asked for: train has no more"
        )
    return _Rows(train, validation, found, added, notes=notes)


def _spare(options: ConvertData, taken: Taken, own: Sequence[Made], likeness: Likeness, maker: Maker) -> list[Made]:
    """Rows of other clusters that want no call and offer tools of this one; those that offer most of them first."""
    tools = {tool.name for sample, _ in own for tool in sample.tools}
    shared = {sample.id: len(tools & {tool.name for tool in sample.tools}) for sample in taken.elsewhere}
    others = Maker(options, maker.setup, maker.teaching)
    made = others.rows(one for one in dealt(taken.elsewhere, options.seed) if shared[one.id])
    silent = sorted((one for one in made if not one[1].wants_call), key=lambda one: -shared[one[0].id])
    known = {prompt_hash(row) for _, row in own}
    return [one for one in merged(silent, likeness, options.near).rows if prompt_hash(one[1]) not in known]


def _measured(rows: _Rows, setup: Setup) -> _Rows:
    """The rows with their lengths, without those that are too long: nothing is ever cut."""
    both = [*rows.train, *rows.validation]
    counted = count([row for _, row in both], setup) if both else None
    if counted is None:
        note = "nobody counted tokens: rows that are too long are left out, and counted, when training begins"
        return replace(rows, notes=[*rows.notes, note])
    most = setup.max_tokens or max(map(sum, counted))
    told = [
        (sample, row.model_copy(update={"prompt_tokens": prompt, "reply_tokens": reply}))
        for (sample, row), (prompt, reply) in zip(both, counted, strict=True)
    ]
    fits = [sum(one) <= most for one in counted]
    n = len(rows.train)
    train = [one for one, fit in zip(told[:n], fits[:n], strict=True) if fit]
    validation = [one for one, fit in zip(told[n:], fits[n:], strict=True) if fit]
    long = tuple(sorted(sum(one) for one, fit in zip(counted, fits, strict=True) if not fit))
    notes = list(rows.notes)
    if long:
        span = f"{long[0]:,} … {long[-1]:,} tokens"
        notes.append(f"{counted_in_words(len(long), 'row')} of {span} left out: convert.training.max_tokens={most}")
    return replace(rows, train=train, validation=validation, too_long=long, counted=True, notes=notes)


def _nothing(setup: Setup, reasons: Mapping[str, int], rows: _Rows) -> str:
    """Why there is nothing to learn, and what to type next."""
    told = "; ".join(f"{reason}: {count:,}" for reason, count in list(reasons.items())[:3])
    if rows.too_long:
        span = f"{rows.too_long[0]:,} … {rows.too_long[-1]:,}"
        told = f"{told}; {_TOO_LONG}={setup.max_tokens}: {len(rows.too_long):,}, of {span} tokens".removeprefix("; ")
    asked = "" if setup.cluster is None else f" of {', '.join(setup.cluster)}"
    return (
        f"no sample{asked} of suite {setup.spec.name} makes a row under {setup.model.protocol} "
        f"({told or 'none left'}); look at convert.data.labels, model.protocol and convert.training.max_tokens"
    )
