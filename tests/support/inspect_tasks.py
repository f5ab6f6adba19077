"""Tasks of Inspect's for tests, and a server that answers them."""

import json
from collections.abc import Sequence

from tests.support.openai_server import DONE, END, SSE_HEAD, Raw, Step, chunked, delta, reply, usage

__all__ = ["TASKS", "adds", "called"]

TASKS = '''
from inspect_ai import Task, task
from inspect_ai.agent import react
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, accuracy, includes, scorer
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import tool


@tool
def add():
    async def execute(x: int, y: int) -> str:
        """Add two numbers.

        Args:
            x: First number.
            y: Second number.
        """
        return str(x + y)

    return execute


@task
def sums():
    return Task(
        dataset=[Sample(input=f"What is {n} + {n}?", target=str(n + n)) for n in (1, 2)],
        solver=[use_tools(add()), generate()],
        scorer=includes(),
    )


@task
def agent():
    return Task(
        dataset=[Sample(input="What is 20 + 22?", target="42")],
        solver=react(tools=[add()]),
        scorer=includes(),
        message_limit=12,
    )


@task
def words(n: int = 12):
    return Task(
        dataset=[Sample(id=f"w{i}", input=f"Say word {i}.", target=f"word {i}") for i in range(n)],
        solver=generate(),
        scorer=includes(),
    )


@scorer(metrics={"good": [accuracy()], "short": [accuracy()]})
def graded():
    async def score(state, target):
        if "2" in state.output.completion:
            raise ValueError("the grader fell over")
        return Score(value={"good": 1.0, "short": 0.5}, explanation="fine")

    return score


@task
def parts():
    samples = [Sample(input=f"Say {n}.", target="") for n in (1, 2, 3)]
    return Task(dataset=samples, solver=generate(), scorer=graded())
'''


def last_message(body: dict[str, object]) -> dict[str, object]:
    messages = body["messages"]
    assert isinstance(messages, list)
    found: dict[str, object] = messages[-1]
    return found


def called(name: str, arguments: object, identity: str) -> list[Step]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"index": 0, "id": identity, "type": "function", "function": {"name": name, "arguments": text}}
    events = chunked(delta(tool_calls=[call]) + delta(finish="tool_calls") + usage(20, 8, cached=4) + DONE)
    return [Raw(SSE_HEAD), events, END]


def adds(number: int, body: dict[str, object]) -> Sequence[Step]:
    """Calls `add` for a sum, hands the result on, and answers everything else with its own words."""
    last = last_message(body)
    text = str(last["content"])
    if last["role"] == "tool" and body.get("tools") and "submit" in json.dumps(body["tools"]):
        return called("submit", {"answer": text}, f"s{number}")
    if last["role"] == "tool":
        return reply("It ", "is ", text, ".")
    if "+" in text:
        x, y = (int(part.strip(" ?What.is")) for part in text.split("+"))
        return called("add", {"x": x, "y": y}, f"c{number}")
    return reply(*text.removeprefix("Say "))
