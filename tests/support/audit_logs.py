"""A log of three agents whose verdicts are planted, and a server that is two models: one good, one bad."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.openai_server import Step, reply

START = 1_767_225_600
TEAMS = ("billing", "shipping", "returns", "accounts")
_WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grape", "hazel", "ivory", "jolly", "karma", "lemon")
PROMPTS = {
    "router": "You sort support tickets of a shop. Reply with the one team that handles the ticket.",
    "archivist": "You are the archive of a museum. Reply with the shelf mark of the object that the visitor names.",
    "greeter": "You write the password hint of the day for a hotel lobby. Reply with a single word.",
}


def _words(agent: str, number: int) -> str:
    digest = sha256(f"{agent}{number}".encode()).digest()
    return " ".join(_WORDS[byte % len(_WORDS)] + str(number) for byte in digest[:12])


def wanted(agent: str, number: int) -> str:
    """What the log's model answered."""
    if agent == "router":
        return TEAMS[number % len(TEAMS)]
    return f"{agent[:3]}-{sha256(f'{agent}{number}'.encode()).hexdigest()[:8]}"


def line(agent: str, number: int, place: int) -> dict[str, Any]:
    """A call in a session of its own, with tokens, time and cost."""
    return {
        "timestamp": START + 30 * place,
        "trace_id": f"{agent}-{number}",
        "step": 0,
        "agent": agent,
        "model": "big-1",
        "request": {
            "model": "big-1",
            "messages": [
                {"role": "system", "content": PROMPTS[agent]},
                {"role": "user", "content": f"No. {number} of {agent}: {_words(agent, number)}"},
            ],
        },
        "response": {
            "choices": [{"message": {"role": "assistant", "content": wanted(agent, number)}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 3},
        },
        "latency_s": 1.5,
        "cost_usd": 0.01,
    }


def write_planted(file: Path, **calls: int) -> Path:
    """The log with so many calls of each agent."""
    told = [(agent, number) for agent, count in calls.items() for number in range(count)]
    lines = [line(agent, number, place) for place, (agent, number) in enumerate(told)]
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return file


def two_models(_number: int, body: dict[str, Any]) -> Sequence[Step]:
    """`good` knows what router and greeter want; `bad` knows nothing; of the archivist nobody does."""
    question = str(body["messages"][-1]["content"])
    number, _, agent = question.removeprefix("No. ").partition(":")[0].partition(" of ")  # warm-up has neither
    if agent and body["model"] == "good" and agent != "archivist":
        return reply(wanted(agent, int(number)))
    return reply("something else entirely")
