"""A GGUF file as a folder of safetensors, dequantised: what transformers, vLLM and training load.

Made once for each file and element type by a child process in a Python that has torch, and kept in the cache. Where
only the GGUF of a model can be had, this is how engines that read no GGUF run the same weights.
"""

from pathlib import Path
from typing import Any, Literal

from harness.assets import OnProgress, Progress, cache_dir
from harness.assets.progress import silent
from harness.assets.store import Store, key_of
from harness.backends.order_child import order_child
from harness.backends.weights import WeightFile
from harness.errors import AssetError

__all__ = ["Dtype", "unpacked"]

Dtype = Literal["bfloat16", "float16", "float32"]

_CHILD = Path(__file__).with_name("unpack_child.py")
_FORMAT = "2"
"""Raised when the child writes something else than before: what lies in the cache is then made anew."""
_ELEMENT_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
_SIDE_BYTES = 64 << 20
"""Room for the tokenizer and the small files."""


def unpacked(
    weights: WeightFile,
    python: Path,
    *,
    dtype: Dtype = "bfloat16",
    cache: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder with the weights as safetensors, their tokenizer and chat template, and a config.json.

    Blocks: 10 to 60 s for a small model, the first time. `python` has torch, transformers and gguf (`torch_python`).
    float32 keeps every value that the blocks of the GGUF stand for; bfloat16 and float16 round them. Raises AssetError
    where the disk has no room, that Python lacks a package, or transformers cannot read this architecture.
    """
    store, report = Store(cache or cache_dir()), on_progress or silent
    ref, name = key_of("unpacked", weights.facts.sha256, dtype, _FORMAT), f"{weights.path.stem}-{dtype}"
    held = _held(store, ref, name, report)
    if held is not None:
        return held
    with store.lock(ref, name, report):
        held = _held(store, ref, name, report)
        if held is not None:
            return held
        size = weights.header.parameters * _ELEMENT_BYTES[dtype]
        store.need_room(size + _SIDE_BYTES)
        with store.workspace(ref) as work:
            folder = work / name
            report(Progress(f"{name}: dequantise", 0, size))
            said = _run(python, {"gguf": str(weights.path.resolve()), "folder": str(folder), "dtype": dtype})
            _refuse(said, weights.path.name, python)
            digest = store.digest(folder, report)
            place = store.keep(folder, digest, name)
            store.write_ref(ref, {"digest": digest, "transformers": said.get("transformers")})
            report(Progress(f"{name}: dequantise", size, size))
            return place


def _held(store: Store, ref: str, name: str, report: OnProgress) -> Path | None:
    digest = store.read_ref(ref).get("digest")
    if not isinstance(digest, str):
        return None
    place = store.place(digest, name)
    return place if store.holds(place, digest, report) else None


def _run(python: Path, order: dict[str, str]) -> dict[str, Any]:
    """What the child said: `{"transformers": version}` or `{"error": …, "kind": …}`."""
    try:
        answer = order_child(python, _CHILD, order)
    except OSError as error:
        raise AssetError(f"{python} cannot be started ({error.strerror}): make train-env") from error
    return answer.said or {"error": answer.end, "kind": "Ended"}


def _refuse(said: dict[str, Any], name: str, python: Path) -> None:
    if "error" not in said:
        return
    kind, text = str(said.get("kind")), " ".join(str(said["error"]).split())[:300]
    if kind in {"ImportError", "ModuleNotFoundError"}:
        raise AssetError(
            f"{python.parent.parent.name}'s Python cannot unpack {name} ({text}): make train-env, or name a Python "
            "with torch, transformers and gguf"
        )
    raise AssetError(
        f"{name} cannot be unpacked by transformers ({text}): give safetensors instead, "
        "model.weights.path=/folder/with/config.json"
    )
