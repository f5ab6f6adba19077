"""What is asked and answered: real BFCL samples with a right answer each, as a model would write it."""

import json
from pathlib import Path

import orjson

from benchmarks.loopback_server import KEY_BYTES
from harness.assets import cache_dir
from harness.config import SuiteConfig
from harness.records import Protocol, Reply, Sample
from harness.scorers.bfcl import BfclScorer
from harness.scorers.gold import gold_calls
from harness.suite.spec import load_suite
from harness.toolcalling.encode import PromptOptions, encode

__all__ = ["PROTOCOL", "pick", "reply_text", "write_material"]

PROTOCOL: Protocol = "prompted"
_CATEGORIES = ("simple_python", "multiple", "parallel", "parallel_multiple", "live_simple", "live_multiple")


def pick(number: int) -> tuple[Sample, ...]:
    """So many samples from six categories in equal shares, each with a question of its own and an answer that scores 1.

    A question whose beginning needs escapes in JSON, or is that of another, is left out: the loopback server knows a
    question by its first bytes.
    """
    suite = load_suite(SuiteConfig(name="toolcall", categories=_CATEGORIES, limit=2 * number), cache_dir())
    found: dict[str, Sample] = {}
    for sample in suite.samples:
        key = _key(sample)
        if len(key) == KEY_BYTES and key.isascii() and key.isprintable() and not set(key) & set('"\\'):
            right = BfclScorer().score(sample, Reply(content=reply_text(sample)), PROTOCOL).value == 1.0
            if right:
                found.setdefault(key, sample)
    if len(found) < number:
        raise RuntimeError(f"only {len(found)} of {number} samples can be told apart")
    return tuple(found.values())[:number]


def reply_text(sample: Sample) -> str:
    """A right answer to a sample as JSON text."""
    calls = [{"name": one.name, "arguments": one.arguments} for one in gold_calls(sample.tool_target)]
    return orjson.dumps(calls[0] if len(calls) == 1 else {"calls": calls}).decode()


def write_material(folder: Path, number: int) -> None:
    """Leaves samples.jsonl for the harness, questions.json for its peers and replies.json for the server."""
    samples = pick(number)
    questions = [
        {"messages": encode(sample, PROTOCOL, PromptOptions()).messages, "reply": reply_text(sample)}
        for sample in samples
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "samples.jsonl").write_text("".join(f"{sample.model_dump_json()}\n" for sample in samples))
    (folder / "questions.json").write_text(json.dumps(questions))
    (folder / "replies.json").write_text(json.dumps({_key(one): reply_text(one) for one in samples}))


def _key(sample: Sample) -> str:
    return (sample.messages[-1].content or "")[:KEY_BYTES]
