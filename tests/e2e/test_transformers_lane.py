"""Two engines on the same weights: SmolLM2's GGUF in llama.cpp, and dequantised in plain transformers."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.assets import cache_dir
from harness.backends.llamacpp import LlamaCpp
from harness.backends.server_probe import post_json
from harness.backends.unpack import unpacked
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig, ModelConfig
from harness.paths import conf_dir
from tests.support.tiny_checkpoint import python_with_torch

pytestmark = [
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.skipif(python_with_torch() is None, reason="torch is in no environment here: make train-env"),
]

SAMPLES = 12
PROBES = (
    "Hello, world!",
    "  two spaces, a tab\tand\n\nlines",
    "naïve café — Ünïcödé 漢字 🙂",
    '{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}',
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "Steps:\n        1. one \n            22 two\t3",
    "def f(x):\n    return x ** 2  # 12345.678",
)
NEXT = "<|im_start|>user\nName the capital of France.<|im_end|>\n<|im_start|>assistant\n"
READ = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, probes, text = json.loads(sys.stdin.read())
tokenizer = AutoTokenizer.from_pretrained(folder)
ids = [tokenizer(one, add_special_tokens=False)["input_ids"] for one in probes]
model = AutoModelForCausalLM.from_pretrained(folder).eval()
with torch.inference_mode():
    logits = model(torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])).logits[0, -1]
best = torch.log_softmax(logits.float(), -1).topk(5)
print(json.dumps({"ids": ids, "top": dict(zip(map(str, best.indices.tolist()), best.values.tolist()))}))
"""


def smollm2() -> ModelConfig:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults", None)
    return ModelConfig.model_validate(data)


@pytest.fixture(scope="module")
def weights() -> WeightFile:
    return resolve_weights(smollm2(), cache=cache_dir())


@pytest.fixture(scope="module")
def folder(weights: WeightFile) -> Path:
    return unpacked(weights, Path(str(python_with_torch())), dtype="float32")


def test_tokens_and_likelihoods_are_llamacpps(weights: WeightFile, folder: Path) -> None:
    order = json.dumps([str(folder), PROBES, NEXT])
    read = subprocess.run(
        [str(python_with_torch()), "-P", "-c", READ], input=order, capture_output=True, text=True, check=True
    )
    ours = json.loads(read.stdout)

    async def theirs() -> tuple[list[object], Mapping[str, float]]:
        config = LlamaCppConfig(name="llamacpp", threads=1, context_tokens=512)
        async with LlamaCpp(config, smollm2(), weights=weights).serve() as endpoint:
            root = endpoint.base_url.removesuffix("/v1")
            ids = [
                (await post_json(f"{root}/tokenize", {"content": one, "parse_special": True}, timeout_s=30)).table()
                for one in PROBES
            ]
            asked = {"prompt": NEXT, "n_predict": 1, "n_probs": 5, "temperature": 0}
            said: Any = (await post_json(f"{root}/completion", asked, timeout_s=60)).body
            first = said["completion_probabilities"][0]["top_logprobs"]
            return [one["tokens"] for one in ids], {str(one["id"]): one["logprob"] for one in first}

    ids, top = asyncio.run(theirs())

    assert ours["ids"] == ids
    shared = ours["top"].keys() & top.keys()
    assert max(ours["top"], key=ours["top"].get) == max(top, key=lambda one: top[one])
    assert len(shared) >= 4
    assert max(abs(exp(ours["top"][one]) - exp(top[one])) for one in shared) < 0.05


def run(backend: str, *more: str, results: Path) -> dict[str, bool]:
    """Whether each sample of a short constrained run came out right."""
    command = [
        "-m", "harness", "suite=toolcall", "model=smollm2", f"backend={backend}", "backend.threads=1", *more,
        f"suite.limit={SAMPLES}", "model.protocol=constrained", "model.generation.max_tokens=96",
        f"paths.results={results}", f"paths.reports={results / 'reports'}",
    ]  # fmt: skip
    subprocess.run([sys.executable, *command], check=True, capture_output=True, timeout=900)
    scores = (results / "run" / "latest" / "scores.jsonl").read_text()
    return {one["sample"]: one["value"] == 1 for one in map(json.loads, scores.splitlines())}


def test_two_engines_on_the_same_weights_agree(tmp_path: Path) -> None:
    plain = run("transformers", "backend.weights=gguf", results=tmp_path / "transformers")
    quantised = run("llamacpp", results=tmp_path / "llamacpp")

    assert plain.keys() == quantised.keys()
    assert len(plain) == SAMPLES
    assert sum(plain[one] != quantised[one] for one in plain) <= SAMPLES // 4
