"""Writes a GGUF file as a folder of safetensors, in a process of its own: needs torch, transformers and gguf.

Started by path. Reads one JSON line from standard input, answers with one on standard output: {"transformers": …} or
{"error": …, "kind": …}.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

__all__ = ["end_tokens", "unpack"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_ENDS = (
    "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|eom_id|>", "<|end|>", "<|eot|>",
    "<end_of_turn>", "<end_of_utterance>", "<EOT>", "<|return|>",
)  # fmt: skip
"""Texts of tokens that end a turn wherever they are special, as llama.cpp takes them (its llama-vocab.cpp). The GGUF
names one end alone, and a chat model says another one."""

_EACH_DIGIT = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
"""Values of `tokenizer.ggml.pre` for which llama.cpp (llama-vocab.cpp) splits at every digit before the words of GPT-2.
transformers 5.23 does not read that key, and then tokenises the blanks before a digit otherwise."""


def end_tokens(named: list[int | None], vocabulary: dict[str, int], special: set[int]) -> list[int]:
    """Ids that end generation: those named in the file, and special tokens whose text ends a turn.

    >>> end_tokens([2, None], {"<|im_end|>": 2, "<|endoftext|>": 0, "<EOT>": 9}, {0, 2})
    [2, 0]
    """
    found = [one for one in named if one is not None]
    found += [vocabulary[text] for text in _ENDS if vocabulary.get(text) in special]
    return list(dict.fromkeys(found))


def unpack(gguf: Path, folder: Path, dtype: str) -> None:
    """Dequantises with transformers' GGUF loader and saves.

    transformers 5.23 refuses to save what it loaded from GGUF, so the values go into a model made from the plain
    configuration.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    element = getattr(torch, dtype)
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=element)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = element
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=element)
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.tie_weights()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    if _field(gguf, "tokenizer.ggml.pre") in _EACH_DIGIT:
        _split_digits(tokenizer)
    special = {at for at, token in tokenizer.added_tokens_decoder.items() if token.special}
    eot = _field(gguf, "tokenizer.ggml.eot_token_id")
    ends = end_tokens([_eos(config), eot, tokenizer.eos_token_id], tokenizer.get_vocab(), special)
    plain.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=ends or None, pad_token_id=config.pad_token_id
    )
    folder.mkdir(parents=True)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _eos(config: Any) -> int | None:
    value = config.eos_token_id
    return value if isinstance(value, int) else None


def _field(gguf: Path, key: str) -> Any:
    """A value of the file's header; None where it has no such key."""
    from gguf import GGUFReader

    field = GGUFReader(gguf).get_field(key)
    return None if field is None else field.contents()


def _split_digits(tokenizer: Any) -> None:
    from tokenizers import pre_tokenizers as steps

    words = steps.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.backend_tokenizer.pre_tokenizer = steps.Sequence([steps.Digits(individual_digits=True), words])


def main() -> None:
    """Does the one order."""
    report = os.dup(1)
    os.dup2(2, 1)  # nothing but the answer may reach the harness
    order = json.loads(sys.stdin.buffer.readline())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(order["parent"]):
        os._exit(0)
    try:
        unpack(Path(order["gguf"]), Path(order["folder"]), order["dtype"])
        import transformers

        answer = {"transformers": transformers.__version__}
    except Exception as error:  # the harness says it in its own words
        answer = {"error": str(error)[:1000], "kind": type(error).__name__}
    os.write(report, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
