"""NeMo: chats with tools for the Customizer service, and a recipe of NeMo AutoModel that reads the same file."""

import orjson
from pydantic import JsonValue

from harness.convert.data.exports.parts import Export, JsonObject, calls_of, chat_of
from harness.records.convert import DatasetRow

__all__ = ["write_nemo"]


def write_nemo(export: Export) -> None:
    """Writes `training/`, `validation/` (as the Customizer looks for them) and `automodel.yaml`."""
    export.lines("training/train.jsonl", export.train, _chat)
    n_validation = export.lines("validation/validation.jsonl", export.validation, _chat)
    config: JsonObject = {
        "step_scheduler": {
            "global_batch_size": 8, "local_batch_size": 1, "num_epochs": 3, "ckpt_every_steps": 100,
            "val_every_steps": 100,
        },
        "dist_env": {"backend": "nccl", "timeout_minutes": 10},
        "rng": {"_target_": "nemo_automodel.components.training.rng.StatefulRNG", "seed": 0, "ranked": True},
        "model": {
            "_target_": "nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained",
            "pretrained_model_name_or_path": export.base,
        },
        "peft": {
            "_target_": "nemo_automodel.components._peft.lora.PeftConfig",
            "match_all_linear": True,
            "dim": 16,
            "alpha": 32,
        },
        "checkpoint": {"enabled": True, "checkpoint_dir": "out", "model_save_format": "safetensors"},
        "distributed": {"strategy": "fsdp2", "dp_size": None, "tp_size": 1, "cp_size": 1},
        "loss_fn": {"_target_": "nemo_automodel.components.loss.masked_ce.MaskedCrossEntropy"},
        "dataset": _dataset(export, "training/train.jsonl"),
        "packed_sequence": {"packed_sequence_size": 0},
        "dataloader": _loader(shuffle=True),
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 5.0e-4, "weight_decay": 0.0},
    }  # fmt: skip
    if n_validation:
        config["validation_dataset"] = _dataset(export, "validation/validation.jsonl")
        config["validation_dataloader"] = _loader(shuffle=False)
    comment = (
        "In this folder: automodel finetune llm -c automodel.yaml\n"
        "The Customizer takes the same files: upload this folder as a data set. The loss is on the last turn alone."
    )
    export.yaml("automodel.yaml", comment, config)


def _dataset(export: Export, file: str) -> JsonObject:
    return {
        "_target_": "nemo_automodel.components.datasets.llm.ChatDataset",
        "path_or_dataset_id": file,
        "seq_length": export.max_tokens,
        "mask_history": True,
        "mask_generation_prompt": True,
    }


def _loader(*, shuffle: bool) -> JsonObject:
    return {
        "_target_": "torchdata.stateful_dataloader.StatefulDataLoader",
        "collate_fn": "nemo_automodel.components.datasets.utils.default_collater",
        "shuffle": shuffle,
    }


def _chat(row: DatasetRow) -> JsonObject:
    """The chat with arguments as objects, as NeMo's own examples have them, and text in place of null."""
    told: list[JsonValue] = [_message(one) for one in chat_of(row)]
    found: JsonObject = {"messages": told}
    if row.tools is not None:
        found["tools"] = list(row.tools)
    return found


def _message(message: JsonObject) -> JsonObject:
    told = {**message, "content": message.get("content") or ""}
    given = message.get("tool_calls")
    if not isinstance(given, list):
        return told
    calls: list[JsonValue] = []
    for call, (name, arguments) in zip(given, calls_of(message), strict=True):
        assert isinstance(call, dict)
        calls.append({**call, "function": {"name": name, "arguments": orjson.loads(orjson.dumps(arguments))}})
    return {**told, "tool_calls": calls}
