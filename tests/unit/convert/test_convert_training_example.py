"""The example log: its three parts share nothing, and it says so itself where they do."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

FILE = Path(__file__).parents[3] / "examples" / "convert" / "make_log.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("make_log_example", FILE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(found)
    finally:
        sys.path[:] = before
        sys.modules.pop("phrases", None)
    return found


def written(folder: Path, *more: str) -> list[dict[str, object]]:
    out = folder / "shop.jsonl"
    words = [sys.executable, str(FILE), str(out), "--train", "120", "--validation", "20", "--test", "40", *more]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_no_value_is_in_two_parts(example: ModuleType) -> None:
    parts = {part: list(example.calls(part, 300, 0)) for part in example.PARTS}

    assert example.shared(parts) == []


def test_a_value_in_two_parts_is_found(example: ModuleType) -> None:
    parts = {part: list(example.calls(part, 30, 0)) for part in example.PARTS}
    told = next(call for call in parts["train"] if call["arguments"])
    parts["test"].append({**told, "text": "Another sentence."})

    assert example.shared(parts)


def test_every_answer_keeps_to_its_tools_schema(example: ModuleType) -> None:
    schemas = {one["function"]["name"]: one["function"]["parameters"] for one in example.TOOLS}

    made = [call for part in example.PARTS for call in example.calls(part, 60, 1) if call["tool"]]

    for call in made:
        jsonschema.validate(call["arguments"], schemas[call["tool"]])
    assert {call["tool"] for call in made} == set(schemas)


def test_every_value_of_an_answer_can_be_read_in_the_message(example: ModuleType) -> None:
    copied = ("order_id", "city", "name", "time")

    for call in example.calls("test", 200, 0):
        for name in copied:
            value = (call["arguments"] or {}).get(name)
            assert value is None or value in call["text"]


def test_parts_follow_one_another_in_time_and_sessions_stay_in_one(tmp_path: Path) -> None:
    lines = written(tmp_path)

    order = [str(line["session_id"]).partition("-")[0] for line in lines]
    assert order == ["train"] * 120 + ["validation"] * 20 + ["test"] * 40


def test_the_same_seed_writes_the_same_log(tmp_path: Path) -> None:
    assert written(tmp_path) == written(tmp_path)
    assert written(tmp_path) != written(tmp_path, "--seed", "1")
