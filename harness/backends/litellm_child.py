"""A relay to hosted models, as a process of its own: OpenAI's chat route on loopback in front, litellm behind.

Started by path, this file needs the standard library, litellm and the aiohttp that litellm brings. It reads one JSON
line from standard input, answers with one on standard output ({"address": …} or {"error": …}), and lives until its
standard input ends. It keeps nothing back of a stream, retries nothing, writes no log, and lets no key out: every
message that leaves is searched for the values of the variables that may hold one.
"""

import asyncio
import contextlib
import hmac
import importlib.metadata
import json
import logging
import os
import re
import runpy
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["Relay", "RelaySettings", "cost_of", "event_of", "hidden_values", "refusal_of", "usage_of", "without_keys"]

_FOREVER_S = 24 * 3600.0  # the harness has deadlines of its own, and breaks the connection off
_MOST_BODY_BYTES = 64 << 20
_HOLDS_KEY = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_TELLING = 8
"""Characters in a row that give a key away; shorter echoes, such as the first four, do not."""
_ASIDE = re.compile(
    r"\s*(Traceback \(most recent|This looks like a bug in LiteLLM|Handle with `litellm|To drop these, set)"
)
_CLAUDE = re.compile(r"claude", re.IGNORECASE)
_CODES = {
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_policy_violation",
    "UnsupportedParamsError": "unsupported_parameter",
}
"""In the words of OpenAI's error codes; the class is litellm's."""
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ClientConnectorError", "ClientConnectorDNSError"}


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """What the relay is told. Sent as JSON, so plain values only; keys are in the environment alone."""

    model: str
    url: str | None
    """Base URL of the provider; None: its own."""
    key_variable: str | None
    """Environment variable with the key; None: those that litellm looks for."""
    password: str
    """What a caller on this machine has to know, so that no other program spends the key's money."""
    mark_cache: bool
    drop: tuple[str, ...]
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    message: str
    code: str | None
    retry_after: str | None


def hidden_values(environment: Mapping[str, str], chosen: str | None = None) -> tuple[str, ...]:
    """Values that may be keys, by the names of their variables, longest first; `chosen` is one, whatever its name.

    >>> hidden_values({"OPENAI_API_KEY": "sk-0123456789", "HOME": "/home/someone", "MY_TOKEN": "short"})
    ('sk-0123456789',)
    """
    found = {value.strip() for name, value in environment.items() if name == chosen or _HOLDS_KEY.search(name)}
    return tuple(sorted((value for value in found if len(value) >= 8), key=len, reverse=True))


def without_keys(text: str, hidden: tuple[str, ...]) -> str:
    """Text with `[key]` for whatever it shares with a hidden value: eight characters in a row, quoted ones too.

    >>> without_keys("no such key: sk-0123456789, nor ...23456789.", ("sk-0123456789",))
    'no such key: [key], nor ...[key].'
    """
    forms = {form for value in hidden for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
    telling = {form[at : at + _TELLING] for form in forms for at in range(len(form) - _TELLING + 1)}
    kept: list[str] = []
    covered = 0  # end of what the last hit covers
    for at, character in enumerate(text):
        if text[at : at + _TELLING] in telling:
            if at >= covered:
                kept.append("[key]")
            covered = at + _TELLING
        if at >= covered:
            kept.append(character)
    return "".join(kept)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, outermost first."""
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        step = step.__cause__ or step.__context__


def refusal_of(error: BaseException, hidden: tuple[str, ...]) -> _Refusal:
    """Status, words, code and Retry-After of what a provider or litellm said no with.

    The innermost status is the provider's own: litellm's classes turn Anthropic's 529 into 500.
    """
    chain = list(_chain(error))
    statuses = [one for one in map(_status, chain) if one is not None]
    unreachable = any(type(one).__name__ in _UNREACHABLE for one in chain)
    code = _CODES.get(type(error).__name__) or next(filter(None, map(_code, chain)), None)
    said = _ASIDE.split(str(error), maxsplit=1)[0]
    message = without_keys(" ".join(said.split()), hidden)[:1000]
    if unreachable:
        message = f"the provider cannot be reached: {message}"
    status = 502 if unreachable else statuses[-1] if statuses else 500
    return _Refusal(status, message, code, next(filter(None, map(_retry_after, chain)), None))


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 600 else None


def _code(error: BaseException) -> str | None:
    body = getattr(error, "body", None)
    code = body.get("code") or body.get("type") if isinstance(body, dict) else None
    return code if isinstance(code, str) else None


def _retry_after(error: BaseException) -> str | None:
    for holder in (getattr(error, "response", None), error):
        for name in ("headers", "litellm_response_headers"):
            headers = getattr(holder, name, None)
            if isinstance(headers, Mapping) and headers.get("retry-after"):
                return str(headers["retry-after"])
    return None


def event_of(chunk: Any) -> dict[str, Any] | None:
    """A chunk of litellm's as an OpenAI chunk with what a caller reads; None where there is nothing of that in it."""
    choices = []
    for choice in chunk.choices:
        delta = choice.delta
        said = {name: getattr(delta, name, None) for name in ("content", "reasoning_content")}
        kept: dict[str, Any] = {name: value for name, value in said.items() if value}
        calls = getattr(delta, "tool_calls", None)
        if calls:
            kept["tool_calls"] = [call.model_dump(exclude_none=True) for call in calls]
        if kept or choice.finish_reason:
            choices.append({"index": choice.index, "delta": kept, "finish_reason": choice.finish_reason})
    if not choices:
        return None
    return {"id": chunk.id, "object": "chat.completion.chunk", "model": chunk.model, "choices": choices}


def usage_of(usage: Any, chunks: list[Any], model: str) -> dict[str, Any] | None:
    """The provider's counts in OpenAI's shape; None where the provider counted nothing.

    litellm fills gaps with estimates of its own: all counts where the provider sends none, and reasoning tokens where
    it does not tell them apart (Claude). An estimate is not passed on as a count.
    """
    sent = [one for one in (getattr(chunk, "usage", None) for chunk in chunks) if one is not None]
    if usage is None or not sent:
        return None
    found: dict[str, Any] = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    details = getattr(usage, "prompt_tokens_details", None)
    written = getattr(details, "cache_creation_tokens", None)
    if written is None:
        written = getattr(details, "cache_write_tokens", None)
    cached = {"cached_tokens": getattr(details, "cached_tokens", None), "cache_write_tokens": written}
    found["prompt_tokens_details"] = {name: value for name, value in cached.items() if value is not None}
    told = any(getattr(one, "completion_tokens_details", None) is not None for one in sent)
    reasoning = getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None)
    if told and reasoning is not None and not _CLAUDE.search(model):
        found["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return found


def cost_of(usage: Any, chunks: list[Any], litellm: Any, model: str) -> dict[str, Any]:
    """What the call cost: as the provider says (OpenRouter does), else as litellm works it out; empty without both."""
    for told in (getattr(getattr(chunk, "usage", None), "cost", None) for chunk in reversed(chunks)):
        if isinstance(told, int | float) and not isinstance(told, bool):
            return {"cost": told, "cost_by": "provider"}
    try:
        read, made = litellm.cost_per_token(model=model, usage_object=usage)  # 0.15 ms
    except Exception:  # not in its map, or no price per token: litellm has many words for it
        return {}
    return {"cost": read + made, "cost_by": "litellm"} if read + made > 0 else {}


class Relay:
    """Passes chat completions on to one model through litellm."""

    def __init__(self, settings: RelaySettings, litellm: Any, hidden: tuple[str, ...]) -> None:
        self._settings, self._litellm, self._hidden = settings, litellm, hidden
        supported = litellm.get_supported_openai_params(model=settings.model)
        self.dropped = [name for name in settings.drop if supported is not None and name not in supported]
        self._key = os.environ.get(settings.key_variable) if settings.key_variable else None
        if self._key is None and settings.url is not None and self.missing_keys():
            self._key = "none"  # a server of one's own wants none, and clients insist on one

    def missing_keys(self) -> list[str]:
        """Environment variables that litellm looks for and does not find."""
        if self._key is not None:
            return []
        found = self._litellm.validate_environment(model=self._settings.model)
        return [] if found["keys_in_environment"] else list(found["missing_keys"])

    def arguments(self, body: dict[str, Any]) -> dict[str, Any]:
        """What litellm is called with for a request."""
        asked = {name: value for name, value in body.items() if name not in self.dropped}
        asked |= {"model": self._settings.model, "stream": True, "stream_options": {"include_usage": True}}
        if self._settings.mark_cache:
            _mark_cache(asked)
        ours = {"max_retries": 0, "num_retries": 0, "timeout": _FOREVER_S, "_skip_mcp_handler": True}
        # _skip_mcp_handler: else tools need the package mcp (litellm 1.106.2), for servers that no request here names
        where = {"api_base": self._settings.url, "api_key": self._key}
        return {
            **asked,
            **self._settings.extra,
            **ours,
            **{name: one for name, one in where.items() if one is not None},
        }

    async def models(self, _: Any) -> Any:
        """The one model, as a list."""
        from aiohttp import web

        return web.json_response({"object": "list", "data": [{"id": self._settings.model, "object": "model"}]})

    async def chat(self, request: Any) -> Any:
        """One streamed completion; what the provider refuses comes back with its status."""
        from aiohttp import web

        presented = request.headers.get("Authorization", "")
        if not hmac.compare_digest(presented.encode(), f"Bearer {self._settings.password}".encode()):
            return _answer(_Refusal(401, "this relay answers the run that started it and nobody else", None, None))
        try:
            body = json.loads(await request.read())
            stream = await self._litellm.acompletion(**self.arguments(body))
        except Exception as error:  # whatever it was, the caller is to read it as an answer
            return _answer(refusal_of(error, self._hidden))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        async with contextlib.aclosing(self._events(stream)) as events:
            async for event in events:
                await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _events(self, stream: Any) -> AsyncGenerator[dict[str, Any]]:
        usage = None
        try:
            async for chunk in stream:
                usage = getattr(chunk, "usage", None) or usage
                event = event_of(chunk)
                if event is not None:
                    yield event
        except Exception as error:  # as above, in the middle of the stream
            said = refusal_of(error, self._hidden)
            yield {"error": {"message": said.message, "type": said.code or "provider_error", "code": said.status}}
            return
        finally:
            with contextlib.suppress(Exception):
                await stream.aclose()
        counted = usage_of(usage, stream.chunks, self._settings.model)
        if counted is not None:
            counted |= cost_of(usage, stream.chunks, self._litellm, self._settings.model)
            last = stream.chunks[-1]
            named = {name: getattr(last, name, None) for name in ("model", "system_fingerprint")}
            yield {"object": "chat.completion.chunk", "choices": [], "usage": counted, **named}


def _mark_cache(asked: dict[str, Any]) -> None:
    """Marks what requests begin with for the prompt cache: the tools, then the system message (Anthropic's order)."""
    mark = {"type": "ephemeral"}
    tools, messages = asked.get("tools"), asked.get("messages")
    if tools:
        asked["tools"] = [*tools[:-1], {**tools[-1], "cache_control": mark}]
    if messages and messages[0].get("role") == "system" and isinstance(messages[0].get("content"), str):
        text = {"type": "text", "text": messages[0]["content"], "cache_control": mark}
        asked["messages"] = [{**messages[0], "content": [text]}, *messages[1:]]


def _answer(refusal: _Refusal) -> Any:
    from aiohttp import web

    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after else {}
    error = {"message": refusal.message, "type": refusal.code or "provider_error", "code": refusal.code}
    return web.json_response({"error": error}, status=refusal.status, headers=headers)


def _quiet(hidden: tuple[str, ...]) -> None:
    """Nothing of a request or a key reaches standard error: no logs, and last words without keys."""
    logging.disable(logging.CRITICAL)

    def last_words(kind: type[BaseException], error: BaseException, _: object) -> None:
        sys.stderr.write(f"Error: {kind.__name__}: {without_keys(str(error), hidden)}\n")

    sys.excepthook = last_words
    threading.excepthook = lambda _: None


def _import_litellm() -> Any:
    import litellm

    litellm.telemetry, litellm.suppress_debug_info = False, True
    litellm.disable_streaming_logging, litellm.disable_hf_tokenizer_download = True, True
    return litellm


async def _serve(relay: Relay, report: int) -> None:
    from aiohttp import web

    app = web.Application(client_max_size=_MOST_BODY_BYTES)
    app.router.add_post("/v1/chat/completions", relay.chat)
    app.router.add_get("/v1/models", relay.models)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    build = f"litellm {importlib.metadata.version('litellm')}"
    _tell(report, {"address": f"http://127.0.0.1:{port}", "build": build, "dropped": relay.dropped})
    os.close(report)
    await asyncio.Event().wait()


def _tell(report: int, answer: dict[str, object]) -> None:
    os.write(report, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serves until standard input ends."""
    report, order, _ = runpy.run_path(str(Path(__file__).with_name("child_life.py")))["begin"]()
    hidden = hidden_values(os.environ, order["settings"]["key_variable"])
    _quiet(hidden)
    try:
        relay = Relay(RelaySettings(**order["settings"]), _import_litellm(), hidden)
        missing = relay.missing_keys()
    except Exception as error:  # the harness says it in its own words
        _tell(report, {"error": without_keys(str(error), hidden)[:1000], "kind": type(error).__name__})
        os._exit(1)
    if missing:
        _tell(report, {"error": ", ".join(missing), "kind": "MissingKey"})
        os._exit(1)
    asyncio.run(_serve(relay, report))


if __name__ == "__main__":
    main()
