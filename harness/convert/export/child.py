"""Merges an adapter, writes GGUF files and measures what is left in them: needs torch, peft, safetensors and gguf.

Started by path, in a process of its own. Reads one JSON line from standard input; writes JSON lines to standard output:
{"share": 0.4} on the way, then {"done": …} or {"error": …, "kind": …}.

What a GGUF file is written from: the header (hyperparameters, tokenizer, chat template) of a GGUF file of the base, and
the tensors of the merged checkpoint. How a tensor of the checkpoint lies in the file (llama.cpp turns the rows of q and
k for rotary embeddings, adds 1 to some norms) is not looked up by architecture: each of the known layouts is tried on
the base, and the one that gives the base file's own values is taken. A tensor that none of them explains is refused.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_CLOSE = 0.3
"""Largest error, relative to the tensor's norm, at which a layout counts as found: a 4-bit file of the same weights is
off by about 0.07, another layout by about 1.4."""
_SAME = 1e-3
"""Largest at which the file holds the checkpoint's own values."""
_HALF_MOST = 65504.0
_FILE_TYPE = {"F16": 1, "F32": 0, "BF16": 32, "Q8_0": 7}  # enum llama_ftype (llama.cpp, include/llama.h)
_ELEMENTS = {"F16": "float16", "F32": "float32"}


class Refused(Exception):
    """What cannot be done, in one sentence."""


def _numpy() -> Any:
    import numpy

    return numpy


class Folder:
    """The tensors of a checkpoint by name, read one at a time as float32."""

    def __init__(self, path: Path) -> None:
        """Reads the headers of all .safetensors files of the folder."""
        from safetensors import safe_open  # type: ignore[import-not-found,unused-ignore]  # in the child's Python alone

        self._files = [safe_open(one, framework="pt") for one in sorted(path.glob("*.safetensors"))]
        self._at = {name: file for file in self._files for name in file.keys()}  # noqa: SIM118 - no mapping
        self.names = sorted(self._at)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def read(self, name: str) -> Any:
        """A tensor as a numpy array of float32."""
        return self._at[name].get_tensor(name).float().numpy()


def _permuted(values: Any, heads: int) -> Any:
    """Rows as llama.cpp wants them of q and k for its rotary embeddings (convert_hf_to_gguf.py, LlamaModel.permute)."""
    shape = values.shape
    if shape[0] % (2 * heads):
        return None
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


@dataclass(frozen=True)
class Layout:
    """How a checkpoint's tensor becomes the file's."""

    name: str
    put: Callable[[Any], Any]
    shift: float = 0.0
    """Added to every value."""


def _layouts(fields: dict[str, Any], arch: str) -> list[Layout]:
    heads = {fields.get(f"{arch}.attention.head_count"), fields.get(f"{arch}.attention.head_count_kv")}
    found = [Layout("as it is", lambda values: values)]
    counts = sorted(one for one in heads if isinstance(one, int))
    found += [Layout(f"rows of {one} heads turned", partial(_permuted, heads=one)) for one in counts]
    found.append(Layout("transposed", lambda values: values.T if values.ndim == 2 else None))
    return [*found, Layout("plus one", lambda values: values, 1.0)]


class Template:
    """A GGUF file of the base: its header, its tensors, and how the checkpoint's tensors lie in it."""

    def __init__(self, path: Path, base: Folder) -> None:
        """Finds the layout of every tensor. Raises Refused where one is not explained."""
        import gguf

        self.reader = gguf.GGUFReader(path)
        self.fields = {
            name: field.contents() for name, field in self.reader.fields.items() if not _long(name)
        }  # fmt: skip
        self.arch = str(self.fields["general.architecture"])
        self.tensors = {one.name: one for one in self.reader.tensors}
        names = self._names(base)
        layouts = _layouts(self.fields, self.arch)
        self.layout: dict[str, Layout] = {}
        self.source: dict[str, str] = {}
        self.off = 0.0
        for name, own in names.items():
            layout, off = self._explained(name, base.read(own), layouts)
            self.layout[name], self.source[name] = layout, own
            self.off = max(self.off, off)
        if not self.source:
            raise Refused(f"no tensor of the checkpoint has a name that llama.cpp knows for {self.arch}")

    def _names(self, base: Folder) -> dict[str, str]:
        """The checkpoint's tensor for each of the file's."""
        import gguf

        known = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
        if self.arch not in known:
            raise Refused(f"this gguf package does not know the architecture {self.arch}")
        layers = int(self.fields.get(f"{self.arch}.block_count") or 0)
        names = gguf.get_tensor_name_map(known[self.arch], layers)
        found: dict[str, str] = {}
        for own in base.names:
            name = names.get_name(own, try_suffixes=(".weight", ".bias"))
            if name in self.tensors:
                found[name] = own
        if "output.weight" in self.tensors and "output.weight" not in found and "token_embd.weight" in found:
            found["output.weight"] = found["token_embd.weight"]  # tied in the checkpoint, written twice in the file
        return found

    def values(self, name: str) -> Any:
        """A tensor of the file as float32."""
        import gguf

        tensor = self.tensors[name]
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type)

    def _explained(self, name: str, own: Any, layouts: list[Layout]) -> tuple[Layout, float]:
        np = _numpy()
        there = self.values(name)
        norm = float(np.linalg.norm(there)) or 1.0
        best: tuple[float, Layout] | None = None
        for layout in layouts:
            put = layout.put(own)
            if put is None or put.shape != there.shape:
                continue
            off = float(np.linalg.norm(put + layout.shift - there)) / norm
            if best is None or off < best[0]:
                best = (off, layout)
            if off < _SAME:
                break
        if best is None or best[0] > _CLOSE:
            seen = "other dimensions" if best is None else f"{best[0]:.0%} off"
            raise Refused(f"{name} of the GGUF file is not the checkpoint's {own.shape} tensor ({seen})")
        return best[1], best[0]

    def put(self, name: str, values: Any) -> Any:
        """A checkpoint's tensor as the file holds it."""
        layout = self.layout[name]
        return layout.put(values) + layout.shift if layout.shift else layout.put(values)

    def changed(self, base: Folder, merged: Folder, name: str) -> Any:
        """What training changed in a tensor, as the file holds it; None: nothing."""
        own = self.source[name]
        before, after = base.read(own), merged.read(own if own in merged else _tied(own, merged))
        delta = after - before
        return self.layout[name].put(delta) if delta.any() else None


def _long(name: str) -> bool:
    return name in {"tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores"}


def _tied(own: str, merged: Folder) -> str:
    other = "model.embed_tokens.weight" if own == "lm_head.weight" else "lm_head.weight"
    if other in merged:
        return other
    raise Refused(f"the merged checkpoint has no tensor {own}")


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

    np = _numpy()
    base, merged = Folder(Path(order["base"])), Folder(Path(order["merged"]))
    template = Template(Path(order["template"]), base)
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


def _kind(asked: str, merged: Folder, sources: dict[str, str]) -> str:
    """The type that is written: BF16 where a value is too large for F16."""
    np = _numpy()
    if asked != "F16":
        return asked
    fits = all(float(np.abs(merged.read(own)).max()) < _HALF_MOST for own in set(sources.values()))
    return "F16" if fits else "BF16"


def _data(template: Template, merged: Folder, sources: dict[str, str], name: str, kind: Any) -> Any:
    """What is written of a tensor: the merged values; of what the checkpoint does not have, the file's own."""
    import gguf

    np = _numpy()
    tensor = template.tensors[name]
    if kind is not None:
        return gguf.quants.quantize(np.ascontiguousarray(template.put(name, merged.read(sources[name]))), kind)
    if name in sources and tensor.tensor_type == gguf.GGMLQuantizationType.F32:
        return np.ascontiguousarray(template.put(name, merged.read(sources[name])), dtype=np.float32)
    return tensor.data


def _merged_name(own: str, merged: Folder) -> str:
    return own if own in merged else _tied(own, merged)


def _told(template: Template) -> dict[str, int]:
    found: dict[str, int] = {}
    for layout in template.layout.values():
        found[layout.name] = found.get(layout.name, 0) + 1
    return found


def _refuse_unused(template: Template, base: Folder, merged: Folder) -> None:
    """Raises Refused where training changed a tensor that the file has no place for."""
    used = set(template.source.values()) | {"lm_head.weight"}
    for own in merged.names:
        if own in used or own not in base:
            continue
        if (merged.read(own) - base.read(own)).any():
            raise Refused(f"training changed {own}, for which the GGUF file of the base has no tensor")


def _header(writer: Any, template: Template, order: dict[str, Any], kind: str) -> None:
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

    np = _numpy()
    folder = Path(order["adapter"])
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("use_dora"):
        raise Refused("llama.cpp adds low-rank adapters and knows no magnitudes (DoRA)")
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise Refused("the adapter has several ranks or alphas, and llama.cpp reads one for all")
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    if config.get("use_rslora"):
        alpha = alpha * rank**0.5
    base = Folder(Path(order["base"]))
    template = Template(Path(order["template"]), base)
    back = {own: name for name, own in template.source.items() if name != "output.weight"}
    writer = gguf.GGUFWriter(order["out"], template.arch)
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", order["name"])
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    pairs = list(_pairs(Folder(folder)))
    for place, (own, first, second) in enumerate(pairs):
        name = back.get(own)
        if name is None:
            raise Refused(f"the adapter changes {own}, for which the GGUF file of the base has no tensor")
        turned = template.layout[name]
        if turned.name == "transposed":
            raise Refused(f"{name} lies transposed in the file: serve the merged model instead")
        rows = turned.put(second)
        writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(first, dtype=np.float32))
        writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(rows, dtype=np.float32))
        tell((place + 1) / len(pairs))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {"pairs": len(pairs), "rank": rank, "off": template.off}


def _pairs(adapter: Folder) -> Iterator[tuple[str, Any, Any]]:
    """Name of the weight in the checkpoint with both factors."""
    end = ".lora_A.weight"
    other = [name for name in adapter.names if not name.endswith((end, ".lora_B.weight"))]
    if other:
        raise Refused(f"the adapter holds {other[0]}, which is no low-rank factor")
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

    np = _numpy()
    base, merged = Folder(Path(order["base"])), Folder(Path(order["merged"]))
    template = Template(Path(order["template"]), base)
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
