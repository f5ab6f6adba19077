"""Where replies are lost, stage by stage: as they came, after JSON repair, and under a grammar."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.records import PROTOCOLS, MissClass, Score
from harness.report.figures.figure import Stack, StackPart, Stacks
from harness.report.figures.words import measured_under, sample_link
from harness.report.formats import percent
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["STAGES", "failure_waterfall"]

STAGES: Final[tuple[tuple[str, str, frozenset[MissClass]], ...]] = (
    ("transport", "transport and context", frozenset({"transport", "context_overflow", "length"})),
    ("decode", "not decodable", frozenset({"decode", "no_answer", "does_not_compile"})),
    ("schema", "against the schema", frozenset({"schema"})),
    ("wrong_tool", "wrong tool", frozenset({"wrong_tool", "wrong_count"})),
    (
        "missing_argument",
        "wrong argument or answer",
        frozenset(
            {
                "missing_argument", "extra_argument", "wrong_value", "wrong_answer", "instruction_missed",
                "tests_failed", "program_limit", "wrong_result",
            }
        ),
    ),
    (
        "should_have_called",
        "wrong to abstain or not to",
        frozenset({"should_have_called", "should_not_have_called", "task_refused", "step_limit"}),
    ),
)  # fmt: skip
"""Key of colour and pattern, name and classes of each stage, in the order in which a reply can fail."""

_WON: Final = "exact"
_STAGE_OF: Final[Mapping[str, str]] = {miss: key for key, _, misses in STAGES for miss in misses}


@dataclass(frozen=True, slots=True)
class _Way:
    name: str
    counts: Mapping[str, float]
    run: RunView
    why: str = ""


def failure_waterfall(group: Group) -> Stacks | None:
    """The stages of every model, raw beside repaired and constrained; None without any scored attempt.

    Repaired: the same replies after JSON repair; one that is still not right stays in its class. Constrained: the
    misses put again under a grammar (`run.recheck`), or a whole run of the model under one.
    """
    models: dict[object, list[RunView]] = {}
    for run in group.own:
        models.setdefault(run.model_key, []).append(run)
    bars = []
    for own in models.values():
        ordered = sorted(own, key=lambda run: PROTOCOLS.index(run.summary.protocol))
        bars += [_bar(group, way) for run in ordered for way in _ways(run, group)]
    if not bars:
        return None
    several = len({bar.name.rpartition(", ")[2] for bar in bars}) > 1
    return Stacks(
        key="waterfall",
        title="Where replies fail: raw, repaired, constrained" if several else "Where replies fail",
        message=_message(bars),
        caption="Scored attempts by the first stage at which they fail, in the order transport, decoding, schema, "
        "tool, argument, abstention. Repaired: the same replies after JSON repair. Constrained: what was missed put "
        f"again under a grammar, or a whole run under one. {measured_under(group, group.own)}",
        bars=tuple(bars),
        unit="attempts",
    )


def _ways(run: RunView, group: Group) -> list[_Way]:
    raw, protocol = _summary_counts(run), run.summary.protocol
    if not sum(raw.values()):
        return []
    if protocol == "constrained":
        return [_Way("constrained", raw, run, "every sample asked under a grammar")]
    ways = [_Way(f"{protocol}, raw" if group.by_protocol else "raw", raw, run)]
    if any(score.repaired is not None for score in run.scores):
        ways.append(_Way("repaired", _counts(run.scores, repaired=True), run, "the same replies after JSON repair"))
    elif (found := run.summary.format) is not None:
        ways.append(_Way("repaired", _mended(raw, found.points_repaired), run, "the same replies after JSON repair"))
    again = next((one for one in group.apart if one.summary.of_run == run.id), None)
    if again is not None and again.scores and run.scores:
        counts = _counts(_replaced(run.scores, again.scores), repaired=False)
        ways.append(_Way("misses constrained", counts, again, "what was missed put again under a grammar"))
    return ways


def _summary_counts(run: RunView) -> Counter[str]:
    found: Counter[str] = Counter()
    for miss, count in run.summary.misses.items():
        found[_STAGE_OF[miss]] += count
    found[_WON] = run.summary.n_scored - sum(found.values())
    return found


def _counts(scores: Iterable[Score], *, repaired: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    for score in scores:
        if score.value is None:
            continue
        value = score.repaired if repaired and score.repaired is not None else score.value
        found[_WON if value == 1 or score.miss is None else _STAGE_OF[score.miss]] += 1
    return found


def _mended(raw: Mapping[str, float], points: float) -> dict[str, float]:
    """The counts with the points that repair gives back taken from what could not be decoded, then from the schema."""
    found, left = dict(raw), points
    for stage in ("decode", "schema"):
        taken = min(left, found.get(stage, 0))
        found[stage], left = found.get(stage, 0) - taken, left - taken
    return found | {_WON: raw.get(_WON, 0) + points - left}


def _replaced(scores: Sequence[Score], again: Sequence[Score]) -> list[Score]:
    """The scores with each that was put again and scored in its place."""
    new = {(score.sample, score.trial): score for score in again if score.value is not None}
    return [new.get((score.sample, score.trial), score) for score in scores]


def _bar(group: Group, way: _Way) -> Stack:
    total = sum(way.counts.values())
    stages = [(_WON, group.family.won), *((key, name) for key, name, _ in STAGES)]
    parts = tuple(StackPart(key, name, way.counts[key]) for key, name in stages if way.counts.get(key))
    text = ", ".join(f"{part.name} {part.count:g} ({percent(part.count / total)})" for part in parts)
    title = ", ".join(filter(None, [way.run.title, way.run.summary.quantization if _several(group, way.run) else ""]))
    why = f"\n{way.why}" if way.why else ""
    return Stack(title, way.name, parts, f"{title}, {way.name}: {text}{why}", sample_link(run=way.run.id))


def _several(group: Group, run: RunView) -> bool:
    """Whether the model of a run is there at several precisions."""
    return len({one.summary.quantization for one in group.own if one.title == run.title}) > 1


def _message(bars: Sequence[Stack]) -> str:
    told = []
    for bar in bars[:4]:
        lost = [part for part in bar.parts if part.key != _WON]
        worst = max(lost, key=lambda part: part.count) if lost else None
        if worst is None:
            told.append(f"{bar.group}, {bar.name}: nothing is lost")
        else:
            told.append(f"{bar.group}, {bar.name}: most is lost at {worst.name} ({percent(worst.count / bar.total)})")
    more = f"; and {len(bars) - 4} more bars" if len(bars) > 4 else ""
    return f"{'; '.join(told)}{more}."
