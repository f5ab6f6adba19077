"""Our training loop beside a bare transformers loop on the same rows: `python -m benchmarks.train_throughput`.

The bare loop is what one writes first: rows padded to the longest of the batch, `model(input_ids, attention_mask,
labels).loss`, bfloat16 by autocast, the same LoRA, the same optimizer. Ours is timed without packing (the same padded
batch, logits at the replies alone) and with it (what all rows begin with once). The loops take turns, batch by batch,
so that what else the machine does falls on all of them. Needs `make train-env`; some minutes on two cores.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from omegaconf import OmegaConf

from harness.backends.llamacpp_plan import usable_cores
from harness.backends.torch_python import torch_python
from harness.backends.unpack import unpacked
from harness.backends.weights import resolve_weights
from harness.config import ModelConfig
from harness.paths import conf_dir
from harness.records import Message, Sample, Tool, ToolCall
from harness.records.target import ToolTarget
from harness.toolcalling.encode import PromptOptions, encode
from harness.toolcalling.prompt import answer_text

_HERE = Path(__file__).resolve().parent
_EXAMPLE = _HERE.parent / "examples" / "convert"
_TRAINING = _HERE.parent / "harness" / "convert" / "training"


def _model(name: str) -> ModelConfig:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / f"{name}.yaml"))
    assert isinstance(data, dict)
    data.pop("defaults", None)
    return ModelConfig.model_validate(data)


def _rows(file: Path, count: int, tools: int) -> None:
    """Writes rows of the example's agent."""
    sys.path.insert(0, str(_EXAMPLE))
    import make_log  # type: ignore[import-not-found]  # of the example's folder

    offered = tuple(Tool.model_validate(one["function"]) for one in make_log.TOOLS[:tools])
    lines = []
    for call in make_log.calls("train", count, 0):
        asked = (Message(role="system", content=make_log.SYSTEM), Message(role="user", content=call["text"]))
        sample = Sample(
            id=str(call["number"]), category="shop", messages=asked, tools=offered,
            target=ToolTarget(expect="any_call"), scorer="bfcl",
        )  # fmt: skip
        made = (ToolCall(name=call["tool"], arguments=call["arguments"]),) if call["tool"] else ()
        reply = {"role": "assistant", "content": answer_text(made, "no_call")}
        messages = encode(sample, "prompted", PromptOptions()).messages
        lines.append(json.dumps({"id": sample.id, "messages": messages, "tools": None, "reply": reply}))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Prints rows a second of each loop, and ours over the bare one with the spread over batches."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--model", default="smollm2")
    asked.add_argument("--batch", type=int, default=4)
    asked.add_argument("--turns", type=int, default=8)
    asked.add_argument("--threads", type=int, default=usable_cores())
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    python = torch_python(None)
    base = unpacked(resolve_weights(_model(options.model)), python, dtype="float32")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _rows(folder / "rows.jsonl", options.batch * (options.turns + 1), 3)
        order = {
            "training": str(_TRAINING), "base": str(base), "rows": str(folder / "rows.jsonl"), "method": "lora",
            "dtype": "bfloat16", "checkpointing": False, "targets": ["all-linear"], "rank": 16, "alpha": 32.0,
            "dropout": 0.0, "threads": options.threads, "batch": options.batch, "turns": options.turns,
        }  # fmt: skip
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        words = [
            str(python),
            "-P",
            "-W",
            "ignore",
            str(_HERE / "train_throughput_child.py"),
            str(folder / "order.json"),
        ]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = json.loads(told.splitlines()[-1])
    times: dict[str, list[float]] = found["times"]
    sys.stdout.write(
        f"{options.model}, {options.threads} threads, batch {options.batch}, rows of {found['tokens']:.0f} tokens, "
        f"{options.turns} batches in turns\n"
    )
    for name, seconds in times.items():
        shares = sorted(bare / own for bare, own in zip(times["bare"], seconds, strict=True))
        middle = statistics.median(seconds)
        sys.stdout.write(
            f"{name:<14} {options.batch / middle:6.2f} rows/s   {statistics.median(shares):.2f} x bare "
            f"({shares[0]:.2f} … {shares[-1]:.2f})\n"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
