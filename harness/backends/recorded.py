"""Answers that are on record already: scored as if they had just been given, without a call and without a clock."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
from pydantic import JsonValue, ValidationError

from harness.config import ModelConfig, RecordedConfig, explain_validation
from harness.errors import ConfigError, DataError
from harness.protocols import Endpoint
from harness.records import Attempt, Reply, Timing, Usage
from harness.records.manifest import WeightFacts
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import ATTEMPTS

__all__ = ["Recorded"]

_Object = dict[str, JsonValue]


class Recorded:
    """Reads replies from a file, or from the folder of an earlier run.

    A file has one JSON object a line: `id` of the sample (or `sample`), and the reply as `content` and `tool_calls`
    (name and arguments, as text or object, also in OpenAI's `function` shape), or as `response`, a chat completion.
    Optional: `trial`, `finish_reason`, `reasoning`, `usage` (prompt_tokens, completion_tokens), `latency_s` (end to
    end), `cost_usd`. What is not there stays unknown; nothing is measured.
    """

    name = "recorded"

    def __init__(
        self, config: RecordedConfig, model: ModelConfig, *, on_progress: Callable[..., None] | None = None
    ) -> None:
        del on_progress  # nothing is fetched
        self._path, self._model = Path(config.path).expanduser(), model

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
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                attempt = self._attempt(line, f"{self._path.name} line {number}")
                if attempt.key in seen:
                    raise DataError(f"{self._path.name} lines {seen[attempt.key]} and {number} are both {attempt.key}")
                seen[attempt.key] = number
                yield attempt

    def _of_run(self) -> Iterator[Attempt]:
        """The attempts of an earlier run. Raises ConfigError if their calls are written in another form."""
        for attempt, _ in final_outcomes(self._path):
            if attempt.protocol != self._model.protocol:
                raise ConfigError(
                    f"the answers in {self._path} are {attempt.protocol}, model.protocol is {self._model.protocol}: "
                    f"add model.protocol={attempt.protocol} model.name={attempt.model}"
                )
            yield attempt

    def _attempt(self, line: bytes, where: str) -> Attempt:
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{where} is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise DataError(f"{where} is no JSON object")
        sample = data.get("sample", data.get("id"))
        if sample is None:
            raise DataError(f'{where} has no "id" of a sample')
        try:
            return self._made(str(sample), data)
        except ValidationError as error:
            raise DataError(f"{where}: {explain_validation(error)}") from None
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{where} holds no reply that can be read ({type(error).__name__}: {error})") from None

    def _made(self, sample: str, data: _Object) -> Attempt:
        latency = data.get("latency_s")
        end_ns = round(float(latency) * 1e9) if isinstance(latency, int | float) else None
        trial, cost = data.get("trial", 0), data.get("cost_usd")
        return Attempt.model_validate(
            {
                "sample": sample,
                "model": self._model.name,
                "protocol": self._model.protocol,
                "trial": trial,
                "backend": self.name,
                "reply": _reply(data),
                "timing": Timing(at=0.0, end_ns=end_ns),
                "usage": _usage(data),
                "cost_usd": cost,
            }
        )


def _reply(data: _Object) -> Reply:
    """The reply of a line: its own fields, or the first choice of a chat completion."""
    response = data.get("response")
    finish = data.get("finish_reason")
    message: Mapping[str, JsonValue] = data
    if isinstance(response, str):
        message = {"content": response}
    elif isinstance(response, dict):
        choice = _object(_list(response["choices"])[0])
        message, finish = _object(choice["message"]), choice.get("finish_reason")
    calls = [_call(_object(one)) for one in _list(message.get("tool_calls") or [])]
    return Reply.model_validate(
        {
            "content": message.get("content"),
            "reasoning": message.get("reasoning", message.get("reasoning_content")),
            "tool_calls": calls,
            "finish_reason": finish,
        }
    )


def _call(call: _Object) -> _Object:
    inner = call.get("function")
    source = inner if isinstance(inner, dict) else call
    arguments = source.get("arguments")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    return {"name": source["name"], "arguments": text, "id": call.get("id")}


def _usage(data: _Object) -> Usage:
    response = data.get("response")
    found = data.get("usage") or (response.get("usage") if isinstance(response, dict) else None)
    if not isinstance(found, dict):
        return Usage()
    prompt, output = found.get("prompt_tokens"), found.get("completion_tokens", found.get("output_tokens"))
    return Usage.model_validate({"prompt_tokens": prompt, "output_tokens": output, "counted_by": "server"})


def _object(value: JsonValue) -> _Object:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, seen: {type(value).__name__}")
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, seen: {type(value).__name__}")
    return value
