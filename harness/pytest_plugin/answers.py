"""What an assertion comes to: it passes, fails, or shows neither."""

from dataclasses import dataclass
from typing import Literal

import pytest

__all__ = ["Answer", "Finding", "settled"]

Answer = Literal["fail", "skip", "pass"]
"""What comes of an assertion that shows neither."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was shown, with the sentence that says so."""

    status: Literal["pass", "fail", "inconclusive"]
    message: str


def settled(finding: Finding, inconclusive: Answer) -> Finding:
    """The finding, where it passes. Fails the test, or skips it, where it does not."""
    __tracebackhide__ = True
    if finding.status == "fail" or (finding.status == "inconclusive" and inconclusive == "fail"):
        pytest.fail(finding.message)
    if finding.status == "inconclusive" and inconclusive == "skip":
        pytest.skip(finding.message)
    return finding
