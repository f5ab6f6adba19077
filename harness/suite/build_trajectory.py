"""A session of the log as one sample: where it begins, what was answered at each step, and what came back."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final

from pydantic import JsonValue, ValidationError

from harness.config.building import BuildOptions
from harness.errors import ConfigError
from harness.records import Message, ReplayTarget, Sample, TrajectoryStep, TrajectoryTarget
from harness.records.call import Call, Reference
from harness.records.logs import Payload
from harness.records.summary import Ceiling, Interval
from harness.suite.build_pick import Candidate
from harness.suite.build_sample import Names, Unfit, incumbent_line, message_of, params_of, target_for, text_of, tool_of
from harness.suite.build_trajectory_link import Links, Trail

__all__ = ["Sessions", "made_of", "session_ceiling"]

_LEAST: Final = 2
"""Steps of a session: one alone is step replay's."""


@dataclass(frozen=True, slots=True)
class Made:
    """A session as a sample, with what the log's model answered."""

    sample: Sample
    line: dict[str, JsonValue]
    """Of `incumbent.jsonl`."""
    broken: str | None
    """Why the log goes on and the sample does not; None where it ends with the log."""
    from_history: int
    """Steps that no call of the curated folder tells of."""
    renamed: bool
    """Whether a tool's logged name is one that services refuse."""


@dataclass(slots=True)
class Sessions:
    """What is found out about sessions before any is written."""

    options: BuildOptions
    links: Links = field(default_factory=Links)
    trails: dict[str, Trail] = field(default_factory=dict)
    """Those that can be replayed, by id."""
    steps: dict[str, int] = field(default_factory=dict)
    """Steps of each."""
    unfit: Counter[str] = field(default_factory=Counter)
    """Sessions left out, by reason."""
    broken: Counter[str] = field(default_factory=Counter)
    """Sessions that end before the log does, by reason."""
    tools: set[str] = field(default_factory=set)

    def check(self, calls_of: Callable[[Collection[str]], Iterable[Call]]) -> list[Candidate]:
        """The sessions that can be replayed, after every call was seen; each stands for its calls.

        calls_of: from ids to the calls, in the order of the folder. Raises ConfigError where a name in
        `build.read_only` is that of no tool.
        """
        waiting = {trail.last: trail for trail in self.links.trails()}
        found = []
        for call in calls_of(waiting.keys()):
            trail = waiting.pop(call.id)
            self.tools |= {str(tool["name"]) for tool in call.tools}
            try:
                made = made_of(trail, {call.id: call}, self.options)
            except Unfit as why:
                self.unfit[str(why)] += 1
                continue
            if made.broken is not None:
                self.broken[made.broken] += 1
            self.trails[trail.id], self.steps[trail.id] = trail, len(_steps(made.sample))
            found.append(Candidate(trail.id, trail.cluster, trail.split, trail.session, trail.weight))
        self._check_names()
        return found

    def made(
        self,
        calls_of: Callable[[Collection[str]], Iterable[Call]],
        weights: Mapping[str, float],
        see: Callable[[Call], None],
    ) -> Iterator[Made]:
        """The chosen sessions, each when its last call was read, with these weights. see: told of all their calls."""
        chosen = [self.trails[one] for one in weights]
        wanted = {identity: trail for trail in chosen for identity in trail.calls.values()}
        held: dict[str, dict[str, Call]] = {trail.id: {} for trail in chosen}
        for call in calls_of(wanted.keys()):
            trail = wanted[call.id]
            see(call)
            own = held[trail.id]
            own[call.id] = call
            if len(own) == len(trail.calls):
                made = made_of(trail, held.pop(trail.id), self.options)
                yield replace(made, sample=made.sample.model_copy(update={"weight": weights[trail.id]}))

    def _check_names(self) -> None:
        for name in self.options.read_only:
            if self.tools and not any(fnmatchcase(tool, name) for tool in self.tools):
                some = ", ".join(sorted(self.tools)[:8])
                raise ConfigError(f"build.read_only={name} is the name of no tool of these sessions, seen: {some}")


def _steps(sample: Sample) -> tuple[TrajectoryStep, ...]:
    assert isinstance(sample.target, TrajectoryTarget)
    return sample.target.steps


def made_of(trail: Trail, calls: Mapping[str, Call], options: BuildOptions) -> Made:
    """The sample of a session, from its last call and as many of the others as are there.

    A step whose answer cannot be held against anything, or whose results are not all on record, ends it. Raises Unfit
    where too little is left.
    """
    last = calls[trail.last]
    names = Names.of(str(tool["name"]) for tool in last.tools)
    places = trail.places[options.first_step :]
    if len(places) < _LEAST:
        begin = f" from step {options.first_step}" if options.first_step else ""
        raise Unfit(f"fewer than {_LEAST} steps{begin}")
    messages = [*last.messages, {**last.reference.reply, "role": "assistant"}]
    own = {place: calls[one] for place, one in trail.calls.items() if one in calls}
    steps, broken = _read(messages, places, own, trail.stops, last, names, options)
    if len(steps) < _LEAST:
        raise Unfit(f"fewer than {_LEAST} steps, then: {broken}")
    if options.most_steps is not None and len(steps) > options.most_steps:
        steps, broken = steps[: options.most_steps], None
    looked_up = tuple(
        names(str(tool["name"]))
        for tool in last.tools
        if any(fnmatchcase(str(tool["name"]), name) for name in options.read_only)
    )
    try:
        sample = Sample(
            id=trail.id,
            category=trail.cluster,
            session=trail.session,
            weight=float(trail.weight),
            messages=tuple(message_of(one, names) for one in messages[: places[0]]),
            tools=tuple(tool_of(one, names) for one in last.tools),
            target=TrajectoryTarget(steps=tuple(steps), match=options.match, read_only=looked_up),
            scorer="trajectory",
            arrival_s=own[places[0]].at if places[0] in own else last.at,
            split=trail.split,
            params=params_of(last.params, names, options.params) if options.params else {},
        )
    except ValidationError:
        raise Unfit("it does not fit a sample (nested too deeply, or a field of the wrong type)") from None
    kept = places[: len(steps)]
    line = _line(trail.id, last, [_answer(messages[place], own.get(place), last) for place in kept])
    return Made(sample, line, broken, sum(place not in trail.calls for place in kept), names.changed)


def _read(
    messages: Sequence[Payload],
    places: Sequence[int],
    own: Mapping[int, Call],
    stops: Mapping[int, str],
    last: Call,
    names: Names,
    options: BuildOptions,
) -> tuple[list[TrajectoryStep], str | None]:
    """The steps up to the first that cannot be gone through, and why not; None if there is none."""
    steps: list[TrajectoryStep] = []
    for number, place in enumerate(places):
        end = places[number + 1] if number + 1 < len(places) else len(messages)
        if place in stops:
            return steps, stops[place]
        try:
            target = target_for(_call_at(messages[place], own.get(place), last), names, options)
        except Unfit as why:
            return steps, str(why)
        try:
            step = _step(target, messages[place], messages[place + 1 : end], names)
        except Unfit as why:
            return [*steps, TrajectoryStep(target=target)], str(why)
        steps.append(step)
        whole = len(step.results) == len(target.references[0].calls) and None not in step.results
        if not whole and number + 1 < len(places):
            return steps, "a call has no result on record"
    return steps, None


def _call_at(message: Payload, own: Call | None, last: Call) -> Call:
    """The logged call of a step; where there is none, the last one with this message for its answer."""
    if own is not None:
        return own
    reply = {name: value for name, value in message.items() if name != "role"}
    return replace(last, reference=Reference(reply=reply, label="incumbent", count=1), also=())


def _step(target: ReplayTarget, answer: Payload, after: Sequence[Payload], names: Names) -> TrajectoryStep:
    """A step with what came back. Results belong to calls by their ids, those without by their order."""
    told = [one for one in after if one.get("role") == "tool"]
    by_id = {str(one["tool_call_id"]): one for one in told if one.get("tool_call_id") is not None}
    plain = [one for one in told if one.get("tool_call_id") is None]
    results: list[str | None] = []
    for call in answer.get("tool_calls") or ():
        found = by_id.get(str(call.get("id"))) if call.get("id") is not None else None
        found = found or (plain.pop(0) if plain else None)
        results.append(None if found is None else text_of(found.get("content")) or "")
    then = tuple(message_of(one, names) for one in after if one.get("role") != "tool")
    return TrajectoryStep(target=target, results=tuple(results) if after else (), then=_said(then))


def _said(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message for message in messages if message.role != "assistant")


def _answer(message: Payload, own: Call | None, last: Call) -> dict[str, JsonValue]:
    """What the log's model answered at a step, with what that took where a call of the folder tells it."""
    line = incumbent_line(_call_at(message, own, last))
    kept = {"reply", "finish_reason"} if own is None else set(line) - {"id", "model"}
    return {name: value for name, value in line.items() if name in kept}


def _line(identity: str, last: Call, steps: Sequence[dict[str, JsonValue]]) -> dict[str, JsonValue]:
    line: dict[str, JsonValue] = {"id": identity, "model": last.model, "steps": list(steps)}
    return {name: value for name, value in line.items() if value is not None}


def session_ceiling(step: Ceiling | None, lengths: Sequence[int]) -> Ceiling | None:
    """How many sessions the log's model would go through again as it did, if each step is a chance of its own.

    The mean over the sessions of rate ** steps; the interval from that of the rate. step: of single requests.
    """
    if step is None or not lengths:
        return None

    def over(rate: float) -> float:
        return sum(max(0.0, min(1.0, rate)) ** n for n in lengths) / len(lengths)

    low, high = over(step.interval.low), over(step.interval.high)
    method = f"{step.interval.method} of one step, to the power of the steps"
    interval = Interval(low=low, high=high, level=step.interval.level, method=method)
    return Ceiling(rate=over(step.rate), interval=interval, n=step.n, step_rate=step.rate)
