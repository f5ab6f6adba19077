"""The openai SDK in a streaming loop: the text put together, nothing judged or kept."""

import asyncio
from collections.abc import Callable
from typing import cast

import openai
from openai.types.chat import ChatCompletionMessageParam

from benchmarks.contestants.plan import Plan, Question, check, in_flight


def prepare(plan: Plan) -> Callable[[int], None]:
    async def all_of(questions: list[Question]) -> None:
        async with openai.AsyncOpenAI(base_url=plan.url, api_key="none") as client:

            async def call(question: Question) -> None:
                stream = await client.chat.completions.create(
                    model="bench",
                    messages=cast("list[ChatCompletionMessageParam]", question.messages),
                    stream=True,
                    stream_options={"include_usage": True},
                    max_tokens=256,
                )
                said = [part.choices[0].delta.content or "" async for part in stream if part.choices]
                check("".join(said), question)

            await in_flight(questions, plan.concurrency, call)

    return lambda calls: asyncio.run(all_of(plan.questions(calls)))
