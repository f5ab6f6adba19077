"""Loopback stand-ins for engines that do not run here: their own routes, and chat streams with known times.

Scripted after the engines' documents: Ollama 0.12 (docs/api.md: `/api/version`, `tags`, `show`, `ps`, `generate`),
LM Studio 0.3.26 (REST API v0), SGLang 0.5 (native API), TensorRT-LLM 1.2 (`trtllm-serve`), vLLM 0.32, llama.cpp b11549
(tools/server/README). What a real one does beyond those pages is not imitated.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SHA = "ab" * 32
WORDS = ("one", " two", " three")
CALL = {"index": 0, "id": "c0", "function": {"name": "look_up", "arguments": '{"word": "sky"}'}}


@dataclass
class EngineServer:
    """One stand-in. What a test sets here, the next request gets."""

    routes: Mapping[str, object]
    """Path to body, by GET or POST; a number is a status, a pair a status with a body, text is sent as it is, and a
    function is asked with the body."""
    gap_s: float = 0.0
    refusal: tuple[int, object] | None = None
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Requests for anything but chat."""
    written_ns: list[int] = field(default_factory=list)
    """When each token of the latest stream went out, by the clock that the client has too."""
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client went away inside a stream."""

    async def other(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text() or "{}")
        self.asked.append((request.path, body))
        answer = self.routes.get(request.path, 404)
        if callable(answer):
            answer = answer(body)
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(answer, int):
            return web.json_response({"error": "no"}, status=answer)
        if isinstance(answer, str):
            return web.Response(text=answer, status=status)
        return web.json_response(answer, status=status)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if self.refusal is not None:
            return web.json_response(self.refusal[1], status=self.refusal[0])
        if not body.get("stream"):
            return web.json_response(
                {"choices": [{"index": 0, "message": {"content": "."}, "finish_reason": "length"}]}
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.written_ns.clear()
        try:
            await self._stream(response, tools=bool(body.get("tools")))
        except (ConnectionError, asyncio.CancelledError):
            self.cut.set()
            raise
        return response

    async def _stream(self, response: web.StreamResponse, *, tools: bool) -> None:
        deltas: list[dict[str, object]] = [{"tool_calls": [CALL]}] if tools else [{"content": word} for word in WORDS]
        for delta in deltas:
            await asyncio.sleep(self.gap_s)
            self.written_ns.append(time.perf_counter_ns())
            await response.write(event([{"index": 0, "delta": delta, "finish_reason": None}]))
        await asyncio.sleep(self.gap_s)
        self.written_ns.append(time.perf_counter_ns())
        await response.write(event([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if tools else "stop"}]))
        await response.write(event([], usage={"prompt_tokens": 11, "completion_tokens": len(deltas)}))
        await response.write(b"data: [DONE]\n\n")


def event(choices: list[dict[str, object]], **fields: object) -> bytes:
    return b"data: " + json.dumps({"choices": choices, **fields}).encode() + b"\n\n"


@asynccontextmanager
async def serving(routes: Mapping[str, object], **settings: Any) -> AsyncIterator[EngineServer]:
    """A stand-in with these routes, on a port of its own."""
    server = EngineServer(routes, **settings)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_route("*", "/{path:.*}", server.other)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def listing(*names: str, owner: str, **fields: object) -> dict[str, object]:
    return {"object": "list", "data": [{"id": name, "owned_by": owner, **fields} for name in names]}


def ollama(*tags: str, context: int | None = 8192) -> dict[str, object]:
    details = {"format": "gguf", "family": "llama", "parameter_size": "134.52M", "quantization_level": "F16"}
    rows = [
        {"name": tag, "model": tag, "size": 270_898_672, "digest": "9077fe9d2ae1", "details": details} for tag in tags
    ]
    loaded = [row | {"size_vram": 0} | ({} if context is None else {"context_length": context}) for row in rows]
    show = {
        "modelfile": f"# Modelfile\nFROM /home/me/.ollama/models/blobs/sha256-{SHA}\nTEMPLATE x\n",
        "template": "{{ .Prompt }}",
        "parameters": 'stop "<|im_end|>"',
        "capabilities": ["completion", "tools"],
        "model_info": {"general.parameter_count": 134_515_008},
    }
    return {
        "/api/version": {"version": "0.12.6"},
        "/api/tags": {"models": rows},
        "/api/ps": {"models": loaded},
        "/api/show": show,
        "/api/generate": {"done": True, "done_reason": "load"},
    }


def lmstudio(*names: str, state: str = "loaded", context: int = 4096) -> dict[str, object]:
    loaded = {"loaded_context_length": context}
    row = {"type": "llm", "arch": "llama", "compatibility_type": "gguf", "quantization": "Q4_K_M", "state": state}
    rows = [{"id": name, **row, "max_context_length": 131072, **loaded} for name in names]
    return {"/api/v0/models": {"object": "list", "data": [*rows, {"id": "nomic", "type": "embeddings"}]}}


def sglang(*names: str) -> dict[str, object]:
    info = {
        "version": "0.5.4",
        "model_path": "/models/private",
        "api_key": "sk-never-to-be-seen",
        "tp_size": 2,
        "tool_call_parser": "qwen25",
        "disable_radix_cache": False,
        "max_running_requests": 48,
    }
    models = listing(*names, owner="sglang", max_model_len=32768)
    return {"/health": "", "/v1/models": models, "/get_server_info": info}


def trtllm(*names: str) -> dict[str, object]:
    return {"/health": "", "/v1/models": listing(*names, owner="tensorrt_llm"), "/version": {"version": "1.2.1"}}


def vllm_server(*names: str) -> dict[str, object]:
    cache = 'vllm:cache_config_info{block_size="16",enable_prefix_caching="True",num_gpu_blocks="2048"} 1.0\n'
    models = listing(*names, owner="vllm", max_model_len=4096, root="/models/private/smol")
    return {"/health": "", "/v1/models": models, "/version": {"version": "0.32.0"}, "/metrics": cache}


def llamaserver(*names: str) -> dict[str, object]:
    props = {
        "default_generation_settings": {"n_ctx": 4096},
        "total_slots": 2,
        "model_path": "/home/me/m.gguf",
        "model_ftype": "Q4_1",
        "chat_template": "{{ x }}",
        "chat_template_caps": {"supports_tools": False},
        "build_info": "b11549-abc",
    }
    adapters = [{"id": 0, "path": "/home/me/style.gguf", "scale": 1.0}]
    models = listing(*names, owner="llamacpp")
    return {"/health": {"status": "ok"}, "/v1/models": models, "/props": props, "/lora-adapters": adapters}


STAND_INS: dict[str, Callable[..., dict[str, object]]] = {
    "llamaserver": llamaserver,
    "lmstudio": lmstudio,
    "ollama": ollama,
    "sglang": sglang,
    "trtllm": trtllm,
    "vllm_server": vllm_server,
}
