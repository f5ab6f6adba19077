"""litellm in a streaming loop: the text put together, nothing judged or kept."""

import asyncio
from collections.abc import Callable

import litellm

from benchmarks.contestants.plan import Plan, Question, check, in_flight


def prepare(plan: Plan) -> Callable[[int], None]:
    litellm.telemetry = False
    litellm.suppress_debug_info = True

    async def call(question: Question) -> None:
        stream = await litellm.acompletion(
            model="openai/bench",
            messages=question.messages,
            api_base=plan.url,
            api_key="none",
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=256,
        )
        said = [part.choices[0].delta.content or "" async for part in stream if part.choices]
        check("".join(said), question)

    return lambda calls: asyncio.run(in_flight(plan.questions(calls), plan.concurrency, call))
