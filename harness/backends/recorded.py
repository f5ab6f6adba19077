"""Answers that are on record already: scored as if they had just been given, without a call and without a clock."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from pydantic import ValidationError

from harness.backends.recorded_line import Line, Told, line_of, told
from harness.config import ModelConfig, PriceConfig, RecordedConfig, explain_validation
from harness.cost import hosted_cost_usd
from harness.errors import ConfigError, DataError
from harness.measure import total_usage, total_usd
from harness.prices import PriceMap, find_price_map, price_of
from harness.protocols import Endpoint
from harness.records import Attempt, Step, Timing, Usage
from harness.records.manifest import WeightFacts
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import ATTEMPTS

__all__ = ["INCUMBENT", "Recorded"]

INCUMBENT = "incumbent"
"""Name of a model that is several: whoever gave each answer of a log."""


class Recorded:
    """Reads replies from a file, or from the folder of an earlier run.

    A file has one JSON object a line: `id` of the sample (or `sample`), and the reply as `content` and `tool_calls`
    (name and arguments, as text or object, also in OpenAI's `function` shape), as `reply` with these in it, or as
    `response`, a chat completion, or, of a session that is replayed, as `steps`, a list of such answers;
    docs/recorded.md has the optional keys. A file of samples whose lines have
    `incumbent` is read too. What is not there stays unknown; nothing is measured.
    """

    name = "recorded"

    def __init__(
        self, config: RecordedConfig, model: ModelConfig, *, on_progress: Callable[..., None] | None = None
    ) -> None:
        del on_progress  # nothing is fetched
        if config.path is None:
            raise ConfigError("backend.path is not given; name a file of replies or a run folder: backend.path=…")
        self._path, self._model = Path(config.path).expanduser(), model
        self._prices = _Prices(model)

    def prepare(self) -> WeightFacts | None:
        """Nothing to fetch. Raises ConfigError if the file is not there."""
        if not self._path.exists():
            raise ConfigError(f"backend.path={self._path} is not there; name a file of replies or a run folder")
        return None

    def serve(self) -> AbstractAsyncContextManager[Endpoint]:
        """Refused: there is nobody to ask. Raises ConfigError."""
        raise ConfigError("recorded answers cannot be asked anything; choose a model that can: model=smollm2")

    def attempts(self) -> Iterator[Attempt]:
        """Every recorded attempt in the order of the file. Raises DataError with the line that makes no sense."""
        if self._path.is_dir():
            if not (self._path / ATTEMPTS).is_file():
                raise DataError(f"backend.path={self._path} is no run folder: it has no {ATTEMPTS}")
            yield from self._of_run()
            return
        seen: dict[str, int] = {}
        for line in answers(self._path):
            attempt = self._attempt(line)
            if attempt.key in seen:
                raise DataError(f"{self._path.name} lines {seen[attempt.key]} and {line.number} are both {attempt.key}")
            seen[attempt.key] = line.number
            yield attempt

    def _of_run(self) -> Iterator[Attempt]:
        """The attempts of an earlier run. Raises ConfigError if their calls are written in another form."""
        for attempt, _ in final_outcomes(self._path):
            if attempt.protocol != self._model.protocol and attempt.origin != "recorded":
                raise ConfigError(
                    f"the answers in {self._path} are {attempt.protocol}, model.protocol is {self._model.protocol}: "
                    f"add model.protocol={attempt.protocol} model.name={attempt.model}"
                )
            yield attempt

    def _attempt(self, line: Line) -> Attempt:
        try:
            return self._made(line.sample, told(line.data))
        except ValidationError as error:
            raise DataError(f"{line.where}: {explain_validation(error)}") from None
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{line.where} holds no reply that can be read ({type(error).__name__}: {error})") from None

    def _made(self, sample: str, said: Told) -> Attempt:
        model = (said.model or INCUMBENT) if self._model.name == INCUMBENT else self._model.name
        replies = [one.reply for one in (said.steps or (said,)) if one.reply is not None]
        called = any(one.tool_calls for one in replies)
        steps = tuple(self._step(model, one) for one in said.steps)
        return Attempt(
            sample=sample,
            model=model,
            protocol="native" if called else self._model.protocol,  # calls as such were read by a server
            trial=said.trial,
            backend=self.name,
            reply=said.reply,
            timing=_whole(said.steps) if steps else said.timing,
            usage=total_usage(steps) if steps else said.usage,
            cost_usd=total_usd([one.cost_usd for one in steps]) if steps else self._prices.cost_usd(model, said.usage),
            recorded_cost_usd=total_usd([one.recorded_cost_usd for one in steps]) if steps else said.cost_usd,
            recorded_cost_by=None if said.cost_usd is None else "log",
            failure=said.failure,
            origin="recorded",
            latency_source=said.latency_source,
            steps=steps,
            ended="answered" if steps and said.failure is None else None,
        )

    def _step(self, model: str, said: Told) -> Step:
        """One reply of a session. Raises ValueError where it is none."""
        if said.reply is None:
            raise ValueError("a step has no reply; put the failure beside the steps")
        return Step(
            turn=0,
            reply=said.reply,
            timing=said.timing,
            usage=said.usage,
            cost_usd=self._prices.cost_usd(model, said.usage),
            recorded_cost_usd=said.cost_usd,
            origin="recorded",
        )


def _whole(steps: Sequence[Told]) -> Timing:
    """Of a session: the model's own time, without that of its tools; not known where that of one reply is not."""
    times = [one.timing.end_ns for one in steps]
    known = [one for one in times if one is not None]
    return Timing(at=steps[0].timing.at, end_ns=sum(known) if len(known) == len(times) else None)


def answers(path: Path) -> Iterator[Line]:
    """The answers of a file, by line. Raises DataError with the line that is no JSON object, or of no sample."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            where = f"{path.name} line {number}"
            try:
                data = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{where} is not JSON: {error}") from None
            if not isinstance(data, dict):
                raise DataError(f"{where} is no JSON object")
            yield from line_of(data, number, where)


@dataclass(slots=True)
class _Prices:
    """What an answer costs at list price: the configured model's, else, of a log, that of who gave it."""

    model: ModelConfig
    _known: dict[str, PriceConfig | None] = field(default_factory=dict)
    _map: PriceMap | None = None
    _looked: bool = False

    def cost_usd(self, name: str, usage: Usage) -> float | None:
        price = self.model.price or self._of(name)
        return None if price is None else hosted_cost_usd(usage, price)

    def _of(self, name: str) -> PriceConfig | None:
        if self.model.name != INCUMBENT or not self.model.hosted:
            return None
        if not self._looked:
            self._map, self._looked = find_price_map(), True
        if name not in self._known:
            self._known[name] = None if self._map is None else price_of(name, self._map)
        return self._known[name]
