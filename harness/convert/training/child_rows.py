"""Rows as tensors: token ids, which rows share a step, and how they lie side by side in it. Needs torch.

Loaded by path beside `child.py`: of the harness it needs `data/row_tokens.py` alone.
"""

import json
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

__all__ = ["Encoded", "Grid", "batches", "encode", "grid", "shared_prefix"]

_TOKENS = runpy.run_path(str(Path(__file__).resolve().parent.parent / "data" / "row_tokens.py"))
_IGNORED = -100
_LONGEST_SEQUENCE = 4096
"""Tokens of a packed sequence at most: attention grows with their square."""


@dataclass(frozen=True)
class Encoded:
    """A row in tokens."""

    id: str
    prompt: list[int]
    reply: list[int]
    weight: float

    @property
    def length(self) -> int:
        """Of prompt and reply together."""
        return len(self.prompt) + len(self.reply)


@dataclass
class Grid:
    """Sequences of one length, with all that a model needs to read the rows in them apart."""

    ids: torch.Tensor
    """(sequences, tokens)"""
    positions: torch.Tensor
    """(sequences, tokens): of each token in its row."""
    seen: torch.Tensor
    """(sequences, tokens, tokens), bool: whether the first token may look at the second."""
    places: torch.Tensor
    """(targets): which place of the flattened grid says the target."""
    targets: torch.Tensor
    """(targets): ids of the replies' tokens."""
    weights: torch.Tensor
    """(targets): of the row that each is of."""
    rows: list[int]
    """(targets): number of that row in the batch, and so of its teacher's log probabilities."""
    labels: torch.Tensor
    """(sequences, tokens): the reply's ids where they stand, -100 elsewhere; what a test looks at."""


def encode(tokenizer: Any, template: str, file: Path, max_tokens: int) -> tuple[list[Encoded], int]:
    """The rows of a file by the template and tokenizer of the engine, and how many were too long to be read."""
    found, long = [], 0
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        row = json.loads(line)
        prompt, reply = _TOKENS["row_ids"](tokenizer, template, row)
        one = Encoded(str(row["id"]), prompt, reply, float(row.get("weight", 1.0)))
        if one.length > max_tokens:
            long += 1
        else:
            found.append(one)
    return found, long


def shared_prefix(rows: list[Encoded]) -> int:
    """Tokens that all prompts begin with; one less than the shortest prompt at most."""
    if len(rows) < 2:
        return 0
    first, last = min(one.prompt for one in rows), max(one.prompt for one in rows)
    most = min(len(first), len(last)) - 1
    at = 0
    while at < most and first[at] == last[at]:
        at += 1
    return at


def batches(rows: list[Encoded], size: int, seed: int, epoch: int, *, grouped: bool) -> list[list[Encoded]]:
    """An epoch's batches, the same for the same seed: shuffled, and where wanted rows of like length together.

    grouped: within 16 batches that were drawn together rows are sorted by length, then the batches are shuffled. The
    last batch may be smaller.
    """
    draw = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = [rows[at] for at in torch.randperm(len(rows), generator=draw).tolist()]
    if grouped:
        pool = 16 * size
        pools = [sorted(order[at : at + pool], key=lambda one: one.length) for at in range(0, len(order), pool)]
        order = [one for part in pools for one in part]
    made = [order[at : at + size] for at in range(0, len(order), size)]
    if not grouped:
        return made
    return [made[at] for at in torch.randperm(len(made), generator=draw).tolist()]


def grid(rows: list[Encoded], pad: int, *, packed: bool) -> Grid:
    """The batch as tensors.

    packed: rows stand one behind the other in few sequences, and what all of them begin with stands once in each, seen
    by all; positions go on from there. A row sees that and itself, nothing of another: the loss and its gradient are
    those of the rows apart. Otherwise each row is a sequence of its own, padded behind.
    """
    prefix = shared_prefix(rows) if packed else 0
    groups = _groups(rows, prefix) if packed else [[at] for at in range(len(rows))]
    width = max(prefix + sum(rows[at].length - prefix for at in group) for group in groups)
    ids = torch.full((len(groups), width), pad)
    positions = torch.zeros((len(groups), width), dtype=torch.long)
    owner = torch.full((len(groups), width), -1)
    labels = torch.full((len(groups), width), _IGNORED)
    said: list[tuple[int, int, float, int]] = []
    for line, group in enumerate(groups):
        if prefix:
            ids[line, :prefix] = torch.tensor(rows[group[0]].prompt[:prefix])
            positions[line, :prefix] = torch.arange(prefix)
            owner[line, :prefix] = 0
        at = prefix
        for number in group:
            row = rows[number]
            body = row.prompt[prefix:] + row.reply
            end = at + len(body)
            ids[line, at:end] = torch.tensor(body)
            positions[line, at:end] = torch.arange(prefix, prefix + len(body))
            owner[line, at:end] = number + 1
            begin = end - len(row.reply)
            labels[line, begin:end] = torch.tensor(row.reply)
            said += [
                (line * width + begin - 1 + step, token, row.weight, number) for step, token in enumerate(row.reply)
            ]
            at = end
    return Grid(
        ids=ids,
        positions=positions,
        seen=_seen(owner),
        places=torch.tensor([one[0] for one in said]),
        targets=torch.tensor([one[1] for one in said]),
        weights=torch.tensor([one[2] for one in said]),
        rows=[one[3] for one in said],
        labels=labels,
    )


def _groups(rows: list[Encoded], prefix: int) -> list[list[int]]:
    """Numbers of the rows in each sequence, in their order, as many as the longest sequence allows."""
    most = max(_LONGEST_SEQUENCE, max(one.length for one in rows))
    groups: list[list[int]] = [[]]
    room = most - prefix
    for number, row in enumerate(rows):
        need = row.length - prefix
        if need > room and groups[-1]:
            groups.append([])
            room = most - prefix
        groups[-1].append(number)
        room -= need
    return groups


def _seen(owner: torch.Tensor) -> torch.Tensor:
    """Which token may look at which: earlier ones of its own row and of the shared beginning (0); padding at itself."""
    width = owner.shape[1]
    earlier = torch.ones(width, width, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    shared = (owner[:, None, :] == 0) & (owner[:, :, None] > 0)
    return (same | shared) & earlier
