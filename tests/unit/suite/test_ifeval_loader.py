"""IFEval's and IFBench's prompts as samples: the pinned ones, and files of one's own in the same form."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.assets import cache_dir, fetch
from harness.config import SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import InstructionTarget, target_of
from harness.suite.ifeval import Ifbench, Ifeval
from harness.suite.spec import load_suite, read_spec

LINE: dict[str, Any] = {
    "key": 7,
    "prompt": "Say it without commas, in at least 3 words.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"relation": "at least", "num_words": 3}],
}


def data_of(suite: str) -> Path:
    data = read_spec(suite).data
    assert data is not None
    return fetch(data, cache=cache_dir()).path


def test_ifeval_has_541_prompts_with_834_instructions_of_25_kinds() -> None:
    samples = list(Ifeval(data_of("ifeval")).samples())
    kinds = Counter(one.id for sample in samples for one in target_of(sample, InstructionTarget).instructions)

    assert (len(samples), kinds.total(), len(kinds)) == (541, 834, 25)
    assert Counter(sample.category for sample in samples) == {
        "one_instruction": 305,
        "two_instructions": 179,
        "three_instructions": 57,
    }


def test_ifbench_has_294_prompts_and_leaves_out_those_that_need_a_tagger_without_one() -> None:
    folder = data_of("ifbench")
    judged, every = list(Ifbench(folder).samples()), list(Ifbench(folder, tagger=True).samples())
    left_out = {one.id for one in every} - {one.id for one in judged}
    needing = [
        sample.id
        for sample in every
        if any(one.id == "words:start_verb" for one in target_of(sample, InstructionTarget).instructions)
    ]

    assert len(every) == 294
    assert sorted(left_out) == sorted(needing)
    assert len(needing) == 6


def test_an_argument_of_0_is_kept_for_ifbench_and_dropped_for_ifeval(tmp_path: Path) -> None:
    line = LINE | {"kwargs": [{}, {"num_words": 0, "relation": None}]}
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps(line))

    ifeval, ifbench = next(iter(Ifeval(file).samples())), next(iter(Ifbench(file).samples()))

    assert target_of(ifeval, InstructionTarget).instructions[1].arguments == {}
    assert target_of(ifbench, InstructionTarget).instructions[1].arguments == {"num_words": 0}


def test_a_suite_of_ones_own_names_a_file_of_prompts_gzipped_or_not(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl.gz").write_bytes(gzip.compress(json.dumps(LINE).encode()))
    (tmp_path / "suite.yaml").write_text(
        "{name: mine, title: Mine, description: My own prompts, licence: CC0-1.0, loader: ifeval, scorer: instruct, "
        "data: {source: path, path: prompts.jsonl.gz}}"
    )

    suite = load_suite(SuiteConfig(name="mine", path=str(tmp_path)), cache_dir())

    (sample,) = suite.samples
    assert (sample.id, sample.category, sample.scorer) == ("ifeval_7", "two_instructions", "instruct")
    assert sample.messages[0].content == LINE["prompt"]
    assert target_of(sample, InstructionTarget).instructions[1].arguments == {"relation": "at least", "num_words": 3}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([LINE, LINE], "line 2 of prompts.jsonl has the key of an earlier line: ifeval_7"),
        ([LINE | {"kwargs": [{}]}], "line 1 of prompts.jsonl is no ifeval prompt: .* lists of one length"),
        ([{"key": 1}], "line 1 of prompts.jsonl is no ifeval prompt"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, lines: list[dict[str, Any]], said: str) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))

    with pytest.raises(DataError, match=said):
        list(Ifeval(file).samples())


def test_a_category_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allowed: one_instruction, two_instructions"):
        Ifeval(tmp_path, ["four"])


def test_a_file_that_is_not_there_is_an_error_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(Ifeval(tmp_path / "none.jsonl").samples())
