"""What is kept of a sample where its text is not: whether it is still the same, and whom it shares a session with."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from harness.records import Sample
from harness.records.manifest import Manifest

__all__ = ["common_system", "sample_digest", "session_numbers"]

_DIGEST = 16


def sample_digest(sample: Sample, system: str | None = None) -> str:
    """First 16 digits of the SHA-256 of the sample's record.

    system: the instruction that the suite's options give to all samples. Where a sample begins with it, it is left out:
    an instruction is on trial, as the model is, and no part of the question.
    """
    first = sample.messages[0] if sample.messages else None
    if system and first is not None and first.role == "system" and first.content == system:
        sample = sample.model_copy(update={"messages": sample.messages[1:]})
    return hashlib.sha256(sample.model_dump_json().encode()).hexdigest()[:_DIGEST]


def common_system(manifest: Manifest) -> str | None:
    """The instruction of `suite.options.system` in a run's configuration; None where there is none."""
    suite = manifest.config.get("suite")
    options = suite.get("options") if isinstance(suite, dict) else None
    found = options.get("system") if isinstance(options, dict) else None
    return found if isinstance(found, str) else None


def session_numbers(samples: Sequence[Sample]) -> dict[str, str]:
    """Number of each sample's session, of those that several samples share, in the order of the suite."""
    members: dict[str, list[str]] = defaultdict(list)
    for one in samples:
        if one.session is not None:
            members[one.session].append(one.id)
    several = [ids for ids in members.values() if len(ids) > 1]
    return {sample: str(place) for place, ids in enumerate(several, start=1) for sample in ids}
