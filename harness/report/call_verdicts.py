"""What the scorer's own rules say of each argument of a call, for a diff that can never contradict a verdict."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from harness.records import AcceptedCall, ReplayTarget, Sample, Score, ToolTarget
from harness.report.packing import Texts
from harness.report.text import visible
from harness.scorers.matching import pair
from harness.scorers.replay_values import Rules, differences
from harness.scorers.values import judge_argument

__all__ = ["held"]

_MOST_CALLS = 40
"""Calls of a reply beyond which they are shown without their partners in the target."""

_Faults = dict[str, str]
"""By argument, what is wrong with it."""


def held(sample: Sample | None, score: Score | None, texts: Texts) -> list[JsonValue] | None:
    """Pairs `[wanted, made, {argument: text}]` of calls by their places, -1 for none; None where nothing is compared.

    An argument without an entry is right by the rules of the scorer, missing and additional ones aside, which the two
    calls tell. Only of attempts that are not worth 1: of the others every argument is right.
    """
    if sample is None or score is None or score.value in (None, 1.0):
        return None
    made = _made(score.extracted)
    wanted = _wanted(sample)
    if not made or not wanted or len(made) > _MOST_CALLS:
        return None
    table = [[_faults(sample, one, name, given) for one in range(len(wanted))] for name, given in made]
    worth = [
        [_worth(table[row][column], wanted[column], *made[row]) for column in range(len(wanted))]
        for row in range(len(made))
    ]
    rows = dict(pair(worth))
    columns = {column: row for row, column in rows.items()}
    found: list[JsonValue] = []
    for column in range(len(wanted)):
        row = columns.get(column, -1)
        faults = table[row][column] if row >= 0 and _same(made[row][0], wanted[column][0]) else {}
        shown: dict[str, JsonValue] = {visible(name): texts.add(words) for name, words in faults.items()}
        found.append([column, row, shown])
    found += [[-1, row, {}] for row in range(len(made)) if row not in rows]
    return found


def _made(extracted: JsonValue) -> list[tuple[str, dict[str, JsonValue]]]:
    found: list[tuple[str, dict[str, JsonValue]]] = []
    for one in extracted if isinstance(extracted, list) else []:
        if not isinstance(one, dict):
            return []
        name, given = one.get("name"), one.get("arguments")
        if not isinstance(name, str) or not isinstance(given, dict):
            return []
        found.append((name, given))
    return found


def _wanted(sample: Sample) -> list[tuple[str, frozenset[str]]]:
    """Name and arguments that may not be left out of each wanted call."""
    target = sample.target
    if isinstance(target, ToolTarget):
        return [(one.name, frozenset(one.arguments) - frozenset(one.optional)) for one in target.calls]
    if isinstance(target, ReplayTarget) and len(target.references) == 1:
        return [(one.name, frozenset(one.arguments)) for one in target.references[0].calls]
    return []


def _same(made: str, wanted: str) -> bool:
    return made.replace(".", "_") == wanted.replace(".", "_")


def _worth(
    faults: _Faults, wanted: tuple[str, frozenset[str]], name: str, given: Mapping[str, JsonValue]
) -> float:  # fmt: skip
    """How well a call fits: the right name before right arguments."""
    if not _same(name, wanted[0]):
        return 0.0
    every = len(wanted[1] | set(given)) or 1
    missing = len(wanted[1] - set(given))
    return 1000.0 if not faults and not missing else (1 + max(0.0, 1 - (len(faults) + missing) / every)) / 3


def _faults(sample: Sample, place: int, name: str, given: Mapping[str, JsonValue]) -> _Faults:
    target = sample.target
    if isinstance(target, ToolTarget):
        return _by_values(target, target.calls[place], given)
    if not isinstance(target, ReplayTarget):
        return {}
    call = target.references[0].calls[place]
    schema: JsonValue = next((tool.parameters for tool in sample.tools if tool.name == call.name), None)
    rules = Rules(target.tolerance, target.free_text)
    found = differences(dict(given), dict(call.arguments), schema, rules) if _same(name, call.name) else ()
    return {one.place[0]: one.why for one in found if one.f1 is None and one.place}


def _by_values(target: ToolTarget, wanted: AcceptedCall, given: Mapping[str, JsonValue]) -> _Faults:
    """By the rules of BFCL: an argument that is not among the wanted ones is a fault, too."""
    declared = target.types.get(wanted.name, {})
    found: _Faults = {}
    for name, value in given.items():
        accepted: Sequence[JsonValue] | None = wanted.arguments.get(name)
        if accepted is None:
            found[name] = "not among the arguments of the target"
            continue
        fault = judge_argument(name, value, accepted, declared.get(name), target.language)
        if fault is not None:
            found[name] = fault.why
    return found
