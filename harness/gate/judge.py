"""From two sides and a policy to a verdict: the pure whole of `do=gate`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from harness.config import GateClusters, GateOptions
from harness.errors import BackendError, ConfigError, DataError
from harness.gate.changed import changes, refuse_other_samples
from harness.gate.checks import by_traffic, rate_checks, reading, size_checks, time_checks, two_of, within_check
from harness.gate.side import TIMES_FILE, Side
from harness.gate.times import Times, compare_times
from harness.gate.words import RULES
from harness.records.gate import GateCheck, GateResult, GateRun, GateVerdict, Outcome, Tier
from harness.stats.multiplicity import holm

__all__ = ["exit_code", "judge"]

_ORDER: tuple[Tier, ...] = ("blocking", "warning", "informative")


def judge(
    name: str, baseline: Side, candidate: Side, options: GateOptions, beside: Side | None = None
) -> GateResult:  # fmt: skip
    """The gate's result; `name` is that of its folder. beside: what times are held against in the baseline's place.

    Raises DataError for runs that have not the same samples or are one and the same, BackendError where the
    infrastructure lost too much, ConfigError for clusters that the suite does not have.
    """
    _refuse(baseline, candidate, beside, options)
    timed = beside or baseline
    times = compare_times(timed, candidate)
    checks = _decided(_checks(baseline, candidate, timed, times, options), options.alpha)
    verdict = _verdict(checks)
    lost, gained = _flips(baseline, candidate)
    return GateResult(
        name=name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=candidate.run.suite or baseline.run.suite or "not named",
        verdict=verdict,
        exit_code=exit_code(verdict, options.inconclusive),
        policy=options.model_dump(mode="json", exclude={"baseline", "beside", "suite"}),
        alpha=options.alpha,
        accepted=baseline.accepted,
        baseline=baseline.run,
        candidate=candidate.run,
        beside=beside.run if beside else None,
        times=times.why if times.how != "refused" else f"not judged: {times.why}",
        changed=changes(baseline.run, candidate.run),
        checks=checks,
        lost=lost,
        gained=gained,
        notes=_notes(baseline, candidate, checks),
    )


def exit_code(verdict: GateVerdict, inconclusive: Literal["stop", "pass", "fail"]) -> Literal[0, 1, 2]:
    """The exit code of a verdict under a policy.

    >>> exit_code("inconclusive", "stop"), exit_code("inconclusive", "pass"), exit_code("fail", "pass")
    (2, 0, 1)
    """
    if verdict == "inconclusive":
        return 2 if inconclusive == "stop" else 1 if inconclusive == "fail" else 0
    return 0 if verdict == "pass" else 1


def _refuse(baseline: Side, candidate: Side, beside: Side | None, options: GateOptions) -> None:
    refuse_other_samples(baseline, candidate)
    if baseline.run.run == candidate.run.run:
        raise DataError(
            f"run {candidate.run.run} is the baseline itself: it cannot be shown to differ; run the candidate first, "
            "or name it: run=FOLDER"
        )
    if beside is not None and beside.run.backend != TIMES_FILE:  # of a file, machine and load decide
        refuse_other_samples(beside, candidate)
        if beside.run.job != candidate.run.job or beside.run.run == candidate.run.run:
            raise DataError(
                f"gate.beside={beside.run.run} was not made in the job of {candidate.run.run}; run both in one: "
                "model=[a,b]"
            )
        if _set_up(beside.run) != _set_up(baseline.run):
            raise DataError(
                f"gate.beside={beside.run.run} is {beside.run.model} ({beside.run.protocol}), and not the baseline's "
                f"{baseline.run.model} ({baseline.run.protocol}) on the same weights"
            )
    for side, whose in ((baseline, "baseline"), (candidate, "candidate")):
        run = side.run
        if run.n_failed > options.max_lost * run.n_planned:
            raise BackendError(
                f"the infrastructure lost {run.n_failed} of {run.n_planned} attempts of the {whose} {run.run}; a gate "
                f"takes {100 * options.max_lost:g} % (gate.max_lost). Make them again: run.resume=results/run/{run.run}"
            )


def _set_up(run: GateRun) -> tuple[str, str, str, str | None]:
    return (run.model, run.protocol, run.backend, run.weights_sha256)


def _checks(
    baseline: Side, candidate: Side, timed: Side, times: Times, options: GateOptions
) -> list[GateCheck]:  # fmt: skip
    alpha = options.alpha
    found = _fit(candidate)
    for name, field, wants, limits in (
        ("accuracy", "value", None, options.accuracy),
        ("wrong_calls", "decision", False, options.wrong_calls),
        ("missed_calls", "decision", True, options.missed_calls),
        ("form", "formed", None, options.form),
    ):
        about = None if wants is None else reading("value", wants=wants)
        two = two_of(baseline, candidate, reading(field, wants=wants), about)
        found += rate_checks(name, two, limits, alpha)
    if (by_calls := by_traffic(two_of(baseline, candidate, reading("value")), candidate)) is not None:
        found += rate_checks("weighted", by_calls, options.weighted, alpha)
    found += _clusters(baseline, candidate, options.clusters, alpha)
    found += _costs(baseline, candidate, timed, times, options)
    found += size_checks("tokens", two_of(baseline, candidate, reading("tokens")), options.tokens, alpha)
    for name, field, time in (("ttft", "ttft_s", options.ttft), ("e2e", "e2e_s", options.e2e)):
        two = two_of(timed, candidate, reading(field, timed=True))
        tier = _tier(time.tier, times, options.times_across)
        found += time_checks(name, two, time, tier, _why(times), alpha)
        found += within_check(name, two, time)
    return found


def _costs(
    baseline: Side, candidate: Side, timed: Side, times: Times, options: GateOptions
) -> list[GateCheck]:  # fmt: skip
    """Costs as prices; where one side's are the machine's time, as times are: against the same run, by its terms."""
    limits = options.cost
    if not (baseline.run.cost_from_time or candidate.run.cost_from_time):
        return size_checks("cost", two_of(baseline, candidate, reading("cost_usd")), limits, options.alpha)
    tier = _tier(limits.tier, times, options.times_across)
    found = size_checks("cost", two_of(timed, candidate, reading("cost_usd")), limits, options.alpha)
    refused = {"status": "not_judged", "p": None, "p_failing": None, "more": None, "interval": None, "estimate": None}
    why = f"costs are of the machine's time, and times are not judged: {_why(times)}"
    return [
        one if one.kind != "ratio" or one.p is None
        else one.model_copy(update={**refused, "why": why}) if tier is None
        else one.model_copy(update={"tier": tier})
        for one in found
    ]  # fmt: skip


def _why(times: Times) -> str:
    return times.why if times.how == "refused" else "not measured in one job (gate.times_across=refuse)"


def _tier(
    wanted: Tier, times: Times, across: Literal["blocking", "warning", "informative", "refuse"]
) -> Tier | None:  # fmt: skip
    """The tier of a time against the baseline's; None where it is not judged."""
    if times.how == "job":
        return wanted
    if times.how == "refused" or across == "refuse":
        return None
    return max(wanted, across, key=_ORDER.index)


def _fit(candidate: Side) -> list[GateCheck]:
    reason = candidate.run.unfit
    if reason is None:
        return []
    rule = RULES["fit"]("fit", 0.0)
    return [GateCheck(name="fit", kind="fit", tier="blocking", status="fail", rule=rule, why=reason)]


def _clusters(baseline: Side, candidate: Side, limits: GateClusters, alpha: float) -> list[GateCheck]:
    there = sorted({one.category for one in candidate.outcomes})
    names = there if limits.names == "all" else list(limits.names)
    if unknown := [one for one in names if one not in there]:
        raise ConfigError(
            f"gate.clusters.names: the suite has no {', '.join(unknown)}; it has {', '.join(there[:20])}, or say all"
        )
    found = []
    for name in names:

        def read(one: Outcome, name: str = name) -> float | None:
            return one.value if one.category == name else None

        found += rate_checks(f"cluster {name}", two_of(baseline, candidate, read), limits, alpha)
    return found


def _decided(checks: Sequence[GateCheck], alpha: float) -> tuple[GateCheck, ...]:
    """The checks with their status.

    A gate passes if all its checks do, so each may be shown at α itself (an intersection-union test; Berger 1982,
    Technometrics 24). It fails if any does, so p of failing are corrected over the checks of a tier (Holm).
    """
    places: dict[Tier, list[int]] = defaultdict(list)
    for place, one in enumerate(checks):
        if one.p_failing is not None:
            places[one.tier].append(place)
    found = list(checks)
    for members in places.values():
        adjusted = holm([checks[place].p_failing or 0.0 for place in members])
        for place, failing in zip(members, adjusted, strict=True):
            one = checks[place]
            held = one.p is not None and one.p <= alpha
            status = "pass" if held else "fail" if failing <= alpha else "inconclusive"
            more = one.more if status == "inconclusive" else None
            found[place] = one.model_copy(update={"status": status, "p_failing_adjusted": failing, "more": more})
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.tier)))


def _verdict(checks: Sequence[GateCheck]) -> GateVerdict:
    """Of the blocking checks: what was not judged is not shown, and a gate that judged nothing shows nothing."""
    found = {one.status for one in checks if one.tier == "blocking"}
    if "fail" in found:
        return "fail"
    return "pass" if "pass" in found and found <= {"pass", "no_samples"} else "inconclusive"


def _flips(baseline: Side, candidate: Side) -> tuple[tuple[str, ...], tuple[str, ...]]:
    two = two_of(baseline, candidate, reading("value"))
    each = list(zip(two.shared, two.before, two.after, strict=True))
    return (
        tuple(one for one, before, after in each if after < before),
        tuple(one for one, before, after in each if after > before),
    )


def _order(side: Side) -> list[str]:
    """The samples in the order of the run."""
    return list(dict.fromkeys(one.sample for one in side.outcomes))


def _notes(baseline: Side, candidate: Side, checks: Sequence[GateCheck]) -> tuple[str, ...]:
    notes = []
    first, second = baseline.run, candidate.run
    if any(not one.digest for side in (baseline, candidate) for one in side.outcomes):
        notes.append("Another program's file does not tell what was asked: samples are matched by their names alone.")
    elif first.suite_hash != second.suite_hash and _order(baseline) != _order(candidate):
        notes.append("The samples are the baseline's, in another order.")
    for run, whose in ((first, "baseline"), (second, "candidate")):
        if run.n_failed:
            notes.append(
                f"{run.n_failed} of {run.n_planned} attempts of the {whose} were lost to the infrastructure: they are "
                "in no check."
            )
    if first.unfit:
        notes.append(f"The baseline could not be ranked: {first.unfit}")
    if first.cost_basis != second.cost_basis and first.cost_basis and second.cost_basis:
        notes.append(f"Costs come from different sources: {first.cost_basis}; {second.cost_basis}.")
    if sum(one.p_failing is not None for one in checks if one.tier == "blocking") == 0:
        notes.append("No blocking check could be judged.")
    return tuple(notes)
