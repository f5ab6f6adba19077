"""How likely a text is after another, by engines that can say so; a clear refusal from those that cannot.

llama.cpp answers for generated tokens alone: its `echo` is ignored (ggml-org/llama.cpp#27174, the same in b11549). So
the continuation is generated, one token after the other, under a grammar that allows nothing else (`<[id]>`); the
log-probabilities told are those before any sampler, and the most likely token is told with them. vLLM has `echo`.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from pydantic import JsonValue

from harness.backends.blame import attribute, hushed, sent_keys
from harness.backends.server_probe import get_json, origin, post_json
from harness.backends.stream import Reading
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records import Failure, Reply, Timing, Usage

__all__ = ["read_likelihoods"]

_NO_ROUTE = frozenset({404, 405, 501})
_CANNOT = (
    "{url} does not tell how likely a given text is ({why}), which tasks that compare answers (loglikelihood, "
    "multiple_choice) need: llama.cpp does (model=smollm2, or a recent llama-server), and vLLM; or take "
    "a task that generates its answer, which is another measure (mmlu_generative, gpqa_main_cot_zeroshot)"
)


class _FailedError(Exception):
    """An answer that is none, with whom it is to blame on."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True)
class _Counted:
    """Tokens over all requests of a sample."""

    prompt: int = 0
    cached: int | None = None

    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.prompt, cached_tokens=self.cached, output_tokens=None, counted_by="server")


@dataclass(slots=True)
class _Asking:
    """The requests of one sample."""

    endpoint: Endpoint
    deadline_s: float
    slot: int | None
    counted: _Counted = field(default_factory=_Counted)
    computed: list[int] | None = None
    """The context that lies in the engine's cache."""
    _tokens: dict[str, list[int]] = field(default_factory=dict)

    async def post(self, url: str, body: Mapping[str, JsonValue]) -> Mapping[str, Any]:
        """The server's answer as an object. Raises _FailedError for any other, BackendError where there is no route."""
        try:
            answer = await post_json(url, dict(body), timeout_s=self.deadline_s, headers=self.endpoint.headers)
        except TimeoutError:
            message = f"no answer within {self.deadline_s:g} s (run.deadline_s)"
            raise _FailedError(Failure(boundary="infrastructure", kind="timeout", message=message)) from None
        except (aiohttp.ClientError, OSError) as error:
            message = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise _FailedError(Failure(boundary="infrastructure", kind="reset", message=message)) from None
        if answer.status in _NO_ROUTE:
            raise BackendError(_CANNOT.format(url=self.endpoint.base_url, why=f"{url.rsplit('/', 1)[-1]} is no route"))
        if answer.status != 200:
            failure = attribute(answer.status, orjson.dumps(answer.body), answer.headers.get("retry-after"))
            raise _FailedError(hushed(failure, sent_keys(self.endpoint.headers)))
        return answer.table()

    async def tokens(self, text: str, *, llamacpp: bool) -> list[int]:
        """A text as the engine's tokens, the one for a beginning included where the model has one."""
        if text not in self._tokens:
            body: dict[str, JsonValue] = {"content": text, "add_special": True, "parse_special": True}
            if not llamacpp:
                body = {"model": self.endpoint.model, "prompt": text, "add_special_tokens": True}
            said = (await self.post(f"{origin(self.endpoint.base_url)}/tokenize", body)).get("tokens")
            if not isinstance(said, list) or not all(isinstance(one, int) for one in said):
                raise BackendError(_CANNOT.format(url=self.endpoint.base_url, why="its /tokenize gives no tokens"))
            self._tokens[text] = said
        return self._tokens[text]

    async def split(self, context: str, continuation: str, *, llamacpp: bool) -> tuple[list[int], list[int]]:
        """Tokens of the context and of what follows it, parted as lm-eval parts them.

        Blanks at the end of the context go to the continuation, and what is tokenised is the whole.
        """
        blanks = len(context) - len(context.rstrip())
        if blanks:
            context, continuation = context[:-blanks], context[-blanks:] + continuation
        whole = await self.tokens(context + continuation, llamacpp=llamacpp)
        before = await self.tokens(context, llamacpp=llamacpp) if context else []
        if not before:  # nothing comes before: what the model puts before any text does
            before = await self._beginning(llamacpp=llamacpp)
            whole = whole if whole[: len(before)] == before else before + whole
        return whole[: len(before)], whole[len(before) :]

    async def _beginning(self, *, llamacpp: bool) -> list[int]:
        special = await self.tokens("", llamacpp=llamacpp)
        if special:
            return special
        props = await self._props() if llamacpp else {}
        for name in ("bos_token", "eos_token"):
            if isinstance(text := props.get(name), str) and text:
                return await self.tokens(text, llamacpp=llamacpp)
        why = "the context is empty, and the model has no token for a beginning"
        raise BackendError(_CANNOT.format(url=self.endpoint.base_url, why=why))

    async def _props(self) -> Mapping[str, JsonValue]:
        root = origin(self.endpoint.base_url)
        return (await get_json(f"{root}/props", timeout_s=self.deadline_s, headers=self.endpoint.headers)).table()


async def read_likelihoods(
    endpoint: Endpoint,
    pairs: Sequence[tuple[str, str]],
    deadline_s: float,
    *,
    due_ns: int | None = None,
    slot: int | None = None,
) -> Reading:
    """The log-probability of each continuation after its context, as a reply of JSON: [[sum, greedy], …].

    sum: natural logarithms added over the continuation's tokens. greedy: whether each of them was the most likely one.
    Never raises for what network or server do, except BackendError where the endpoint cannot answer such a question.
    deadline_s: for each request. The timing has no marks of tokens: nothing is written.
    """
    asking = _Asking(endpoint, deadline_s, slot)
    llamacpp = (endpoint.facts.build or "").startswith(("xllamacpp", "llama.cpp"))
    ask = _by_grammar if llamacpp else _by_echo
    at, sent_ns = time.time(), time.perf_counter_ns()
    found: list[tuple[float, bool]] = []
    failure: Failure | None = None
    try:
        for context, continuation in pairs:
            before, after = await asking.split(context, continuation, llamacpp=llamacpp)
            found.append(await ask(asking, before, after) if after else (0.0, True))
    except _FailedError as error:
        failure = error.failure
    timing = Timing(
        at=at, intended_ns=min(0, due_ns - sent_ns) if due_ns else 0, end_ns=time.perf_counter_ns() - sent_ns
    )
    reply = None if failure else Reply(content=orjson.dumps(found).decode(), finish_reason="stop")
    return Reading(reply, timing, asking.counted.usage() if reply else Usage(), None, failure)


async def _by_grammar(asking: _Asking, before: list[int], after: list[int]) -> tuple[float, bool]:
    """llama.cpp: the continuation is what the grammar lets it write.

    The context is computed by a request of its own, so that every continuation starts from the same state: computed
    with the first of them, that one's numbers are another kernel's (measured: 0.15 apart on SmolLM2 Q4_1).
    """
    if asking.computed != before:
        said = await _complete(asking, before, [], cached=asking.endpoint.caches)
        asking.computed, asking.slot = before, said["id_slot"] if isinstance(said.get("id_slot"), int) else asking.slot
    said = await _complete(asking, before, after, cached=True)
    told = said.get("completion_probabilities")
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    if [row.get("id") for row in rows] != after:
        raise BackendError(_CANNOT.format(url=asking.endpoint.base_url, why="a grammar of tokens did not hold it"))
    best = [row["top_logprobs"][0]["id"] for row in rows]
    return _sum([row["logprob"] for row in rows], asking.endpoint), best == after


async def _complete(asking: _Asking, before: list[int], after: list[int], *, cached: bool) -> Mapping[str, Any]:
    body: dict[str, JsonValue] = {
        "prompt": [*before],
        "n_predict": len(after) or 1,
        "temperature": 0,
        "cache_prompt": cached,
    }
    if after:
        grammar = "root ::= " + " ".join(f"<[{token}]>" for token in after)
        body |= {"n_probs": 1, "post_sampling_probs": False, "grammar": grammar}
    if asking.slot is not None:
        body["id_slot"] = asking.slot
    said = await asking.post(f"{origin(asking.endpoint.base_url)}/completion", body)
    timings = said.get("timings")
    cached_n = timings.get("cache_n") if isinstance(timings, dict) else None
    if isinstance(cached_n, int):
        asking.counted.cached = (asking.counted.cached or 0) + cached_n
    asking.counted.prompt += len(before)
    return said


async def _by_echo(asking: _Asking, before: list[int], after: list[int]) -> tuple[float, bool]:
    """With `echo`, as vLLM does and others that keep to OpenAI's first completions: the prompt comes back."""
    endpoint = asking.endpoint
    body: dict[str, JsonValue] = {
        "model": endpoint.model,
        "prompt": [*before, *after],
        "max_tokens": 1,  # 0 is refused by some
        "temperature": 0,
        "logprobs": 1,
        "echo": True,
    }
    said = await asking.post(f"{endpoint.base_url}/completions", body)
    choices = said.get("choices")
    told = choices[0].get("logprobs") if isinstance(choices, list) and choices else None
    numbers = (told or {}).get("token_logprobs")
    tops = (told or {}).get("top_logprobs")
    whole = len(before) + len(after)
    if not isinstance(numbers, list) or not isinstance(tops, list) or len(numbers) < whole or len(tops) < whole:
        raise BackendError(_CANNOT.format(url=endpoint.base_url, why="echo with logprobs brings nothing of the prompt"))
    asking.counted.prompt += whole
    mine, best = numbers[len(before) : whole], tops[len(before) : whole]
    return _sum(mine, endpoint), all(one == max(top.values()) for one, top in zip(mine, best, strict=True))


def _sum(values: Sequence[object], endpoint: Endpoint) -> float:
    """The values added. Raises BackendError for what is no log-probability: it would be scored otherwise."""
    numbers = [float(one) for one in values if isinstance(one, int | float) and math.isfinite(one) and one <= 1e-6]
    if len(numbers) != len(values):
        raise BackendError(_CANNOT.format(url=endpoint.base_url, why=f"it gives {values!r:.80} for logarithms"))
    return math.fsum(numbers)
