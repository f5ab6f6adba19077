"""When a run must stop before its end: an endpoint that is gone, a fault of our own, a budget that is spent."""

import time
from collections import deque

from harness.config import BudgetConfig
from harness.errors import BackendError
from harness.records import Attempt, Failure, FailureKind

__all__ = ["FATAL", "Budget", "Guard"]

FATAL: frozenset[FailureKind] = frozenset({"auth", "not_found", "dns", "tls"})
"""What no later attempt can be spared: the run stops at once."""
_WINDOW = 20
_MEND: dict[FailureKind, str] = {"task_error": "the task's environment"}
"""What is at fault, where it is not the endpoint."""


class Guard:
    """Stops a run whose infrastructure is evidently gone."""

    def __init__(self, max_failed_frac: float) -> None:
        self._max = max_failed_frac
        self._latest: deque[bool] = deque(maxlen=_WINDOW)
        self._last: Failure | None = None

    def check(self, failure: Failure | None) -> None:
        """Notes an outcome. Raises BackendError on a fatal failure, or when too many of the latest were lost."""
        if failure is not None and failure.boundary == "harness":
            raise BackendError(f"the request was wrong, which is the harness's own fault: {failure.message}")
        lost = failure is not None and failure.boundary == "infrastructure"
        self._latest.append(lost)
        if failure is None or not lost:
            return
        self._last = failure
        if failure.kind in FATAL:
            raise BackendError(f"the endpoint cannot be used ({failure.kind}): {failure.message}")
        n_lost = sum(self._latest)
        if len(self._latest) == _WINDOW and n_lost > self._max * _WINDOW:
            raise BackendError(
                f"{n_lost} of the last {_WINDOW} attempts were lost, the last to {failure.kind}: {failure.message}; "
                f"mend {_MEND.get(failure.kind, 'the endpoint')}, then run the same command again to go on where it "
                "stopped"
            )

    def finish(self) -> None:
        """Judges what a run too short to fill the window has seen. Raises BackendError if most of it was lost."""
        n_lost, n = sum(self._latest), len(self._latest)
        if self._last is not None and n_lost > self._max * n:
            raise BackendError(
                f"{n_lost} of the last {n} attempts were lost to the infrastructure (see failures in summary.json), "
                f"the last to {self._last.kind}: {self._last.message}; "
                f"mend {_MEND.get(self._last.kind, 'the endpoint')}, then run the same command again"
            )


class Budget:
    """What a sitting may use up, over all its models: once a limit is reached, nothing new is sent."""

    def __init__(self, limits: BudgetConfig) -> None:
        self._limits = limits
        self._started: float | None = None
        self._calls = self._tokens = 0
        self._usd = 0.0

    def sent(self) -> None:
        """Notes that an attempt begins; a task of an agent's counts its other requests when it ends."""
        self._calls += 1

    def ended(self, attempt: Attempt) -> None:
        """Notes what a call used; calls in flight when a limit is reached still end and count."""
        for one in attempt.steps or (attempt,):
            if one.origin != "cached":
                self._tokens += (one.usage.prompt_tokens or 0) + (one.usage.output_tokens or 0)
                self._usd += one.cost_usd or 0.0
        self._calls += _requests(attempt) - 1

    def spent(self) -> str | None:
        """Which limit is reached, in words; None while all hold."""
        if self._started is None:  # asked before the first is sent, when the engines are up
            self._started = time.monotonic()
        minutes = (time.monotonic() - self._started) / 60
        for name, used, limit in (
            ("calls", self._calls, self._limits.calls),
            ("tokens", self._tokens, self._limits.tokens),
            ("usd", self._usd, self._limits.usd),
            ("minutes", minutes, self._limits.minutes),
        ):
            if limit is not None and used >= limit:
                return f"run.budget.{name}={limit:g} is used up"
        return None


def _requests(attempt: Attempt) -> int:
    """Requests that an attempt took: its tries; of an agent's task those of every step, and the one that failed."""
    failure, steps = attempt.failure, [step for step in attempt.steps if step.origin != "cached"]
    if attempt.origin == "cached" and not steps and failure is None:
        return 0
    unanswered = failure is not None and failure.kind != "task_error"
    return max(
        attempt.tries, sum(step.tries for step in steps), len(steps) + len(attempt.failed_tries) + int(unanswered)
    )
