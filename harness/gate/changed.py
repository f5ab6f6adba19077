"""What is another on one side of a gate: samples, which are no matter of verdicts, and settings, which are."""

from pydantic import JsonValue

from harness.errors import DataError
from harness.gate.side import FILES, Side
from harness.records.gate import Change, GateRun

__all__ = ["changes", "refuse_other_samples"]

_NAMED = 5
_UNTOLD = ("suite", "run.resume", "run.budget", "run.reply_cache", "run.reply_cache_mb", "model.title")
"""Keys whose change is no change of what is judged; the suite's samples are compared themselves."""
_SYSTEM = "suite.options.system"
"""The instruction to all samples: on trial, and no part of them."""


def refuse_other_samples(baseline: Side, candidate: Side) -> None:
    """Nothing where both have the same samples, in any order. Raises DataError saying what changed."""
    if baseline.run.suite and candidate.run.suite and baseline.run.suite != candidate.run.suite:
        raise DataError(
            f"the baseline is of suite {baseline.run.suite}, the candidate {candidate.run.run} of "
            f"{candidate.run.suite}; run suite={baseline.run.suite}, or choose another baseline: gate.baseline=FOLDER"
        )
    before, after = ({one.sample: one.digest for one in side.outcomes} for side in (baseline, candidate))
    told = [
        f"{len(names)} {what} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
        for what, names in (
            ("new", sorted(after.keys() - before.keys())),
            ("gone", sorted(before.keys() - after.keys())),
            ("changed", sorted(one for one in before.keys() & after.keys() if _apart(before[one], after[one]))),
        )
        if names
    ]
    if told:
        versions = (baseline.run.harness_version, candidate.run.harness_version)
        apart = f"; the harness was {versions[0]} and is {versions[1]}" if versions[0] != versions[1] else ""
        raise DataError(
            f"suite {candidate.run.suite} has not the baseline's samples: {', '.join(told)} of {len(after)}{apart}. "
            "Run the baseline's set-up on these samples, then do=accept"
        )


def _apart(first: str, second: str) -> bool:
    """Whether two digests are known and differ: other programs' files do not tell the question."""
    return first != second and bool(first) and bool(second)


def changes(baseline: GateRun, candidate: GateRun) -> tuple[Change, ...]:
    """What was set differently, and weights, engine and harness where they differ; nothing of files of others."""
    if {baseline.backend, candidate.backend} & FILES:
        return ()
    before, after = (
        {
            **{
                key: value
                for key, value in _flat(run.config, "").items()
                if key == _SYSTEM or not key.startswith(_UNTOLD)
            },
            "weights": run.weights_sha256,
            "engine build": run.build,
            "harness commit": run.commit,
            "harness version": run.harness_version,
        }
        for run in (baseline, candidate)
    )
    return tuple(
        Change(key=key, baseline=before.get(key), candidate=after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )


def _flat(value: JsonValue, prefix: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    found: dict[str, JsonValue] = {}
    for key, one in value.items():
        found |= _flat(one, f"{prefix}.{key}".lstrip("."))
    return found
