"""What the tests of a job see of a program."""

import asyncio

import pytest

from harness.config import SandboxConfig
from harness.sandbox.bare import BareBox
from harness.sandbox.run import Job, Reading, Verdict, judge

CONFIG = SandboxConfig(kind="none", timeout_s=10)
BOX = BareBox(CONFIG)


def judged(source: str, tests: str, *, prompt: str = "", entry_point: str | None = None) -> Verdict:
    job = Job((Reading(source, beside_prompt=bool(prompt)),), tests, prompt, entry_point)
    return asyncio.run(judge(BOX, CONFIG, job))


GOOD = {
    "any name of the program": ("a = 3\ndef g(): return a", "assert g() == a == 3"),
    "named arguments": ("def g(a, *, b=1): return a - b", "assert g(3, b=2) == 1"),
    "objects of its classes": (
        "class Node:\n    def __init__(self, v):\n        self.v, self.left = v, None\n"
        "def depth(n): return 0 if n is None else 1 + depth(n.left)",
        "root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2\nassert root.left.v == 2\nassert root == root",
    ),
    "an object given back and handed on": (
        "class A: pass\na = A()\ndef g(): return a\ndef h(x): return x is a",
        "assert h(g())",
    ),
    "what it yields": ("def g(n):\n    for one in range(n):\n        yield one", "assert list(g(3)) == [0, 1, 2]"),
    "what it maps": ("def g(xs): return map(abs, xs)", "assert [one for one in g([-1, 2])] == [1, 2]"),
    "a function that it makes": ("def g(n): return lambda x: x + n", "assert g(2)(3) == 5"),
    "an exception of Python's own": (
        "def g(): raise ValueError('no')",
        "try:\n    g()\nexcept ValueError as e:\n    assert str(e) == 'no'\nelse:\n    assert False",
    ),
    "an exception of its own": (
        "class E(KeyError): pass\ndef g(): raise E('k')",
        "try:\n    g()\nexcept KeyError:\n    pass",
    ),
    "a library that it imported": ("import math\ndef g(): return 2.0", "assert math.isclose(g(), 2)"),
    "state from call to call": (
        "n = 0\ndef g():\n    global n\n    n += 1\n    return n",
        "assert [g(), g()] == [1, 2]",
    ),
    "data classes": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: 'int'\n    y: int = 2\ndef g(): return P(1)",
        "assert (g().x, g().y) == (1, 2)",
    ),
    "length, truth and items": (
        "class A:\n    def __len__(s): return 2\n    def __getitem__(s, i): return [5, 6][i]\ndef g(): return A()",
        "assert len(g()) == 2 and g()[1] == 6 and bool(g())",
    ),
}


@pytest.mark.parametrize(("source", "tests"), GOOD.values(), ids=GOOD)
def test_tests_can_use(source: str, tests: str) -> None:
    verdict = judged(source, tests)

    assert verdict.outcome == "passed", verdict


def test_names_of_the_prompt_are_its_own_beside_the_tests() -> None:
    prompt = "def double(x):\n    return x * 2\n\n\ndef half(x):\n"
    source = "def double(x):\n    return 0\n\ndef half(x):\n    return 0\n"

    verdict = judged(source, "assert half(double(4)) == 4", prompt=prompt, entry_point="half")

    assert verdict.outcome == "failed"


def test_the_prompt_alone_is_no_answer() -> None:
    prompt = "def half(x):\n    '''Half of it.'''\n"

    verdict = judged("x = 1", "assert half(4) is None", prompt=prompt, entry_point="half")

    assert (verdict.outcome, verdict.why) == ("failed", "the program has no half")


def test_the_first_reading_that_compiles_counts() -> None:
    readings = (Reading("def f(:"), Reading("def f(): return 1"), Reading("def f(): return 2"))

    verdict = asyncio.run(judge(BOX, CONFIG, Job(readings, "assert f() == 1", entry_point="f")))

    assert (verdict.outcome, verdict.reading) == ("passed", 1)


def test_arguments_are_copies() -> None:
    verdict = judged("def f(xs): xs.append(1)", "xs = []\nf(xs)\nassert xs == []")

    assert verdict.outcome == "passed"


def test_tests_that_hand_over_objects_of_their_own_are_told() -> None:
    verdict = judged("def f(x): return x", "assert f(object())")

    assert verdict.why.startswith(
        "raised TypeError: the tests hand a object to the program; only plain data can go there"
    )


def test_many_at_once_keep_apart() -> None:
    async def all_of_them() -> list[Verdict]:
        jobs = [Job((Reading(f"def f(): return {n}"),), f"assert f() == {n}", entry_point="f") for n in range(12)]
        return await asyncio.gather(*(judge(BOX, CONFIG, job) for job in jobs))

    verdicts = asyncio.run(all_of_them())

    assert {one.outcome for one in verdicts} == {"passed"}
