"""Each model held against a machine: what it needs, whether it fits, whether it is a small one there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends.gguf import GgufHeader, read_header
from harness.config import DoctorOptions, HardwareConfig, ModelConfig
from harness.doctor.checkpoint import read_checkpoint
from harness.doctor.machine import Machine
from harness.doctor.weights import held_checkpoint, held_file, pinned_bytes
from harness.fit import (
    GIB,
    TYPICAL_VOCABULARY,
    Fit,
    Need,
    Serving,
    advice,
    estimate_shape,
    estimate_weights,
    judge,
    llamacpp_need,
    tensor_engine_need,
)
from harness.fit_published import published_shape
from harness.fit_shape import Shape, shape_of_gguf
from harness.fit_slm import Latency, SlmVerdict, practical, slm_verdict, tokens_per_s_bound

__all__ = ["Place", "Row", "Setting", "places_of_machine", "places_of_target", "row"]

_DEFAULT_CONTEXT = 8192
"""Room for a tool call with its prompt; a model's own 128k would need a cache that nobody fills."""
_TENSOR_ENGINES = ("sglang", "transformers", "trtllm", "vllm")
"""Names of backends that load safetensors in 16 bits; the others are held against the GGUF file."""
_RANK = {"yes": 0, "tight": 1, "no": 2, None: 3}


@dataclass(frozen=True, slots=True)
class Place:
    """Memory that a model could lie in."""

    name: str
    usable: int | None


@dataclass(frozen=True, slots=True)
class Setting:
    """Against what, and how served, models are held."""

    places: Sequence[Place]
    disk_free: int | None
    """Where weights that are not here would go."""
    device: HardwareConfig
    """The consumer device by which a model is a small one."""
    options: DoctorOptions
    backend: Mapping[str, object]
    """`backend`, as plain values."""
    cache: Path
    measured: Mapping[str, Latency]
    """Latencies on that device, by file of the weights."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model's line."""

    name: str
    quantization: str
    here: bool
    file_bytes: int
    need: Need
    serving: Serving
    fit: Fit
    place: str
    slm: SlmVerdict
    change: str | None
    """What would make it fit."""
    fetch: str
    """How its weights come here."""
    room_on_disk: bool | None


@dataclass(frozen=True, slots=True)
class _Weights:
    bytes: int
    shape: Shape
    estimated: tuple[str, ...]
    parameters: int | None
    quantization: str
    file: str | None
    """Name of what is on this machine; None: nothing is."""


def places_of_machine(machine: Machine) -> list[Place]:
    """Main memory, and the card with the most room."""
    cards = sorted(machine.gpus, key=lambda one: one.free)[-1:]
    return [*(Place("GPU", one.free) for one in cards), Place("memory", machine.memory_free)]


def places_of_target(hardware: HardwareConfig) -> list[Place]:
    """The card where the target has one, else its memory; unknown sizes stay unknown."""
    gigabytes = hardware.gpu_memory_gb or hardware.memory_gb
    usable = None if gigabytes is None else round(gigabytes * GIB * hardware.usable_frac)
    return [Place("GPU" if hardware.gpu_memory_gb else "memory", usable)]


def row(name: str, model: ModelConfig, setting: Setting) -> Row | None:
    """A model's line; None for one that has no weights of its own, because it is served elsewhere.

    Raises AssetError where its file is here and damaged.
    """
    weights = _weights(model, setting)
    if weights is None:
        return None
    serving = _serving(setting.backend, weights.shape, model)
    on_gpu = setting.places[0].name == "GPU"
    need = _need(weights, serving, setting.backend, gpu=on_gpu)
    place, fit = _best(need, setting.places)
    missing = None if weights.file is not None else weights.bytes
    return Row(
        name=name,
        quantization=weights.quantization,
        here=weights.file is not None,
        file_bytes=weights.bytes,
        need=need,
        serving=serving,
        fit=fit,
        place=place,
        slm=_slm(need, weights, setting),
        change=_change(model, weights, need, serving, fit, setting),
        fetch=_fetch(name, model, setting),
        room_on_disk=None if missing is None or setting.disk_free is None else missing <= setting.disk_free,
    )


def _change(
    model: ModelConfig, weights: _Weights, need: Need, serving: Serving, fit: Fit, setting: Setting
) -> str | None:
    if fit.usable is None or fit.verdict == "yes":
        return None
    if not _tensor_engine(setting):
        return advice(need, weights.shape, serving, weights.parameters, fit.usable)
    return None if model.weights.gguf is None else f"backend=llamacpp with its {model.weights.gguf.quantization} file"


def _fetch(name: str, model: ModelConfig, setting: Setting) -> str:
    repo = model.weights.safetensors.repo if model.weights.safetensors else model.name
    if _tensor_engine(setting):
        return f"the engine fetches {repo} when it first starts"
    return f"python -m harness do=fetch model={name}"


def _tensor_engine(setting: Setting) -> bool:
    return str(setting.backend["name"]).startswith(_TENSOR_ENGINES)


def _weights(model: ModelConfig, setting: Setting) -> _Weights | None:
    """Size and shape of what the backend would load; None where nothing is known, as for a hosted model."""
    if _tensor_engine(setting):
        return _safetensors(model)
    file = held_file(model, setting.cache)
    own = None if file is None else read_header(file)
    shape, estimated = _shape(model, own)
    size = file.stat().st_size if file is not None else pinned_bytes(model)
    quantization = model.weights.quantization or (model.weights.gguf.quantization if model.weights.gguf else "Q4_K_M")
    if size is None and model.parameters is not None and not model.hosted:
        size, estimated = estimate_weights(model.parameters, quantization), (*estimated, "weights")
    parameters = own.parameters if own is not None else model.parameters
    name = None if file is None else file.name
    return None if size is None else _Weights(size, shape, estimated, parameters, quantization, name)


def _safetensors(model: ModelConfig) -> _Weights | None:
    folder = held_checkpoint(model)
    if folder is not None:
        held = read_checkpoint(folder)
        published, estimated = _shape(model, None)
        known = held.shape or published
        kinds = "+".join(held.dtypes)
        return _Weights(held.bytes, known, () if held.shape else estimated, held.parameters, kinds, folder.name)
    size = None if model.parameters is None or model.hosted else estimate_weights(model.parameters, "BF16")
    if size is None:
        return None
    shape, estimated = _shape(model, None)
    return _Weights(size, shape, (*estimated, "weights"), model.parameters, "BF16", None)


def _shape(model: ModelConfig, header: GgufHeader | None) -> tuple[Shape, tuple[str, ...]]:
    """The shape, and what of it was not read from the weights."""
    published = published_shape(model.weights.safetensors.repo if model.weights.safetensors else None)
    if header is not None:
        own = shape_of_gguf(header.metadata, vocab=published.vocab if published else TYPICAL_VOCABULARY)
        if own is not None:
            return own, ()
    if published is not None:
        return published, ("cache by the published config",)
    parameters = header.parameters if header is not None else model.parameters
    return estimate_shape(parameters, model.context_tokens), ("cache by the size of the model",)


def _serving(backend: Mapping[str, object], shape: Shape, model: ModelConfig) -> Serving:
    asked, trained = backend.get("context_tokens"), shape.context_tokens or model.context_tokens
    context = asked if isinstance(asked, int) else min(trained or _DEFAULT_CONTEXT, _DEFAULT_CONTEXT)
    slots, ubatch = backend.get("slots", 1), backend.get("ubatch_tokens", 512)
    return Serving(
        context_tokens=context,
        slots=slots if isinstance(slots, int) else 1,
        kv_type=str(backend.get("kv_type", "f16")),
        ubatch_tokens=ubatch if isinstance(ubatch, int) else 512,
    )


def _need(weights: _Weights, serving: Serving, backend: Mapping[str, object], *, gpu: bool) -> Need:
    if str(backend["name"]).startswith(_TENSOR_ENGINES):
        return tensor_engine_need(weights.bytes, weights.shape, serving, gpu=gpu, estimated=weights.estimated)
    return llamacpp_need(weights.bytes, weights.shape, serving, estimated=weights.estimated)


def _best(need: Need, places: Sequence[Place]) -> tuple[str, Fit]:
    """The place where it fits best; the first of equals."""
    judged = [(place.name, judge(need.total, place.usable)) for place in places]
    return min(judged, key=lambda one: _RANK[one[1].verdict])


def _slm(need: Need, weights: _Weights, setting: Setting) -> SlmVerdict:
    device, options = setting.device, setting.options
    (place,) = places_of_target(device)
    bound = tokens_per_s_bound(device.memory_bandwidth_gbs, weights.bytes)
    latency = practical(
        setting.measured.get(weights.file or ""), bound, ttft_s=options.ttft_s, tokens_per_s=options.tokens_per_s
    )
    return slm_verdict(judge(need.total, place.usable).verdict, latency, consumer=device.consumer)
