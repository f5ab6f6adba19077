"""Tokens/s through the harness against the engine's own, in one process, calls in turn (ABBA).

Engine: llama.cpp asked in-process through xllamacpp's own function, no HTTP, no stream, rate by its own clock.
Harness: the same engine over HTTP through the measuring client, rate by the client's marks.
Usage: python -m benchmarks.local_speed [--calls 12] [--tokens 96]
"""

import argparse
import asyncio
import json
import os
from statistics import median

import orjson

from benchmarks.prefix import smollm2
from harness.backends.client import ChatClient
from harness.backends.llamacpp import _waiting
from harness.backends.llamacpp_child import Started, start
from harness.backends.llamacpp_plan import plan
from harness.backends.stream import read_exchange
from harness.backends.weights import resolve_weights
from harness.config import LlamaCppConfig
from harness.measure import decode_tokens_per_s
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts


def body(tokens: int, *, stream: bool) -> dict[str, object]:
    question = "Tell me at length about the sea, its tides, its storms and the ships that cross it."
    return {
        "model": "smollm2",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": tokens,
        "temperature": 0,
        "cache_prompt": False,
        "ignore_eos": True,
        "stream": stream,
        "stream_options": {"include_usage": True},
    }


def engine_rate(started: Started, tokens: int) -> float:
    """(n - 1) tokens over the time between the first and the last, by the engine's own clock."""
    request = {name: value for name, value in body(tokens, stream=False).items() if name != "stream_options"}
    answer = started.server.handle_chat_completions(request)
    timings = (json.loads(answer) if isinstance(answer, str) else answer)["timings"]
    return float(timings["predicted_per_second"])


async def harness_rate(client: ChatClient, tokens: int) -> float:
    exchange = await client.stream(orjson.dumps(body(tokens, stream=True)), deadline_s=60, stall_s=30)
    reading = read_exchange(exchange)
    assert reading.failure is None, reading.failure
    rate = decode_tokens_per_s(reading.timing, reading.usage)
    assert rate is not None
    return rate


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=96)
    arguments = parser.parse_args()
    os.environ.update(_waiting())
    model = smollm2()
    started = start(plan(LlamaCppConfig(name="llamacpp"), model, resolve_weights(model)))
    endpoint = Endpoint(base_url=f"{started.address}/v1", model="smollm2", facts=BackendFacts(name="llamacpp"))
    own: list[float] = []
    ours: list[float] = []
    async with ChatClient(endpoint, concurrency=1) as client:
        await harness_rate(client, arguments.tokens)
        for turn in range(arguments.calls):
            for who in ("engine", "harness") if turn % 2 == 0 else ("harness", "engine"):
                if who == "engine":
                    own.append(await asyncio.to_thread(engine_rate, started, arguments.tokens))
                else:
                    ours.append(await harness_rate(client, arguments.tokens))
    ratios = sorted(mine / theirs for mine, theirs in zip(ours, own, strict=True))
    print(f"engine's own {median(own):.1f} tokens/s, through the harness {median(ours):.1f} tokens/s")
    spread = f"lowest {ratios[0]:.3f}, highest {ratios[-1]:.3f}, n={len(ratios)}"
    print(f"ratio, paired: median {median(ratios):.3f}, {spread}")
    print(f"load before {os.getloadavg()[0]:.1f}, cores {os.cpu_count()}")


if __name__ == "__main__":
    asyncio.run(main())
