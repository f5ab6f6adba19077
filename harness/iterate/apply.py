"""Doing again what a look put in doubt: clusters, suite, runs, selection, gates; each step through its own verb.

A step that was done is kept in the state, so that after Ctrl-C the same command goes on. Nothing here writes a routing
policy's `control.json`: no call of the agent goes elsewhere by it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness.cluster.build import build
from harness.cluster.folder import read_kept, write_kept, write_map
from harness.config import IterateConfig
from harness.errors import BackendError, DataError, HarnessError
from harness.iterate.look import Looked
from harness.iterate.place import options_of
from harness.iterate.plan import build_words, command_of
from harness.iterate.state import LEVELS, Seen, append, read_state, write_seen, write_state
from harness.iterate.todo import next_suite
from harness.iterate.world import World
from harness.records.gate import GateResult
from harness.records.iterate import Iteration, StepDone
from harness.report.clusters import without_texts, write_page
from harness.store.runfolder import read_manifest, read_summary, run_folders

__all__ = ["apply"]

_STABILITY = 5
_BASELINE = "incumbent"


def apply(
    config: IterateConfig, world: World, looked: Looked, models: Sequence[str], say: Callable[[str], None]
) -> Iteration:
    """What was found with the steps that were done, and the list of what is left.

    Raises BackendError or DataError where a step failed, after the ledger says so; KeyboardInterrupt likewise.
    """
    doing = _Doing(config, world, looked, say)
    judged = world.selection is not None or bool(config.iterate.models)
    try:
        doing.clusters()
        if judged:
            doing.suite_and_runs(models)
    except KeyboardInterrupt:
        doing.note("interrupted", "interrupted: the same command goes on after the last step that was done", 130)
        raise
    except HarnessError as error:
        doing.note("interrupted", f"stopped: {type(error).__name__}", error.exit_code)
        raise
    return doing.finished(judged=judged)


@dataclass(slots=True)
class _Doing:
    config: IterateConfig
    world: World
    looked: Looked
    say: Callable[[str], None]
    steps: list[StepDone] = field(default_factory=list)

    def note(self, event: str, said: str, exit_code: int) -> None:
        """A line of the ledger."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"at": at, "event": event, "look": self.looked.found.look, "said": said, "exit_code": exit_code}
        append(self.world.state, line)

    def _did(self, name: str, command: str, exit_code: int, seconds: float, outcome: str) -> None:
        self.steps.append(StepDone(name=name, command=command, exit_code=exit_code, seconds=seconds, outcome=outcome))
        self.say(f"{name:<12} {outcome} ({seconds:.1f} s)")
        self.note("step", f"{name}: {outcome}", exit_code)
        state = read_state(self.world.state)
        write_state(self.world.state, state.model_copy(update={"applied": (*state.applied, name)}))

    def _done(self, name: str) -> bool:
        return name in read_state(self.world.state).applied

    def clusters(self) -> None:
        """The new calls taken into the clusters as the look placed them, with stability measured anew."""
        if self._done("clusters"):
            return
        began_s = time.monotonic()
        folder, looked = self.world.clusters, self.looked
        kept = read_kept(folder)
        assert kept.book is not None
        options = options_of(kept.book, str(looked.calls), folder.name).model_copy(update={"stability": _STABILITY})
        built = build(looked.traffic.features, options, looked.embedding, kept)
        write_kept(folder, built.kept)
        write_map(folder, built.points)
        shown = (built.book, built.points) if self.config.report.samples else without_texts(built.book, built.points)
        write_page(*shown, Path(self.config.paths.reports) / "clusters.html")
        taken = {one: Seen(each.task, dict.fromkeys(LEVELS, -1)) for one, each in looked.seen.items()}
        write_seen(self.world.state, taken)
        new = len(looked.found.new_clusters)
        outcome = f"{looked.found.n_new:,} new calls taken in, {new} new {'task' if new == 1 else 'tasks'}"
        self._did("clusters", looked.found.plan[0] if looked.found.plan else "", 0, time.monotonic() - began_s, outcome)

    def suite_and_runs(self, models: Sequence[str]) -> None:
        """The suite made anew under its next name, every model asked, the selection and a gate for each."""
        options = self.config.iterate
        selection = self.world.read_selection()
        suite = next_suite(selection.suite if selection else self.world.state.name)
        words = build_words(self.world, self.looked.calls, suite, options)
        self._verb("build", words, (0,), lambda _: f"suite {suite}", unless=Path("suites", suite, "suite.yaml"))
        for model in (_BASELINE, *models):
            more = options.overrides if model != _BASELINE else ()
            words = (f"suite={suite}", f"model={model}", *more)
            self._verb(f"run {model}", words, (0,), partial(self._run_said, suite, model))
        runs = {model: self._run_of(suite, model) for model in (_BASELINE, *models)}
        chosen = ",".join(str(one) for one in runs.values())
        named = (f"select.runs=[{chosen}]", f"select.clusters={self.world.clusters}")
        self._verb("select", ("do=select", *named), (0,), lambda _: self._selected())
        for model in models:
            words = ("do=gate", f"gate.baseline={runs[_BASELINE]}", f"run={runs[model]}")
            self._verb(f"gate {model}", words, (0, 1, 2), self._gate_said)

    def _verb(
        self, name: str, words: tuple[str, ...], fine: tuple[int, ...], said: Callable[[int], str],
        unless: Path | None = None,
    ) -> None:  # fmt: skip
        """Runs a command line in a process of its own, whose exit code is one of `fine`; not what is there already."""
        if self._done(name) or (unless is not None and unless.is_file()):
            return
        paths = self.config.paths
        whole = [*words, f"paths.results={paths.results}", f"paths.reports={paths.reports}"]
        whole += ["report.samples=false"] if not self.config.report.samples else []
        whole += ["progress=plain"] if self.config.progress == "auto" and not sys.stderr.isatty() else []
        began_s = time.monotonic()
        code = _run([sys.executable, "-m", "harness", *whole])
        seconds = time.monotonic() - began_s
        if code == 130 or code < 0:
            raise KeyboardInterrupt
        if code not in fine:
            self.note("step", f"{name}: exit code {code}", code)
            kind: type[HarnessError] = DataError if code == 2 else BackendError
            typed = command_of(words)
            raise kind(f"{typed} ended with exit code {code} (above); mend that, and the same command goes on")
        self._did(name, command_of(words), code, seconds, said(code))

    def _run_of(self, suite: str, model: str) -> Path:
        """The newest complete run of a model on the suite. Raises DataError where there is none."""
        for folder in reversed(run_folders(Path(self.config.paths.results))):
            try:
                manifest, summary = read_manifest(folder), read_summary(folder)
            except DataError:
                continue
            named = manifest.config.get("model")
            name = named.get("name") if isinstance(named, dict) else None
            recorded = summary.recorded is not None
            asked = recorded if model == _BASELINE else not recorded and model in {name, "endpoint"}
            if summary.suite == suite and summary.complete and asked:
                return folder
        raise DataError(f"there is no complete run of {model} on {suite}; ask it: suite={suite} model={model}")

    def _run_said(self, suite: str, model: str, _code: int) -> str:
        summary = read_summary(self._run_of(suite, model))
        right = "nothing scored" if summary.accuracy is None else f"{summary.accuracy:.1%} right"
        return f"{right} of {summary.n_scored:,} samples"

    def _selected(self) -> str:
        from harness.records.decision import Selection

        file = Path(self.config.paths.results) / "select" / "latest" / "selection.json"
        found = Selection.model_validate_json(file.read_bytes())
        counts: dict[str, int] = {}
        for one in found.decisions:
            counts[one.verdict] = counts.get(one.verdict, 0) + 1
        return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))

    def _gate_said(self, code: int) -> str:
        file = Path(self.config.paths.results) / "gate" / "latest" / "gate.json"
        if not file.is_file():
            return f"exit code {code}"
        return f"{GateResult.model_validate_json(file.read_bytes()).verdict} (exit code {code})"

    def finished(self, *, judged: bool) -> Iteration:
        """The look with its steps, and what is left: what no step does again."""
        found = self.looked.found
        done = set(found.plan[:1])
        left = tuple(
            one for one in found.todos
            if not (one.commands and one.commands[0] in done and (judged or len(one.commands) == 1))
        )  # fmt: skip
        state = read_state(self.world.state)
        update = {"todos": left, "findings": () if judged else state.findings, "applied": (), "stamp": None}
        write_state(self.world.state, state.model_copy(update=update))
        self.note("applied", f"{len(self.steps)} steps done, {len(left)} things left", 1 if left else 0)
        return found.model_copy(update={"todos": left, "steps": tuple(self.steps), "plan": ()})


def _run(words: Sequence[str]) -> int:
    """The exit code of a command; Ctrl-C goes to it as well, and it is waited for, so that it ends in order."""
    process = subprocess.Popen(words, env={**os.environ})
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
