"""The program that trains, on a model of a few thousand weights: prompts carry no loss, and a killed training goes on.

Run by the Python that has torch; a few steps each.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.convert.data.tokens import _told
from harness.convert.training.child_process import run_child
from harness.errors import BackendError
from tests.support.tiny_checkpoint import python_with_torch, tiny_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(python_with_torch() is None, reason="torch is in no environment here: make train-env"),
]

TRAINING = Path(__file__).parents[3] / "harness" / "convert" / "training"
SYSTEM = "You answer with one JSON object."
LOOK = """
import importlib.util, json, sys
from pathlib import Path
def beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(sys.argv[1]) / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found
rows, model = beside("child_rows"), beside("child_model")
import torch
from transformers import AutoTokenizer
folder, data = sys.argv[2:4]
tokenizer = AutoTokenizer.from_pretrained(folder)
read, _ = rows.encode(tokenizer, "", Path(data) / "train.jsonl", 1000)
"""
LABELS = (
    LOOK
    + """
told = []
for packed in (True, False):
    grid = rows.grid(read[:3], 0, packed=packed)
    said = [tokenizer.decode(one[one != -100].tolist()) for one in grid.labels]
    flat = grid.ids.flatten()
    after = [int(flat[place + 1]) for place in grid.places.tolist()]
    kept = int((grid.labels != -100).sum())
    told.append({"said": said, "next": after == grid.targets.tolist(), "lines": len(grid.ids), "kept": kept})
asked = json.loads((Path(data) / "train.jsonl").read_text().splitlines()[0])["messages"]
prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=True, return_dict=False)
replies = sum(len(one.reply) for one in read[:3])
print(json.dumps({"grids": told, "prompt": prompt == read[0].prompt, "replies": replies}))
"""
)
EQUAL = (
    LOOK
    + """
order = {"method": "lora", "base": folder, "dtype": "float32", "checkpointing": False}
order |= {"targets": ["all-linear"], "rank": 4, "alpha": 8.0, "dropout": 0.0}
torch.manual_seed(0)
student = model.build(order, "cpu")
for name, one in student.model.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(one, std=0.05)
found = []
for packed in (True, False):
    student.model.zero_grad()
    loss, _, _ = student(rows.grid(read[:6], 0, packed=packed))
    loss.backward()
    found.append((float(loss), torch.cat([one.grad.flatten() for one in model.trained(student.model)])))
apart = 0.0
for one in read[:6]:
    ids = torch.tensor([one.prompt + one.reply])
    labels = torch.tensor([[-100] * len(one.prompt) + one.reply])
    apart += float(student.model(input_ids=ids, labels=labels).loss.detach()) * len(one.reply)
gap = float((found[0][1] - found[1][1]).norm() / found[1][1].norm())
print(json.dumps({"packed": found[0][0], "padded": found[1][0], "apart": apart, "gap": gap}))
"""
)

APART = (
    LOOK
    + """
torch.manual_seed(0)
student, teacher = torch.randn(5, 40, requires_grad=True), 3 * torch.randn(5, 40)
held = teacher.log_softmax(-1)
whole = torch.nn.functional.kl_div(student.log_softmax(-1), held, log_target=True, reduction="none").sum(-1)
found = {}
for k in (40, 39, 8):
    values, ids = held.topk(k)
    apart = model.divergence(student, ids, values)
    (slope,) = torch.autograd.grad(apart.sum(), student)
    found[k] = [apart.tolist(), bool(torch.isfinite(slope).all())]
same, ids = held.topk(8)
print(json.dumps({"whole": whole.tolist(), "found": found, "same": model.divergence(teacher, ids, same).tolist()}))
"""
)


def row(name: str, question: str, answer: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    return {"id": name, "messages": messages, "tools": None, "reply": {"role": "assistant", "content": answer}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [row(f"r{at}", f"Order {at * 7919 % 1000}?", json.dumps({"order": at * 7919 % 1000})) for at in range(32)]
    for name, part in (("train", rows[:28]), ("validation", rows[28:])):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in part))
    return folder


def order(data: Path, out: Path, **changed: Any) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    return {
        "method": "lora", "rank": 4, "alpha": 8.0, "dropout": 0.1, "targets": ["all-linear"], "learning_rate": 1e-2,
        "epochs": 10.0, "max_steps": 12, "batch": 4, "accumulate": 1, "max_tokens": 1000, "packing": True,
        "dtype": "float32", "device": "cpu", "processes": 1, "threads": 1, "seed": 0, "base": str(tiny_checkpoint()),
        "template": "", "data": str(data), "out": str(out), "schedule": "cosine", "warmup_frac": 0.1,
        "weight_decay": 0.0, "clip": 1.0, "max_minutes": None, "checkpointing": False, "checkpoint_steps": 3,
        "eval_steps": 100, "patience": None, "logits": None, "distill_share": 0.5, "temperature": 2.0, "probe": 0,
    } | changed  # fmt: skip


def answering(out: Path, metric: Callable[[int], float]) -> Callable[[], None]:
    """Looks at a child at work, and answers each of its questions."""

    def look() -> None:
        for asked in (out / "evaluation").glob("replies-*.jsonl"):
            step = int(asked.stem.partition("-")[2])
            answer = out / "evaluation" / f"score-{step}.json"
            if not answer.is_file():
                partial = answer.with_suffix(".partial")
                partial.write_text(json.dumps({"metric": metric(step)}))
                partial.replace(answer)

    return look


def trained(data: Path, out: Path, **changed: Any) -> dict[str, Any]:
    return run_child(python(), order(data, out, **changed), answering(out, lambda step: step / 100))


def python() -> Path:
    found = python_with_torch()
    assert found is not None
    return Path(found)


def losses(out: Path) -> list[float]:
    lines = map(json.loads, (out / "progress.jsonl").read_text().splitlines())
    return [one["loss"] for one in lines if one["loss"] is not None]


def looked(script: str, data: Path) -> dict[str, Any]:
    words = [str(python()), "-P", "-W", "ignore", "-c", script, str(TRAINING), str(tiny_checkpoint()), str(data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_only_replies_carry_loss_and_prompts_are_the_templates(data: Path) -> None:
    told = looked(LABELS, data)

    packed, padded = told["grids"]
    assert padded["said"] == ['{"order": 0}<|im_end|>', '{"order": 919}<|im_end|>', '{"order": 838}<|im_end|>']
    assert packed["said"] == ["".join(padded["said"])]
    assert (packed["lines"], padded["lines"]) == (1, 3)
    assert packed["kept"] == padded["kept"] == told["replies"]
    assert packed["next"]
    assert padded["next"]
    assert told["prompt"]


def test_packed_rows_lose_what_they_lose_apart(data: Path) -> None:
    told = looked(EQUAL, data)

    assert told["packed"] == pytest.approx(told["apart"], rel=1e-5)
    assert told["padded"] == pytest.approx(told["apart"], rel=1e-5)
    assert told["gap"] < 1e-4  # of the gradients, in 32 bits


def test_training_learns_and_leaves_an_adapter(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "train"

    said = trained(data, out, max_steps=30)

    assert said["status"] == "complete"
    assert losses(out)[-1] < losses(out)[0]
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == tiny_checkpoint().name  # no folder of this machine
    assert (out / "adapter" / "adapter_model.safetensors").is_file()


def test_a_killed_training_goes_on_as_if_nothing_had_happened(data: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    trained(data, whole)
    broken_off(data, broken)

    said = trained(data, broken)

    assert said["sittings"] == 2
    assert said["step"] == 12
    assert losses(broken) == pytest.approx(losses(whole), rel=1e-4)


def broken_off(data: Path, broken: Path, **changed: Any) -> None:
    """A training killed at once after step 6, a checkpoint of which it has written."""
    told = order(data, broken, **changed)
    told |= {"said": str(broken / "said.json"), "parent": os.getpid()}
    (broken / "order.json").write_text(json.dumps(told))
    words = [str(python()), "-P", str(TRAINING / "child.py"), str(broken / "order.json")]
    look = answering(broken, lambda step: step / 100)
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (broken / "checkpoint-6").is_dir() and child.poll() is None:
            look()
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def weighed(data: Path, temperature: float = 2.0) -> str:
    """What the tiny model with its adapter merged holds of the replies: the file."""
    teacher, out = data / "teacher", data / "logits.safetensors"
    merge = (
        "import sys; from peft import PeftModel; from transformers import AutoModelForCausalLM, AutoTokenizer; "
        "base = AutoModelForCausalLM.from_pretrained(sys.argv[1]); "
        "PeftModel.from_pretrained(base, sys.argv[1] + '/adapter').merge_and_unload().save_pretrained(sys.argv[2]); "
        "AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])"
    )
    words = [str(python()), "-P", "-W", "ignore", "-c", merge, str(tiny_checkpoint()), str(teacher)]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    told = {
        "task": "logits", "folder": str(tiny_checkpoint()), "template": "", "teacher": str(teacher),
        "teacher_template": "", "top_k": 16, "temperature": temperature, "dtype": "float32", "device": "cpu",
        "rows": str(data / "train.jsonl"), "out": str(out),
    }  # fmt: skip
    answer = _told(python(), told)
    assert "error" not in answer, answer
    return str(out)


def test_the_divergence_is_that_over_all_tokens_and_never_more_of_a_few(data: Path) -> None:
    told = looked(APART, data)

    assert told["found"]["40"][0] == pytest.approx(told["whole"], rel=1e-5)
    assert told["found"]["39"][0] == pytest.approx(told["whole"], rel=1e-3)  # one token left counts as itself
    assert all(0 <= few <= all_ + 1e-6 for few, all_ in zip(told["found"]["8"][0], told["whole"], strict=True))
    assert told["same"] == pytest.approx([0.0] * 5, abs=1e-5)
    assert all(finite for _, finite in told["found"].values())


def test_a_student_comes_nearer_to_its_teacher(data: Path, tmp_path: Path) -> None:
    out, logits = tmp_path / "train", weighed(data)

    trained(data, out, logits=logits, distill_share=1.0, max_steps=30, dropout=0.0)

    apart = [json.loads(one).get("divergence") for one in (out / "progress.jsonl").read_text().splitlines()]
    seen = [one for one in apart if one is not None]
    assert seen[-1] < 0.8 * seen[0]


def test_a_killed_distillation_goes_on_as_if_nothing_had_happened(data: Path, tmp_path: Path) -> None:
    whole, broken, logits = tmp_path / "whole", tmp_path / "broken", weighed(data)
    trained(data, whole, logits=logits)
    broken_off(data, broken, logits=logits)

    said = trained(data, broken, logits=logits)

    assert (said["sittings"], said["step"]) == (2, 12)
    assert losses(broken) == pytest.approx(losses(whole), rel=1e-4)
    assert tensors(broken) == tensors(whole)


def tensors(out: Path) -> bytes:
    return (out / "adapter" / "adapter_model.safetensors").read_bytes()


def test_a_teacher_of_another_temperature_is_refused(data: Path, tmp_path: Path) -> None:
    logits = weighed(data, temperature=1.0)

    with pytest.raises(BackendError, match="another temperature: make the data set anew"):
        trained(data, tmp_path / "train", logits=logits)


def test_a_polite_end_leaves_a_checkpoint(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "train"
    answer = answering(out, lambda step: step / 100)

    def interrupting() -> None:
        answer()
        if (out / "checkpoint-3").is_dir():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(python(), order(data, out, max_steps=100_000, epochs=100_000.0), interrupting)

    assert list(out.glob("checkpoint-*/state.pt"))


def test_training_ends_early_by_the_metric_and_keeps_the_best(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "train"
    metrics = {0: 0.1, 2: 0.8, 4: 0.3, 6: 0.2}
    told = order(data, out, eval_steps=2, patience=2, max_steps=40)

    said = run_child(python(), told, answering(out, lambda step: metrics.get(step, 0.0)))

    assert (said["status"], said["step"], said["best_step"], said["best_metric"]) == ("early_stopped", 6, 2, 0.8)


def test_all_weights_can_be_trained(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "train"

    said = trained(data, out, method="full", max_steps=3, learning_rate=1e-3)

    assert said["trainable"] == said["parameters"]
    assert (out / "model" / "model.safetensors").is_file()
    assert (out / "model" / "tokenizer.json").is_file()


def test_dora_trains_magnitudes_besides(data: Path, tmp_path: Path) -> None:
    lora = trained(data, tmp_path / "lora", max_steps=1)["trainable"]

    dora = trained(data, tmp_path / "dora", max_steps=1, method="dora")["trainable"]

    assert dora > lora


def test_two_processes_share_a_step(data: Path, tmp_path: Path) -> None:
    alone = trained(data, tmp_path / "one", dropout=0.0, max_steps=6)

    shared = trained(data, tmp_path / "two", dropout=0.0, max_steps=6, batch=2, processes=2)

    assert shared["rows"] == alone["rows"] == 24
    assert sum(one.is_dir() for one in (tmp_path / "two").glob("adapter")) == 1
    last = [json.loads((tmp_path / name / "progress.jsonl").read_text().splitlines()[-1]) for name in ("one", "two")]
    assert last[1]["validation_loss"] == pytest.approx(last[0]["validation_loss"], rel=1e-3)


def test_a_probe_leaves_nothing_but_its_times(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "probe"

    said = run_child(python(), order(data, out, probe=2), lambda: None)

    assert len(said["seconds"]) == 2
    assert all(one > 0 for one in said["seconds"])
    assert not list(out.glob("checkpoint-*"))
    assert not (out / "adapter").exists()
