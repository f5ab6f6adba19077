"""What training will take, told before it starts: memory from shapes, time from a few measured steps."""

import json
import math
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from harness.assets.progress import human_bytes
from harness.backends.llamacpp_plan import available_memory
from harness.config import ConvertConfig
from harness.convert.data.tokens import RUNTIME_BYTES
from harness.convert.training.child_process import SMALLER, run_child
from harness.convert.training.plan import base_folder, machine_of, train_python
from harness.convert.training.run import kept_result, order_of, rows_of
from harness.cost import machine_usd_per_hour
from harness.fit_shape import Shape, shape_of_config
from harness.records.convert import DatasetManifest, Estimate, TrainPlan

__all__ = ["Sizes", "estimate", "memory_need", "refusal", "sizes_of"]

_PROBE_STEPS: Final = 2
_ELEMENT: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
_PER_WIDTH: Final = 22
"""Elements kept for the backward pass, for each token and layer, in widths of the model: norms, residuals, heads."""
_PER_FORWARD: Final = 4
"""The same in widths of the feed-forward part: gate, up, their product, the activation."""
_PER_RANK: Final = 14
"""The same in ranks of the factors: seven linear layers, in 32 bits."""
_PER_TOKEN_OF_VOCABULARY: Final = 14
"""Bytes for each target and token of the vocabulary: logits narrow and wide, their softmax, both gradients."""
_PER_TOKEN_DISTILLED: Final = 20
"""The same besides, with a teacher: logits by temperature, those without its tokens, three gradients."""
_PER_WEIGHED: Final = 8
"""Bytes of a token and its log probability in the teacher's file, all of which is in memory."""
_SPREAD: Final = 1.5
"""How far the speed of a whole training may lie from that of a few steps, on a machine that does other things."""
_HEADROOM: Final = 1.1
_HOLES: Final = 1.25
"""What the allocator holds over what is used, after sequences of many lengths: 6.9 GB where 5.5 were in use."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What memory and disk depend on."""

    parameters: int
    trainable: int
    layers: int
    shape: Shape
    tokens: int
    """Of one batch, as it is packed or padded."""
    targets: int
    """Of them, those that a loss is on."""
    weighed: int = 0
    """Tokens whose log probability by a teacher is held, over all rows."""


def sizes_of(plan: TrainPlan, folder: Path, dataset: DatasetManifest) -> Sizes | None:
    """The sizes that a checkpoint's config.json and the data set's lengths tell; None where they do not."""
    try:
        config: Mapping[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    nested = config.get("text_config")
    read: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    shape, layers = shape_of_config(config), read.get("num_hidden_layers")
    if shape is None or not isinstance(layers, int):
        return None
    heads, width = int(read["num_attention_heads"]), shape.width
    head = int(read.get("head_dim") or width // heads)
    of_keys = head * int(read.get("num_key_value_heads") or heads)
    linear = [(width, heads * head), (width, of_keys), (width, of_keys), (heads * head, width)]
    linear += [(width, shape.feed_forward)] * 2 + [(shape.feed_forward, width)]
    tied = bool(read.get("tie_word_embeddings", config.get("tie_word_embeddings", False)))
    parameters = layers * sum(a * b for a, b in linear) + shape.vocab * width * (1 if tied else 2)
    factors = (plan.rank or 0) * layers * sum(a + b for a, b in linear)
    if plan.targets not in ((), ("all-linear",)):
        factors = factors * min(len(plan.targets), 7) // 7
    lengths = dataset.lengths
    longest = lengths.longest if lengths is not None else plan.max_tokens
    reply = (
        math.ceil(dataset.reply_tokens / dataset.n_train) if dataset.reply_tokens and dataset.n_train else longest // 4
    )
    logits, batch = dataset.logits, min(plan.batch, max(1, dataset.n_train))
    return Sizes(
        parameters=parameters,
        trainable=parameters if plan.method == "full" else factors,
        layers=layers,
        shape=shape,
        tokens=batch * longest,
        targets=batch * reply,
        weighed=0 if logits is None else logits.tokens * logits.top_k,
    )


def memory_need(plan: TrainPlan, sizes: Sizes, *, checkpointing: bool = False) -> int:
    """Bytes at the peak: weights, gradients, the optimizer's two moments, what the backward pass needs, the runtime.

    What the optimizer changes has 16 bytes an element (weight, gradient, two moments, in 32 bits). Weights that stay
    have the plan's type, 0.56 bytes at 4 bits with their scales. An upper bound where rows share a beginning.
    """
    held = 0.56 if plan.method == "qlora" else _ELEMENT[plan.dtype]
    weights = 0 if plan.method == "full" else int(sizes.parameters * held)
    copies = sizes.parameters * 2 if plan.method == "full" and plan.dtype != "float32" else 0
    trained = sizes.trainable * 16
    element, shape = _ELEMENT[plan.dtype], sizes.shape
    token = (_PER_WIDTH * shape.width + _PER_FORWARD * shape.feed_forward) * element
    token += 0 if plan.method == "full" else _PER_RANK * (plan.rank or 0) * 4 + 7 * shape.width * 4
    layers = 1 + sizes.layers * 0.1 if checkpointing else sizes.layers
    kept = int(sizes.tokens * token * layers)
    each = _PER_TOKEN_OF_VOCABULARY + (_PER_TOKEN_DISTILLED if sizes.weighed else 0)
    logits = sizes.targets * shape.vocab * each + sizes.weighed * _PER_WEIGHED
    return int((weights + copies + trained + kept + logits + RUNTIME_BYTES) * _HOLES)


def estimate(config: ConvertConfig, plan: TrainPlan, dataset: DatasetManifest, data: Path) -> Estimate:
    """What the plan will take on this machine, with the reason where it cannot be done.

    Memory is computed from shapes. Where it fits, a few steps are trained and thrown away (half a minute for a small
    model) for the time; what they tell is kept beside the rows. Raises BackendError where those steps fail.
    """
    sizes = sizes_of(plan, base_folder(config), dataset)
    rows = rows_of(data)
    free = _free(config, plan)
    need = None if sizes is None else memory_need(plan, sizes, checkpointing=config.convert.training.checkpointing)
    told = Estimate(
        rows=rows,
        steps=_steps(plan, rows),
        memory_bytes=need,
        memory_available=free,
        parameters=sizes.parameters if sizes else None,
        trainable=sizes.trainable if sizes else None,
        disk_bytes=sizes.trainable * 20 if sizes else None,
        basis="memory computed from the shapes of the weights and the longest rows",
        teacher_calls=dataset.teacher_calls,
        teacher_usd=dataset.teacher_usd,
        teacher_seconds=None if dataset.logits is None else dataset.logits.seconds,
    )
    if need is not None and free is not None and (why := refusal(need, free, plan.method)) is not None:
        return told.model_copy(update={"refused": why})
    timed = _timed(told, config, plan, data, dataset)
    hourly, seconds = machine_usd_per_hour(config.hardware), (timed.seconds or 0.0) + (told.teacher_seconds or 0.0)
    return timed.model_copy(update={"machine_usd": None if hourly is None else hourly * seconds / 3600})


def refusal(need: int, free: int, method: str) -> str | None:
    """Why it cannot be trained here, with what to type; None: it fits, with a tenth to spare.

    >>> refusal(2_000_000_000, 8_000_000_000, "lora") is None
    True
    """
    if need * _HEADROOM <= free:
        return None
    other = ", or convert=lora" if method == "full" else ""
    return f"training needs about {human_bytes(need)} and {human_bytes(free)} are free here; type {SMALLER}{other}"


def _steps(plan: TrainPlan, rows: int) -> int:
    """Steps of the whole training."""
    step = plan.batch * plan.accumulate * plan.processes
    steps = max(1, math.ceil(math.ceil(rows / step) * plan.epochs))
    return min(steps, plan.max_steps) if plan.max_steps else steps


def _free(config: ConvertConfig, plan: TrainPlan) -> int | None:
    """Bytes that can be had: of the GPU where one trains."""
    if plan.device.startswith("cuda"):
        memory = machine_of(train_python(config))["memory"]
        return int(memory) if isinstance(memory, int) else None
    if plan.device == "mps":
        return int(psutil.virtual_memory().available)
    return available_memory()


def _timed(told: Estimate, config: ConvertConfig, plan: TrainPlan, data: Path, dataset: DatasetManifest) -> Estimate:
    """The estimate with its time, measured now or by an earlier command of this plan."""
    done = kept_result(plan, data.parent / "train")
    if done is not None:
        return told.model_copy(
            update={
                "seconds": done.seconds,
                "tokens": done.tokens,
                "basis": f"{told.basis}; time as it was: this training is done",
            }
        )
    found = _probe(config, plan, data)
    steps = told.steps or 1
    step = statistics.median(found["seconds"])
    limit = config.convert.training.max_minutes
    reached = steps_within(steps, step, limit)
    seconds = step * steps if limit is None else min(step * steps, 60 * limit)
    low, high = min(found["seconds"]) * steps / _SPREAD, max(found["seconds"]) * steps * _SPREAD
    if limit is not None:
        low, high = min(low, 60 * limit), min(high, 60 * limit)
    peak = max(int(found["peak_memory_bytes"] * _HOLES), told.memory_bytes or 0)
    basis = (
        f"{told.basis}; time from {len(found['seconds'])} steps that were trained and thrown away; asking "
        f"{dataset.n_validation:,} validation rows comes on top{_early(limit, reached, steps)}"
    )
    return told.model_copy(
        update={
            "seconds": seconds,
            "seconds_low": low,
            "seconds_high": high,
            "steps": reached,
            "tokens": int(found["tokens"] * reached),
            "memory_bytes": peak,
            "parameters": found["parameters"],
            "trainable": found["trainable"],
            "basis": basis,
        }
    )


def steps_within(steps: int, step_s: float, max_minutes: float | None) -> int:
    """Of so many steps, each of so many seconds, those that are done when the time is up; one at the least."""
    return steps if max_minutes is None else min(steps, max(1, round(60 * max_minutes / step_s)))


def _early(limit: float | None, reached: int, steps: int) -> str:
    if limit is None or reached == steps:
        return ""
    return f"; convert.training.max_minutes={limit:g} ends it after about {reached:,} of {steps:,} steps"


def _probe(config: ConvertConfig, plan: TrainPlan, data: Path) -> dict[str, Any]:
    """What a few steps took, measured now or kept beside the rows."""
    kept = data.parent / "probe.json"
    try:
        before = orjson.loads(kept.read_bytes())
        if before["key"] == plan.key and before["threads"] == plan.threads:
            return dict(before)
    except (OSError, ValueError, KeyError):
        pass
    with tempfile.TemporaryDirectory() as place:
        order = order_of(config, plan, data, Path(place), probe=_PROBE_STEPS)
        found = run_child(train_python(config), order, lambda: None)
    kept.write_bytes(orjson.dumps({**found, "key": plan.key, "threads": plan.threads}))
    return found
