"""Times in pytest-benchmark's JSON: those of a run written for `pytest-benchmark compare`, and any such file read.

Source: pytest-benchmark 5.3.1, what `--benchmark-json` writes: `machine_info`, `commit_info`, `benchmarks` with `name`,
`fullname`, `group`, `extra_info` and `stats` (seconds; `data` holds the rounds), `datetime`, `version`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import mean, median, quantiles, stdev

import orjson
from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.foreign import ForeignRun, name_of, whole_json
from harness.interop.told_rows import Row, rows_of
from harness.measure import e2e_s, ttft_s
from harness.records.gate import Outcome
from harness.records.manifest import MachineFacts, Manifest

__all__ = ["export_pytest_benchmark", "read_benchmarks"]

_VERSION = "5.3.1"
"""Of pytest-benchmark, whose layout this is."""
_OWN = "harness"
"""Key in `extra_info` under which our own reader finds samples again."""
_FIGURES = {"ttft_s": ttft_s, "e2e_s": e2e_s}
_SETTINGS = (("run", "concurrency"), ("run", "arrival"), ("hardware", "name"))
_Object = Mapping[str, JsonValue]


def export_pytest_benchmark(folder: Path, out: Path) -> Path:
    """The file `pytest_benchmark.json` that was written: a benchmark for each time, a round for each attempt.

    Only attempts that were timed in this very run are in it; `machine_info` has the facts of the machine without its
    name. Raises DataError for a folder that is no run, or one without a timed attempt.
    """
    run, rows = rows_of(folder)
    found = [one for name in _FIGURES if (one := _benchmark(name, run.manifest, rows)) is not None]
    if not found:
        raise DataError(f"{folder} holds no attempt that was timed in it: answers on record have no times to export")
    whole = {
        "machine_info": _machine(run.manifest.machine),
        "commit_info": {
            "id": run.manifest.commit or "unversioned", "time": None, "author_time": None,
            "dirty": bool(run.manifest.dirty), "project": "harness", "branch": "(unknown)",
        },
        "benchmarks": found,
        "datetime": run.manifest.started_at,
        "version": _VERSION,
    }  # fmt: skip
    path = out / "pytest_benchmark.json"
    path.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def _benchmark(name: str, manifest: Manifest, rows: Sequence[Row]) -> dict[str, object] | None:
    read = _FIGURES[name]
    timed = [(row, took) for row in rows if row.attempt.origin == "measured"
             and (took := read(row.attempt.timing)) is not None and took > 0]  # fmt: skip
    if not timed:
        return None
    own = {
        "figure": name,
        "suite": manifest.suite,
        "model": manifest.model,
        "samples": [row.sample.id for row, _ in timed],
        "trials": [row.attempt.trial for row, _ in timed],
        "about": [row.about for row, _ in timed],
        "config": _settings(manifest.config),
    }
    return {
        "group": manifest.suite,
        "name": f"{manifest.suite}[{name.removesuffix('_s')}]",
        "fullname": f"harness::{manifest.suite}::{name.removesuffix('_s')}",
        "params": None,
        "param": None,
        "extra_info": {_OWN: own},
        "options": {
            "disable_gc": False, "timer": "perf_counter", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
            "warmup": bool(manifest.config.get("warmup")),
        },
        "stats": _stats([took for _, took in timed]),
    }  # fmt: skip


def _settings(config: _Object) -> dict[str, JsonValue]:
    """Of the configuration what makes load: by it times compare or do not."""
    found: dict[str, JsonValue] = {}
    for group, key in _SETTINGS:
        values = config.get(group)
        if isinstance(values, dict) and key in values:
            part = found.setdefault(group, {})
            assert isinstance(part, dict)
            part[key] = values[key]
    return found


def _stats(data: Sequence[float]) -> dict[str, object]:
    """The figures that pytest-benchmark keeps beside the rounds."""
    middle, average = median(data), mean(data)
    spread = stdev(data) if len(data) > 1 else 0.0
    q1, _, q3 = quantiles(data, n=4, method="inclusive") if len(data) > 1 else (middle, middle, middle)
    reach = 1.5 * (q3 - q1)
    within = [one for one in data if q1 - reach <= one <= q3 + reach]
    far = sum(abs(one - average) > spread for one in data)
    return {
        "min": min(data), "max": max(data), "mean": average, "stddev": spread, "rounds": len(data), "median": middle,
        "iqr": q3 - q1, "q1": q1, "q3": q3, "iqr_outliers": len(data) - len(within), "stddev_outliers": far,
        "outliers": f"{far};{len(data) - len(within)}", "ld15iqr": min(within), "hd15iqr": max(within),
        "ops": 1 / average, "total": sum(data), "data": list(data), "iterations": 1,
    }  # fmt: skip


def _machine(facts: MachineFacts) -> dict[str, object]:
    system, _, machine = facts.system.partition(" ")
    return {
        "node": "", "processor": "", "machine": machine, "system": system, "release": "",
        "python_version": facts.python, "python_implementation": "CPython",
        "python_implementation_version": facts.python,
        "cpu": {"brand_raw": facts.cpu, "count": facts.cores},
        _OWN: facts.model_dump(mode="json"),
    }  # fmt: skip


def read_benchmarks(path: Path) -> ForeignRun:
    """The times in a file of pytest-benchmark.

    A benchmark of any other program is one sample, and its time is the median of its rounds: rounds of one process are
    not independent. One that `export_pytest_benchmark` wrote gives its samples back. Nothing in it is right or wrong.
    Raises DataError for what is no such file.
    """
    whole = whole_json(path.read_bytes())
    if not isinstance(whole, dict) or not isinstance(whole.get("benchmarks"), list):
        raise DataError(f"{path} is no JSON of pytest-benchmark: it has no list of benchmarks")
    try:
        found = _read(whole)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON of pytest-benchmark: {type(error).__name__}: {error}") from None
    if not found.outcomes:
        raise DataError(f"{path} holds no benchmark with a time above 0")
    commit = _part(whole, "commit_info").get("id")
    return ForeignRun(
        program="pytest_benchmark",
        name=name_of(path),
        outcomes=found.outcomes,
        suite=found.suite,
        model=found.model,
        started_at=_when(whole.get("datetime")),
        commit=None if commit in (None, "unversioned") else str(commit),
        machine=_facts(_part(whole, "machine_info")),
        config=found.config,
    )


def _part(data: _Object, key: str) -> _Object:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _when(value: JsonValue) -> str | None:
    try:
        return datetime.fromisoformat(str(value)).isoformat(timespec="seconds")
    except ValueError:
        return None


class _Times:
    """What the benchmarks of one file say, put together by sample."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], dict[str, JsonValue]] = {}
        self.suite: str | None = None
        self.model: str | None = None
        self.config: dict[str, JsonValue] = {}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(Outcome.model_validate(one) for one in self._found.values())

    def see(self, sample: str, trial: int, figure: str, took: float, about: _Object) -> None:
        known: dict[str, JsonValue] = {
            "category": "all", "digest": "", **about, "sample": sample, "trial": trial, "timed_only": True,
        }  # fmt: skip
        self._found.setdefault((sample, trial), known)[figure] = took

    def own(self, own: _Object, data: Sequence[JsonValue]) -> None:
        samples, trials, about = own["samples"], own["trials"], own["about"]
        assert isinstance(samples, list)
        assert isinstance(trials, list)
        assert isinstance(about, list)
        figure = str(own["figure"])
        if figure not in _FIGURES:
            raise ValueError(f"a time named {figure}")
        for sample, trial, what, took in zip(samples, trials, about, data, strict=True):
            self.see(str(sample), int(str(trial)), figure, float(str(took)), what if isinstance(what, dict) else {})
        self.suite, self.model = str(own["suite"]), str(own["model"])
        self.config = dict(_part(own, "config"))


def _read(whole: _Object) -> _Times:
    found = _Times()
    benchmarks = whole["benchmarks"]
    assert isinstance(benchmarks, list)
    for one in benchmarks:
        assert isinstance(one, dict)
        stats, own = _part(one, "stats"), _part(_part(one, "extra_info"), _OWN)
        data = stats.get("data")
        if own and isinstance(data, list):
            found.own(own, data)
            continue
        took = float(str(stats["median"]))
        if took > 0:
            about: dict[str, JsonValue] = {"category": str(one.get("group") or "all")}
            found.see(str(one["fullname"]), 0, "e2e_s", took, about)
    return found


def _facts(info: _Object) -> MachineFacts:
    """The machine as our own runs name it; memory is not in pytest-benchmark's own files."""
    own, cpu = info.get(_OWN), _part(info, "cpu")
    if isinstance(own, dict):
        return MachineFacts.model_validate(own)
    return MachineFacts(
        system=f"{info.get('system', 'not told')} {info.get('machine', '')}".strip(),
        cpu=str(cpu.get("brand_raw") or info.get("processor") or "not told"),
        cores=int(str(cpu.get("count") or 0)),
        memory_bytes=None,
        python=str(info.get("python_version", "not told")),
    )
