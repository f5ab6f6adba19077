"""A session on record, gone through again reply by reply: what each reply is worth, and what comes back to it.

Pure: the runner walks to know what to answer, the scorer walks again over what was said, and both come to the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.records import (
    Divergence,
    Message,
    MissClass,
    Protocol,
    ReplayTarget,
    Reply,
    Sample,
    StepOutcome,
    Tool,
    ToolCall,
    TrajectoryFacts,
    TrajectoryStep,
    TrajectoryTarget,
    target_of,
)
from harness.scorers.matching import pair
from harness.scorers.replay import Step, decoded_step, judge_step
from harness.scorers.replay_values import Rules, differences
from harness.scorers.wording import shown
from harness.toolcalling.answer import ANSWER
from harness.toolcalling.decode import Decoded

__all__ = ["Move", "Walk", "offered_tools"]

_BY_MISS: Final[dict[MissClass, Divergence]] = {
    "decode": "unreadable",
    "length": "cut_off",
    "no_answer": "silent",
    "wrong_answer": "other_words",
}
_MISS: Final[dict[Divergence, MissClass]] = {
    "called": "should_not_have_called",
    "words": "should_have_called",
    "stopped_early": "should_have_called",
    "other_tool": "wrong_tool",
    "other_count": "wrong_count",
    "other_order": "wrong_tool",
    "unknown_call": "wrong_tool",
    "repeated_call": "wrong_count",
}
"""Where a divergence stands in the waterfall; those not named here where step replay has them."""
_RIGHT: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Move:
    """What a reply leads to."""

    outcome: StepOutcome
    calls: tuple[ToolCall, ...] = ()
    """As they were read."""
    text: str | None = None
    results: tuple[str, ...] = ()
    """What each call is given back; nothing where the walk is over."""
    then: tuple[Message, ...] = ()
    """What comes before the next reply besides."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A call on record."""

    step: int
    call: int


@dataclass(slots=True)
class Walk:
    """One way through a record, as far as it has come."""

    sample: Sample
    protocol: Protocol
    target: TrajectoryTarget = field(init=False)
    at: int = 0
    """Steps of the record that are done, from its first on and without a gap."""
    kind: Divergence | None = None
    left: bool = False
    miss: MissClass | None = None
    why: str = ""
    outcomes: list[StepOutcome] = field(default_factory=list)
    called: bool = False
    """Whether any reply called anything."""
    readable: int = 0
    """Replies that could be read, as calls or as words."""
    _made: dict[_Place, int] = field(default_factory=dict)
    """Calls of the record that were made, with the order in which they were."""
    _rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.target = target_of(self.sample, TrajectoryTarget)
        first = self.target.steps[0].target
        self._rules = Rules(first.tolerance, first.free_text)

    @property
    def survived(self) -> bool:
        """Whether the whole record was done."""
        return self.at == len(self.target.steps)

    @property
    def over(self) -> bool:
        """Whether nothing can come after the last reply."""
        return self.survived or self.left or self.kind is not None

    @property
    def facts(self) -> TrajectoryFacts:
        """How far it came, once it is over."""
        return TrajectoryFacts(
            match=self.target.match,
            steps=len(self.target.steps),
            depth=self.at,
            ended="survived" if self.survived else "left" if self.left else "diverged",
            kind=self.kind,
            outcomes=tuple(self.outcomes),
        )

    def take(self, reply: Reply) -> Move:
        """What the next reply leads to. Never raises on what a model may say."""
        assert not self.over
        step = self.target.steps[self.at]
        heard = self._heard(reply, step)
        judged = judge_step(heard, step.target, self.sample.tools, cut=reply.finish_reason == "length")
        self.called |= bool(heard.calls)
        self.readable += heard.error is None
        in_order = bool(heard.calls) and self.target.match == "fifo"
        move = self._in_order(heard, judged, step) if in_order else self._in_place(heard, judged, step)
        self.outcomes.append(move.outcome)
        return move

    def stop(self, kind: Divergence, miss: MissClass, why: str) -> None:
        """Notes that no further reply came, though the record goes on."""
        self.outcomes.append(kind)
        self._diverge(kind, miss, why)

    def _heard(self, reply: Reply, step: TrajectoryStep) -> Decoded:
        tools = offered_tools(self.sample, self.protocol)
        asked = self.sample.model_copy(update={"target": step.target, "tools": tools})
        heard = decoded_step(reply, self.protocol, asked)
        if len(tools) == len(self.sample.tools):
            return heard
        calls = tuple(call for call in heard.calls if call.name != ANSWER.name)
        words = [str(call.arguments.get("text") or "") for call in heard.calls if call.name == ANSWER.name]
        return Decoded(calls, heard.error, "\n".join(words) or None if words else heard.text)

    def _in_place(self, heard: Decoded, judged: Step, step: TrajectoryStep) -> Move:
        """The rule of step replay: the answer of this very step."""
        if not judged.value:
            return self._lost(heard, judged, step)
        if self._is_last:
            return self._went_on("same", heard, (), ends=True)
        if not self._goes_on(heard, step.target):
            return self._leave(heard)
        places = self._paired(heard.calls, step)
        self._make(places)
        self._make(_Place(self.at, number) for number in range(len(step.target.references[0].calls)))
        return self._went_on("same", heard, places)

    @property
    def _is_last(self) -> bool:
        return self.at + 1 == len(self.target.steps)

    def _goes_on(self, heard: Decoded, target: ReplayTarget) -> bool:
        """Whether the record goes on from this answer, not only from another one of the same request."""
        alone = target.model_copy(update={"references": target.references[:1]})
        return judge_step(heard, alone, self.sample.tools, cut=False).value == 1.0

    def _paired(self, calls: Sequence[ToolCall], step: TrajectoryStep) -> list[_Place]:
        wanted = step.target.references[0].calls
        worth = [
            [self._equal(call, one) * (_RIGHT + (call.arguments == one.arguments)) for one in wanted] for call in calls
        ]
        return [_Place(self.at, column) for _, column in pair(worth)]

    def _in_order(self, heard: Decoded, judged: Step, step: TrajectoryStep) -> Move:
        """First in, first out: each call takes the first equal one of the record that has not been made."""
        found: list[_Place] = []
        repeated = False
        for call in heard.calls:
            place = next((one for one in self._equals(call) if one not in self._made and one not in found), None)
            if place is None:
                place, repeated = self._looked_up(call, found), True
            if place is None or (self._result(place) is None and not self._would_end([*found, place])):
                return self._strange(heard, judged, step, call)
            found.append(place)
        moved = any(place.step != self.at for place in found)
        self._make(found)
        return self._went_on("repeated" if repeated else "out_of_order" if moved else "same", heard, found)

    def _strange(self, heard: Decoded, judged: Step, step: TrajectoryStep, call: ToolCall) -> Move:
        """A reply with a call that takes no result of the record."""
        if not judged.value or self._goes_on(heard, step.target):  # the latter: what is made again is on record once
            return self._lost(heard, judged, step, call)
        return self._went_on("same", heard, (), ends=True) if self._is_last else self._leave(heard)

    def _went_on(self, outcome: StepOutcome, heard: Decoded, places: Sequence[_Place], *, ends: bool = False) -> Move:
        """The reply is taken: what its calls are given back, and what else comes before the next one.

        ends: it answers the last step, in whichever of the ways on record.
        """
        then = () if ends else self._advance(spoken=not heard.calls)
        self.at = len(self.target.steps) if ends else self.at
        results = () if self.survived else tuple(self._result(place) or "" for place in places)
        return Move(outcome, heard.calls, heard.text, results, then)

    def _leave(self, heard: Decoded) -> Move:
        self.left = True
        self.why = f"step {self.at + 1}: an answer that the log has elsewhere for this request, without what came of it"
        return Move("left", heard.calls, heard.text)

    def _lost(self, heard: Decoded, judged: Step, step: TrajectoryStep, call: ToolCall | None = None) -> Move:
        kind = self._kind(heard, judged, step, call)
        miss = _MISS.get(kind) or judged.miss or "wrong_value"
        if kind == "other_arguments" and miss in {"wrong_tool", "wrong_count", "should_not_have_called"}:
            miss = "wrong_value"
        why = judged.why
        if kind == "repeated_call" and call is not None:
            why = f"{shown(call.name)} was called as often as on record, and again"
        self._diverge(kind, miss, why or "the reply is not as on record")
        return Move(kind, heard.calls, heard.text)

    def _diverge(self, kind: Divergence, miss: MissClass, why: str) -> None:
        self.kind, self.miss = kind, miss
        self.why = f"step {self.at + 1} of {len(self.target.steps)}, {kind.replace('_', ' ')}: {why}"

    def _kind(self, heard: Decoded, judged: Step, step: TrajectoryStep, strange: ToolCall | None) -> Divergence:
        if not heard.calls:
            known = _BY_MISS.get(judged.miss or "decode")
            later = any(one.role == "user" for other in self.target.steps[self.at :] for one in other.then)
            return known or ("silent" if not heard.text else "words" if later else "stopped_early")
        wanted = step.target.references[0].calls
        if strange is None:
            strange = next((one for one in heard.calls if not any(self._equal(one, other) for other in wanted)), None)
            if not wanted:
                return "called"
        if strange is None:
            return "other_count"
        if next(self._equals(strange), None) is not None:
            if self.target.match == "strict":
                return "other_order"
            return "repeated_call" if all(one in self._made for one in self._equals(strange)) else "other_count"
        if not wanted:
            return "called"
        if any(one.name == strange.name for one in wanted):
            return "other_arguments"
        known_tool = any(call.name == strange.name for _, call in self._recorded())
        return "other_tool" if known_tool else "unknown_call"

    def _looked_up(self, call: ToolCall, found: Sequence[_Place]) -> _Place | None:
        """Where the result of a call lies that was given before, if its tool only looks something up."""
        if call.name not in self.target.read_only:
            return None
        order = self._made | {place: len(self._made) + number for number, place in enumerate(found)}
        return max((one for one in self._equals(call) if one in order), key=lambda one: order[one], default=None)

    def _would_end(self, made: Sequence[_Place]) -> bool:
        every = {place for place, _ in self._recorded()}
        spoken = any(not one.target.references[0].calls for one in self.target.steps[self.at :])
        return not spoken and every <= set(self._made) | set(made)

    def _advance(self, *, spoken: bool) -> tuple[Message, ...]:
        """Goes on over the steps that are done; what comes before the next reply besides results."""
        then: list[Message] = []
        steps = self.target.steps
        while self.at < len(steps):
            calls = steps[self.at].target.references[0].calls
            if not (all(_Place(self.at, number) in self._made for number in range(len(calls))) if calls else spoken):
                break
            spoken = spoken and bool(calls)
            then += steps[self.at].then
            self.at += 1
        return tuple(then)

    def _make(self, places: Iterable[_Place]) -> None:
        for place in places:
            self._made.setdefault(place, len(self._made))

    def _recorded(self) -> Iterator[tuple[_Place, ToolCall]]:
        for number, step in enumerate(self.target.steps):
            for index, call in enumerate(step.target.references[0].calls):
                yield _Place(number, index), call

    def _equals(self, call: ToolCall) -> Iterator[_Place]:
        """Where equal calls are on record, in its order."""
        return (place for place, one in self._recorded() if self._equal(call, one))

    def _equal(self, call: ToolCall, wanted: ToolCall) -> bool:
        if call.name != wanted.name:
            return False
        schema = next((tool.parameters for tool in self.sample.tools if tool.name == wanted.name), None)
        found = differences(dict(call.arguments), dict(wanted.arguments), schema, self._rules)
        return all(fault.f1 is not None for fault in found)

    def _result(self, place: _Place) -> str | None:
        results = self.target.steps[place.step].results
        return results[place.call] if place.call < len(results) else None


def offered_tools(sample: Sample, protocol: Protocol) -> tuple[Tool, ...]:
    """The tools of the record, with the one to speak by where calls are written as text and none has its name."""
    if protocol == "native" or not sample.tools or any(tool.name == ANSWER.name for tool in sample.tools):
        return sample.tools
    return (*sample.tools, ANSWER)
