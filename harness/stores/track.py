"""Runs and verdicts told to MLflow: parameters, metrics with their intervals, hashes as tags, and files of figures.

It happens after a run has ended and been written, in a child with a deadline: it cannot stop a run, nor slow what is
measured. A run is known in MLflow by its folder and job; told again it is brought up to date, or left as it is.
"""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

from pydantic import JsonValue

from harness.backends.blame import without_shapes
from harness.config import TrackingConfig
from harness.errors import BackendError, extra
from harness.records.interval import Interval
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.report.site_pages import run_html
from harness.report.site_read import read_site_run
from harness.store.runfolder import MANIFEST, SUMMARY, read_manifest, read_summary
from harness.stores.decisions import decision_of, verb_of

__all__ = ["Tracked", "metrics_of", "params_of", "track"]

_CHILD: Final = Path(__file__).with_name("mlflow_child.py")
_STATUS: Final = {"complete": "FINISHED", "settled": "FINISHED", "failed": "FAILED"}
"""What else ended early is KILLED: MLflow has no other word."""
_LONGEST: Final = 500
_CONNECT_S: Final = 5.0
_NAME: Final = re.compile(r"[^A-Za-z0-9_\-. /]")
_ENVIRONMENT: Final = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class Tracked:
    """A run as MLflow knows it."""

    run: str
    id: str
    done: str
    """`new`, `updated` or `unchanged`."""


def track(folders: Sequence[Path], config: TrackingConfig) -> list[Tracked]:
    """Tells MLflow of these folders, of runs or of verdicts.

    Raises BackendError, in one line, where it cannot; what was told by then stays.
    """
    assert config.mlflow is not None
    _refuse_absent(config.mlflow)
    with tempfile.TemporaryDirectory(prefix="harness-track-") as scratch:
        asked = {
            "uri": config.mlflow,
            "experiment": config.experiment,
            "runs": [_asked(folder, Path(scratch)) for folder in folders],
        }
        said = _child(json.dumps(asked), config)
    return [Tracked(**json.loads(line)) for line in said.splitlines()]


def _refuse_absent(uri: str) -> None:
    """Raises BackendError where nobody listens: a connection is tried before mlflow is loaded, which takes seconds."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname or getproxies():
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_S).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BackendError(
            f"MLflow at {without_shapes(uri)} is not there ({why}); the results are whole, tell of them later: do=track"
        ) from None


def _child(asked: str, config: TrackingConfig) -> str:
    command = [config.python or sys.executable, "-W", "ignore", str(_CHILD)]
    where = f"MLflow at {without_shapes(config.mlflow or '')}"
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, timeout=config.timeout_s, check=False,
            env={**_ENVIRONMENT, **os.environ},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"{where} did not answer within tracking.timeout_s={config.timeout_s:g}; the results are whole, tell of "
            "them later: do=track"
        ) from None
    except OSError as error:
        raise BackendError(f"tracking.python={config.python} cannot be run ({error.strerror})") from None
    if done.returncode == 0:
        return done.stdout
    why = without_shapes(next(iter(done.stderr.strip().splitlines()[-1:]), f"status {done.returncode}"))
    if why == "no module mlflow":
        raise BackendError(
            f"tracking.mlflow needs mlflow, which {command[0]} has not: {extra('mlflow')}, or name a Python that has "
            "it: tracking.python=…"
        )
    raise BackendError(f"{where} did not take it ({why}); the results are whole, tell of them later: do=track")


def _asked(folder: Path, scratch: Path) -> dict[str, object]:
    return _run(folder, scratch) if (folder / MANIFEST).is_file() else _verdict(folder, scratch)


def _verdict(folder: Path, scratch: Path) -> dict[str, object]:
    """A verdict: it is known by its verb, its folder and what it was judged on."""
    place = scratch / f"{verb_of(folder)}-{folder.name}"
    place.mkdir(exist_ok=True)
    found, file, files = decision_of(folder, place)
    name, at = f"{found.verb}/{folder.name}", _milliseconds(found.made_at)
    tags = {"verb": found.verb, **found.tags}
    return {
        "name": name,
        "key": hashlib.sha256(f"{name} {found.key}".encode()).hexdigest()[:32],
        "print": hashlib.sha256(file.read_bytes()).hexdigest(),
        "start_ms": at,
        "end_ms": at,
        "status": "FINISHED",
        "params": {_NAME.sub("_", key): value for key, value in _flat(dict(found.params), "")},
        "metrics": {_NAME.sub("_", key): float(value) for key, value in found.metrics.items() if value is not None},
        "series": [(_NAME.sub("_", key), value, step) for key, value, step in found.series],
        "tags": {f"harness.{key}": value[:_LONGEST] for key, value in tags.items() if value},
        "files": [str(one.resolve()) for one in files],
    }


def _run(folder: Path, scratch: Path) -> dict[str, object]:
    manifest, summary = read_manifest(folder), read_summary(folder)
    mark = hashlib.sha256((folder / MANIFEST).read_bytes() + (folder / SUMMARY).read_bytes()).hexdigest()
    page = scratch / folder.name / "run.html"
    page.parent.mkdir()
    page.write_text(run_html(read_site_run(folder), explorer=False), encoding="utf-8")
    files = [folder / name for name in (SUMMARY, "summary.md", MANIFEST) if (folder / name).is_file()]
    started = _milliseconds(manifest.started_at)
    return {
        "name": folder.name,
        "key": hashlib.sha256(f"{manifest.run} {manifest.job}".encode()).hexdigest()[:32],
        "print": mark,
        "start_ms": started,
        "end_ms": _milliseconds(manifest.ended_at) if manifest.ended_at else started,
        "status": _STATUS.get(manifest.status, "KILLED"),
        "params": params_of(manifest),
        "metrics": metrics_of(summary),
        "tags": _tags(manifest, summary),
        "files": [str(one.resolve()) for one in (*files, page)],
    }


def _milliseconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def params_of(manifest: Manifest) -> dict[str, str]:
    """The configuration by dotted key, without secrets and paths as the manifest has it; long texts as their hash."""
    found = dict(_flat(manifest.config, ""))
    found |= {"suite_name": manifest.suite, "seed": str(manifest.seed)}
    return {_NAME.sub("_", key): value for key, value in found.items()}


def _flat(value: JsonValue, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(one, f"{prefix}.{key}" if prefix else key)
    elif value not in (None, [], ""):
        text = value if isinstance(value, str) else json.dumps(value)
        hashed = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        yield prefix, text if len(text) <= _LONGEST else hashed


def _tags(manifest: Manifest, summary: Summary) -> dict[str, str]:
    weights = manifest.backend.weights if manifest.backend else None
    told = {
        "harness.run": manifest.run,
        "harness.status": manifest.status,
        "harness.version": manifest.harness_version,
        "harness.commit": manifest.commit,
        "harness.config_hash": manifest.config_hash,
        "harness.suite": manifest.suite,
        "harness.suite_hash": manifest.suite_hash,
        "harness.model": manifest.model,
        "harness.protocol": manifest.protocol,
        "harness.weights_sha256": weights.sha256 if weights else None,
        "harness.quantization": summary.quantization,
        "harness.interval": summary.accuracy_interval.method if summary.accuracy_interval else None,
        "harness.cost_basis": summary.cost_basis,
        "harness.unfit": summary.unfit,
        "harness.of_run": summary.of_run,
    }
    return {name: value[:_LONGEST] for name, value in told.items() if value}


def metrics_of(summary: Summary) -> dict[str, float]:
    """Every figure that was measured, each accuracy with the ends of its interval; nothing for what was not."""
    found: dict[str, float | None] = {
        name: getattr(summary, name)
        for name in (
            "n_planned", "n_samples", "n_scored", "n_failed", "n_model_failures", "n_not_run", "wall_s",
            "output_tokens_per_s", "system_tokens_per_s", "prompt_tokens", "output_tokens", "cost_usd",
            "cost_usd_per_sample", "cost_usd_per_success", "energy_joules",
        )
    }  # fmt: skip
    found |= _estimate("accuracy", summary.accuracy, summary.accuracy_interval)
    if summary.traffic:
        found |= _estimate("traffic_accuracy", summary.traffic.accuracy, summary.traffic.interval)
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        times = getattr(summary, name)
        found |= {f"{name}_{one}": getattr(times, one) for one in ("p50", "p95", "p99")} if times else {}
    for name, one in summary.by_category.items():
        found |= _estimate(f"category/{name}/accuracy", one.accuracy, one.interval)
        found[f"category/{name}/n_scored"] = one.n_scored
    for part, mean in summary.parts.items():
        found |= _estimate(f"part/{part}", mean.mean, mean.interval)
    found |= {f"miss/{name}": count for name, count in summary.misses.items()}
    return {_NAME.sub("_", name): float(value) for name, value in found.items() if value is not None}


def _estimate(name: str, value: float | None, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: value}
    return {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}
