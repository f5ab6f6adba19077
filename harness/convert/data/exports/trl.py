"""TRL: prompt and completion as chats with tools, and a program that trains on them."""

from typing import Final

import orjson
from pydantic import JsonValue

from harness.convert.data.exports.parts import Export, JsonObject
from harness.records.convert import DatasetRow

__all__ = ["write_trl"]

_PROGRAM: Final = '''"""Trains with TRL, the loss on the completion alone: python train.py [MODEL] [STEPS]."""

import json
import sys
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

MODEL = sys.argv[1] if len(sys.argv) > 1 else {base!r}
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else -1
HERE = Path(__file__).resolve().parent
tokenizer = AutoTokenizer.from_pretrained(MODEL)


def opened(message):
    """The message with its calls' arguments as objects, as chat templates want them."""
    calls = [
        {{**call, "function": {{**call["function"], "arguments": json.loads(call["function"]["arguments"])}}}}
        for call in message.get("tool_calls") or ()
    ]
    told = {{**message, "content": message.get("content") or ""}}
    return {{**told, "tool_calls": calls}} if calls else told


def rendered(line):
    """Prompt and completion as text, by the template: Arrow would give all tools and arguments each other's keys."""
    row = json.loads(line)
    tools = json.loads(row["tools"]) if row.get("tools") else None
    prompt, reply = [opened(one) for one in row["prompt"]], [opened(one) for one in row["completion"]]
    asked = tokenizer.apply_chat_template(prompt, tools=tools, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template(prompt + reply, tools=tools, tokenize=False)
    if not whole.startswith(asked):
        raise SystemExit("the chat template writes an answered chat in another way than its prompt")
    return {{"prompt": asked, "completion": whole[len(asked):].rstrip("\\n")}}


def rows(name):
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return Dataset.from_list([rendered(line) for line in lines]) if lines else None


validation = rows("validation.jsonl")
trainer = SFTTrainer(
    model=MODEL,
    args=SFTConfig(
        output_dir=str(HERE / "out"),
        max_length={max_tokens},
        completion_only_loss=True,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=8,
        learning_rate=5e-4,
        num_train_epochs=3,
        max_steps=STEPS,
        lr_scheduler_type="cosine",
        logging_steps=10,
        eval_strategy="no" if validation is None else "epoch",
        bf16=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        report_to="none",
    ),
    processing_class=tokenizer,
    train_dataset=rows("train.jsonl"),
    eval_dataset=validation,
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
)
trainer.train()
trainer.save_model()
'''


def write_trl(export: Export) -> None:
    """Writes `train.jsonl`, `validation.jsonl` and `train.py`."""
    export.lines("train.jsonl", export.train, _pair)
    export.lines("validation.jsonl", export.validation, _pair)
    export.text("train.py", _PROGRAM.format(base=export.base, max_tokens=export.max_tokens))


def _pair(row: DatasetRow) -> JsonObject:
    """Prompt and completion as messages; tools as JSON text, which TRL reads."""
    prompt: list[JsonValue] = [*row.messages]
    told: JsonObject = {"prompt": prompt, "completion": [row.reply]}
    if row.tools is not None:
        told["tools"] = orjson.dumps(list(row.tools)).decode()
    return told
