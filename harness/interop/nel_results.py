"""NeMo Evaluator's `nel`: `results.jsonl`, a line for each problem and repeat, beside a bundle `eval-*.json`.

Source: NVIDIA's page "Evaluation Result Format" (what `nel compare` and `nel gate` read): a line needs `problem_idx`
and `reward`, and may have `repeat`, `expected_answer`, `model_response`, `extracted_answer`, `metadata.category`. The
bundle has `run_id`, `config.model` and `benchmark` with `name`, `samples` and `scores`.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.foreign import RESULTS, ForeignRun, name_of, objects_of, outcome, refuse_doubles
from harness.interop.told_rows import Row, rows_of
from harness.records.gate import Outcome
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.records.target import TextTarget

__all__ = ["export_nel", "read_nel"]

_KEPT = ("digest", "session", "weight")
_DIGITS = 12
"""Hexadecimal, of a sample's number: below 2⁵³, which every reader of JSON keeps exact."""


def export_nel(folder: Path, out: Path) -> Path:
    """The folder `nel/` that was written: `results.jsonl` and `eval-<run>.json`; replies are in it.

    `problem_idx` is a number made from the sample's id, so that it is the same in each run, whichever samples that has;
    the id itself stands in `metadata.sample`.
    Raises DataError for a folder that is no run, or one without a scored attempt.
    """
    run, rows = rows_of(folder)
    target = out / "nel"
    target.mkdir(parents=True, exist_ok=True)
    (target / RESULTS).write_bytes(b"".join(orjson.dumps(_line(row)) + b"\n" for row in rows))
    bundle = _bundle(run.manifest, run.summary, len({row.place for row in rows}))
    (target / f"eval-{run.manifest.run}.json").write_bytes(orjson.dumps(bundle, option=orjson.OPT_INDENT_2) + b"\n")
    return target


def _line(row: Row) -> dict[str, object]:
    target, reply = row.sample.target, row.attempt.reply
    expected = target.accepted[0] if isinstance(target, TextTarget) and target.accepted else target.model_dump_json()
    calls = (
        [orjson.dumps({"name": one.name, "arguments": one.arguments}).decode() for one in reply.tool_calls]
        if reply
        else []
    )
    said = "\n".join(filter(None, [reply.content if reply else None, *calls]))
    about = row.about
    return {
        "problem_idx": int(hashlib.sha256(row.sample.id.encode()).hexdigest()[:_DIGITS], 16),
        "repeat": row.attempt.trial,
        "reward": row.value,
        "expected_answer": str(expected),
        "model_response": said,
        "metadata": {"category": about.pop("category"), "sample": row.sample.id, **about},
    }


def _bundle(manifest: Manifest, summary: Summary, samples: int) -> dict[str, object]:
    interval = summary.accuracy_interval
    ends = {"ci_lower": interval.low, "ci_upper": interval.high} if interval else {}
    scores = {} if summary.accuracy is None else {"mean_reward": {"value": summary.accuracy, **ends}}
    return {
        "run_id": manifest.run,
        "config": {"model": manifest.model},
        "benchmark": {"name": manifest.suite, "samples": samples, "scores": scores},
    }


def read_nel(path: Path) -> ForeignRun:
    """The outcomes of `results.jsonl`, or of the folder that holds it, with what a bundle beside it says.

    Raises DataError with the line that makes no sense.
    """
    file = path / RESULTS if path.is_dir() else path
    outcomes = refuse_doubles(file, tuple(_outcome(where, data) for where, data in objects_of(file)))
    bundle = _read_bundle(file.parent)
    config, benchmark = bundle.get("config"), bundle.get("benchmark")
    model = config.get("model") if isinstance(config, dict) else None
    suite = benchmark.get("name") if isinstance(benchmark, dict) else None
    return ForeignRun(
        program="nel",
        name=name_of(file),
        outcomes=outcomes,
        suite=None if suite is None else str(suite),
        model=None if model is None else str(model),
    )


def _read_bundle(folder: Path) -> Mapping[str, JsonValue]:
    """The bundle beside the results; nothing where there is none, or more than one."""
    bundles = sorted(folder.glob("eval-*.json"))
    if len(bundles) != 1:
        return {}
    try:
        found = orjson.loads(bundles[0].read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{bundles[0]} cannot be read ({error}); take it away, or write it again") from None
    return found if isinstance(found, dict) else {}


def _outcome(where: str, data: Mapping[str, JsonValue]) -> Outcome:
    if data.get("problem_idx") is None:
        raise DataError(f"{where} has no problem_idx")
    metadata, details = data.get("metadata"), data.get("scoring_details")
    told = metadata if isinstance(metadata, dict) else {}
    category = told.get("category") or (details.get("category") if isinstance(details, dict) else None) or "all"
    kept = {key: told[key] for key in _KEPT if told.get(key) is not None}
    sample = told.get("sample", data["problem_idx"])
    given: dict[str, JsonValue] = {
        "sample": str(sample), "trial": data.get("repeat", 0), "category": str(category), "value": data.get("reward"),
    }  # fmt: skip
    return outcome(where, {**kept, **given})
