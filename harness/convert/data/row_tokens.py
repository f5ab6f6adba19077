"""A row as token ids: the prompt as the engine's template makes it, and the reply up to its end mark. No torch.

Loaded by path in Pythons that have transformers and not the harness.
"""

import hashlib
import json
from typing import Any

__all__ = ["row_ids", "tokenizer_sha256"]


def row_ids(tokenizer: Any, template: str | None, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Ids of the prompt and of the reply, made apart: the engine reads the one and writes the other.

    The reply is what the template puts behind the prompt, up to and with the mark that ends the turn; where the
    template writes an answered chat in another way, the reply's text and the tokenizer's end token.
    """
    messages = [_plain(one) for one in row["messages"]]
    tools = row.get("tools") or None
    prompt = _rendered(tokenizer, template, messages, tools, begin=True)
    reply = _plain(row["reply"])
    whole = _rendered(tokenizer, template, [*messages, reply], tools, begin=False)
    if whole.startswith(prompt):
        said = whole[len(prompt) :].rstrip("\n")
    elif reply.get("tool_calls"):
        raise ValueError("the chat template writes an answered chat in another way than its prompt")
    else:
        said = f"{reply['content']}{tokenizer.eos_token}"
    return _ids(tokenizer, prompt), _ids(tokenizer, said)


def _rendered(tokenizer: Any, template: str | None, messages: list[Any], tools: Any, *, begin: bool) -> str:
    return str(
        tokenizer.apply_chat_template(
            messages, tools=tools, chat_template=template or None, add_generation_prompt=begin, tokenize=False
        )
    )


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message as chat templates want it: text rather than null, arguments as objects."""
    shown = {**message, "content": message.get("content") or ""}
    if message.get("tool_calls"):
        shown["tool_calls"] = [_call(one) for one in message["tool_calls"]]
    return shown


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}


def tokenizer_sha256(tokenizer: Any) -> str:
    """Hash of what makes tokens of text: vocabulary, merges, and how text is cut before; equal for equal ids."""
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    added = [[one["id"], one["content"]] for one in made.get("added_tokens", ())]
    parts = [made.get("normalizer"), made.get("pre_tokenizer"), made.get("model"), added]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
