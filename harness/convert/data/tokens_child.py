"""Counts the tokens of rows, or has a teacher weigh each token of their replies: a program for a Python with torch.

Reads one JSON line from standard input, writes a file, and answers with one line on standard output. Of the harness it
needs the files beside it alone.
"""

import json
import os
import runpy
import time
from pathlib import Path
from typing import Any

__all__: list[str] = []

_HERE = Path(__file__).resolve().parent
_TOKENS = runpy.run_path(str(_HERE / "row_tokens.py"))


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _rows(order: dict[str, Any]) -> list[dict[str, Any]]:
    lines = Path(order["rows"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(one) for one in lines]


def _lengths(order: dict[str, Any]) -> dict[str, Any]:
    tokenizer = _tokenizer(order["folder"])
    found = []
    for row in _rows(order):
        prompt, reply = _TOKENS["row_ids"](tokenizer, order["template"], row)
        found.append([len(prompt), len(reply)])
    Path(order["out"]).write_text(json.dumps(found), encoding="utf-8")
    return {"rows": len(found)}


def _logits(order: dict[str, Any]) -> dict[str, Any]:
    student, teacher = _tokenizer(order["folder"]), _tokenizer(order["teacher"])
    hashes = [_TOKENS["tokenizer_sha256"](one) for one in (student, teacher)]
    if hashes[0] != hashes[1]:
        return {"error": f"{len(student):,} and {len(teacher):,} tokens", "kind": "OtherTokenizer"}
    began = time.perf_counter()
    temperature, top_k = order["temperature"], order["top_k"]
    kept = [_weighed(reply, logits / temperature, top_k) for reply, logits in _asked(order, student, teacher)]
    mass = _written(order, kept, hashes[0])
    tokens = sum(len(one[0]) for one in kept)
    seconds = time.perf_counter() - began
    return {"rows": len(kept), "tokens": tokens, "mass": mass, "sha256": hashes[0], "seconds": seconds}


def _asked(order: dict[str, Any], student: Any, teacher: Any) -> Any:
    """For each row the teacher's logits at the places of the student's reply, and the reply's ids."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        order["teacher"], local_files_only=True, dtype=getattr(torch, order["dtype"])
    )
    model.eval().to(order["device"])
    for row in _rows(order):
        _, reply = _TOKENS["row_ids"](student, order["template"], row)
        prompt, _ = _TOKENS["row_ids"](teacher, order["teacher_template"], row)
        ids = torch.tensor([prompt + reply], device=order["device"])
        with torch.inference_mode():
            logits = model(input_ids=ids, logits_to_keep=len(reply) + 1).logits[0, :-1, : len(student)]
        yield reply, logits.float()  # without the places that a larger head has behind the vocabulary


def _weighed(reply: list[int], logits: Any, top_k: int) -> tuple[list[int], Any, Any]:
    """The reply's ids, and the ids and log probabilities of the likeliest tokens at each of its places."""
    import torch

    values, ids = torch.log_softmax(logits, dim=-1).topk(min(top_k, logits.shape[-1]), dim=-1)
    return reply, ids.to(torch.int32).cpu(), values.to(torch.float32).cpu()


def _written(order: dict[str, Any], kept: list[tuple[list[int], Any, Any]], sha256: str) -> float:
    """Writes the side file; the mean probability that the kept tokens have together."""
    import torch
    from safetensors.torch import save_file

    ends = [0]
    for reply, _, _ in kept:
        ends.append(ends[-1] + len(reply))
    values = torch.cat([one[2] for one in kept])
    tensors = {
        "ends": torch.tensor(ends, dtype=torch.int64),
        "tokens": torch.tensor([token for one in kept for token in one[0]], dtype=torch.int32),
        "ids": torch.cat([one[1] for one in kept]),
        "logprobs": values,
    }
    metadata = {
        "rows": json.dumps([row["id"] for row in _rows(order)]),
        "tokenizer_sha256": sha256,
        "temperature": json.dumps(order["temperature"]),
        "format": "2",
    }
    save_file(tensors, order["out"], metadata=metadata)
    return float(values.exp().sum(-1).mean())


def main() -> None:
    """Does one task and ends."""
    life = _HERE.parent.parent / "backends" / "child_life.py"
    report, order, _ = runpy.run_path(str(life))["begin"]()
    try:
        answer = {"lengths": _lengths, "logits": _logits}[order["task"]](order)
    except Exception as error:  # the harness says it in its own words
        answer = {"error": str(error)[:2000], "kind": type(error).__name__}
    os.write(report, json.dumps(answer).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
