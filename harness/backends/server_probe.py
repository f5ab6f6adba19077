"""What a running server says of itself over HTTP: health, properties, models, prompt lengths."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import orjson
from pydantic import JsonValue
from yarl import URL

from harness.protocols import Endpoint

__all__ = ["Answer", "count_prompt_tokens", "get_json", "llamacpp_facts", "origin", "post_json"]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NO_SUCH_ROUTE = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, and the body where it is JSON."""

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    """The body where it is no JSON."""

    def table(self) -> Mapping[str, JsonValue]:
        """The body as an object; empty where it is none."""
        return self.body if isinstance(self.body, dict) else {}


def origin(base_url: str) -> str:
    """The server's root, where llama.cpp and vLLM keep the routes that OpenAI does not have.

    >>> origin("http://127.0.0.1:8000/v1")
    'http://127.0.0.1:8000'
    """
    return base_url.rstrip("/").removesuffix("/v1")


async def get_json(url: str, *, timeout_s: float, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer to a GET. Raises aiohttp.ClientError or TimeoutError below HTTP."""
    return await _ask("GET", url, timeout_s=timeout_s, headers=headers)


async def post_json(
    url: str, body: Mapping[str, object], *, timeout_s: float, headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer to a POST of a JSON object. Raises aiohttp.ClientError or TimeoutError below HTTP."""
    return await _ask("POST", url, timeout_s=timeout_s, headers=headers, body=orjson.dumps(body))


async def _ask(
    method: str, url: str, *, timeout_s: float, headers: Mapping[str, str] | None, body: bytes | None = None
) -> Answer:
    kind = {"Content-Type": "application/json"} if body is not None else {}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    own_machine = URL(url).host in _LOOPBACK  # a proxy never stands between
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=not own_machine) as session,
        session.request(method, url, data=body, headers={**kind, **(headers or {})}) as response,
    ):
        raw = await response.read()
        try:
            value: JsonValue = orjson.loads(raw)
        except orjson.JSONDecodeError:
            value = None
        headers = {key.lower(): one for key, one in response.headers.items()}
        return Answer(response.status, value, headers, raw.decode(errors="replace") if value is None else "")


async def count_prompt_tokens(
    endpoint: Endpoint,
    messages: Sequence[Mapping[str, object]],
    tools: Sequence[Mapping[str, object]] = (),
    *,
    timeout_s: float = 30.0,
) -> int | None:
    """Tokens of the prompt that the server makes of messages and tools; None where it has no route that says it.

    Asks `POST {base}/chat/completions/input_tokens` (llama.cpp) or `POST /tokenize` (vLLM), which apply the chat
    template, tools included, and generate nothing. Messages and tools in the OpenAI shape. Raises aiohttp.ClientError
    or TimeoutError below HTTP.
    """
    body: dict[str, object] = {"model": endpoint.model, "messages": list(messages)}
    if tools:
        body["tools"] = list(tools)
    url = f"{endpoint.base_url}/chat/completions/input_tokens"
    answer = await post_json(url, body, timeout_s=timeout_s, headers=endpoint.headers)
    field = "input_tokens"
    if answer.status in _NO_SUCH_ROUTE:
        url, field = f"{origin(endpoint.base_url)}/tokenize", "count"
        answer = await post_json(url, body, timeout_s=timeout_s, headers=endpoint.headers)
    count = answer.table().get(field)
    return count if answer.status == 200 and isinstance(count, int) else None


def llamacpp_facts(props: Mapping[str, JsonValue]) -> dict[str, object]:
    """Fields of BackendFacts that llama.cpp's `/props` gives away."""
    template, caps = props.get("chat_template"), props.get("chat_template_caps")
    settings = props.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    tools = caps.get("supports_tools") if isinstance(caps, dict) else None
    slots, build = props.get("total_slots"), props.get("build_info")
    return {
        "build": f"llama.cpp {build}" if isinstance(build, str) else "llama.cpp",
        "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None,
        "template_supports_tools": tools if isinstance(tools, bool) else None,
        "context_tokens": context if isinstance(context, int) else None,
        "slots": slots if isinstance(slots, int) else None,
    }
