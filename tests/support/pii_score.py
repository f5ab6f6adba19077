"""Recall and precision of spans against the labelled sets beside the checkout.

Protocol. `presidio_synth_dataset_v2`: by the character, over all 17 labelled types together: a labelled character is
found if any span covers it, of whatever kind; a character of a span counts against precision if no label covers it.
`pii_gold_dev`: a labelled span is found if spans cover all of its characters.
"""

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from harness.curate.pii.spans import Span

__all__ = ["DATA", "STRUCTURED", "Rates", "by_character", "by_span", "gold", "synthetic"]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
STRUCTURED = (
    "CREDIT_CARD",
    "DOMAIN_NAME",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "PHONE_NUMBER",
    "US_DRIVER_LICENSE",
    "US_SSN",
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of characters or spans."""

    recall: float
    precision: float
    by_type: dict[str, float]


def synthetic(half: int | None = None) -> list[dict[str, Any]]:
    """The texts of the bench set; half 0 or 1: those of even or of odd templates."""
    rows = orjson.loads(gzip.decompress((DATA / "bench" / "presidio_synth_dataset_v2.json.gz").read_bytes()))
    return [row for row in rows if half is None or row["template_id"] % 2 == half]


def gold() -> list[dict[str, Any]]:
    """The messages of the agents' logs."""
    return [orjson.loads(line) for line in gzip.decompress((DATA / "pii_gold_dev.jsonl.gz").read_bytes()).splitlines()]


def by_character(rows: Sequence[dict[str, Any]], found: Sequence[Sequence[Span]]) -> Rates:
    """Rates over the bench set."""
    hits, labels, counts = Counter[str](), Counter[str](), Counter[str]()
    for row, spans in zip(rows, found, strict=True):
        covered = {place for span in spans for place in range(span.start, span.end)}
        labelled: set[int] = set()
        for label in row["spans"]:
            places = set(range(label["start_position"], label["end_position"]))
            labels[label["entity_type"]] += len(places)
            hits[label["entity_type"]] += len(places & covered)
            labelled |= places
        counts["both"] += len(covered & labelled)
        counts["labelled"] += len(labelled)
        counts["covered"] += len(covered)
    by_type = {kind: hits[kind] / labels[kind] for kind in sorted(labels)}
    return Rates(counts["both"] / counts["labelled"], counts["both"] / counts["covered"], by_type)


def by_span(rows: Sequence[dict[str, Any]], found: Sequence[Sequence[Span]]) -> Rates:
    """Rates over the messages. Precision by the character is a lower bound: not everything there is labelled."""
    hits, labels, counts = Counter[str](), Counter[str](), Counter[str]()
    for row, spans in zip(rows, found, strict=True):
        covered = {place for span in spans for place in range(span.start, span.end)}
        labelled: set[int] = set()
        for label in row["spans"] or ():
            places = set(range(label["start"], label["end"]))
            labels[label["type"]] += 1
            hits[label["type"]] += places <= covered
            labelled |= places
        counts["both"] += len(covered & labelled)
        counts["covered"] += len(covered)
    by_type = {kind: hits[kind] / labels[kind] for kind in sorted(labels)}
    return Rates(sum(hits.values()) / sum(labels.values()), counts["both"] / counts["covered"], by_type)
