"""Rows of all single-turn samples of BFCL: what is learned is right by the suite's own scorer, under every protocol."""

import pytest

from harness.assets import cache_dir, fetch
from harness.config import ModelConfig
from harness.convert.data.answers import Unfit, answer_on_record, message_of, reply_of
from harness.convert.data.rows import make_row
from harness.errors import AssetError
from harness.records import PROTOCOLS, Protocol, Sample, ToolTarget
from harness.scorers.bfcl import BfclScorer
from harness.suite.bfcl import Bfcl
from harness.suite.spec import read_spec


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    try:
        data = read_spec("toolcall").data
        assert data is not None
        folder = fetch(data, cache=cache_dir()).path
    except AssetError as error:
        pytest.skip(f"the BFCL data cannot be had: {error}")
    return tuple(one for one in Bfcl(folder).samples() if isinstance(one.target, ToolTarget))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_learned_reply_scores_one(protocol: Protocol, samples: tuple[Sample, ...]) -> None:
    scorer, wordless = BfclScorer(), []

    for sample in samples:
        answer = answer_on_record(sample, "suite")
        if answer is None:
            assert sample.tool_target.expect == "any_call", sample.id
            continue
        try:
            message = message_of(answer, sample, protocol, say=False)
        except Unfit:
            wordless.append(sample)
            continue
        assert scorer.score(sample, reply_of(message), protocol).value == 1.0, sample.id
        assert bool(answer.calls) == (sample.tool_target.expect == "calls")

    assert all(not one.tools and one.tool_target.expect == "no_call" for one in wordless)


def test_rows_of_real_tools_are_made_and_told_apart(samples: tuple[Sample, ...]) -> None:
    model = ModelConfig(name="m", title="M", licence="x", protocol="prompted")
    some = [one for one in samples if one.tools and answer_on_record(one, "suite") is not None][::40]

    rows = [make_row(one, answer, model, BfclScorer()) for one in some if (answer := answer_on_record(one, "suite"))]

    assert len({row.id for row in rows}) == len(some)
