"""What the model says to the validation rows, and what it loses on them. Needs torch.

Loaded by path beside `child.py`.
"""

import json
import time
from pathlib import Path
from typing import Any

import torch

__all__ = ["answers", "judged", "loss_on"]

_ROWS = 25
"""Prompts that are answered together."""
_SPARE = 16
"""Tokens that a reply may be longer than the longest right one."""
_LOOK_S = 0.05


def answers(student: Any, rows: list[Any], tokenizer: Any, device: str) -> list[tuple[str, str]]:
    """Id of each row and what the model says, greedily, up to the mark that ends a turn."""
    model = student.model
    ends = _ends(model, tokenizer, rows)
    most = max(len(one.reply) for one in rows) + _SPARE
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
    found: list[tuple[str, str]] = []
    ordered = sorted(rows, key=lambda one: len(one.prompt))
    for at in range(0, len(ordered), _ROWS):
        part = ordered[at : at + _ROWS]
        width = max(len(one.prompt) for one in part)
        ids = torch.tensor([[pad] * (width - len(one.prompt)) + one.prompt for one in part], device=device)
        seen = torch.tensor([[0] * (width - len(one.prompt)) + [1] * len(one.prompt) for one in part], device=device)
        with torch.inference_mode(), student.cast():
            said = model.generate(
                input_ids=ids, attention_mask=seen, max_new_tokens=most, do_sample=False, num_beams=1,
                eos_token_id=ends, pad_token_id=pad, temperature=None, top_p=None, top_k=None,
            )  # fmt: skip
        for row, line in zip(part, said[:, width:].tolist(), strict=True):
            cut = next((place for place, token in enumerate(line) if token in ends), len(line))
            found.append((row.id, tokenizer.decode(line[:cut], skip_special_tokens=False)))
    return found


def _ends(model: Any, tokenizer: Any, rows: list[Any]) -> list[int]:
    """Ids that end a turn: those that the checkpoint names, and those that the right replies end with."""
    named = model.generation_config.eos_token_id
    ends = [named] if isinstance(named, int) else list(named or ())
    if tokenizer.eos_token_id is not None:
        ends.append(tokenizer.eos_token_id)
    return sorted({*ends, *(one.reply[-1] for one in rows)})


def loss_on(student: Any, grids: list[Any]) -> float:
    """Mean over the tokens of the replies."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for one in grids:
            _, plain, _ = student(one)
            total += float(plain)
            count += len(one.targets)
    return total / max(1, count)


def judged(folder: Path, step: int, said: list[tuple[str, str]]) -> float | None:
    """What the starter thinks of the answers: 0..1, or None where it could judge none.

    Written as a file that it looks for; it answers with another.
    """
    folder.mkdir(exist_ok=True)
    answer, asked = folder / f"score-{step}.json", folder / f"replies-{step}.jsonl"
    answer.unlink(missing_ok=True)
    partial = asked.with_suffix(".partial")
    lines = (json.dumps({"id": row, "text": text}, ensure_ascii=False) for row, text in said)
    partial.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    partial.replace(asked)
    while not answer.is_file():
        time.sleep(_LOOK_S)
    metric = json.loads(answer.read_text(encoding="utf-8"))["metric"]
    return None if metric is None else float(metric)
