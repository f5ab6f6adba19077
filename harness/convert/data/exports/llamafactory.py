"""LlamaFactory: ShareGPT turns with a column of tools, `dataset_info.json`, and a configuration to train with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import orjson
from pydantic import JsonValue

from harness.convert.data.exports.parts import Export, JsonObject, LeftOut, calls_of, chat_of
from harness.records.convert import DatasetRow

__all__ = ["write_llamafactory"]

_TEMPLATES: Final[Mapping[str, str]] = {
    "smollm2": "smollm2", "gemma3": "gemma3", "qwen3": "qwen3_nothink", "qwen2": "qwen", "llama3": "llama3",
    "phi4mini": "phi4_mini", "granite4": "granite4", "mistral": "mistral",
}  # fmt: skip
"""LlamaFactory's names of chat templates, by how names of models begin."""
_JOINED: Final = "\n</tool_response>\n<tool_response>\n"
"""How LlamaFactory itself writes the results of parallel calls as one turn."""
_ANSWERS: Final = frozenset({"gpt", "function_call"})
_COLUMNS: Final[JsonObject] = {"messages": "conversations", "system": "system", "tools": "tools"}


def write_llamafactory(export: Export) -> None:
    """Writes `train.jsonl`, `validation.jsonl`, `dataset_info.json` and `train.yaml`."""
    changed = Counter[str]()
    make = partial(_turns, changed=changed)
    export.lines("train.jsonl", export.train, make)
    n_validation = export.lines("validation.jsonl", export.validation, make)
    export.notes += [f"llamafactory: {count:,} rows {what}" for what, count in changed.items() if count]
    info: JsonObject = {
        "convert_train": {"file_name": "train.jsonl", "formatting": "sharegpt", "columns": _COLUMNS},
        "convert_validation": {"file_name": "validation.jsonl", "formatting": "sharegpt", "columns": _COLUMNS},
    }
    export.text("dataset_info.json", orjson.dumps(info, option=orjson.OPT_INDENT_2).decode() + "\n")
    config: JsonObject = {
        "model_name_or_path": export.base,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_target": "all",
        "dataset_dir": ".",
        "dataset": "convert_train",
        "template": _template(export.setup.model.name),
        "cutoff_len": export.max_tokens,
        "mask_history": True,
        "train_on_prompt": False,
        "output_dir": "out",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "learning_rate": 5.0e-4,
        "num_train_epochs": 3.0,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,
        "logging_steps": 10,
        "save_strategy": "epoch",
        "report_to": "none",
    }
    if n_validation:
        config |= {"eval_dataset": "convert_validation", "eval_strategy": "epoch", "per_device_eval_batch_size": 1}
    comment = (
        "In this folder: llamafactory-cli train train.yaml\n"
        "template has to write prompts as the engine does; the loss is on the last turn alone (mask_history)."
    )
    export.yaml("train.yaml", comment, config)


def _template(model: str) -> str:
    plain = model.replace("-", "").replace("_", "").casefold()
    return next((name for start, name in _TEMPLATES.items() if plain.startswith(start)), "default")


def _turns(row: DatasetRow, changed: "Counter[str]") -> JsonObject:
    """The row as turns that alternate, as LlamaFactory wants them; it skips all others without a word."""
    messages = chat_of(row)
    system = ""
    if messages[0]["role"] == "system":
        system = str(messages.pop(0)["content"] or "")
    turns: list[dict[str, str]] = []
    results: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            results.append(str(message.get("content") or ""))
            continue
        if results:
            turns.append({"from": "observation", "value": _JOINED.join(results)})
            results = []
        turns.append(_turn(message))
    shown: list[JsonValue] = [dict(one) for one in _alternating(turns, changed)]
    tools = [] if row.tools is None else [tool["function"] for tool in row.tools]
    told: JsonObject = {"conversations": shown, "system": system}
    return {**told, "tools": orjson.dumps(tools).decode() if tools else ""}


def _turn(message: Mapping[str, JsonValue]) -> dict[str, str]:
    calls = calls_of(message)
    if calls:
        if message.get("content"):
            raise LeftOut("a call with words beside it has no place in ShareGPT turns")
        made: list[JsonValue] = [{"name": name, "arguments": arguments} for name, arguments in calls]
        return {"from": "function_call", "value": orjson.dumps(made).decode()}
    names = {"user": "human", "assistant": "gpt"}
    if message["role"] not in names:
        raise LeftOut("a system message within the chat has no place in ShareGPT turns")
    return {"from": names[str(message["role"])], "value": str(message.get("content") or "")}


def _alternating(turns: Sequence[dict[str, str]], changed: "Counter[str]") -> list[dict[str, str]]:
    """The turns with words of one side in a row joined, and an empty question before an assistant that speaks first."""
    found: list[dict[str, str]] = []
    joined = False
    for turn in turns:
        if found and turn["from"] == found[-1]["from"] and turn["from"] in {"human", "gpt"}:
            found[-1] = {**turn, "value": f"{found[-1]['value']}\n\n{turn['value']}"}
            joined = True
        else:
            found.append(turn)
    first = bool(found) and found[0]["from"] in _ANSWERS
    if first:
        found.insert(0, {"from": "human", "value": ""})
    alternate = all((turn["from"] in _ANSWERS) == bool(place % 2) for place, turn in enumerate(found))
    if not alternate or len(found) % 2:
        raise LeftOut("turns of user and assistant do not alternate, and LlamaFactory skips such rows")
    changed["begin with the assistant: an empty question stands before it"] += first
    changed["have several turns of one side in a row: they are joined"] += joined
    return found
