"""BFCL's multi-turn tasks: the classes of the bfcl-eval wheel do what is called, and their state is what is judged.

The rules are those of bfcl-eval 2026.3.23, `eval_checker/multi_turn_eval/multi_turn_checker.py` (what is compared) and
`multi_turn_utils.py` (how calls are run and their results written). Its classes are read from the suite's fetched data.
"""

import copy
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pydantic import Field, JsonValue, ValidationError

from harness.errors import DataError, extra
from harness.protocols import WorldVerdict
from harness.records import AgentTarget, Record, Sample, Step, ToolCall, target_of

__all__ = ["MODULES", "Bfcl", "BfclTask"]

MODULES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TwitterAPI": "posting_api",
    "VehicleControlAPI": "vehicle_control",
}
"""Which file of the wheel's `func_source_code` holds each class."""
_STATELESS = {"MathAPI"}
_PACKAGE = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
_NEEDED = "mpmath"
_ABSENT = object()


class BfclTask(Record):
    """What a world is set up from."""

    classes: tuple[str, ...] = Field(min_length=1)
    config: dict[str, JsonValue] = Field(default_factory=dict)
    """Per class the scenario that it is loaded with."""
    long_context: bool = False
    """Whether the classes are filled up with much that does not matter."""


class Bfcl:
    """Worlds of one or two of BFCL's classes."""

    name = "bfcl"
    runs_unoffered = True
    """As the reference does: a function that is held back, or not offered at all, runs if a model calls it."""

    def __init__(self, data: Path | None) -> None:
        """Takes the suite's data with `eval_checker/multi_turn_eval/func_source_code` in it. Raises DataError."""
        if data is None:
            raise DataError("the environment bfcl needs the data of suite=toolcall_multi_turn; name it in suite.yaml")
        self._data = data
        self._kinds: dict[str, type] = {}

    def open(self, sample: Sample) -> "BfclWorld":
        """A new world for a sample. Raises DataError if its task is not one of BFCL's."""
        target = target_of(sample, AgentTarget)
        try:
            task = BfclTask.model_validate(target.task)
        except ValidationError as error:
            said = " ".join(str(error).split())[:200]
            raise DataError(f"the task of sample {sample.id} is none of environment bfcl: {said}") from None
        return BfclWorld(lambda: _Side(self._loaded(task.classes), task), target.plan)

    def gold(self, sample: Sample) -> tuple[str, ...]:
        """Nothing: what is said is not judged here."""
        del sample
        return ()

    def _loaded(self, names: Sequence[str]) -> dict[str, type]:
        if missing := [name for name in names if name not in MODULES]:
            raise DataError(f"BFCL has no class {missing[0]}; its classes are {', '.join(MODULES)}")
        wanted = [name for name in names if name not in self._kinds]
        if wanted:
            with _stub_package(self._data):
                self._kinds |= {name: _class_of(name) for name in wanted}
        return {name: self._kinds[name] for name in names}


def _class_of(name: str) -> type:
    try:
        kind: type = getattr(import_module(f"{_PACKAGE}.{MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name == _NEEDED:
            raise DataError(f"{name} needs the package mpmath; type: {extra('suites')}") from None
        raise DataError(f"{MODULES[name]}.py is not in the suite's data ({error.name}); fetch it anew") from None
    return kind


@contextmanager
def _stub_package(folder: Path) -> Iterator[None]:
    """The wheel's package as far as its classes need it, without its own start-up code and what that would import."""
    parts = _PACKAGE.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == parts[0]}
    for name in before:
        del sys.modules[name]
    for name in names:
        stub = ModuleType(name)
        stub.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = stub
    try:
        yield
    finally:
        for name in [one for one in sys.modules if one.partition(".")[0] == parts[0]]:
            del sys.modules[name]
        sys.modules.update(before)


class _Side:
    """The instances that one side's calls change: the model's, or the reference's."""

    def __init__(self, kinds: Mapping[str, type], task: BfclTask) -> None:
        self.instances: dict[str, object] = {}
        self._methods: dict[str, Callable[..., object]] = {}
        for name, kind in kinds.items():
            instance = kind()
            if name not in _STATELESS:
                scenario = copy.deepcopy(task.config.get(name, {}))
                instance._load_scenario(scenario, long_context=task.long_context)
            self.instances[name] = instance
            public = inspect.getmembers(instance, predicate=inspect.ismethod)
            self._methods |= {method: bound for method, bound in public if not method.startswith("_")}

    def call(self, call: ToolCall) -> tuple[str, bool]:
        """What a function gives back, written as the reference writes it, and whether it is an error."""
        method = self._methods.get(call.name)
        if method is None:
            return f"Error during execution: name '{call.name[:60]}' is not defined", True
        try:
            result = method(**copy.deepcopy(call.arguments))
            failed = isinstance(result, dict) and "error" in result
            return _written(result), failed
        except Exception as error:  # whatever a function raises at the arguments of a model is told to it
            return f"Error during execution: {error}", True

    def differs(self, reference: "_Side") -> str | None:
        """The first class whose public attributes are not those of the reference's; None if all are."""
        for name, wanted in reference.instances.items():
            mine = self.instances[name]
            for attribute, value in vars(wanted).items():
                if not attribute.startswith("_") and getattr(mine, attribute, _ABSENT) != value:
                    return name
        return None


def _written(result: object) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError):  # some functions give an object of theirs back
            return str(result)
    return str(result)


class BfclWorld:
    """One task's instances, and the reference's calls to compare with."""

    def __init__(self, make: Callable[[], _Side], plan: Sequence[Sequence[ToolCall]]) -> None:
        self._make, self._plan = make, plan
        self._side = make()

    def begin(self, turn: int) -> None:
        """Nothing changes between turns."""
        del turn

    def call(self, call: ToolCall) -> tuple[str, bool]:
        """Runs a function of the classes, offered or not."""
        return self._side.call(call)

    def verdict(self, steps: Sequence[Step], *, ended: bool = True) -> WorldVerdict:
        """Value 1 if no turn fails; both sides are run again from the start, a turn of the one after one of the other.

        A turn that the reference leaves without calls cannot fail, as in the reference's checker, which asks only what
        state it leaves behind. `turns_done`: turns before the first that fails, over all. `end_state`: 1 if the state
        after the last turn is the reference's, whatever came before. A turn that the model did not end fails. Counts:
        `turns_done`, and `kept_quiet`: of the turns without a reference call that were reached, those in which none was
        made.
        """
        mine, reference, results = self._make(), self._make(), list[str]()
        whys: list[str] = []
        quiet = [0, 0]
        for turn, wanted in enumerate(self._plan):
            replies = [step for step in steps if step.turn == turn]
            made = [result for step in replies for result in step.results]
            results += [mine.call(result.call)[0] for result in made if result.ran]
            expected = [reference.call(call)[0] for call in wanted]
            if wanted:
                whys.append(_failure(bool(made), mine.differs(reference), results, expected))
            else:
                whys.append("")
                quiet = [quiet[0] + (not made), quiet[1] + 1] if replies else quiet
        if not ended:
            last = max((step.turn for step in steps), default=0)
            whys[last:] = [why or "the turn was not ended." for why in whys[last:]]
        first = next((turn for turn, why in enumerate(whys) if why), None)
        done = len(whys) if first is None else first
        counts = {"turns_done": (done, len(whys))} | ({"kept_quiet": (quiet[0], quiet[1])} if quiet[1] else {})
        return WorldVerdict(
            value=float(first is None),
            parts={"turns_done": done / max(1, len(whys)), "end_state": float(mine.differs(reference) is None)},
            counts=counts,
            why="" if first is None else f"in turn {first + 1} of {len(whys)}, {whys[first]}",
        )


def _failure(made: bool, differing: str | None, results: Sequence[str], expected: Sequence[str]) -> str:
    """Why a turn whose reference has calls fails; empty if it does not. Names no call and no value: see `WorldVerdict`.

    results: those of the model's calls in this turn and all before; each can stand for one of the reference's.
    """
    if not made:
        return "no function was called, though something had to be done."
    if differing is not None:
        return f"the state of {differing} is not what was asked for."
    left = list(results)
    for one in expected:
        if one not in left:
            return "something that was asked for was not looked up."
        left.remove(one)
    return ""
