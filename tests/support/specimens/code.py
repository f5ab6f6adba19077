"""Programs to be judged: one that goes on from a prompt, one that stands alone, one with further tests."""

from harness.records import CodeTarget, Message, Sample
from tests.support.specimens import Specimen

_PROMPT = (
    "from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n"
    '    """ The sum of the numbers.\n    >>> total([1, 2])\n    3\n    """\n'
)
_TESTS = "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n\ncheck(total)\n"


def _sample(name: str, target: CodeTarget) -> Sample:
    asked = (Message(role="user", content=target.prompt or "Write a function area(a, b)."),)
    return Sample(id=name, category="code", messages=asked, target=target, scorer="code")


SPECIMENS: list[Specimen] = [
    Specimen(
        _sample(
            "goes_on",
            CodeTarget(prompt=_PROMPT, entry_point="total", tests=_TESTS, solution="    return sum(numbers)\n"),
        ),
        needs="bwrap",
    ),
    Specimen(
        _sample(
            "alone",
            CodeTarget(
                entry_point="area",
                tests="assert area(2, 3) == 6\nassert area(0, 3) == 0\n",
                solution="def area(a, b):\n    return a * b\n",
            ),
        ),
        needs="bwrap",
    ),
    Specimen(
        _sample(
            "with_more",
            CodeTarget(
                prompt=_PROMPT,
                entry_point="total",
                tests=_TESTS,
                extra_tests="assert total([-1, 1]) == 0\n",
                solution="    return sum(numbers)\n",
            ),
        ),
        needs="bwrap",
    ),
]
