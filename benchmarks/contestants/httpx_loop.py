"""httpx bare: bytes in, nothing read out of them."""

import asyncio
import json
from collections.abc import Callable

import httpx

from benchmarks.contestants.plan import Plan, Question, in_flight


def prepare(plan: Plan) -> Callable[[int], None]:
    url, headers = f"{plan.url}/chat/completions", {"Content-Type": "application/json"}

    async def all_of(questions: list[Question]) -> None:
        limits = httpx.Limits(max_connections=plan.concurrency, max_keepalive_connections=plan.concurrency)
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

            async def call(question: Question) -> None:
                body = json.dumps({"model": "bench", "messages": question.messages, "stream": True})
                last = b""
                async with client.stream("POST", url, content=body, headers=headers) as response:
                    async for piece in response.aiter_raw():
                        last = piece
                if not last.endswith(b"data: [DONE]\n\n"):
                    raise RuntimeError(f"a reply ended with {last[-80:]!r}")

            await in_flight(questions, plan.concurrency, call)

    return lambda calls: asyncio.run(all_of(plan.questions(calls)))
