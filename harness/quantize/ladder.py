"""The files of a frontier: what is shipped, what was given, and what is made from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.assets import OnProgress, cache_dir
from harness.backends.llamacpp_plan import usable_cores
from harness.backends.weights import WeightFile, resolve_weights
from harness.config import ModelConfig, QuantizeOptions, WeightsConfig
from harness.errors import ConfigError
from harness.quantize.make import made
from harness.quantize.tool import Quantizer, find_quantizer
from harness.quantize.types import FULL, known_type, made_of, type_of_file

__all__ = ["Ladder", "Rung", "build_ladder", "wanted"]

_USUAL = ("F16", "Q8_0", "Q6_K", "Q4_K_M", "Q2_K")
_ODD_FROM = 0.2


@dataclass(frozen=True, slots=True)
class Rung:
    """One precision of the model, as a file."""

    name: str
    weights: WeightFile
    origin: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """All of them, the baseline first, and what must be known about where they come from."""

    rungs: tuple[Rung, ...]
    source: WeightFile | None
    source_type: str | None
    quantizer: Quantizer | None
    notes: tuple[str, ...]


def wanted(options: QuantizeOptions) -> tuple[str, ...]:
    """Names of the rungs, the baseline first. Raises ConfigError for an unknown type or a frontier of one rung."""
    types = [known_type(one) for one in ((() if options.files else _USUAL) if options.types is None else options.types)]
    baseline = options.baseline if options.baseline in options.files else options.baseline.upper()
    if baseline not in types and baseline not in options.files:
        if not types:
            there = ", ".join(options.files)
            raise ConfigError(
                f"quantize.baseline={options.baseline} is none of quantize.files ({there}): add its file, name another "
                f"baseline, or let it be made with quantize.types=[{options.baseline}]"
            )
        known_type(baseline)
    names = tuple(dict.fromkeys((baseline, *types, *options.files)))
    if len(names) < 2:
        raise ConfigError(f"a frontier needs two types at least, this has {names[0]} alone; add to quantize.types")
    if strange := [one for one in options.require if one not in names]:
        raise ConfigError(f"quantize.require={strange[0]} is none of the types of this frontier: {', '.join(names)}")
    return names


def build_ladder(model: ModelConfig, options: QuantizeOptions, report: OnProgress) -> Ladder:
    """All files of a frontier, fetched or made. Blocks.

    Raises ConfigError for what was asked, AssetError for files that cannot be had, are no GGUF or have no room,
    BackendError where there is nothing to quantize with, or where that fails.
    """
    names = wanted(options)
    rungs = {name: _given(model, name, path, report) for name, path in options.files.items()}
    to_make = [name for name in names if name not in rungs]
    if not to_make:
        return Ladder(tuple(rungs[name] for name in names), None, None, None, tuple(_odd(rungs.values())))
    source = resolve_weights(model, on_progress=report)
    shipped = type_of_file(source.header) or (source.facts.quantization or "").upper() or None
    if shipped in to_make:
        rungs[shipped] = Rung(shipped, source, "as shipped")
        to_make.remove(shipped)
    quantizer = find_quantizer(options.python, options.program) if to_make else None
    notes: list[str] = []
    if quantizer is not None:
        work = _Work(model.name, quantizer, options.threads or usable_cores(), report)
        base, how = source, f"the {shipped} file"
        if shipped not in FULL:
            base, how = work.make(source, "F16"), f"F16 of the shipped {shipped or 'file'}"
            notes += _dequantised(shipped or "a quantized type")
        for name in to_make:
            weights = base if base is not source and name == "F16" else work.make(base, name)
            from_ = f"the shipped {shipped or 'file'}" if weights is base else how
            rungs[name] = Rung(name, weights, f"made from {from_} by {quantizer.label}")
    ordered = tuple(rungs[name] for name in names)
    return Ladder(ordered, source, shipped, quantizer, (*notes, *_odd(ordered)))


@dataclass(frozen=True, slots=True)
class _Work:
    stem: str
    quantizer: Quantizer
    threads: int
    report: OnProgress

    def make(self, source: WeightFile, kind: str) -> WeightFile:
        return made(
            source, kind, self.quantizer, stem=self.stem, threads=self.threads, cache=cache_dir(), report=self.report
        )


def _given(model: ModelConfig, name: str, path: str, report: OnProgress) -> Rung:
    """Raises ConfigError where there is no such file."""
    if not Path(path).expanduser().is_file():
        raise ConfigError(f"quantize.files has {path} for {name}, and no file lies there: correct it or leave it out")
    own = model.model_copy(update={"weights": WeightsConfig(path=path, quantization=name)})
    return Rung(name, resolve_weights(own, on_progress=report), "given")


def _dequantised(shipped: str) -> list[str]:
    return [
        f"The F16 file is no original: it holds the values of the shipped {shipped} weights, rounded to half "
        f"precision. So a loss is one against that {shipped}, not against the model as it was trained; what {shipped} "
        "lost before is in none of these numbers.",
        f"The weights already lie on the grid of {shipped}: types with the same or a finer grid look better here than "
        "they would from the original weights. For a verdict on those, give an F16 or BF16 file: model.weights.path=…",
    ]


def _odd(rungs: Iterable[Rung]) -> list[str]:
    """What a file's name does not tell: tensors stored as something else than the type that was asked for."""
    notes = []
    for rung in rungs:
        family = rung.name.split("_")[0]
        parts = made_of(rung.weights.header)
        other = {kind: share for kind, share in parts.items() if not kind.startswith(family) and kind != "F32"}
        if rung.name not in FULL and family[:1] in "QI" and sum(other.values()) >= _ODD_FROM:
            said = ", ".join(f"{kind} {share:.0%}" for kind, share in parts.items() if share >= 0.01)
            notes.append(f"The weights of {rung.name} are stored as {said}.")
    return notes
