"""The readings of `do=build`, by parts of the folder on any processor: all calls once, those taken a second time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from sys import intern
from typing import Final

import orjson
from pydantic import JsonValue

from harness.config.building import BuildOptions
from harness.cores import ONE_CORE, Cores
from harness.records import ReplayReference, ReplayTarget, Sample
from harness.records.call import Call, Split
from harness.records.logs import DELIVERY_PARAMS, Payload, canonical
from harness.records.summary import Ceiling
from harness.scorers.replay import judge_step
from harness.stats.proportion import mean_interval
from harness.store.calls import CallRange, call_ranges, picked, read_range
from harness.suite.arrivals import Arrivals, Logged, logged
from harness.suite.build_pick import Candidate
from harness.suite.build_sample import Unfit, incumbent_line, sample_of
from harness.suite.build_sheet import Facts
from harness.suite.build_trajectory_link import Linked, Links, linked_of
from harness.toolcalling.decode import Decoded

__all__ = ["Lines", "Survey", "lines_of", "survey_of"]

_NO_CLUSTER: Final = "unassigned"
_ROWS: Final = 16_384
_TAKEN: Final = 4_000
"""Samples of a part."""


@dataclass(slots=True)
class Survey:
    """What the first reading finds."""

    facts: Facts = field(default_factory=Facts)
    candidates: dict[bytes, Candidate] = field(default_factory=dict)
    """By split and request: a request that the log has twice in a split is one sample."""
    agreements: dict[bytes, tuple[float, str]] = field(default_factory=dict)
    """Of each repeated request: how often its answers agree, and its session."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    params: set[str] = field(default_factory=set)
    """Names of the fields that requests have."""

    def ceiling(self) -> Ceiling | None:
        """How far the log's model agrees with itself; None where no request was logged twice."""
        found = list(self.agreements.values())
        values = [min(1.0, value) for value, _ in found]
        interval = mean_interval(values, [session for _, session in found])
        if interval is None:
            return None
        return Ceiling(rate=sum(values) / len(values), interval=interval, n=len(values))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that can be asked again."""

    key: bytes
    id: str
    split: Split
    session: str | None
    weight: int


@dataclass(slots=True)
class _Portion:
    """What a part of the folder has."""

    elsewhere: int = 0
    unfit: Counter[str] = field(default_factory=Counter)
    params: set[str] = field(default_factory=set)
    calls: list[tuple[Logged, str]] = field(default_factory=list)
    """Every call with its agent and family: its cluster where no others are given."""
    asked: list[_Asked] = field(default_factory=list)
    agreements: dict[bytes, tuple[float, str]] = field(default_factory=dict)
    alone: int = 0
    linked: list[Linked] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Surveying:
    """Of rows of a curated folder what the suite needs to know of them."""

    options: BuildOptions

    def open(self) -> Callable[[CallRange], _Portion]:
        """One part after another; nothing is kept."""
        return partial(_portion, self.options)


def survey_of(
    source: Path,
    options: BuildOptions,
    clusters: Mapping[str, str] | None,
    links: Links | None,
    cores: Cores = ONE_CORE,
) -> Survey:
    """What the folder has. clusters: of calls by their ids. links: filled where sessions are wanted.

    Raises DataError for damaged calls.
    """
    found = Survey()
    for part in cores.map(_Surveying(options), call_ranges(source, _ROWS)):
        found.facts.read += len(part.calls)
        found.facts.elsewhere += part.elsewhere
        found.facts.unfit.update(part.unfit)
        found.params |= part.params
        cluster_of = {}
        for arrival, label in part.calls:
            cluster = cluster_of[arrival[1]] = label if clusters is None else clusters.get(arrival[1], _NO_CLUSTER)
            found.arrivals.add(arrival, cluster)
        for one in part.asked:
            _add(found, one, cluster_of[one.id])
        for key, agreement in part.agreements.items():
            found.agreements.setdefault(key, agreement)
        if links is not None:
            links.alone += part.alone
            for linked in part.linked:
                links.add(linked, cluster_of[linked.id])
    return found


def _label(call: Call) -> str:
    return f"{call.agent or 'no agent'}, {call.family}"


def _portion(options: BuildOptions, part: CallRange) -> _Portion:
    found = _Portion()
    for call in read_range(part):
        found.params.update(call.params)
        found.calls.append((logged(call), intern(_label(call))))
        inside = call.split in options.splits
        if inside and options.replay == "trajectory":
            if call.session is None:
                found.alone += 1
            else:
                found.linked.append(linked_of(call, call.session, options))
        if not inside and call.also == () and call.reference.count < 2:
            found.elsewhere += 1
            continue
        try:
            sample = sample_of(call, "", options)
        except Unfit as reason:
            found.elsewhere += not inside
            found.unfit[str(reason)] += inside
            continue
        request = _request(call)
        _compare(found, call, sample, request)
        found.elsewhere += not inside
        if inside:
            key = call.split.encode() + request
            found.asked.append(_Asked(key, call.id, call.split, call.session, max(1, call.weight)))
    return found


def _request(call: Call) -> bytes:
    """Equal for calls that ask one model the same: ids of tool calls count by their order, delivery not at all."""
    order: dict[str, int] = {}
    messages = [_nameless(message, order) for message in call.messages]
    kept = {name: value for name, value in call.params.items() if name not in DELIVERY_PARAMS and value is not None}
    return blake2b(canonical([messages, call.tools, kept, call.model]), digest_size=16).digest()


def _nameless(message: Payload, order: dict[str, int]) -> Payload:
    def place(identity: object) -> int | None:
        return None if identity is None else order.setdefault(str(identity), len(order))

    plain = {**message}
    if message.get("tool_calls"):
        plain["tool_calls"] = [{**one, "id": place(one.get("id"))} for one in message["tool_calls"]]
    if "tool_call_id" in message:
        plain["tool_call_id"] = place(message["tool_call_id"])
    return plain


def _add(found: Survey, call: _Asked, cluster: str) -> None:
    known = found.candidates.get(call.key)
    if known is not None:
        found.facts.repeated += 1
    first = known or Candidate(call.id, cluster, call.split, call.session, 0)
    weight = first.weight + call.weight
    found.candidates[call.key] = Candidate(first.id, first.cluster, first.split, first.session, weight)


def _compare(found: _Portion, call: Call, sample: Sample, key: bytes) -> None:
    """Adds how often the answers to one request agree, where there are several."""
    target = sample.target
    assert isinstance(target, ReplayTarget)
    answers = target.references
    n = sum(one.count for one in answers)
    if n < 2 or key in found.agreements:
        return
    same = sum(one.count * (one.count - 1) for one in answers)
    for one in answers:
        for other in answers:
            if one is not other:
                same += one.count * other.count * _agrees(one, other, target, sample)
    found.agreements[key] = (same / (n * (n - 1)), call.session or call.id)


def _agrees(one: ReplayReference, other: ReplayReference, target: ReplayTarget, sample: Sample) -> int:
    alone = target.model_copy(update={"references": (other,)})
    return int(judge_step(Decoded(one.calls, None, one.text), alone, sample.tools, cut=False).value == 1.0)


@dataclass(slots=True)
class Lines:
    """Samples as lines of JSON, and the incumbent's answers to them."""

    samples: bytes
    answers: bytes
    facts: Facts = field(default_factory=Facts)

    @classmethod
    def of(cls, sample: Sample, answer: Mapping[str, JsonValue]) -> "Lines":
        """One of each."""
        return cls(sample.model_dump_json().encode() + b"\n", orjson.dumps(answer) + b"\n")


@dataclass(frozen=True, slots=True)
class _Taken:
    """Rows that are taken, with weight and cluster of each by its call's id."""

    part: CallRange
    told: dict[str, tuple[float, str | None]]
    """Without a cluster: it is the call's agent and family."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """Of calls that are taken their lines."""

    options: BuildOptions

    def open(self) -> Callable[[_Taken], Lines]:
        """One part after another; nothing is kept."""
        return partial(_lines, self.options)


def lines_of(
    source: Path,
    options: BuildOptions,
    weights: Mapping[str, float],
    clusters: Mapping[str, str] | None,
    cores: Cores = ONE_CORE,
) -> Iterator[Lines]:
    """The samples of the calls that have a weight, in the order of the folder."""

    def parts() -> Iterator[_Taken]:
        for part, ids in picked(source, weights.keys(), _TAKEN):
            told = {one: None if clusters is None else clusters.get(one, _NO_CLUSTER) for one in ids}
            yield _Taken(part, {one: (weights[one], cluster) for one, cluster in told.items()})

    yield from cores.map(_Writing(options), parts())


def _lines(options: BuildOptions, taken: _Taken) -> Lines:
    samples, answers, facts = bytearray(), bytearray(), Facts()
    for call in read_range(taken.part):
        weight, cluster = taken.told[call.id]
        sample = sample_of(call, _label(call) if cluster is None else cluster, options)
        facts.see(call, sample)
        one = Lines.of(sample.model_copy(update={"weight": weight}), incumbent_line(call))
        samples += one.samples
        answers += one.answers
    return Lines(bytes(samples), bytes(answers), facts)
