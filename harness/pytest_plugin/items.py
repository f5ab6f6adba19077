"""A gate as tests of pytest: one for each check, and its words below them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.answers import Answer
from harness.records.gate import GateCheck, GateResult

__all__ = ["CheckItem", "Judged", "gate_items", "judged_of", "section_lines"]

_ERROR = "!"
_NODE = "harness-gate"
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's result, or the line that says why there is none."""

    result: GateResult | None
    error: str | None
    inconclusive: Answer

    def as_text(self) -> str:
        """For a worker of xdist."""
        told = f"{_ERROR}{self.error}" if self.result is None else self.result.model_dump_json()
        return f"{self.inconclusive}\n{told}"


def judged_of(config: pytest.Config) -> Judged:
    """What the gate says: judged here, or handed to this worker."""
    handed = getattr(config, "workerinput", {}).get("harness_gate")
    if handed is not None:
        inconclusive, _, told = str(handed).partition("\n")
        answer = cast(Answer, inconclusive)
        if told.startswith(_ERROR):
            return Judged(None, told.removeprefix(_ERROR), answer)
        return Judged(GateResult.model_validate_json(told), None, answer)
    chosen = cast(Answer | None, config.getoption("harness_inconclusive"))
    try:
        found = _judge(config)
    except HarnessError as error:
        return Judged(None, str(error), chosen or "fail")
    return Judged(found, None, chosen or ("pass" if found.policy["inconclusive"] == "pass" else "fail"))


def _judge(config: pytest.Config) -> GateResult:
    from harness.config import GateConfig, compose_apart
    from harness.gate.find import candidate_of, sides_of
    from harness.gate.judge import judge

    words = [f"gate={config.getoption('harness_policy')}", *config.getoption("harness_set")]
    parsed = compose_apart("do=gate", *words)
    assert isinstance(parsed, GateConfig)
    options, start = parsed.gate, config.invocation_params.dir
    if (named := config.getoption("harness_baseline")) is not None:
        options = options.model_copy(update={"baseline": os.fspath(start / named)})
    run = config.getoption("harness_run")
    results = Path(config.rootpath, config.getoption("harness_results"))
    baseline, candidate = sides_of("latest" if run is None else os.fspath(start / run), options, results)
    beside = None if options.beside is None else candidate_of(start / options.beside)
    return judge("pytest", baseline, candidate, options, beside)


class CheckItem(pytest.Item):
    """One check; without one, what there is to say of the gate as a whole."""

    check: GateCheck | None
    judged: Judged

    @classmethod
    def made(cls, session: pytest.Session, name: str, check: GateCheck | None, judged: Judged) -> "CheckItem":
        """The item of this name."""
        found = cls.from_parent(session, name=name, nodeid=f"{_NODE}::{name}")
        found.check, found.judged = check, judged
        if check is not None:
            figures = {"estimate": check.estimate, "p": check.p, "p_failing": check.p_failing, "n": check.n}
            found.user_properties += [(f"harness_{key}", value) for key, value in figures.items() if value is not None]
        return found

    def setup(self) -> None:
        """Raises where there is no verdict because something is broken: an error, and no failed test."""
        if self.judged.result is None:
            pytest.fail(self.judged.error or "the gate could not be judged", pytrace=False)

    def runtest(self) -> None:
        """Passes, fails or is skipped, by the check and its tier."""
        result = self.judged.result
        assert result is not None
        if self.check is None:
            self._undecided(_headline(result))
            return
        told, blocks = _told(self.check, result), self.check.tier == "blocking"
        if self.check.status == "fail" and blocks:
            pytest.fail(told, pytrace=False)
        elif self.check.status in {"inconclusive", "not_judged"} and blocks:
            self._undecided(told)
        elif self.check.status in {"not_judged", "no_samples"}:
            pytest.skip(self.check.why)

    def _undecided(self, told: str) -> None:
        if self.judged.inconclusive == "fail":
            pytest.fail(told, pytrace=False)
        elif self.judged.inconclusive == "skip":
            pytest.skip(told)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where pytest's report says that the test lies."""
        return self.config.rootpath, None, f"{_NODE}: {self.name}"


def gate_items(session: pytest.Session, judged: Judged) -> Iterator[CheckItem]:
    """A test for each check. One for the whole where that alone says what is wrong."""
    result = judged.result
    if result is None:
        yield CheckItem.made(session, "verdict", None, judged)
        return
    for check in result.checks:
        yield CheckItem.made(session, f"{check.name}[{check.kind}]", check, judged)
    blocking = {one.status for one in result.checks if one.tier == "blocking"}
    if result.verdict == "inconclusive" and not blocking & {"inconclusive", "not_judged"}:
        yield CheckItem.made(session, "verdict", None, judged)  # no blocking check says it


def _headline(result: GateResult) -> str:
    from harness.gate.page import headline

    return headline(result)


def _told(check: GateCheck, result: GateResult) -> str:
    """What was seen, of how many, by which limit, and what would decide it."""
    from harness.gate.page import status_text
    from harness.gate.words import label_of

    lines = [
        f"{label_of(check.name)}: {check.rule}: {status_text(check)}",
        check.why,
        f"candidate {result.candidate.model} (run {result.candidate.run}), baseline {result.baseline.model} "
        f"(run {result.baseline.run})",
    ]
    if check.p is not None and check.p_failing is not None:
        failing = check.p_failing if check.p_failing_adjusted is None else check.p_failing_adjusted
        lines.append(f"shown to hold with p {check.p:.3g}, shown not to hold with p {failing:.3g}; α {result.alpha:g}")
    if check.name == "accuracy" and result.lost:
        more = f" and {len(result.lost) - _NAMED} more" if len(result.lost) > _NAMED else ""
        lines.append(f"lost: {', '.join(result.lost[:_NAMED])}{more}")
    return "\n".join(lines)


def section_lines(judged: Judged) -> Iterator[str]:
    """The lines of pytest's last section."""
    from harness.gate.page import headline, status_text
    from harness.gate.words import label_of

    result = judged.result
    if result is None:
        yield f"no verdict: {judged.error}"
        return
    for check in result.checks:
        yield f"{check.tier:<12} {label_of(check.name)}: {check.rule}: {status_text(check)}. {check.why}"
    yield from (f"note: {one}" for one in result.notes)
    yield f"times: {result.times}"
    yield headline(result)
