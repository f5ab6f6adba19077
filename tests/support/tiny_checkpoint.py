"""A random model of a few thousand weights as transformers saves it, with a tokenizer of bytes and a LoRA adapter.

Made by the Python that has torch: run by path with the folder to write.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_TOOLS = "{% if tools %}{{ tools | tojson }}\n{% endif %}" + CHATML
_SCRATCH = TemporaryDirectory(prefix="tiny-checkpoint-")


@cache
def python_with_torch() -> str | None:
    """A Python of this machine that runs the lane; None where `make train-env` was not run."""
    from harness.backends.torch_python import torch_python
    from harness.errors import ConfigError

    try:
        return str(torch_python(None))
    except ConfigError:
        return None


@cache
def tiny_checkpoint() -> Path:
    """The folder, written once for the whole test process; `adapter` in it is a LoRA that changes every answer."""
    python, folder = python_with_torch(), Path(_SCRATCH.name) / "tiny"
    assert python is not None
    done = subprocess.run(
        [python, "-P", __file__, json.dumps(str(folder))], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def _write(folder: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {text: at for at, text in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHATML
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj", "o_proj"]))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    adapted.save_pretrained(folder / "adapter")


if __name__ == "__main__":
    _write(Path(json.loads(sys.argv[1])))
