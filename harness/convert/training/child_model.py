"""The model that learns: loaded, with what is trained beside it, and the loss of a batch. Needs torch.

Loaded by path beside `child.py`.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

__all__ = ["Student", "build", "divergence", "trained"]


class Student(torch.nn.Module):  # type: ignore[misc]  # torch is in another Python
    """A causal language model whose forward pass gives the loss of a batch, so that wrappers can share it."""

    def __init__(self, model: Any, autocast: torch.dtype | None, device: str) -> None:
        """autocast: element type of the products; None: that of the weights."""
        super().__init__()
        self.model = model
        self._autocast, self._device = autocast, device
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._decoder, self._head = base.get_decoder(), base.get_output_embeddings()
        config = base.config.get_text_config()
        self._cap = getattr(config, "final_logit_softcapping", None)
        self._window = getattr(config, "sliding_window", None)
        self._kinds = set(getattr(config, "layer_types", None) or ())

    def cast(self) -> Any:
        """A context in which products are made in the narrower type."""
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(self._device.partition(":")[0], self._autocast)

    def forward(
        self, batch: Any, teacher: Any = None, share: float = 0.5, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sum of the weighted losses of the targets; and for the record the sums of its two parts without weights.

        These are cross entropy with the replies' tokens, and `divergence` (0 without a teacher). teacher: ids and log
        probabilities at `temperature` of its likeliest tokens at each target, (targets, k) each; the loss is then
        share · T² · divergence + (1 - share) · cross entropy (Hinton, Vinyals & Dean 2015, section 2: T² keeps the two
        in proportion, since the gradient of soft targets shrinks with it).
        """
        with self.cast():
            hidden = self._decoder(
                input_ids=batch.ids, position_ids=batch.positions, attention_mask=self._mask(batch), use_cache=False
            ).last_hidden_state
            logits = self._head(hidden.flatten(0, 1)[batch.places]).float()
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        plain = functional.cross_entropy(logits, batch.targets, reduction="none")
        told, apart = plain, torch.zeros_like(plain)
        if teacher is not None:
            apart = divergence(logits / temperature, *teacher)
            told = share * temperature**2 * apart + (1 - share) * plain
        return (told * batch.weights).sum(), plain.detach().sum(), apart.detach().sum()

    def _mask(self, batch: Any) -> Any:
        """What attention adds: 0 where a token may look, else the least number; by kind of layer if they differ."""
        kind = self._autocast or self._head.weight.dtype
        full = _added(batch.seen, kind)
        if "sliding_attention" not in self._kinds or self._window is None:
            return full
        near = batch.positions[:, :, None] - batch.positions[:, None, :] < self._window
        return {"full_attention": full, "sliding_attention": _added(batch.seen & near, kind)}


def divergence(logits: torch.Tensor, ids: torch.Tensor, logprobs: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of the student from the teacher at each target, in nats: (targets).

    logits: the student's, (targets, tokens). ids, logprobs: the teacher's likeliest tokens, (targets, k). Its other
    tokens count as one, since their single probabilities are not kept: what is left out by that is never negative (the
    log sum inequality), so this is a lower bound of the divergence over all tokens, and is it where k is all of them.
    """
    whole = logits.logsumexp(-1, keepdim=True)
    likely = logprobs.exp()
    found = (likely * (logprobs - logits.gather(-1, ids) + whole)).sum(-1)
    if ids.shape[-1] == logits.shape[-1]:
        return found
    other = (1 - likely.sum(-1)).clamp_min(0)
    said = logits.scatter(-1, ids, float("-inf")).logsumexp(-1) - whole[:, 0]
    return found + torch.xlogy(other, other) - other * said


def _added(seen: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """The mask as numbers, (sequences, 1, tokens, tokens)."""
    mask = torch.zeros(seen.shape, dtype=kind, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(kind).min)[:, None]


def trained(model: Any) -> list[Any]:
    """The tensors that training changes."""
    return [one for one in model.parameters() if one.requires_grad]


def build(order: dict[str, Any], device: str) -> Student:
    """The student as the order wants it, with nothing learned yet."""
    from transformers import AutoModelForCausalLM

    method = order["method"]
    element = getattr(torch, order["dtype"])
    more: dict[str, Any] = {}
    if method == "qlora":
        from transformers import BitsAndBytesConfig

        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=element
        )
        more["device_map"] = {"": device}
    held = torch.float32 if method == "full" else element  # what the optimizer changes is kept in 32 bits
    model = AutoModelForCausalLM.from_pretrained(
        Path(order["base"]), local_files_only=True, dtype=held, attn_implementation="sdpa", **more
    )
    if order["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if method != "full":
        model = _with_adapter(model, order, method)
    if method != "qlora":
        model.to(device)
    return Student(model, None if element is torch.float32 else element, device)


def _with_adapter(model: Any, order: dict[str, Any], method: str) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if method == "qlora":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=order["checkpointing"])
    elif order["checkpointing"]:
        model.enable_input_require_grads()
    targets = order["targets"]
    config = LoraConfig(
        r=order["rank"],
        lora_alpha=order["alpha"],
        lora_dropout=order["dropout"],
        target_modules=targets[0] if len(targets) == 1 and targets[0] == "all-linear" else targets,
        use_dora=method == "dora",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
