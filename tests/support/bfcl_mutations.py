"""Small changes to right calls, of the kinds that models make: each is drawn from a seeded generator."""

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from harness.records import AcceptedCall, Language, Sample, ToolCall
from harness.scorers.gold import gold_calls

__all__ = ["mutated"]

_SCALARS: tuple[Any, ...] = (0, 1, -1, 2.0, 1.5, True, False, None, "", "x", "1", "true", [], {}, [1], [1.0], ["x"])
_LITERALS = ("", "1", "1.5f", "42L", "42n", "true", "[]", "{}", "[1, 2]", '"x"', "'x'", "new int[]{1, 2}", "null")


def mutated(sample: Sample, draw: Random, steps: int) -> tuple[ToolCall, ...]:
    """The sample's right calls, other accepted values chosen here and there, after some changes."""
    calls = [
        {"name": call.name, "arguments": copy.deepcopy(_respelled(call, wanted, sample.tool_target.language, draw))}
        for call, wanted in zip(gold_calls(sample.tool_target), sample.tool_target.calls, strict=True)
    ]
    for _ in range(steps):
        change = draw.choice(_CHANGES)
        change(calls, sample, draw)
    return tuple(ToolCall.model_validate(call) for call in calls)


def _respelled(call: ToolCall, wanted: AcceptedCall, language: Language, draw: Random) -> dict[str, Any]:
    """The arguments, some with another accepted value or left out."""
    arguments: dict[str, Any] = dict(call.arguments)
    for name, values in wanted.arguments.items():
        if name in wanted.optional and draw.random() < 0.3:
            arguments.pop(name, None)
        elif values and draw.random() < 0.3 and language == "python":
            other = draw.choice(values)
            if not isinstance(other, dict) and not (
                isinstance(other, list) and any(isinstance(x, dict) for x in other)
            ):
                arguments[name] = other
    return arguments


def _one(calls: list[dict[str, Any]], draw: Random) -> dict[str, Any]:
    return draw.choice(calls) if calls else {"name": "none", "arguments": {}}


def _drop_argument(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    arguments = _one(calls, draw)["arguments"]
    if arguments:
        del arguments[draw.choice(list(arguments))]


def _add_argument(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    call = _one(calls, draw)
    offered = next((tool.parameters["properties"] for tool in sample.tools if tool.name == call["name"]), {})
    names = [*(offered if isinstance(offered, dict) else ()), "made_up"]
    call["arguments"][draw.choice(names)] = _made_up(sample, draw)


def _replace_value(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    arguments = _one(calls, draw)["arguments"]
    if arguments:
        arguments[draw.choice(list(arguments))] = _made_up(sample, draw)


def _made_up(sample: Sample, draw: Random) -> Any:
    choices: tuple[Any, ...] = _SCALARS if sample.tool_target.language == "python" else (*_LITERALS, *_SCALARS[:5])
    return copy.deepcopy(draw.choice(choices))


def _bend_value(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    arguments = _one(calls, draw)["arguments"]
    if arguments:
        name = draw.choice(list(arguments))
        arguments[name] = _bent(arguments[name], draw)


def _bent(value: Any, draw: Random) -> Any:
    if isinstance(value, bool):
        return draw.choice([not value, int(value), str(value), str(value).lower()])
    if isinstance(value, int):
        return draw.choice([value + 1, float(value), str(value), -value, value + 0.5, [value], bool(value)])
    if isinstance(value, float):
        return draw.choice([value + 1, int(value), str(value), round(value), value * (1 + 1e-9), [value]])
    if isinstance(value, str):
        return _bent_text(value, draw)
    if isinstance(value, list):
        return _bent_list(value, draw)
    if isinstance(value, dict):
        return _bent_object(value, draw)
    return draw.choice(_SCALARS)


def _bent_text(text: str, draw: Random) -> Any:
    middle = draw.randint(0, len(text))
    return draw.choice(
        [
            text.upper(),
            text.lower(),
            text.replace(" ", ""),
            text.replace(",", ""),
            text.replace("-", "_"),
            text.replace("'", '"'),
            f" {text}. ",
            f'"{text}"',
            text + "s",
            text[:-1],
            text[:middle] + draw.choice(" ,./-_*^'\"(){}[]0aLfn") + text[middle:],
            text[:middle] + text[middle + 1 :],
            [text],
            int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else text + "\n",
        ]
    )


def _bent_list(items: list[Any], draw: Random) -> Any:
    at = draw.randrange(len(items)) if items else 0
    return draw.choice(
        [
            items[::-1],
            items[1:],
            [*items, draw.choice(_SCALARS)],
            [*items[:at], _bent(items[at], draw), *items[at + 1 :]] if items else [None],
            items[0] if items else "",
            str(items),
            [items],
        ]
    )


def _bent_object(entries: dict[str, Any], draw: Random) -> Any:
    if not entries:
        return {"made_up": 1}
    key = draw.choice(list(entries))
    without = {name: one for name, one in entries.items() if name != key}
    bent: dict[str, Any] = {**entries, key: _bent(entries[key], draw)}
    more: dict[str, Any] = {**entries, "made_up": 1}
    changed: tuple[Any, ...] = (without, bent, more, [entries])
    return draw.choice(changed)


def _swap_calls(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    draw.shuffle(calls)


def _swap_arguments(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    if len(calls) > 1:
        first, second = draw.sample(calls, 2)
        first["arguments"], second["arguments"] = second["arguments"], first["arguments"]


def _repeat_call(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    if calls and draw.random() < 0.5:
        calls[draw.randrange(len(calls))] = copy.deepcopy(_one(calls, draw))
    elif calls:
        calls.append(copy.deepcopy(_one(calls, draw)))


def _drop_call(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    if len(calls) > 1:
        del calls[draw.randrange(len(calls))]


def _rename_call(calls: list[dict[str, Any]], sample: Sample, draw: Random) -> None:
    if sample.tools:
        _one(calls, draw)["name"] = draw.choice([draw.choice(sample.tools).name, "made_up"])


_CHANGES: tuple[Callable[[list[dict[str, Any]], Sample, Random], None], ...] = (
    _drop_argument,
    _add_argument,
    _replace_value,
    *(_bend_value,) * 8,
    _swap_calls,
    _swap_arguments,
    _repeat_call,
    _drop_call,
    _rename_call,
)
