"""Sends runs to MLflow, in a process of its own: importing mlflow takes seconds, and a server may hang.

It reads one JSON document from standard input and writes one line of JSON for each run: its id, and whether it was new.
Nothing of the harness is imported, so that any Python with mlflow can run it.
"""

import json
import sys
from typing import Any

_BATCH = 100
"""Metrics or parameters of one request, below MLflow's own limits."""


def _send(client: Any, experiment: str, run: dict[str, Any]) -> dict[str, Any]:
    """One run: made where its key is not known, brought up to date where it changed, left alone otherwise."""
    from mlflow.entities import Metric, Param, RunTag

    found = client.search_runs([experiment], f"tags.`harness.key` = '{run['key']}'", max_results=1)
    known = found[0] if found else None
    if known is not None and known.data.tags.get("harness.print") == run["print"]:
        return {"run": run["name"], "id": known.info.run_id, "done": "unchanged"}
    if known is None:
        known = client.create_run(experiment, start_time=run["start_ms"], run_name=run["name"],
                                  tags={"harness.key": run["key"]})  # fmt: skip
    identity, there = known.info.run_id, known.data.params
    metrics = [Metric(name, value, run["end_ms"], 0) for name, value in run["metrics"].items()]
    metrics += [Metric(name, value, run["end_ms"], step) for name, value, step in run.get("series", ())]
    params = [Param(name, value) for name, value in run["params"].items() if name not in there]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(identity, metrics=metrics[start : start + _BATCH])
    for start in range(0, len(params), _BATCH):
        client.log_batch(identity, params=params[start : start + _BATCH])
    for file in run["files"]:
        client.log_artifact(identity, file)
    client.set_terminated(identity, status=run["status"], end_time=run["end_ms"])
    # The print is last: a run that was cut off half-way is brought up to date the next time.
    client.log_batch(identity, tags=[RunTag(name, value) for name, value in {**run["tags"], "harness.print":
                                                                          run["print"]}.items()])  # fmt: skip
    return {"run": run["name"], "id": identity, "done": "updated" if found else "new"}


def main() -> None:
    """Sends what standard input says; the exit status is 1, with a line on standard error, where that fails."""
    asked, answers = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr  # mlflow prints there where a run can be looked at
    try:
        from mlflow.tracking import MlflowClient
    except ModuleNotFoundError as error:
        sys.exit(f"no module {error.name}")
    try:
        client = MlflowClient(asked["uri"])
        found = client.get_experiment_by_name(asked["experiment"])
        experiment = found.experiment_id if found is not None else client.create_experiment(asked["experiment"])
        for run in asked["runs"]:
            answers.write(json.dumps(_send(client, experiment, run)) + "\n")
            answers.flush()
    except Exception as error:
        lines = [one for one in str(error).splitlines() if one.strip()] or [""]
        sys.exit(f"{type(error).__name__}: {lines[0][:200]}")


if __name__ == "__main__":
    main()
