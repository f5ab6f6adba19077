"""What a run cost where some of its calls failed: the failed ones are in no mean, and are told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import PriceConfig
from harness.records.summary import Summary
from harness.runner.job import execute
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.openai_server import Step, serve_in_thread

PRICE = PriceConfig(
    input_usd_per_mtok=1, output_usd_per_mtok=2, as_of="2026-11-01",
    batch={"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 1},
)  # fmt: skip
LONG = "This model's maximum context length is 4096 tokens"


@pytest.fixture(autouse=True)
def no_look_at_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runner.job.busy_warning", lambda: None)


def run(tmp: Path, answer: Any) -> Summary:
    """A hosted run; replies that are good cost 10 + 2 or 20 + 2 millionths of a USD."""
    with serve_in_thread(answer) as server:
        job = echo_job(server.url, tmp)
        model = job.config.model.model_copy(update={"hosted": True, "price": PRICE})
        (outcome,) = execute([replace(job, config=job.config.model_copy(update={"model": model}))])
    return outcome.summary


def said(number: int) -> list[Step]:
    return fake.reply("yes", prompt_tokens=10 if number % 2 else 20)


@pytest.mark.parametrize("status", [400, 503])
def test_one_failed_call_does_not_take_the_cost_of_all_others_away(status: int, tmp_path: Path) -> None:
    refused = fake.error(status, {"error": {"message": LONG, "code": "context_length_exceeded"}})

    summary = run(tmp_path, lambda number, _body: refused if number == 3 else said(number))

    total = 5 * 12e-6 + 6 * 22e-6
    assert sum(summary.failures.values()) == 1
    assert summary.cost_usd == summary.spent_usd == pytest.approx(total)
    assert summary.cost_usd_per_call == summary.cost_usd_per_sample == pytest.approx(total / 11)
    assert summary.cost_usd_per_success == pytest.approx(total / 11)
    assert summary.batch_cost_usd == pytest.approx(total / 2)
    assert summary.cost_basis is not None
    assert summary.cost_basis.endswith("; without 1 that failed, whose cost nobody tells")
    interval = summary.cost_usd_per_sample_interval
    assert interval is not None
    assert interval.low < total / 11 < (interval.high or 0.0)


def test_an_answer_without_counts_leaves_the_cost_of_the_run_unknown(tmp_path: Path) -> None:
    silent = [fake.Raw(fake.SSE_HEAD), fake.chunked(fake.delta(content="yes")), fake.chunked(fake.delta(finish="stop")),
              fake.chunked(fake.DONE), fake.END]  # fmt: skip

    summary = run(tmp_path, lambda number, _body: silent if number == 3 else said(number))

    assert (summary.cost_usd, summary.spent_usd, summary.batch_cost_usd) == (None, None, None)


def test_a_run_that_only_failed_has_no_cost(tmp_path: Path) -> None:
    refused = fake.error(400, {"error": {"message": LONG, "code": "context_length_exceeded"}})

    summary = run(tmp_path, lambda _number, _body: refused)

    assert (summary.cost_usd, summary.cost_usd_per_call, summary.cost_usd_per_success) == (None, None, None)
