"""A teacher's distribution over the tokens of the replies, read from the side file. Needs torch.

Loaded by path beside `child.py`.
"""

import json
from typing import Any

import torch

__all__ = ["Teacher"]


class Teacher:
    """A teacher's likeliest tokens at each place of the replies, read from the side file."""

    def __init__(self, file: str, temperature: float) -> None:
        """Reads the file. Raises ValueError for one of another temperature."""
        from safetensors import safe_open

        with safe_open(file, framework="pt") as held:
            told = held.metadata()
            names = json.loads(told["rows"])
            if json.loads(told.get("temperature", "1.0")) != temperature:
                raise ValueError("the teacher weighed at another temperature: make the data set anew")
            self.ends, self.tokens = held.get_tensor("ends").tolist(), held.get_tensor("tokens")
            self.ids, self.logprobs = held.get_tensor("ids"), held.get_tensor("logprobs").float()
        self.at = {name: number for number, name in enumerate(names)}

    def of(self, rows: list[Any], batch: Any) -> tuple[Any, Any]:
        """Ids and log probabilities for each target of a batch. Raises ValueError where the file is of other rows."""
        ids, weights = [], []
        for number in dict.fromkeys(batch.rows):
            row = rows[number]
            if row.id not in self.at:
                raise ValueError("the teacher's file lacks a row: make the data set anew")
            begin, end = self.ends[self.at[row.id]], self.ends[self.at[row.id] + 1]
            if self.tokens[begin:end].tolist() != row.reply:
                raise ValueError("the teacher weighed other tokens than are trained: make the data set anew")
            ids.append(self.ids[begin:end])
            weights.append(self.logprobs[begin:end])
        device = batch.targets.device
        return torch.cat(ids).long().to(device), torch.cat(weights).to(device)
