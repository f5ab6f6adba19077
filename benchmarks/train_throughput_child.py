"""Steps of our training loop and of a bare transformers loop on the same rows, in turns: for a Python with torch.

Run by path with the file of an order; prints one JSON line.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any


def _beside(folder: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(folder) / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def main() -> None:
    """Times each loop on each batch, in the order A B B A."""
    order: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows, models = _beside(order["training"], "child_rows"), _beside(order["training"], "child_model")
    import torch
    from transformers import AutoTokenizer

    torch.set_num_threads(order["threads"])
    tokenizer = AutoTokenizer.from_pretrained(order["base"], local_files_only=True)
    read, _ = rows.encode(tokenizer, "", Path(order["rows"]), 4096)
    student = models.build(order, "cpu")
    model, changed = student.model, models.trained(student.model)
    optimizer = torch.optim.AdamW(changed, lr=1e-4, fused=True)
    pad = tokenizer.pad_token_id

    def ours(part: list[Any], *, packed: bool) -> None:
        loss, *_ = student(rows.grid(part, pad, packed=packed))
        (loss / sum(len(one.reply) for one in part)).backward()

    def bare(part: list[Any]) -> None:
        width = max(one.length for one in part)
        ids = torch.tensor([one.prompt + one.reply + [pad] * (width - one.length) for one in part])
        seen = torch.tensor([[1] * one.length + [0] * (width - one.length) for one in part])
        labels = torch.tensor(
            [[-100] * len(one.prompt) + one.reply + [-100] * (width - one.length) for one in part]
        )  # fmt: skip
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, attention_mask=seen, labels=labels).loss
        loss.backward()

    loops: dict[str, Callable[[list[Any]], None]] = {
        "bare": bare,
        "ours": partial(ours, packed=False),
        "ours, packed": partial(ours, packed=True),
    }
    model.train()
    times: dict[str, list[float]] = {name: [] for name in loops}
    size = order["batch"]
    for turn in range(order["turns"] + 1):
        part = read[turn * size : (turn + 1) * size]
        names = list(loops) if turn % 2 else list(loops)[::-1]
        for name in names:
            began = time.perf_counter()
            loops[name](part)
            torch.nn.utils.clip_grad_norm_(changed, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if turn:  # the first warms up
                times[name].append(time.perf_counter() - began)
    sys.stdout.write(json.dumps({"times": times, "tokens": sum(one.length for one in read) / len(read)}) + "\n")


if __name__ == "__main__":
    main()
