"""What an audit's calls will take, before the first."""

from typing import Any

import pytest

from harness.audit.estimate import estimate, estimate_text
from harness.config import LlamaCppConfig, ModelConfig, PriceConfig, RunConfig
from harness.records import Attempt, Sample
from tests.support.report_runs import made_run, made_samples


def config(**model: Any) -> RunConfig:
    given = {"name": "small", "title": "Small", "licence": "MIT", "protocol": "prompted"} | model
    return RunConfig.model_validate(
        {
            "do": "run",
            "suite": {"name": "s"},
            "model": ModelConfig.model_validate(given),
            "backend": LlamaCppConfig(name="llamacpp"),
            "hardware": {"name": "none", "title": "unknown machine"},
            "run": {"trials": 2},
        }
    )


def logged(samples: list[Sample], prompt: int | None, output: int | None) -> dict[str, Attempt]:
    (attempt, *_) = made_run("small", "prompted", n=1).attempts
    usage = attempt.usage.model_copy(update={"prompt_tokens": prompt, "output_tokens": output})
    return {one.id: attempt.model_copy(update={"sample": one.id, "usage": usage}) for one in samples}


def test_tokens_are_those_that_the_log_counted_for_every_trial() -> None:
    samples = made_samples(4)

    found = estimate(config(), samples, logged(samples, 1000, 10), [])

    assert (found.calls, found.prompt_tokens, found.output_tokens) == (8, 8000, 80)
    assert found.tokens_from == "as the log counted them"
    assert found.minutes is None
    assert "minutes not known" in estimate_text(found)


def test_tokens_that_nobody_counted_are_estimated_by_length_and_no_price_comes_of_it() -> None:
    price = PriceConfig(input_usd_per_mtok=1, output_usd_per_mtok=2, as_of="2026-01-01")

    found = estimate(config(price=price), made_samples(3), {}, [])

    assert found.tokens_from == "by length"
    assert found.prompt_tokens is not None
    assert found.prompt_tokens > 0
    assert found.usd is None


def test_a_price_and_a_context_say_what_it_costs_and_what_does_not_fit() -> None:
    samples = made_samples(2)
    price = PriceConfig(input_usd_per_mtok=1, output_usd_per_mtok=2, as_of="2026-01-01")

    found = estimate(config(price=price, context_tokens=512), samples, logged(samples, 1000, 500), [])

    assert found.usd == pytest.approx(2 * 2 * (1000 * 1 + 500 * 2) / 1e6)
    assert found.too_long == 2
    assert "2 prompts are longer than the context of 512 tokens" in estimate_text(found)


def test_minutes_are_those_of_the_last_run_like_it() -> None:
    samples = made_samples(30)
    summary = made_run("small", "prompted", n=40).summary
    like = summary.model_copy(update={"model": "small", "backend": "llamacpp", "wall_s": 4.0 * summary.n_scored})
    other = like.model_copy(update={"protocol": "native", "wall_s": 1e6})

    found = estimate(config(), samples, {}, [other, like])

    assert found.minutes == pytest.approx(4.0 * 30 * 2 / 60)
