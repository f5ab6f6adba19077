"""One sitting of a run that Inspect drives: engine up, task run, every sample journaled when it ends.

The run may be killed at any time. Inspect's own log lies beside our journals; from it an interrupted task goes on.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from inspect_ai.log import EvalLog, EvalSample, EvalSpec, read_eval_log, resolve_sample_attachments
from pydantic import JsonValue

from harness.interop.inspect_eval import Plan, Taker, evaluate, taking
from harness.interop.inspect_provider import PROVIDER
from harness.interop.inspect_read import Asker, Reading, attempt_of, score_of, was_cancelled
from harness.interop.inspect_task import task_args, whole_spec
from harness.interop.served import Served
from harness.records import Attempt, Score, attempt_key, target_of
from harness.records.target import TaskTarget
from harness.runner.engine import Stopwatch
from harness.runner.guard import Budget, Guard
from harness.runner.progress import make_progress
from harness.runner.session import Session

__all__ = ["LOGS", "Sitting"]

LOGS = "inspect"
"""Folder of Inspect's logs within the run's."""


class Sitting:
    """Brings a run to its end, or as far as it comes. `task`: its name or file, as Inspect finds it."""

    def __init__(self, session: Session, task: str) -> None:
        self._session, self._task, self._config = session, task, session.job.config
        self._options: dict[str, JsonValue] = dict(self._config.suite.options)
        self._reading = Reading.of(self._options)
        self._samples = {sample.id: sample for sample in session.job.samples}
        planned = {attempt_key(one, trial) for one in self._samples for trial in range(self._config.run.trials)}
        self._done = planned - {attempt_key(sample.id, trial) for sample, trial in session.remaining()}
        self._waiting = {attempt.key for _, attempt in session.waiting()} & self._done
        self._guard, self._budget = Guard(self._config.run.max_failed_frac), Budget(self._config.run.budget)
        self._clock = Stopwatch()
        self._work: asyncio.Task[EvalLog] | None = None
        self._broken: Exception | None = None
        self._stopped: str | None = None
        self._unscored: list[str] = []

    def run(self) -> tuple[bool, str | None]:
        """Whether it was interrupted, and which budget ended it. The manifest says how it ended."""
        session, ending = self._session, "failed"
        session.seconds = lambda: self._clock.seconds
        try:
            if session.unfinished:
                self._serve()
            ending = "stopped" if self._stopped else "complete"
        except KeyboardInterrupt:
            ending = "interrupted"
        finally:
            if self._unscored:
                session.warn(f"{len(self._unscored)} attempts have no score, the first because: {self._unscored[0]}")
            if not session.unfinished and ending != "failed":
                ending = "complete"
            session.end("failed" if session.unfinished and ending == "complete" else ending)
        return ending == "interrupted", self._stopped

    def _serve(self) -> None:
        session = self._session
        with Served(self._config, session.job.backend) as served:
            facts = served.endpoint.facts
            session.update(backend=facts)
            if self._config.model.protocol == "native" and facts.template_supports_tools is False:
                session.warn(
                    "the chat template has no place for tools: if the task has any, the model does not see them; "
                    "use model.protocol=constrained"
                )
            title = f"{self._config.suite.task} · {self._config.model.name} · {self._config.model.protocol}"
            plan = self._plan()
            try:
                with make_progress(self._config.progress, title, [session.tally], session.n_planned) as bar:
                    session.progress = bar.update
                    log = asyncio.run(self._drive(served, plan))
            finally:
                if self._clock.seconds:
                    self._clock.stop()
                session.note_clock(served.lag())
            if log is not None:
                self._finish(log)

    async def _drive(self, served: Served, plan: Plan) -> EvalLog | None:
        """Lets Inspect work: its log at the end, None where something said before that it is enough."""
        log = None
        with taking(Taker(self._start, self._take_aside), served) as model:
            self._clock.start()
            self._work = asyncio.create_task(evaluate(plan, model))
            try:
                log = await self._work
            except asyncio.CancelledError:
                if self._broken is None and self._stopped is None:
                    raise
        if self._broken is not None:
            raise self._broken
        return log

    def _finish(self, log: EvalLog) -> None:
        """Takes in what an earlier sitting did before it was killed, and did not journal.

        Outside the loop: Inspect reads the log only now, and within one it patches asyncio for the whole process.
        """
        self._start(log.eval)
        for sample in log.samples or []:
            self._take(sample)
        self._tidy(log)
        self._guard.finish()

    def _plan(self) -> Plan:
        config = self._config
        ids = tuple(target_of(sample, TaskTarget).data["id"] for sample in self._session.job.samples)
        some = config.suite.limit is not None
        return Plan(
            task=whole_spec(self._task),
            args=task_args(self._options),
            sample_ids=tuple(one if isinstance(one, int) else str(one) for one in ids) if some else None,
            epochs=config.run.trials,
            connections=config.run.concurrency,
            retries=config.run.retries,
            logs=self._logs(),
            earlier=self._earlier() if self._session.resumed else None,
        )

    def _logs(self) -> Path:
        folder = self._session.folder / LOGS
        folder.mkdir(exist_ok=True)
        return folder

    def _earlier(self) -> Path | None:
        """The newest log of an earlier sitting that can be read; without one the task begins anew."""
        for log in sorted(self._logs().glob("*.eval"), reverse=True):
            with suppress(ValueError, OSError, EOFError, KeyError):  # cut off by a kill
                read_eval_log(str(log), header_only=True)
                return log
        return None

    def _tidy(self, log: EvalLog) -> None:
        """Removes the logs of earlier sittings, once the last one has all their samples."""
        if log.status == "success" and not self._session.unfinished:
            for old in self._logs().glob("*.eval"):
                if old.name != Path(log.location).name:
                    old.unlink()

    def _start(self, spec: EvalSpec) -> None:
        declared = spec.headline_metric
        self._reading = Reading.of(self._options, (declared.score or declared.scorer) if declared else None)

    def _take_aside(self, sample: EvalSample) -> None:
        """Takes a sample in from within Inspect, which would swallow what is raised: then the work is ended."""
        if self._broken is not None or self._stopped is not None:
            return
        try:
            self._take(sample)
        except Exception as error:  # whatever it is, it is raised again where it is not swallowed
            self._broken = error
        if self._work is not None and (self._broken is not None or self._stopped is not None):
            self._work.cancel()

    def _take(self, sample: EvalSample) -> None:
        """Journals a finished sample, unless it is there already. Raises BackendError when going on is pointless."""
        key, ours = attempt_key(str(sample.id), sample.epoch - 1), self._samples.get(str(sample.id))
        if ours is None or was_cancelled(sample) or (key in self._done and key not in self._waiting):
            return
        whole = resolve_sample_attachments(sample, "full")
        attempt = attempt_of(whole, self._asker())
        score = score_of(whole, ours, attempt, self._reading)
        self._session.attempts.append(attempt)
        self._session.scored(ours, attempt, score, waited=key in self._waiting)
        self._waiting.discard(key)
        self._done.add(key)
        self._session.progress()
        self._count(attempt, score)

    def _count(self, attempt: Attempt, score: Score) -> None:
        if score.value is None and attempt.failure is None:
            self._unscored.append(score.why)
        self._budget.sent()
        self._budget.ended(attempt)
        self._stopped = self._stopped or self._budget.spent()
        failure = attempt.failure
        if failure is not None and failure.kind == "task_error":  # the task's own, not the endpoint's
            self._session.warn(f"{attempt.sample} ended with an error of the task's own code: {failure.message[:200]}")
        self._guard.check(failure)

    def _asker(self) -> Asker:
        model, facts = self._config.model, self._session.manifest.backend
        return Asker(
            model=f"{PROVIDER}/{model.name}",
            name=model.name,
            protocol=model.protocol,
            backend=facts.name if facts else self._config.backend.name,
            seed=self._config.run.seed,
            send_seed=model.generation.send_seed,
        )
