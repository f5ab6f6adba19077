"""Trains: a program for a Python with torch, transformers and peft, started by path with the file of its order.

Leaves, in the folder that the order names, `progress.jsonl` (a line for each look at the loss), `checkpoint-N` (all
that is needed to go on as if nothing had happened), `adapter` or `model` (the best so far) and at its end `said.json`.
Of the harness it needs the files beside it and `data/row_tokens.py`. SIGTERM ends it after the step that it is in, with
a checkpoint; it ends with whoever started it.
"""

import ctypes
import importlib.util
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["share_of_rate"]

_HERE = Path(__file__).resolve().parent
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_SAID_EVERY = 5
"""Steps between two lines of progress, at most."""


def share_of_rate(done: float, warmup: float, schedule: str) -> float:
    """Share of the learning rate when this share of the training is done.

    >>> [round(share_of_rate(one, 0.1, "cosine"), 2) for one in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant":
        return 1.0
    left = 1 - min(1.0, (done - warmup) / (1 - warmup))
    return left if schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def _beside(name: str) -> Any:
    """A module of this folder, by path."""
    spec = importlib.util.spec_from_file_location(name, _HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


class _Sitting:
    """A training from its start, or from its last checkpoint, to its end or its interruption."""

    def __init__(self, order: dict[str, Any]) -> None:
        import torch
        from accelerate import Accelerator
        from accelerate.utils import set_seed
        from transformers import AutoTokenizer

        self.order, self.out = order, Path(order["out"])
        self.rows, self.said, self.kept = _beside("child_rows"), _beside("child_said"), _beside("child_kept")
        model = _beside("child_model")
        if order["threads"]:
            torch.set_num_threads(order["threads"])
        set_seed(order["seed"])
        on_cpu = order["device"] == "cpu"
        self.fleet = Accelerator(cpu=on_cpu, mixed_precision="fp16" if order["dtype"] == "float16" else "no")
        self.device = str(self.fleet.device)
        self.tokenizer = AutoTokenizer.from_pretrained(order["base"], local_files_only=True)
        read = [self._read(name) for name in ("train", "validation")]
        (self.train, self.long), (self.validation, _) = read
        if not self.train:
            raise ValueError(f"all rows are longer than max_tokens={order['max_tokens']}")
        student = model.build(order, self.device)
        self.parameters = sum(one.numel() for one in student.model.parameters())
        self.changed = model.trained(student.model)
        self.trainable = sum(one.numel() for one in self.changed)
        optimizer = torch.optim.AdamW(
            self.changed, lr=order["learning_rate"], weight_decay=order["weight_decay"], fused=True
        )
        self.student, self.optimizer = self.fleet.prepare(student, optimizer)
        self.plain = self.fleet.unwrap_model(self.student)
        self.teacher = None
        if order["logits"]:
            self.teacher = _beside("child_teacher").Teacher(order["logits"], order["temperature"])
        self.state: dict[str, Any] = {
            "step": 0, "seconds": 0.0, "evaluation_seconds": 0.0, "tokens": 0, "rows": 0, "sittings": 0,
            "best_metric": None, "best_loss": None, "best_step": None, "worse": 0, "started": False,
        }  # fmt: skip
        self.stop = False
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        self.per_epoch = self._per_epoch()
        self.total = max(1, math.ceil(self.per_epoch * order["epochs"]))
        if order["max_steps"]:
            self.total = min(self.total, order["max_steps"])

    def _read(self, name: str) -> tuple[list[Any], int]:
        order, file = self.order, Path(self.order["data"]) / f"{name}.jsonl"
        if not file.is_file():
            return [], 0
        found: tuple[list[Any], int] = self.rows.encode(
            self.tokenizer, order["template"], file, order["max_tokens"]
        )  # fmt: skip
        return found

    def _asked_to_stop(self, *_: object) -> None:
        self.stop = True

    def _per_epoch(self) -> int:
        """Steps of an epoch."""
        step: int = self.order["batch"] * self.order["accumulate"] * self.fleet.num_processes
        return math.ceil(len(self.train) / step)

    def _grid(self, rows: list[Any]) -> Any:
        """The batch on the device."""
        made = self.rows.grid(rows, self._pad(), packed=self.order["packing"])
        for name in ("ids", "positions", "seen", "places", "targets", "weights"):
            setattr(made, name, getattr(made, name).to(self.device))
        return made

    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id or 0 if pad is None else pad)

    def run(self) -> dict[str, Any]:
        """What is said of the training: its status, counts and times."""
        order, state = self.order, self.state
        self._take_up()
        state["sittings"] += 1
        if not state["started"]:
            self._look()  # what the model can do before: the first point of the curve, and the worst that is kept
            state["started"] = True
        status = "complete"
        while state["step"] < self.total:
            if order["max_minutes"] and state["seconds"] >= 60 * order["max_minutes"]:
                break
            self._step()
            if self._told_to_stop():
                status = "interrupted"
                break
            last = state["step"] >= self.total
            if self.validation and not last and state["step"] % order["eval_steps"] == 0 and self._look():
                status = "early_stopped"
                break
            if not last and state["step"] % order["checkpoint_steps"] == 0:
                self._keep()
        if status == "complete" and self.validation:
            self._look()
        if status == "interrupted" or not self.validation:
            self._keep()
        if status != "interrupted" and not self.validation:
            self._save()
        return {"status": status, **self._facts()}

    def _told_to_stop(self) -> bool:
        """Whether any of the processes was asked to end."""
        if self.fleet.num_processes == 1:
            return self.stop
        if not _runs(self.order["parent"]):  # killed: nobody would ever end these processes
            os._exit(1)
        from accelerate.utils import gather_object

        return any(gather_object([self.stop]))

    def _step(self) -> None:
        import torch

        order, state = self.order, self.state
        began = time.perf_counter()
        torch.manual_seed(order["seed"] * 1_000_003 + state["step"] * 64 + self.fleet.process_index)
        mine, weight = self._part(state["step"])
        limit = 60 * order["max_minutes"] if order["max_minutes"] else math.inf
        done = max((state["step"] + 1) / self.total, state["seconds"] / limit)
        rate = order["learning_rate"] * share_of_rate(done, order["warmup_frac"], order["schedule"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.student.train()
        total = apart = 0.0
        for number, rows in enumerate(mine):
            batch = self._grid(rows)
            teacher = self.teacher.of(rows, batch) if self.teacher else None
            last = number == len(mine) - 1
            with self.fleet.no_sync(self.student) if not last else _nothing():
                loss, plain, soft = self.student(batch, teacher, order["distill_share"], order["temperature"])
                self.fleet.backward(loss * self.fleet.num_processes / weight)
            total += float(plain)
            apart += float(soft)
            state["tokens"] += batch.ids.numel()
            self.targets += len(batch.targets)
        self.fleet.clip_grad_norm_(self.changed, order["clip"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses += total
        self.apart += apart
        state["step"] += 1
        state["rows"] += sum(map(len, mine)) * self.fleet.num_processes
        state["seconds"] += time.perf_counter() - began
        if state["step"] % _SAID_EVERY == 0 or state["step"] == self.total:
            self._tell(rate=rate)

    losses = 0.0
    apart = 0.0
    targets = 0
    dealt: tuple[int, list[Any]] = (-1, [])

    def _part(self, step: int) -> tuple[list[list[Any]], float]:
        """The batches of this process in a step, and the weight of all processes' targets."""
        size, world = self.order["batch"], self.fleet.num_processes
        epoch, at = divmod(step, self.per_epoch)
        if self.dealt[0] != epoch:
            rows, order = size * self.order["accumulate"] * world, self.order
            self.dealt = epoch, self.rows.batches(self.train, rows, order["seed"], epoch, grouped=not order["packing"])
        whole = self.dealt[1][at]
        own = whole[self.fleet.process_index :: world] or whole[:1]
        weight = sum(one.weight * len(one.reply) for one in whole)
        return [own[begin : begin + size] for begin in range(0, len(own), size)], weight

    def _tell(self, rate: float | None = None, **found: Any) -> None:
        """A line of progress."""
        if not self.fleet.is_main_process:
            return
        state = self.state
        line = {
            "step": state["step"],
            "epoch": state["step"] / self.per_epoch,
            "seconds": state["seconds"],
            "rows": state["rows"],
            "tokens": state["tokens"],
            "loss": self.losses / self.targets if self.targets else None,
            "divergence": self.apart / self.targets if self.targets and self.teacher else None,
            "learning_rate": rate,
            **found,
        }
        self.losses, self.apart, self.targets = 0.0, 0.0, 0
        with (self.out / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _look(self) -> bool:
        """Asks the validation rows, keeps the model if it is the best so far, and says whether to end."""
        if not self.validation:
            return False
        began = time.perf_counter()
        ended = False
        if self.fleet.is_main_process:
            self.student.eval()
            size = self.order["batch"]
            parts = [self.validation[at : at + size] for at in range(0, len(self.validation), size)]
            loss = self.said.loss_on(self.plain, [self._grid(one) for one in parts])
            said = self.said.answers(self.plain, self.validation, self.tokenizer, self.device)
            metric = self.said.judged(self.out / "evaluation", self.state["step"], said)
            self.state["evaluation_seconds"] += time.perf_counter() - began
            self._tell(validation_loss=loss, metric=metric)
            ended = self._ranked(metric, loss)
            self._keep()
        if self.fleet.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            told = [ended]
            broadcast_object_list(told)
            ended = told[0]
        return ended

    def _ranked(self, metric: float | None, loss: float) -> bool:
        """Keeps the best by metric, among equals by loss; whether patience is at its end."""
        state, patience = self.state, self.order["patience"]
        seen = (-1.0 if metric is None else metric, -loss)
        best = (-1.0 if state["best_metric"] is None else state["best_metric"], -(state["best_loss"] or math.inf))
        first = state["best_step"] is None
        if first or seen > best:
            better = first or metric is None or metric > (state["best_metric"] or 0.0)
            state.update(best_metric=metric, best_loss=loss, best_step=state["step"])
            state["worse"] = 0 if better else state["worse"] + 1
            self._save()
        else:
            state["worse"] += 1
        done = metric is not None and metric >= 1.0 and state["step"] > 0
        return patience is not None and (state["worse"] >= patience or (done and state["worse"] >= 1))

    def _save(self) -> None:
        """Writes what the engine will be made from."""
        if not self.fleet.is_main_process:
            return
        if self.state["best_step"] is None:
            self.state["best_step"] = self.state["step"]
        name = "model" if self.order["method"] == "full" else "adapter"
        self.kept.save(self.plain.model, self.tokenizer, self.out / name, Path(self.order["base"]).name)

    def _keep(self) -> None:
        """Writes a checkpoint."""
        if self.fleet.is_main_process:
            held = {
                "state": self.state,
                "losses": (self.losses, self.targets),
                "apart": self.apart,
                "weights": [one.detach().cpu() for one in self.changed],
                "optimizer": self.optimizer.state_dict(),
            }
            self.kept.write(self.out, self.state["step"], held)

    def _take_up(self) -> None:
        """Goes on from the last checkpoint, where there is one; lines of progress after it are taken back."""
        import torch

        held = self.kept.newest(self.out)
        if held is not None:
            self.state.update(held["state"])
            self.losses, self.targets = held["losses"]
            self.apart = held.get("apart", 0.0)
            with torch.no_grad():
                for one, kept in zip(self.changed, held["weights"], strict=True):
                    one.copy_(kept)
            self.optimizer.load_state_dict(held["optimizer"])
        if self.fleet.is_main_process:
            self.kept.cut(self.out / "progress.jsonl", None if held is None else self.state["step"])

    def _facts(self) -> dict[str, Any]:
        import resource

        import torch

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        on_gpu = self.device.startswith("cuda")
        return {
            **self.state,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "too_long": self.long,
            "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else peak,
            "gpu": torch.cuda.get_device_name() if on_gpu else None,
        }

    def probe(self, steps: int) -> dict[str, Any]:
        """Seconds of a few steps on the longest rows and on usual ones, without leaving anything."""
        found = []
        for _ in range(steps + 1):
            began = time.perf_counter()
            before = self.state["seconds"]
            self._step()
            self.state["seconds"] = before
            found.append(time.perf_counter() - began)
        tokens = self.state["tokens"] / (steps + 1)
        return {**self._facts(), "seconds": found[1:], "tokens": tokens}


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _begin(order: dict[str, Any]) -> None:
    """Ends with its starter, and hears no Ctrl-C of the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux" and order["processes"] == 1:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != order["parent"]:
            os._exit(0)


def main() -> None:
    """Trains, or measures what training would take, and says how that ended."""
    file = Path(sys.argv[1])
    order = json.loads(file.read_text(encoding="utf-8"))
    _begin(order)
    code = 0
    try:
        sitting = _Sitting(order)
        said = sitting.probe(order["probe"]) if order["probe"] else sitting.run()
        main_process = sitting.fleet.is_main_process
    except Exception as error:  # the harness says it in its own words
        said, main_process, code = {"error": str(error)[:2000], "kind": type(error).__name__}, True, 1
    if main_process:
        partial = Path(order["said"]).with_suffix(".partial")
        partial.write_text(json.dumps(said), encoding="utf-8")
        partial.replace(order["said"])
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
