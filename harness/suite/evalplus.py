"""EvalPlus's further inputs for HumanEval as tests: what the canonical solution says to each is what is wanted.

Form of the rows and rules of comparison: evalplus 0.3.1, `evalplus/data/humaneval.py` and `evalplus/eval/__init__.py`.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.errors import DataError
from harness.suite.rows import Row, read_rows

__all__ = ["extra_tests"]

_RULES = """
import json, math

def _floats(value):
    if isinstance(value, float):
        return True
    return isinstance(value, (list, tuple)) and all(isinstance(one, float) for one in value)

def _close(out, wanted, slack):
    if isinstance(wanted, (list, tuple)):
        return isinstance(out, (list, tuple)) and len(out) == len(wanted) and all(
            _close(*pair, slack) for pair in zip(out, wanted))
    if not all(isinstance(one, (int, float)) for one in (out, wanted)):
        return out == wanted
    if math.isnan(out) or math.isnan(wanted):
        return math.isnan(out) and math.isnan(wanted)
    return out == wanted or abs(out - wanted) <= slack + 1e-7 * abs(wanted)

def _same(out, wanted, slack):
    if out == wanted:
        return True
    slack = slack or (1e-6 if _floats(wanted) else 0)
    return slack > 0 and _close(out, wanted, slack)
"""

_ROOT = """
def _checked(given, out):
    assert abs(sum(c * math.pow(out, i) for i, c in enumerate(given[0]))) <= _slack, f"{out} is no zero of {given[0]}"
"""
"""HumanEval/32 has more than one right answer: EvalPlus puts it into the polynomial."""

_COMPARED = """
_own = {}
exec(_solution, _own)

def _checked(given, out):
    wanted = _own[_name](*json.loads(json.dumps(given)))
    assert _same(out, wanted, _slack), f"of {given!r} it is {wanted!r}, not {out!r}"
"""


def extra_tests(path: Path) -> Mapping[str, str]:
    """The test program of each task in a file `HumanEvalPlus.jsonl` (also gzipped), by the task's id.

    Raises DataError if the file is of another form.
    """
    found = {}
    for row in read_rows(path):
        try:
            found[str(row["task_id"])] = _program(row)
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{path.name} is no HumanEvalPlus.jsonl: a row lacks {error}; it wants task_id, prompt, entry_point, "
                "canonical_solution and plus_input"
            ) from error
    return found


def _program(row: Row) -> str:
    name, inputs = str(row["entry_point"]), row["plus_input"]
    if not isinstance(inputs, list):
        raise TypeError("a list in plus_input")
    slack: JsonValue = row.get("atol") or 0
    root = name == "find_zero"
    solution = f"{row['prompt']}{row['canonical_solution']}"
    text = orjson.dumps(inputs).decode()
    return (
        f"{_RULES}\n_solution, _name, _slack = {solution!r}, {name!r}, {slack!r}\n"
        f"{_ROOT if root else _COMPARED}\n"
        f"for _given in json.loads({text!r}):\n"
        f"    _checked(_given, {name}(*json.loads(json.dumps(_given))))\n"
    )
