"""llama.cpp turns the schemas of BFCL's tools into grammars, and holds a real model to them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.assets import cache_dir, fetch
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import count_prompt_tokens, post_json
from harness.backends.weights import resolve_weights
from harness.config import LlamaCppConfig, ModelConfig
from harness.paths import conf_dir
from harness.protocols import Endpoint
from harness.records import Reply, Sample
from harness.suite.bfcl import Bfcl
from harness.suite.spec import read_spec
from harness.toolcalling.decode import decode
from harness.toolcalling.encode import ChatRequest, PromptOptions, encode
from harness.toolcalling.schema import calls_schema
from harness.toolcalling.swallow import probe
from tests.support.json_schema_check import accepts

pytestmark = pytest.mark.model

HARDEST = 12
"""Schemas that the default suite sends, the longest first; `slow` sends all."""


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    data = read_spec("toolcall").data
    assert data is not None
    folder = fetch(data, cache=cache_dir()).path
    return tuple(sample for sample in Bfcl(folder).samples() if sample.tools)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults", None)
    model = ModelConfig.model_validate(data)
    config = LlamaCppConfig(name="llamacpp", process="child", context_tokens=4096)
    async with LlamaCpp(config, model, weights=resolve_weights(model, cache=cache_dir())).serve() as served:
        yield served


def schemas(samples: tuple[Sample, ...]) -> list[str]:
    """The different schemas, longest first."""
    return sorted({json.dumps(calls_schema(sample.tools)) for sample in samples}, key=len, reverse=True)


async def refusals(endpoint: Endpoint, schemas: list[str]) -> list[tuple[int, str]]:
    """Status and schema wherever the server does not take a schema."""
    refused = []
    for schema in schemas:
        body = {
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 1,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "calls", "strict": True, "schema": json.loads(schema)},
            },
        }
        answer = await post_json(f"{endpoint.base_url}/chat/completions", body, timeout_s=60)
        if answer.status != 200:
            refused.append((answer.status, schema))
    return refused


async def test_the_longest_schemas_become_grammars(endpoint: Endpoint, samples: tuple[Sample, ...]) -> None:
    assert await refusals(endpoint, schemas(samples)[:HARDEST]) == []


@pytest.mark.slow
async def test_all_schemas_become_grammars(endpoint: Endpoint, samples: tuple[Sample, ...]) -> None:
    assert await refusals(endpoint, schemas(samples)) == []


async def test_a_constrained_reply_of_a_real_model_fits_its_schema(
    endpoint: Endpoint, samples: tuple[Sample, ...]
) -> None:
    short = sorted(samples, key=lambda sample: len(json.dumps(calls_schema(sample.tools))))[:60:10]
    for sample in short:
        request = encode(sample, "constrained", PromptOptions())
        body = {"messages": request.messages, "response_format": request.response_format, "temperature": 0}
        answer = await post_json(
            f"{endpoint.base_url}/chat/completions", {**body, "max_tokens": 256, "cache_prompt": False}, timeout_s=60
        )
        assert answer.status == 200
        body_read: Any = answer.body
        choice = body_read["choices"][0]
        if choice["finish_reason"] == "length":
            continue

        said = str(choice["message"]["content"])
        assert accepts(calls_schema(sample.tools), json.loads(said))
        assert decode(Reply(content=said), "constrained", sample.tools).error is None


async def test_the_template_of_smollm2_is_found_to_drop_tools_and_to_keep_the_system_message(
    endpoint: Endpoint, samples: tuple[Sample, ...]
) -> None:
    async def count(request: ChatRequest) -> int | None:
        return await count_prompt_tokens(endpoint, request.messages, request.tools or ())

    native = await probe(count, samples[0], "native")
    prompted = await probe(count, samples[0], "prompted")

    assert native is not None
    assert "drops the tools" in native
    assert prompted is None
