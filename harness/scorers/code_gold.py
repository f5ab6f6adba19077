"""Canonical solutions that have been seen to pass, remembered by what they are and what they ran in."""

import hashlib
import sys
from pathlib import Path

from harness.assets import cache_dir
from harness.config import SandboxConfig
from harness.records import CodeTarget, Sample, target_of
from harness.sandbox.box import INSIDE
from harness.sandbox.run import Reading

__all__ = ["Checked", "gold_reading"]


def gold_reading(target: CodeTarget) -> tuple[Reading, ...]:
    """The canonical solution as a program."""
    solution = target.solution or ""
    return (Reading(f"{target.prompt}{solution}" if target.prompt else solution),)


class Checked:
    """Which samples' solutions passed before, in this sandbox, on this Python; files of no content in the cache."""

    def __init__(self, config: SandboxConfig) -> None:
        digest = hashlib.sha256(f"{sys.version}\n{config.model_dump_json()}\n".encode())
        for file in sorted(INSIDE.glob("*.py")):
            digest.update(file.read_bytes())
        self._where = digest
        self._folder = cache_dir() / "checked"

    def passed(self, sample: Sample) -> bool:
        """Whether this sample's solution passed."""
        return self._file(sample).is_file()

    def note(self, sample: Sample) -> None:
        """Notes that it did."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file(sample).touch()

    def _file(self, sample: Sample) -> Path:
        digest = self._where.copy()
        digest.update(target_of(sample, CodeTarget).model_dump_json().encode())
        return self._folder / digest.hexdigest()
