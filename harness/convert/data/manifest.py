"""What is known of a data set, as one record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config.convert import ConvertData
from harness.convert.data.balance import Made, Merged
from harness.convert.data.contamination import Checked
from harness.convert.data.files import described
from harness.convert.data.lengths import length_stats, packing_plan
from harness.convert.data.overlap import overlap_of
from harness.convert.data.provenance import Provenance
from harness.convert.data.setup import Setup
from harness.convert.data.taking import Taken
from harness.convert.data.teacher import Teaching
from harness.records import Sample
from harness.records.convert import DatasetManifest, LogitsFile, RowGroup
from harness.suite.spec import samples_hash

__all__ = ["Facts", "manifest_of"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What making the rows brought to light."""

    key: str
    samples: Sequence[Sample]
    taken: Taken
    validation_from: str
    origin: Provenance
    teaching: Teaching | None
    teacher_wrong: int
    checked: Checked
    merged: Merged
    added: int
    logits: LogitsFile | None
    dropped: Mapping[str, int]
    notes: Sequence[str]
    files: Sequence[str]


def manifest_of(
    options: ConvertData, setup: Setup, out: Path, facts: Facts, rows: tuple[Sequence[Made], Sequence[Made]]
) -> DatasetManifest:
    """The record of rows of train and validation that are written."""
    train, validation = rows
    gate = [one for one in facts.taken.gate if one.category in facts.taken.categories]
    calls = sum(row.wants_call for _, row in train)
    counts = {
        "n_train": len(train),
        "n_validation": len(validation),
        "n_test": len(gate),
        "validation_from": facts.validation_from,
        "n_call": calls,
        "n_no_call": len(train) - calls,
        "sources": _sources(rows),
        "dropped": {reason: count for reason, count in facts.dropped.items() if count},
        "duplicates": facts.merged.duplicates,
        "near_duplicates": facts.merged.near,
        "no_call_wanted": options.no_call_share,
        "no_call_added": facts.added,
        "overlap": overlap_of([sample for sample, _ in (*train, *validation)], gate),
        "contamination": facts.checked.counts(),
        "contamination_checked": facts.checked.compared,
    }
    return DatasetManifest.model_validate(
        {
            "key": facts.key,
            "suite": setup.spec.name,
            "suite_hash": samples_hash(facts.samples),
            "cluster": None if setup.cluster is None else ",".join(setup.cluster),
            "clusters": facts.taken.categories,
            "protocol": setup.model.protocol,
            "seed": options.seed,
            **counts,
            **_origin(facts),
            **_taught(facts, rows),
            **_tokens(train, setup),
            "files": described(out, facts.files),
            "notes": tuple(_notes(setup, facts, rows)),
        }
    )


def _origin(facts: Facts) -> dict[str, object]:
    origin = facts.origin
    return {"redaction": origin.redaction, "redaction_sha256": origin.redaction_sha256, "logs": origin.logs}


def _taught(facts: Facts, rows: tuple[Sequence[Made], Sequence[Made]]) -> dict[str, object]:
    """What a teacher said, weighed and cost."""
    told: dict[str, object] = {"logits": facts.logits}
    if facts.logits is not None:
        told["teacher"] = facts.logits.teacher
    teaching = facts.teaching
    if teaching is None:
        return told
    return told | {
        "teacher": teaching.name,
        "teacher_calls": teaching.calls,
        "teacher_usd": teaching.usd,
        "teacher_tokens": teaching.tokens,
        "teacher_run": teaching.run,
        "teacher_kept": sum(row.source.startswith("teacher:") for part in rows for _, row in part),
        "teacher_wrong": facts.teacher_wrong,
    }


def _tokens(train: Sequence[Made], setup: Setup) -> dict[str, object]:
    """Lengths of the train rows; nothing where nobody counted."""
    pairs = [(row.prompt_tokens, row.reply_tokens) for _, row in train]
    counted = [(prompt, reply) for prompt, reply in pairs if prompt is not None and reply is not None]
    if not counted or len(counted) < len(pairs):
        return {}
    totals = [prompt + reply for prompt, reply in counted]
    return {
        "tokens": sum(totals),
        "reply_tokens": sum(reply for _, reply in counted),
        "lengths": length_stats(totals),
        "packing": packing_plan(totals, setup.max_tokens or max(totals)),
    }


def _sources(rows: tuple[Sequence[Made], Sequence[Made]]) -> tuple[RowGroup, ...]:
    train, validation = (Counter(row.source for _, row in part) for part in rows)
    names = sorted({*train, *validation}, key=lambda name: (-train[name], name))
    return tuple(RowGroup(name=name, train=train[name], validation=validation[name]) for name in names)


def _notes(setup: Setup, facts: Facts, rows: tuple[Sequence[Made], Sequence[Made]]) -> list[str]:
    """What a reader must know before believing a number."""
    notes = list(facts.notes)
    if facts.merged.other_answers:
        notes.append(f"{facts.merged.other_answers:,} samples ask what a row asks and have another answer: left out")
    incumbents = sum(row.source == "incumbent" for _, row in rows[0])
    if incumbents:
        notes.append(
            f"{incumbents:,} train rows have the incumbent's answer, which nobody checked: its errors are learned too"
        )
    if not rows[1]:
        notes.append("there are no validation rows: training cannot end early by the task's metric")
    if not any(one.category in facts.taken.categories for one in facts.taken.gate):
        notes.append("the suite has no test sample of these clusters: the gate has nothing to ask")
    if facts.origin.redaction is None:
        notes.append(f"suite {setup.spec.name} is not from logs: nothing was redacted")
    return notes
