"""How the tensors of a checkpoint lie in a GGUF file of the same weights. Needs numpy, safetensors and gguf.

Loaded by path beside `child.py`. How a tensor lies in the file (llama.cpp turns the rows of q and k for rotary
embeddings, adds 1 to some norms) is not looked up by architecture: each of the known layouts is tried on the base, and
the one that gives the base file's own values is taken. A tensor that none of them explains is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["Folder", "Layout", "Refused", "Template", "numerics", "tied"]

_CLOSE = 0.3
"""Largest error, relative to the tensor's norm, at which a layout counts as found: a 4-bit file of the same weights is
off by about 0.07, another layout by about 1.4."""
_SAME = 1e-3
"""Largest at which the file holds the checkpoint's own values."""


class Refused(Exception):
    """What cannot be done, in one sentence."""


def numerics() -> Any:
    """The module numpy, untyped: its values are whatever the files hold."""
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
        np = numerics()
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
        before, after = base.read(own), merged.read(own if own in merged else tied(own, merged))
        delta = after - before
        return self.layout[name].put(delta) if delta.any() else None


def _long(name: str) -> bool:
    return name in {"tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores"}


def tied(own: str, merged: Folder) -> str:
    """The other name of a tensor that a checkpoint has once for both ends. Raises Refused where it has neither."""
    other = "model.embed_tokens.weight" if own == "lm_head.weight" else "lm_head.weight"
    if other in merged:
        return other
    raise Refused(f"the merged checkpoint has no tensor {own}")
