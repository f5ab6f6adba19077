"""A run in lm-eval's files: `results_<time>.json` and `samples_<task>_<time>.jsonl`, as `--log_samples` leaves them."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean, stdev
from typing import Any, cast

from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.lm_eval_rescored import evaluated
from harness.records import Attempt, Sample, Score, TaskTarget
from harness.records.manifest import Manifest
from harness.records.score import LOWER_IS_BETTER
from harness.scorers.lm_eval_tasks import task_options
from harness.store.runs import StoredRun, read_run

__all__ = ["export_lm_eval"]

_TAKEN = frozenset({"acc", "doc", "target", "arguments", "resps", "filter", "metrics"})
"""Names that a line of the log has for something else."""


def export_lm_eval(folder: Path, out: Path, include_path: Path | None = None) -> Path:
    """The file of results that was written below `out/<model>/`, beside the logs of samples.

    A run of lm-eval's tasks is put through lm-eval's filters, metrics and aggregations once more, with the replies of
    all trials as its repeats; any other suite becomes a task of its name, with `acc` (the mean value) and its parts.
    include_path: where the task files of one's own lie; None: the current folder.
    Raises DataError for a folder that is no run, or one without a scored attempt.
    """
    run = read_run(folder)
    replies = [one for one in run.attempts if one.failure is None or one.failure.boundary == "model"]
    if not replies:
        raise DataError(f"{folder} holds no answered attempt, so there is nothing to export; finish the run first")
    if any(isinstance(sample.target, TaskTarget) for sample in run.samples):
        results = evaluated(run, replies, task_options(_options(run.manifest, include_path)))
    else:
        results = _of_suite(run)
    return _write(results | _about(run, results["samples"]), out, run.manifest)


def _options(manifest: Manifest, include_path: Path | None) -> dict[str, JsonValue]:
    """The run's options; its paths are names alone, so they are looked for where one stands or is told to look."""
    suite = cast(Mapping[str, Any], manifest.config["suite"])
    options: dict[str, JsonValue] = {**suite.get("options", {})}
    home = include_path or Path()
    tasks = [str(home / name) if Path(name).suffix == ".yaml" else name for name in suite.get("tasks", ())]
    given = options.get("include_path") or []
    folders = [str(name) for name in ([given] if isinstance(given, str) else cast(list[str], given))]
    options["include_path"] = [str(include_path)] if include_path else [one for one in folders if Path(one).is_dir()]
    return options | ({"tasks": cast(JsonValue, tasks)} if tasks else {})


@dataclass(slots=True)
class _Answered:
    """The trials of one sample that have a score."""

    sample: Sample
    attempts: list[Attempt]
    scores: list[Score]

    def metrics(self) -> dict[str, float]:
        """Means over the trials: `acc`, and the parts."""
        values: dict[str, list[float]] = defaultdict(list)
        for score in self.scores:
            values["acc"].append(cast(float, score.value))
            for name, part in score.parts.items():
                values[f"{name}_part" if name in _TAKEN else name].append(part)
        return {name: mean(found) for name, found in values.items()}


def _of_suite(run: StoredRun) -> dict[str, Any]:
    """Results of a suite of ours: `acc` and parts, each a mean over samples with lm-eval's standard error."""
    task = run.manifest.suite
    answered = _answered(run)
    if not answered:
        raise DataError(f"{run.folder} holds no scored attempt, so there is nothing to export; finish the run first")
    columns: dict[str, list[float]] = defaultdict(list)
    for one in answered:
        for name, value in one.metrics().items():
            columns[name].append(value)
    summary: dict[str, Any] = {"name": task, "alias": task, "sample_len": len(answered)}
    for name, values in columns.items():
        summary[f"{name},none"] = mean(values)
        summary[f"{name}_stderr,none"] = stdev(values) / len(values) ** 0.5 if len(values) > 1 else "N/A"
    config = {"task": task, "output_type": "generate_until", "num_fewshot": 0, "repeats": _trials(run.manifest)}
    return {
        "results": {task: summary},
        "group_subtasks": {},
        "configs": {task: config},
        "versions": {task: run.manifest.suite_hash[:12]},
        "n-shot": {task: 0},
        "higher_is_better": {task: {name: name.removesuffix("_part") not in LOWER_IS_BETTER for name in columns}},
        "n-samples": {task: {"original": len(run.samples), "effective": len(answered)}},
        "samples": {task: [_row(number, one) for number, one in enumerate(answered)]},
    }


def _answered(run: StoredRun) -> list[_Answered]:
    by_sample: dict[str, _Answered] = {one.id: _Answered(one, [], []) for one in run.samples}
    scores = {(one.sample, one.trial): one for one in run.scores if one.value is not None}
    for attempt in run.attempts:
        if (score := scores.get((attempt.sample, attempt.trial))) is not None:
            by_sample[attempt.sample].attempts.append(attempt)
            by_sample[attempt.sample].scores.append(score)
    return [one for one in by_sample.values() if one.scores]


def _row(number: int, one: _Answered) -> dict[str, Any]:
    """The log line of a sample: its replies in every trial as they came, calls as JSON."""
    prompt = json.dumps([message.model_dump(mode="json", exclude_defaults=True) for message in one.sample.messages])
    document = one.sample.model_dump(mode="json", exclude={"target"})
    target = one.sample.target.model_dump_json()
    said = [_said(attempt) for attempt in one.attempts]
    metrics = one.metrics()
    return {
        "doc_id": number,
        "doc": document,
        "target": target,
        "arguments": [(prompt, {})],
        "resps": [said],
        "filtered_resps": [said[0]],
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": _sha256(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _sha256(prompt),
        "target_hash": _sha256(target),
        **metrics,
    }


def _said(attempt: Attempt) -> str:
    reply = attempt.reply
    if reply is None:
        return ""
    calls = [json.dumps({"name": call.name, "arguments": call.arguments}) for call in reply.tool_calls]
    return "\n".join(filter(None, [reply.content, *calls]))


def _about(run: StoredRun, samples: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, Any]:
    """What lm-eval notes beside the numbers; what is not known here is null."""
    manifest = run.manifest
    config = cast(Mapping[str, Any], manifest.config)
    options = config["suite"].get("options", {})
    backend = manifest.backend
    return {
        "config": {
            "model": "harness",
            "model_args": {"model": manifest.model, "backend": backend.name if backend else None},
            "batch_size": config["run"]["concurrency"],
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": config["suite"]["limit"],
            "bootstrap_iters": 100000,
            "gen_kwargs": _given(options.get("gen_kwargs")),
            "random_seed": 0,
            "numpy_seed": None,
            "torch_seed": None,
            "fewshot_seed": options.get("fewshot_seed"),
        },
        "git_hash": manifest.commit,
        "date": datetime.fromisoformat(manifest.started_at).timestamp(),
        "lm_eval_version": _lm_eval_version(),
        "transformers_version": None,
        "harness_version": manifest.harness_version,
        "harness_run": manifest.run,
        "task_hashes": {task: _task_hash(rows) for task, rows in samples.items()},
        "model_source": "harness",
        "model_name": manifest.model,
        "model_name_sanitized": _sanitized(manifest.model),
        "system_instruction": options.get("system"),
        "system_instruction_sha": _sha256(options["system"]) if options.get("system") else None,
        "fewshot_as_multiturn": options.get("prompt", "turns") == "turns",
        "chat_template": None,
        "chat_template_sha": backend.chat_template_sha256 if backend else None,
        "total_evaluation_time_seconds": str(manifest.wall_s),
    }


def _write(results: dict[str, Any], out: Path, manifest: Manifest) -> Path:
    folder = out / _sanitized(manifest.model)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = _stamp(manifest)
    for task, rows in results.pop("samples").items():
        lines = (json.dumps(_logged(row), default=str, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"samples_{task}_{stamp}.jsonl").write_text("".join(lines), encoding="utf-8")
    path = folder / f"results_{stamp}.json"
    path.write_text(json.dumps(results, indent=2, default=str, ensure_ascii=False), encoding="utf-8")
    return path


def _given(options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in (options or {}).items() if value is not None} or None


def _stamp(manifest: Manifest) -> str:
    """The time in the files' names, as lm-eval writes it: that of the run's folder, which is to the microsecond."""
    if named := re.fullmatch(r"(\d{4}-\d\d-\d\d)_(\d\d-\d\d-\d\d)-(\d{6})", manifest.run):
        return f"{named[1]}T{named[2]}.{named[3]}"
    return datetime.fromisoformat(manifest.started_at).replace(tzinfo=None).isoformat().replace(":", "-")


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as lm-eval writes it: arguments by name, responses as text."""
    arguments = {
        f"gen_args_{number}": {f"arg_{place}": value for place, value in enumerate(one)}
        for number, one in enumerate(row["arguments"])
    }
    texts = {key: _texts(row[key]) for key in ("resps", "filtered_resps")}
    return {**row, **texts, "arguments": arguments, "target": str(row["target"])}


def _texts(value: Any) -> Any:
    return [_texts(one) for one in value] if isinstance(value, list | tuple) else str(value)


def _task_hash(rows: Iterable[Mapping[str, str]]) -> str:
    return _sha256("".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows))


def _trials(manifest: Manifest) -> int:
    return int(cast(Mapping[str, Any], manifest.config["run"])["trials"])


def _sanitized(model: str) -> str:
    """A model's name as a folder, by lm-eval's rule."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lm_eval_version() -> str | None:
    try:
        return version("lm_eval")
    except PackageNotFoundError:
        return None
