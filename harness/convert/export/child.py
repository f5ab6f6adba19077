"""Merges an adapter, writes GGUF files and measures what is left in them: needs torch, peft, safetensors and gguf.

Started by path, in a process of its own. Reads one JSON line from standard input; writes JSON lines to standard output:
{"share": 0.4} on the way, then {"done": …} or {"error": …, "kind": …}.

What a GGUF file is written from: the header (hyperparameters, tokenizer, chat template) of a GGUF file of the base, and
the tensors of the merged checkpoint, as they lie in that file (`child_layout.py`).
"""

import ctypes
import importlib.util
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_HALF_MOST = 65504.0
_FILE_TYPE = {"F16": 1, "F32": 0, "BF16": 32, "Q8_0": 7}  # enum llama_ftype (llama.cpp, include/llama.h)
_ELEMENTS = {"F16": "float16", "F32": "float32"}


def _beside(name: str) -> Any:
    """A module of this folder, by path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


_LAYOUT = _beside("child_layout")


def merge(order: dict[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Writes the base with the adapter in it, as float32, with its tokenizer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    base, out = Path(order["base"]), Path(order["out"])
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tell(0.3)
    tuned = PeftModel.from_pretrained(model, order["adapter"])
    merged = tuned.merge_and_unload(safe_merge=True)
    tell(0.6)
    element = getattr(torch, order["dtype"])
    merged.to(element)
    merged.config.dtype = element
    merged.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)
    for name in ("generation_config.json", "chat_template.jinja"):
        if (base / name).is_file() and not (out / name).is_file():
            shutil.copyfile(base / name, out / name)
    return {"parameters": sum(one.numel() for one in merged.parameters())}


def gguf_file(order: dict[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Writes the merged checkpoint as a GGUF file of full precision, with the header of the base's file."""
    import gguf

    np = _LAYOUT.numerics()
    base, merged = _LAYOUT.Folder(Path(order["base"])), _LAYOUT.Folder(Path(order["merged"]))
    template = _LAYOUT.Template(Path(order["template"]), base)
    _refuse_unused(template, base, merged)
    sources = {name: _merged_name(template.source[name], merged) for name in template.source}
    kind = _kind(order["type"], merged, sources)
    kinds = gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(order["out"], template.arch)
    _header(writer, template, order, kind)
    order_of = list(template.tensors)
    stored: dict[str, Any] = {}
    for name in order_of:
        tensor = template.tensors[name]
        shape = [int(one) for one in reversed(tensor.shape)]
        if name in sources and len(shape) > 1:
            fits = kind != "Q8_0" or shape[-1] % 32 == 0
            stored[name] = kinds[kind if fits else "F16"]
            block, size = gguf.GGML_QUANT_SIZES[stored[name]]
            bytes_of = [*shape[:-1], shape[-1] // block * size]
            told = np.dtype(_ELEMENTS.get(stored[name].name, "uint8"))
            shown = shape if stored[name].name in _ELEMENTS else bytes_of
            writer.add_tensor_info(name, shown, told, int(np.prod(bytes_of)), raw_dtype=stored[name])
        else:
            data = tensor.data
            writer.add_tensor_info(name, data.shape, data.dtype, data.nbytes, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for place, name in enumerate(order_of):
        writer.write_tensor_data(_data(template, merged, sources, name, stored.get(name)))
        tell((place + 1) / len(order_of))
    writer.close()
    return {"type": kind, "off": template.off, "layouts": _told(template)}


def _kind(asked: str, merged: Any, sources: dict[str, str]) -> str:
    """The type that is written: BF16 where a value is too large for F16."""
    np = _LAYOUT.numerics()
    if asked != "F16":
        return asked
    fits = all(float(np.abs(merged.read(own)).max()) < _HALF_MOST for own in set(sources.values()))
    return "F16" if fits else "BF16"


def _data(template: Any, merged: Any, sources: dict[str, str], name: str, kind: Any) -> Any:
    """What is written of a tensor: the merged values; of what the checkpoint does not have, the file's own."""
    import gguf

    np = _LAYOUT.numerics()
    tensor = template.tensors[name]
    if kind is not None:
        return gguf.quants.quantize(np.ascontiguousarray(template.put(name, merged.read(sources[name]))), kind)
    if name in sources and tensor.tensor_type == gguf.GGMLQuantizationType.F32:
        return np.ascontiguousarray(template.put(name, merged.read(sources[name])), dtype=np.float32)
    return tensor.data


def _merged_name(own: str, merged: Any) -> str:
    return own if own in merged else _LAYOUT.tied(own, merged)


def _told(template: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for layout in template.layout.values():
        found[layout.name] = found.get(layout.name, 0) + 1
    return found


def _refuse_unused(template: Any, base: Any, merged: Any) -> None:
    """Raises Refused where training changed a tensor that the file has no place for."""
    used = set(template.source.values()) | {"lm_head.weight"}
    for own in merged.names:
        if own in used or own not in base:
            continue
        if (merged.read(own) - base.read(own)).any():
            raise _LAYOUT.Refused(f"training changed {own}, for which the GGUF file of the base has no tensor")


def _header(writer: Any, template: Any, order: dict[str, Any], kind: str) -> None:
    """The base's keys, with the name and the type of this file."""
    import gguf

    own = {"general.architecture", "general.file_type", "general.name", "general.description"}
    for name, field in template.reader.fields.items():
        if name.startswith("GGUF.") or name in own:
            continue
        sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub)
    writer.add_string("general.name", order["name"])
    writer.add_string("general.description", order["description"])
    writer.add_file_type(_FILE_TYPE[kind])
    if "general.quantization_version" not in template.reader.fields and kind == "Q8_0":
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def adapter_file(order: dict[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Writes a LoRA adapter as GGUF, for the base's own file. Keys as llama.cpp reads them (llama-adapter.cpp)."""
    import gguf

    np = _LAYOUT.numerics()
    folder = Path(order["adapter"])
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("use_dora"):
        raise _LAYOUT.Refused("llama.cpp adds low-rank adapters and knows no magnitudes (DoRA)")
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise _LAYOUT.Refused("the adapter has several ranks or alphas, and llama.cpp reads one for all")
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    if config.get("use_rslora"):
        alpha = alpha * rank**0.5
    base = _LAYOUT.Folder(Path(order["base"]))
    template = _LAYOUT.Template(Path(order["template"]), base)
    back = {own: name for name, own in template.source.items() if name != "output.weight"}
    writer = gguf.GGUFWriter(order["out"], template.arch)
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", order["name"])
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    pairs = list(_pairs(_LAYOUT.Folder(folder)))
    for place, (own, first, second) in enumerate(pairs):
        name = back.get(own)
        if name is None:
            raise _LAYOUT.Refused(f"the adapter changes {own}, for which the GGUF file of the base has no tensor")
        turned = template.layout[name]
        if turned.name == "transposed":
            raise _LAYOUT.Refused(f"{name} lies transposed in the file: serve the merged model instead")
        rows = turned.put(second)
        writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(first, dtype=np.float32))
        writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(rows, dtype=np.float32))
        tell((place + 1) / len(pairs))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {"pairs": len(pairs), "rank": rank, "off": template.off}


def _pairs(adapter: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name of the weight in the checkpoint with both factors."""
    end = ".lora_A.weight"
    other = [name for name in adapter.names if not name.endswith((end, ".lora_B.weight"))]
    if other:
        raise _LAYOUT.Refused(f"the adapter holds {other[0]}, which is no low-rank factor")
    for name in adapter.names:
        if name.endswith(end):
            stem = name.removesuffix(end)
            own = stem.removeprefix("base_model.model.") + ".weight"
            yield own, adapter.read(name), adapter.read(f"{stem}.lora_B.weight")


def delta(order: dict[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Of each changed tensor, the share of the change that a file holds.

    <stored − base, change> / <change, change>: the projection on what training changed, so that the noise of quantizing
    falls out. 1 is all of it.
    """
    import gguf

    np = _LAYOUT.numerics()
    base, merged = _LAYOUT.Folder(Path(order["base"])), _LAYOUT.Folder(Path(order["merged"]))
    template = _LAYOUT.Template(Path(order["template"]), base)
    stored = {one.name: one for one in gguf.GGUFReader(order["file"]).tensors}
    tensors: list[dict[str, Any]] = []
    sums = {"dot": 0.0, "change": 0.0, "base": 0.0, "same": 0.0, "count": 0.0}
    for place, name in enumerate(template.source):
        tell((place + 1) / len(template.source))
        if name == "output.weight" and template.source[name] == template.source.get("token_embd.weight"):
            continue
        change = template.changed(base, merged, name)
        if change is None:
            continue
        before = template.put(name, base.read(template.source[name]))
        now = gguf.quants.dequantize(stored[name].data, stored[name].tensor_type)
        dot, square = float(np.vdot(now - before, change)), float(np.vdot(change, change))
        size = float(np.vdot(before, before))
        sums["dot"] += dot
        sums["change"] += square
        sums["base"] += size
        sums["same"] += int((now == before.astype(np.float32)).sum())
        sums["count"] += int(change.size)
        relative = (square / size) ** 0.5 if size else 0.0
        kind = stored[name].tensor_type.name
        tensors.append({"name": name, "type": kind, "relative": relative, "survived": dot / square})
    return {"tensors": tensors, **sums}


_ORDERS = {"merge": merge, "gguf": gguf_file, "adapter": adapter_file, "delta": delta}


def main() -> None:
    """Does the one order."""
    report = os.dup(1)
    answer: dict[str, Any]
    os.dup2(2, 1)  # nothing but the answer may reach the harness
    order = json.loads(sys.stdin.buffer.readline())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(order["parent"]):
        os._exit(0)

    def tell(share: float) -> None:
        os.write(report, json.dumps({"share": share}).encode() + b"\n")

    try:
        if threads := order.get("threads"):
            import torch

            torch.set_num_threads(int(threads))
        answer = {"done": _ORDERS[order["do"]](order, tell)}
    except Exception as error:  # the harness says it in its own words
        answer = {"error": str(error)[:1000], "kind": type(error).__name__}
    os.write(report, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
