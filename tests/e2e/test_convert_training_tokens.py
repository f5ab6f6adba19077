"""What is trained on is what the engine reads: SmolLM2's rows in tokens, by the child and by llama.cpp."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from harness.assets import cache_dir
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import post_json
from harness.backends.unpack import unpacked
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig
from harness.records import Message, Sample, Tool, ToolTarget
from harness.toolcalling.encode import PromptOptions, encode
from tests.e2e.test_transformers_lane import smollm2
from tests.support.tiny_checkpoint import python_with_torch

pytestmark = [
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.skipif(python_with_torch() is None, reason="torch is in no environment here: make train-env"),
]

DATA = Path(__file__).parents[2] / "harness" / "convert" / "data"
READ = """
import json, runpy, sys
from transformers import AutoTokenizer
folder, tokens, rows = json.loads(sys.stdin.read())
tokenizer, row_ids = AutoTokenizer.from_pretrained(folder), runpy.run_path(tokens)["row_ids"]
print(json.dumps([row_ids(tokenizer, "", one) for one in rows]))
"""
ASKED = (
    "Refund order ORD-112233, it cost 1,249.90 €.",
    "  Two spaces, 3\tdigits 12345.678 and naïve Ünïcödé 漢字",
    'Name it "O\'Brien <|im_end|> & Sons".',
)
ANSWER = '{"name": "refund", "arguments": {"order": "ORD-112233", "amount": 1249.9}}'
TOOL = Tool(name="refund", parameters={"type": "object", "properties": {"order": {"type": "string"}}})


@pytest.fixture(scope="module")
def weights() -> WeightFile:
    return resolve_weights(smollm2(), cache=cache_dir())


def test_a_rows_prompt_has_the_tokens_that_the_engine_reads(weights: WeightFile) -> None:
    folder = unpacked(weights, Path(str(python_with_torch())), dtype="float32")
    messages = [
        encode(
            Sample(
                id=text, category="c", messages=(Message(role="user", content=text),), tools=(TOOL,),
                target=ToolTarget(expect="any_call"), scorer="bfcl",
            ),
            "prompted", PromptOptions(),
        ).messages
        for text in ASKED
    ]  # fmt: skip
    rows = [{"messages": one, "tools": None, "reply": {"role": "assistant", "content": ANSWER}} for one in messages]
    order = json.dumps([str(folder), str(DATA / "row_tokens.py"), rows])
    words = [str(python_with_torch()), "-P", "-c", READ]
    read = subprocess.run(words, input=order, capture_output=True, text=True, check=True)
    ours = json.loads(read.stdout)

    async def theirs() -> list[object]:
        config = LlamaCppConfig(name="llamacpp", threads=1, context_tokens=1024)
        found: list[object] = []
        async with LlamaCpp(config, smollm2(), weights=weights).serve() as endpoint:
            root = endpoint.base_url.removesuffix("/v1")
            for one in messages:
                made = (await post_json(f"{root}/apply-template", {"messages": one}, timeout_s=30)).table()["prompt"]
                asked = {"content": made, "add_special": True, "parse_special": True}
                found.append((await post_json(f"{root}/tokenize", asked, timeout_s=30)).table()["tokens"])
        return found

    prompts, replies = [one[0] for one in ours], [one[1] for one in ours]
    assert prompts == asyncio.run(theirs())
    assert all(one == replies[0] for one in replies)
    assert replies[0][-1] == 2  # <|im_end|>, which ends a turn
