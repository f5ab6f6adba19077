"""vLLM for real on SmolLM2, its GGUF dequantised: started, asked in every way that the harness asks, and gone after.

Wants `make vllm-env`; takes some minutes (`make test-vllm`).
"""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from omegaconf import OmegaConf

from harness.backends.client import ChatClient
from harness.backends.server_probe import count_prompt_tokens
from harness.backends.stream import Reading, read_exchange
from harness.backends.vllm import Vllm
from harness.backends.vllm_plan import vllm_python
from harness.config import ModelConfig, VllmConfig
from harness.errors import ConfigError
from harness.paths import conf_dir
from harness.protocols import Endpoint

try:
    vllm_python(None)
    LACKS = ""
except ConfigError as error:
    LACKS = str(error)

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.skipif(bool(LACKS), reason=LACKS or "it is here")]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
CITY = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
TEMPLATE = """\
{% if tools %}<|im_start|>system
Answer with <tool_call>{"name": NAME, "arguments": ARGUMENTS}</tool_call>. Tools: {{ tools | tojson }}<|im_end|>
{% endif %}{% for one in messages %}<|im_start|>{{ one['role'] }}
{{ one['content'] }}<|im_end|>
{% endfor %}<|im_start|>assistant
"""
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]


@dataclass
class Seen:
    """What one server answered."""

    endpoint: Endpoint
    answers: dict[str, Reading] = field(default_factory=dict)
    together: list[Reading] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)


def marked(mark: str) -> list[int]:
    """Ids of all processes that were started with a variable of this value."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get("LANE_TEST_MARK") == mark:
                found.append(one.pid)
        except psutil.Error:
            continue
    return found


def entry(**changes: object) -> ModelConfig:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults")
    return ModelConfig.model_validate({**data, **changes})


async def ask(client: ChatClient, endpoint: Endpoint, **fields: object) -> Reading:
    body = {"model": endpoint.model, "messages": QUESTION, "max_tokens": 48, "temperature": 0, **fields}
    body |= {"stream": True, "stream_options": {"include_usage": True}, **endpoint.extra_body}
    return read_exchange(await client.stream(json.dumps(body).encode(), deadline_s=300, stall_s=300))


async def watch(folder: Path) -> Seen:
    template = folder / "tools.jinja"
    template.write_text(TEMPLATE)
    config = {"name": "vllm", "mode": "batch", "weights": "gguf", "slots": 8, "context_tokens": 2048, "eager": True}
    made = Vllm(VllmConfig.model_validate({**config, "tool_parser": "hermes"}), entry(chat_template=str(template)))
    async with made.serve() as endpoint, ChatClient(endpoint, concurrency=8) as client:
        seen = Seen(endpoint, pids=[one.pid for one in psutil.Process().children(recursive=True)])
        seen.answers["plain"] = await ask(client, endpoint)
        seen.answers["constrained"] = await ask(client, endpoint, response_format=CITY)
        seen.answers["native"] = await ask(client, endpoint, tools=TOOLS, tool_choice="required")
        asked = [[{"role": "user", "content": f"Tell me about the number {number}."}] for number in range(8)]
        seen.together = await asyncio.gather(*(ask(client, endpoint, messages=one, ignore_eos=True) for one in asked))
        seen.counts = [await count_prompt_tokens(endpoint, QUESTION, tools) for tools in ([], TOOLS)]
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(watch(tmp_path_factory.mktemp("lane")))


def test_it_tells_what_answers_and_that_it_was_dequantised(seen: Seen) -> None:
    facts = seen.endpoint.facts

    assert facts.build is not None
    assert facts.build.startswith("vLLM 0.")
    assert (facts.context_tokens, facts.slots, facts.flags["mode"]) == (2048, 8, "batch")
    assert facts.weights is not None
    assert facts.weights.quantization == "Q4_1 dequantised"
    assert facts.flags["enable_prefix_caching"] == "False"


def test_a_plain_answer_comes_with_the_servers_count_of_tokens(seen: Seen) -> None:
    answer = seen.answers["plain"]

    assert answer.failure is None
    assert answer.usage.counted_by == "server"
    assert answer.usage.prompt_tokens == seen.counts[0]
    assert 1 <= (answer.usage.output_tokens or 0) <= 48
    assert answer.server is not None
    assert answer.server.predicted_s is not None


def test_a_schema_holds_the_answer(seen: Seen) -> None:
    reply = seen.answers["constrained"].reply

    assert reply is not None
    assert json.loads(reply.content or "")["city"] in {"Paris", "Rome"}


def test_a_native_call_comes_through_with_arguments_of_the_tools_schema(seen: Seen) -> None:
    reply = seen.answers["native"].reply

    assert reply is not None
    assert [call.name for call in reply.tool_calls] == ["get_weather"]
    arguments: dict[str, Any] = json.loads(reply.tool_calls[0].arguments)
    assert list(arguments) == ["city"]
    assert isinstance(arguments["city"], str)


def test_the_prompt_is_counted_with_its_tools(seen: Seen) -> None:
    without, with_tools = seen.counts

    assert without is not None
    assert with_tools is not None
    assert with_tools > without + 30


def test_the_batch_lane_answers_all_at_once_in_two_pieces_each(seen: Seen) -> None:
    assert [one.failure for one in seen.together] == [None] * 8
    assert {one.usage.output_tokens for one in seen.together} == {48}
    assert max(len(one.timing.chunks_ns) for one in seen.together) <= 2


def test_no_process_of_it_is_left(seen: Seen) -> None:
    assert len(seen.pids) >= 3
    assert [one for one in seen.pids if psutil.pid_exists(one)] == []


def test_a_run_from_the_command_line_is_scored_and_leaves_no_process(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    words = ["suite=toolcall", "model=smollm2", "backend=vllm", "backend.weights=gguf", "backend.eager=true"]
    command = [sys.executable, "-m", "harness", *words, "suite.limit=4", "model.protocol=prompted"]

    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "LANE_TEST_MARK": mark}, capture_output=True, text=True,
        timeout=900, check=False,
    )  # fmt: skip

    assert done.returncode in {0, 3}, done.stderr  # 3: no reply of so small a model could be read
    folder = tmp_path / "results" / "run" / "latest"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["n_samples"], summary["n_scored"], summary["n_failed"]) == (4, 4, 0)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["backend"]["name"] == "vllm"
    assert "dequantised" in manifest["backend"]["weights"]["source"]
    assert marked(mark) == []
