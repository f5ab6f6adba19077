"""Sides of gates made up: what each attempt was worth, took and cost."""

from collections.abc import Mapping, Sequence

from harness.config import GateOptions
from harness.gate.judge import judge
from harness.gate.side import Side
from harness.records.gate import GateCheck, GateResult, GateRun, Outcome
from harness.records.manifest import MachineFacts

HERE = MachineFacts(system="Linux x86_64", cpu="a processor", cores=2, memory_bytes=16 * 2**30, python="3.11.7")
ELSEWHERE = HERE.model_copy(update={"cpu": "another processor"})


def gate_run(name: str, **more: object) -> GateRun:
    """A run by its name, which is its model and job too."""
    given: dict[str, object] = {
        "run": name, "job": f"job of {name}", "suite": "mine", "suite_hash": "0" * 64, "model": name,
        "model_title": name, "protocol": "native", "backend": "llamacpp", "build": None, "weights_sha256": None,
        "quantization": None, "started_at": "2026-01-01T00:00:00+00:00", "harness_version": "0.1.0", "commit": None,
        "config_hash": "", "config": {}, "machine": HERE, "hosted": False, "local": True, "n_planned": 100,
        "n_scored": 100, "n_failed": 0, "accuracy": None, "accuracy_interval": None,
    }  # fmt: skip
    return GateRun.model_validate(given | more)


def side(
    name: str, values: Sequence[float | None], *, sessions: Sequence[str | None] = (), seconds: Sequence[float] = (),
    costs: Sequence[float] = (), outcome: Mapping[str, object] | None = None, **run: object,
) -> Side:  # fmt: skip
    """A run with these values, one a sample; `outcome`: what else holds for each."""
    outcomes = []
    for place, value in enumerate(values):
        times = {"ttft_s": seconds[place] / 2, "e2e_s": seconds[place]} if seconds else {}
        given: dict[str, object] = {
            "sample": f"q{place}", "category": "a", "digest": f"{place:016x}", "value": value,
            "session": sessions[place] if sessions else None, "cost_usd": costs[place] if costs else None,
        }  # fmt: skip
        outcomes.append(Outcome.model_validate(given | times | dict(outcome or {})))
    return Side(gate_run(name, **({"n_planned": len(values), "n_scored": len(values)} | run)), tuple(outcomes))


def gated(baseline: Side, candidate: Side, beside: Side | None = None, **options: object) -> GateResult:
    """The gate's result; options as in the configuration."""
    return judge("2026-01-01", baseline, candidate, GateOptions.model_validate(options), beside)


def check(found: GateResult, name: str, kind: str = "") -> GateCheck:
    """The check of that name."""
    return next(one for one in found.checks if one.name == name and kind in {"", one.kind})
