"""The program in a chat reply, and the verdict on it."""

# ruff: noqa: E501  replies stand in one piece each

import asyncio
import shutil
from pathlib import Path

import pytest

from harness.config import SandboxConfig, ScoringConfig
from harness.errors import ConfigError, DataError
from harness.records import Attempt, CodeTarget, Message, Reply, Sample, Score, Timing
from harness.scorers.code import CodeScorer
from harness.scorers.code_extract import answer_of, blocks_of, readings_of
from harness.scorers.context import ScorerContext, make_scorer

PROMPT = (
    "from typing import List\nimport math\n\n\ndef helper(x):\n    return x * 2\n\n\n"
    'def total(numbers: List[int]) -> int:\n    """ The sum.\n    >>> total([1, 2])\n    3\n    """\n'
)
TESTS = "assert total([1, 2]) == 3\nassert total([]) == 0\n"
TARGET = CodeTarget(prompt=PROMPT, entry_point="total", tests=TESTS, solution="    return sum(numbers)\n")
ALONE = CodeTarget(entry_point="total", tests=TESTS, solution="def total(numbers):\n    return sum(numbers)\n")
WHOLE = "def total(numbers):\n    return sum(numbers)\n"
WRONG = "def total(numbers):\n    return 7\n"
needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

RIGHT_REPLIES = {
    "a block marked as Python": f"Sure!\n\n```python\n{WHOLE}```\nThis adds them.",
    "marked py, in capitals": f"```PY\n{WHOLE}```",
    "marked with more words": f'```python title="total.py"\n{WHOLE}```',
    "no mark": f"```\n{WHOLE}```",
    "tildes": f"~~~python\n{WHOLE}~~~",
    "four ticks around three": f"````python\n# ```\n{WHOLE}````",
    "a mark that is another's, but nothing else": f"```text\n{WHOLE}```",
    "another language beside it": f"```bash\npip install x\n```\n```python\n{WHOLE}```\n```json\n{{}}\n```",
    "inside a list": "1. So:\n\n   ```python\n   def total(numbers):\n       return sum(numbers)\n   ```\n2. Done.",
    "indented within its block": "```python\n    def total(numbers):\n        return sum(numbers)\n```",
    "a call that shows it, in a block of its own": f"```python\n{WHOLE}```\nTry it:\n```python\nprint(total(input()))\n```",
    "the skeleton first": f"```python\n{PROMPT}    pass\n```\nFilled in:\n```python\n{WHOLE}```",
    "a wrong one first, then mended": f"```python\n{WRONG}```\nWait, that is wrong.\n```python\n{WHOLE}```",
    "a helper in a block before": f"```python\ndef add(a, b):\n    return a + b\n```\n```python\n{WHOLE.replace('sum(numbers)', 'add(sum(numbers), 0)')}```",
    "a whole one, then one cut off": f"```python\n{WHOLE}```\nOr:\n```python\ndef total(numbers):\n    retu",
    "no end of the fence": f"```python\n{WHOLE}",
    "the end of the fence on the last line": f"```python\n{WHOLE.rstrip()}```",
    "line ends of Windows": f"```python\n{WHOLE}```".replace("\n", "\r\n"),
    "thought before": f"<think>\n```python\n{WRONG}```\n</think>\n\n```python\n{WHOLE}```",
    "thought before, its beginning lost": f"total is easy\n```python\n{WRONG}```</think>```\n{WHOLE}```".replace(
        "</think>```", "</think>\n```"
    ),
    "no fence, the function alone": WHOLE,
    "no fence, words around": f"Here is the function:\n\n{WHOLE}\nIt adds the numbers up.",
    "no fence, a call that shows it": f"{WHOLE}\nnumbers = [1, 2]\n",
    "the prompt again, with a body": f"```python\n{PROMPT}    return sum(numbers)\n```",
    "its own imports": "```python\nfrom functools import reduce\n\ndef total(numbers):\n    return reduce(lambda a, b: a + b, numbers, 0)\n```",
    "a future import": f"```python\nfrom __future__ import annotations\n{WHOLE}```",
    "the prompt's imports are kept": "```python\ndef total(numbers: List[int]) -> int:\n    return int(math.fsum(numbers))\n```",
    "the prompt's helper is kept": "```python\ndef total(numbers):\n    return sum(map(helper, numbers)) // 2\n```",
    "the body, as it continues": "    return sum(numbers)\n",
    "the body, its first indentation lost": "result = 0\n    for one in numbers:\n        result += one\n    return result",
    "the body, its first indentation lost, then words": "return sum(numbers)\n\nThis adds them.",
    "the body, all at the margin": "result = 0\nfor one in numbers:\n    result += one\nreturn result",
    "the body in a block": "```python\n    result = 0\n    for one in numbers:\n        result += one\n    return result\n```",
    "the body in a block, at the margin": "```python\nresult = 0\nfor one in numbers:\n    result += one\nreturn result\n```",
    "the body, then more than was asked": "    return sum(numbers)\n\n\ndef other():\n    return 1\n\nprint(other(input()))\n",
    "a lambda": "```python\ntotal = lambda numbers: sum(numbers)\n```",
    "a main part that is not run": f"```python\n{WHOLE}\nif __name__ == '__main__':\n    print(total(input()))\n```",
    "text in other scripts": f"Voilà — 合計：\n```python\n# сумма ✓\n{WHOLE}```",
}

WRONG_REPLIES = {
    "does nothing": ("```python\ndef total(numbers):\n    pass\n```", "tests_failed"),
    "another name": ("```python\ndef summe(numbers):\n    return sum(numbers)\n```", "tests_failed"),
    "a method": (
        "```python\nclass Solution:\n    def total(self, numbers):\n        return sum(numbers)\n```",
        "tests_failed",
    ),
    "no Python": ("```python\ndef total(numbers)\n    return sum(numbers)\n```", "does_not_compile"),
    "words alone": ("I would add all of the numbers up.", "does_not_compile"),
    "nothing": ("", "no_answer"),
    "thinks to the end": (f"<think>\n```python\n{WHOLE}```", "no_answer"),
    "an empty block": ("```python\n```", "no_answer"),
    "raises": ("```python\ndef total(numbers):\n    raise ValueError(numbers)\n```", "tests_failed"),
    "asks for input": (
        "```python\nnumbers = input()\ndef total(numbers):\n    return sum(numbers)\n```",
        "tests_failed",
    ),
    "goes on without end": ("```python\ndef total(numbers):\n    while True: pass\n```", "program_limit"),
}


def _attempt(text: str | None, finish: str | None = "stop") -> Attempt:
    reply = Reply(content=text, finish_reason=finish)
    return Attempt(sample="s", model="m", protocol="native", backend="b", reply=reply, timing=Timing(at=0))


def _sample(target: CodeTarget) -> Sample:
    asked = (Message(role="user", content="Go on."),)
    return Sample(id="s", category="c", messages=asked, target=target, scorer="code")


def _score(text: str | None, target: CodeTarget = TARGET, finish: str | None = "stop") -> Score:
    scorer = CodeScorer(SandboxConfig(kind="bwrap", timeout_s=3), 1)

    async def judged() -> Score:
        async with scorer.open() as score:
            return await score(_sample(target), _attempt(text, finish))

    return asyncio.run(judged())


@needs_bwrap
@pytest.mark.parametrize("text", RIGHT_REPLIES.values(), ids=RIGHT_REPLIES)
def test_a_right_program_is_found_however_it_is_written(text: str) -> None:
    score = _score(text)

    assert score.value == 1, score


@needs_bwrap
@pytest.mark.parametrize(("text", "miss"), WRONG_REPLIES.values(), ids=WRONG_REPLIES)
def test_a_wrong_one_is_missed_by_its_class(text: str, miss: str) -> None:
    score = _score(text)

    assert (score.value, score.miss) == (0, miss), score


@needs_bwrap
@pytest.mark.parametrize("name", ["no fence, the function alone", "a block marked as Python", "no fence, words around"])
def test_a_program_that_stands_alone_is_found_too(name: str) -> None:
    score = _score(RIGHT_REPLIES[name], ALONE)

    assert score.value == 1, score


@needs_bwrap
def test_a_reply_that_was_cut_off_lost_its_point_to_its_length() -> None:
    score = _score("```python\ndef total(numbers):\n    return (sum(", finish="length")

    assert score.miss == "length"


@needs_bwrap
def test_extra_tests_are_a_part_of_their_own_and_needed() -> None:
    target = TARGET.model_copy(update={"extra_tests": "assert total([10**20]) == 10**20\n"})

    right, half = _score(WHOLE, target), _score(f"{WHOLE} if len(numbers) != 1 else 0".replace("\n if", " if"), target)

    assert (right.value, right.parts) == (1, {"base": 1.0, "extra": 1.0})
    assert (half.value, half.parts) == (0, {"base": 1.0, "extra": 0.0})
    assert half.why.startswith("extra tests: ")


@needs_bwrap
def test_why_names_the_assertion_that_failed() -> None:
    score = _score(f"```python\n{WRONG}```")

    assert score.why == "not so: total([1, 2]) == 3"


@needs_bwrap
def test_a_suite_whose_own_solution_fails_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    broken = _sample(TARGET.model_copy(update={"solution": "    return 0\n"})).model_copy(update={"id": "broken/7"})
    scorer = CodeScorer(SandboxConfig(kind="bwrap"), 2)

    with pytest.raises(DataError, match=r"1 of 2 samples: broken/7 \(failed, not so: total") as refused:
        asyncio.run(scorer.ready([_sample(TARGET), broken]))

    assert "\n" not in str(refused.value)


@needs_bwrap
def test_a_solution_that_passed_once_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    asyncio.run(CodeScorer(SandboxConfig(kind="bwrap"), 1).ready([_sample(TARGET)]))
    other = SandboxConfig(kind="bwrap", timeout_s=9)
    noted = sorted((tmp_path / "checked").iterdir())
    times = [one.stat().st_mtime_ns for one in noted]

    asyncio.run(CodeScorer(SandboxConfig(kind="bwrap"), 1).ready([_sample(TARGET)]))
    again = [one.stat().st_mtime_ns for one in noted]
    asyncio.run(CodeScorer(other, 1).ready([_sample(TARGET)]))

    assert again == times
    assert len(list((tmp_path / "checked").iterdir())) == len(noted) + 1


def test_without_a_sandbox_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    scorer = make_scorer("code", ScorerContext())

    with pytest.raises(ConfigError, match=r"apt-get install bubblewrap.*scoring\.sandbox\.kind=none") as refused:
        asyncio.run(scorer.ready([_sample(TARGET)]))  # type: ignore[union-attr]

    assert "\n" not in str(refused.value)


def test_no_wall_is_said_aloud_in_the_results() -> None:
    bare = CodeScorer(ScoringConfig(sandbox=SandboxConfig(kind="none")).sandbox, 1)
    walled = CodeScorer(SandboxConfig(), 1)

    assert bare.warning is not None
    assert "without a wall" in bare.warning
    assert walled.warning is None


def test_a_block_keeps_its_code_to_the_letter() -> None:
    (block,) = blocks_of("```python\nx = '''\n\n  a\t'''\n```")

    assert (block.tag, block.code, block.closed) == ("python", "x = '''\n\n  a\t'''\n", True)


def test_what_was_thought_is_no_answer() -> None:
    assert answer_of("<think>a</think>b") == "b"
    assert answer_of("b<think>a") == "b"
    assert answer_of("a</think>b</think>c") == "c"


def test_readings_are_tried_in_their_stated_order() -> None:
    readings = readings_of("if not numbers:\n    return 0\nreturn sum(numbers)", TARGET)

    assert [one.source.removeprefix(PROMPT) for one in readings] == [
        "    if not numbers:\n        return 0\n    return sum(numbers)\n",
        "    if not numbers:\n    return 0\n",
    ]
