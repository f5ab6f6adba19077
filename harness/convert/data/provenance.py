"""Where a suite's samples are from, and under which redaction: rows are never made of raw logs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.errors import DataError
from harness.records import ReplayTarget, Sample, TrajectoryTarget
from harness.records.logs import canonical
from harness.suite.spec import SuiteSpec

__all__ = ["Provenance", "provenance"]

_HASHES = ("calls_manifest", "records_hash", "samples.jsonl")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the suite says of the logs behind it."""

    redaction: JsonValue = None
    """None: the suite is not from logs."""
    redaction_sha256: str | None = None
    logs: tuple[str, ...] = ()
    """Hashes, each with its name before a colon."""


def provenance(spec: SuiteSpec, samples: Sequence[Sample]) -> Provenance:
    """The redaction policy and hashes of a suite from logs. Raises DataError for logged calls that are not redacted.

    A suite that is neither built by `do=build` nor made of logged calls (a public benchmark, one written by hand) has
    no policy.
    """
    if not spec.built:
        if any(isinstance(one.target, ReplayTarget | TrajectoryTarget) for one in samples):
            raise DataError(
                f"suite {spec.name} holds logged calls and does not say how they were redacted; make it with "
                "do=curate and do=build: rows are made of redacted calls alone"
            )
        return Provenance()
    policy = spec.built.get("redaction")
    if not isinstance(policy, dict) or "policy" not in policy:
        raise DataError(
            f"suite {spec.name} was built before suites said how they were redacted; "
            "build it anew: do=build build.replace=true"
        )
    if policy["policy"] == "off":
        raise DataError(
            f"suite {spec.name} is made of raw calls (curate.pii=off), and a model that learned them could repeat "
            "them; curate again with curate.pii=rules or nlp"
        )
    found = [f"{name}:{spec.built[name]}" for name in _HASHES if name in spec.built]
    return Provenance(policy, hashlib.sha256(canonical(policy)).hexdigest(), tuple(found))
