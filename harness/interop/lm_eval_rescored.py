"""A run of lm-eval's tasks put through lm-eval's own evaluation: filters, metrics, aggregates, groups."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, cast

from harness.errors import ConfigError, DataError
from harness.records import Attempt, Reply, Sample, TaskTarget, target_of
from harness.scorers.lm_eval import Response, instances_of, response_of
from harness.scorers.lm_eval_tasks import TaskOptions, imported, rebuilt_tasks
from harness.store.runs import StoredRun

__all__ = ["evaluated"]

_NOT_HERE = (
    "the tasks of this run are not found from here; a run keeps no folders, so export it where its task files lie, "
    "that is in the folder that suite.options.include_path counted from"
)


def evaluated(run: StoredRun, replies: Iterable[Attempt], options: TaskOptions) -> dict[str, Any]:
    """Results as lm-eval's `evaluate` returns them, with `samples`.

    Samples without an answer in every trial are left out and counted as not evaluated: filters such as a vote over the
    repeats would read another number of them. A model's own failure (an empty reply, a full context) is an empty text.
    """
    responses = _responses(run, replies)
    by_task: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        if sample.id in responses:
            by_task[target_of(sample, TaskTarget).task].append(sample)
    if not by_task:
        raise DataError(f"{run.folder} holds no sample that is answered in every trial; finish the run first")
    for samples in by_task.values():
        samples.sort(key=_number)
    documents = {task: [_document(one) for one in samples] for task, samples in by_task.items()}
    try:
        loaded = rebuilt_tasks(options, documents)
    except ConfigError as error:
        raise DataError(f"{_NOT_HERE}: {error}") from None
    if missing := sorted(set(by_task) - set(loaded.tasks)):
        raise DataError(f"{_NOT_HERE}: {missing[0]} is none of what suite.tasks names")
    accounts = {name: _account(loaded.tasks[name], samples, responses) for name, samples in by_task.items()}
    from lm_eval.evaluator_utils import _process_results

    with redirect_stdout(StringIO()):  # it tells of its bootstraps
        found = _process_results(accounts, loaded.groups)
    results: dict[str, Any] = dict(found._to_eval_results(samples=found.samples))
    for name, config in results["configs"].items():
        config.pop("custom_dataset", None)
        for key in ("metadata", "dataset_kwargs", "dataset_path"):
            if key in config:
                config[key] = _without_folders(config[key])
        results["n-samples"][name]["original"] = _data(by_task[name][0])["n_docs"]
    return results


def _responses(run: StoredRun, replies: Iterable[Attempt]) -> dict[str, list[Sequence[Response]]]:
    """What each sample was answered in every trial, in order."""
    samples = {sample.id: target_of(sample, TaskTarget) for sample in run.samples}
    trials = int(cast(Mapping[str, Any], run.manifest.config["run"])["trials"])
    found: dict[str, dict[int, Sequence[Response]]] = defaultdict(dict)
    for attempt in replies:
        response = response_of(samples[attempt.sample], attempt.reply or Reply(content=""))
        if response is not None:
            found[attempt.sample][attempt.trial] = response
    return {
        sample: [answers[trial] for trial in sorted(answers)]
        for sample, answers in found.items()
        if len(answers) == trials
    }


def _account(task: Any, samples: Sequence[Sample], responses: Mapping[str, list[Sequence[Response]]]) -> dict[str, Any]:
    """Metrics and log lines of a task by each of its filters, in lm-eval's shape."""
    first = _data(samples[0])
    task.multiple_target, task.multiple_input = first["multiple_target"], first["multiple_input"]
    by_sample = {one.id: instances_of(target_of(one, TaskTarget), responses[one.id], _prompt(one)) for one in samples}
    task._instances = [instance for instances in by_sample.values() for instance in instances]
    task.apply_filters()
    metrics: dict[tuple[str, str], list[Any]] = defaultdict(list)
    rows = []
    for name in task._instances[0].filtered_resps:
        for sample in samples:
            instances = by_sample[sample.id]
            read = [one.filtered_resps[name] for one in instances]
            found = task.process_results(_document(sample), read)
            rows.append(_row(task, sample, instances, name, found))
            for metric, value in found.items():
                metrics[metric, name].append(value)
    return {"task": task, "raw_metrics": metrics, "logged_samples": rows}


def _row(task: Any, sample: Sample, instances: Sequence[Any], name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log, with the keys and hashes that lm-eval gives it."""
    imported()
    from lm_eval.utils import handle_non_serializable, hash_string

    document = _document(sample)
    target = task.doc_to_target(document)
    text = json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return {
        "doc_id": _number(sample),
        "doc": document,
        "target": target,
        "arguments": [one.args for one in instances],
        "resps": [one.resps for one in instances],
        "filtered_resps": [one.filtered_resps[name] for one in instances],
        "filter": name,
        "metrics": list(metrics),
        "doc_hash": hash_string(text),
        "prompt_hash": hash_string(instances[0].arguments[0]),
        "target_hash": hash_string(str(target)),
        **metrics,
    }


def _data(sample: Sample) -> dict[str, Any]:
    return cast(dict[str, Any], target_of(sample, TaskTarget).data)


def _number(sample: Sample) -> int:
    return int(_data(sample)["doc_id"])


def _document(sample: Sample) -> dict[str, Any]:
    return cast(dict[str, Any], _data(sample)["doc"])


def _prompt(sample: Sample) -> str:
    """What was asked: the messages as JSON, as lm-eval's chat models log them, or the plain text."""
    if not _data(sample).get("chat"):
        return sample.messages[0].content or ""
    return json.dumps([{"role": one.role, "content": one.content} for one in sample.messages], ensure_ascii=False)


def _without_folders(value: Any) -> Any:
    """A value of a task's configuration with the names alone of files on this machine."""
    if isinstance(value, dict):
        return {name: _without_folders(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_folders(one) for one in value]
    return Path(value).name if isinstance(value, str) and "\n" not in value and Path(value).is_absolute() else value
