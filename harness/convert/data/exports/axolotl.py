"""Axolotl: chats with tools as JSON lines, and a configuration of the type `chat_template`."""

import orjson
from pydantic import JsonValue

from harness.convert.data.exports.parts import Export, JsonObject, chat_of
from harness.records.convert import DatasetRow

__all__ = ["write_axolotl"]


def write_axolotl(export: Export) -> None:
    """Writes `train.jsonl`, `validation.jsonl` and `axolotl.yaml`."""
    export.lines("train.jsonl", export.train, _chat)
    n_validation = export.lines("validation.jsonl", export.validation, _chat)
    config: JsonObject = {
        "base_model": export.base,
        "datasets": [_dataset("train.jsonl")],
        "chat_template": "tokenizer_default" if export.setup.model.chat_template is None else "jinja",
        "adapter": "lora",
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_target_linear": True,
        "sequence_len": export.max_tokens,
        "sample_packing": True,
        "eval_sample_packing": False,
        "excess_length_strategy": "raise",
        "train_on_inputs": False,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "num_epochs": 3,
        "learning_rate": 5.0e-4,
        "lr_scheduler": "cosine",
        "warmup_ratio": 0.03,
        "optimizer": "adamw_torch",
        "bf16": "auto",
        "logging_steps": 10,
        "output_dir": "./out",
    }
    if export.setup.model.chat_template is not None:
        config["chat_template_jinja"] = "./chat_template.jinja"
        export.notes.append("axolotl: put the model's chat template beside axolotl.yaml as chat_template.jinja")
    if n_validation:
        config |= {"test_datasets": [{**_dataset("validation.jsonl"), "split": "train"}], "evals_per_epoch": 1}
    export.yaml(
        "axolotl.yaml", "In this folder: axolotl train axolotl.yaml (the loss is on turns marked train)", config
    )


def _dataset(file: str) -> JsonObject:
    return {
        "path": file,
        "ds_type": "json",
        "type": "chat_template",
        "field_messages": "messages",
        "field_tools": "tools",
        "roles_to_train": [],
        "train_on_eos": "turn",
        "message_field_training": "train",
    }


def _chat(row: DatasetRow) -> JsonObject:
    """The chat with a mark on the one turn that is learned; tools and arguments as JSON text, which Axolotl reads.

    As objects, Arrow would give every tool the keys of all others.
    """
    chat = chat_of(row)
    marked: list[JsonValue] = [{**one, "train": place == len(chat) - 1} for place, one in enumerate(chat)]
    told: JsonObject = {"messages": marked}
    if row.tools is not None:
        told["tools"] = orjson.dumps(list(row.tools)).decode()
    return told
