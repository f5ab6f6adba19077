"""Ways in which an agent's calls over several turns go wrong, or take another way."""

from collections.abc import Callable, Sequence
from random import Random

from pydantic import JsonValue

from harness.records import ToolCall

__all__ = ["Plan", "mutated", "split"]

Plan = list[list[ToolCall]]
"""Per turn its calls."""

_GARBAGE: tuple[JsonValue, ...] = (
    None, True, False, 0, -1, 1.5, 10**12, "", " ", "x", "..", "/", "é\u2028'\"\\n", "sort (x)", [], [1, "a"], {},
    {"a": [1]}, [[[[]]]], "a" * 500, "null",
)  # fmt: skip


def mutated(plan: Plan, others: Sequence[ToolCall], draw: Random, times: int) -> Plan:
    """The plan after so many changes; others: calls that may be put in."""
    changed = [list(turn) for turn in plan]
    for _ in range(times):
        draw.choice(_KINDS)(changed, others, draw)
    return changed


def split(turn: Sequence[ToolCall], draw: Random) -> list[list[ToolCall]]:
    """The calls of a turn over one step or several, some of them without a call."""
    steps: list[list[ToolCall]] = [[]]
    for call in turn:
        if draw.random() < 0.5:
            steps.append([])
        steps[-1].append(call)
    return steps


def _place(plan: Plan, draw: Random) -> tuple[list[ToolCall], int] | None:
    turns = [turn for turn in plan if turn]
    if not turns:
        return None
    turn = draw.choice(turns)
    return turn, draw.randrange(len(turn))


def _drop(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    if (place := _place(plan, draw)) is not None:
        del place[0][place[1]]


def _twice(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    if (place := _place(plan, draw)) is not None:
        place[0].insert(draw.randrange(len(place[0]) + 1), place[0][place[1]])


def _swap(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    turns = [turn for turn in plan if len(turn) > 1]
    if turns:
        draw.shuffle(draw.choice(turns))


def _move(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    if (place := _place(plan, draw)) is not None:
        call = place[0].pop(place[1])
        to = draw.choice(plan)
        to.insert(draw.randrange(len(to) + 1), call)


def _empty(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    draw.choice(plan).clear()


def _extra(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    turn = draw.choice(plan)
    turn.insert(draw.randrange(len(turn) + 1), draw.choice(others))


def _look(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    """A call without arguments: it often changes nothing."""
    name = draw.choice(others).name
    turn = draw.choice(plan)
    turn.insert(draw.randrange(len(turn) + 1), ToolCall(name=name, arguments={}))


def _unknown(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    turn = draw.choice(plan)
    turn.insert(draw.randrange(len(turn) + 1), ToolCall(name="no_such_function", arguments={"a": 1}))


def _argument(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    place = _place(plan, draw)
    if place is None or not place[0][place[1]].arguments:
        return
    turn, at = place
    call = turn[at]
    name = draw.choice(list(call.arguments))
    value = draw.choice([*_GARBAGE, *_near(call.arguments[name])])
    turn[at] = ToolCall(name=call.name, arguments={**call.arguments, name: value})


def _near(value: JsonValue) -> list[JsonValue]:
    """Values that look alike."""
    if isinstance(value, bool):
        return [not value, str(value)] * 5
    if isinstance(value, int | float):
        return [value + 1, float(value), str(value), -value] * 5
    if isinstance(value, str):
        return [value.upper(), value + " ", value[1:], [value], value + "/"] * 4
    if isinstance(value, list):
        return [value[::-1], value[:-1], value + value[:1]] * 6
    return [None]


def _arguments(plan: Plan, others: Sequence[ToolCall], draw: Random) -> None:
    """An argument too many, too few, or by another name."""
    place = _place(plan, draw)
    if place is None:
        return
    turn, at = place
    call, arguments = turn[at], dict(turn[at].arguments)
    if arguments and draw.random() < 0.7:
        name = draw.choice(list(arguments))
        value = arguments.pop(name)
        if draw.random() < 0.5:
            arguments[f"{name}_x"] = value
    else:
        arguments["surplus"] = 1
    turn[at] = ToolCall(name=call.name, arguments=arguments)


_KINDS: tuple[Callable[[Plan, Sequence[ToolCall], Random], None], ...] = (
    _drop, _twice, _swap, _move, _empty, _extra, _extra, _look, _unknown, _argument, _argument, _arguments,
)  # fmt: skip
