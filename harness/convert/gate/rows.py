"""The set-ups of the table: the base as it is, with examples, with a grammar, and the tuned model with and without."""

from dataclasses import dataclass
from pathlib import Path

from harness.config import (
    BackendConfig,
    ConvertConfig,
    LlamaCppConfig,
    LoraConfig,
    ModelConfig,
    RunConfig,
    SuiteConfig,
    TransformersConfig,
    WeightsConfig,
)
from harness.convert.gate.title import title_of
from harness.errors import ConfigError
from harness.records import Protocol
from harness.records.convert import ExportResult, GateRow

__all__ = ["Row", "gate_suite", "plain_protocol", "rows_of", "served_row", "tuned_model"]

_TUNED = frozenset({"tuned", "tuned_grammar", "checkpoint"})


@dataclass(frozen=True, slots=True)
class Row:
    """One set-up as an ordinary run."""

    name: GateRow
    title: str
    config: RunConfig

    @property
    def engine(self) -> str:
        """Rows of one engine are asked at one and the same server."""
        if self.name == "checkpoint":
            return "checkpoint"
        return "tuned" if self.name in _TUNED else "base"


def plain_protocol(model: ModelConfig) -> Protocol:
    """How the model is asked without a grammar: native stays native, a grammar's prompt is that of `prompted`."""
    return "native" if model.protocol == "native" else "prompted"


def served_row(model: ModelConfig) -> GateRow:
    """The row that is the tuned model as its configuration asks it."""
    return "tuned_grammar" if model.protocol == "constrained" else "tuned"


def gate_suite(config: ConvertConfig, clusters: tuple[str, ...]) -> SuiteConfig:
    """The suite's test split of these categories, as far as `convert.gate.limit` goes."""
    return config.suite.model_copy(
        update={
            "options": {**config.suite.options, "split": "test"},
            "categories": clusters or None,
            "limit": config.convert.gate.limit,
        }
    )


def tuned_model(config: ConvertConfig, result: ExportResult, folder: Path) -> tuple[ModelConfig, BackendConfig]:
    """The converted model as the engine loads it."""
    assert isinstance(config.backend, LlamaCppConfig)
    title = f"{config.model.title}, {config.convert.method}"
    base = config.model.model_copy(update={"name": result.name, "title": title, "price": None})
    served = result.file(result.chosen)
    assert served is not None
    path = str(folder / served.file.path)
    if result.serve == "adapter":
        return base, config.backend.model_copy(update={"lora": (*config.backend.lora, LoraConfig(path=path))})
    weights = WeightsConfig(path=path, quantization=result.chosen)
    return base.model_copy(update={"weights": weights}), config.backend


def rows_of(config: ConvertConfig, result: ExportResult, folder: Path, clusters: tuple[str, ...]) -> list[Row]:
    """The set-ups that `convert.gate.rows` names, in the order of the table.

    Raises ConfigError where the engine is none that loads what was exported.
    """
    if not isinstance(config.backend, LlamaCppConfig):
        raise ConfigError(
            f"backend={config.backend.name}: do=convert asks base and tuned model in the embedded llama.cpp; use "
            "backend=llamacpp"
        )
    plain, options = plain_protocol(config.model), config.convert.gate
    tuned, engine = tuned_model(config, result, folder)
    models: dict[GateRow, ModelConfig] = {
        "base": config.model.model_copy(update={"protocol": plain}),
        "examples": config.model.model_copy(update={"protocol": plain, "examples": options.examples}),
        "grammar": config.model.model_copy(update={"protocol": "constrained"}),
        "tuned": tuned.model_copy(update={"protocol": plain}),
        "tuned_grammar": tuned.model_copy(update={"protocol": "constrained"}),
    }
    wanted = {*options.rows, "base", served_row(config.model)}
    suite = gate_suite(config, clusters)
    rows = []
    for name, model in models.items():
        if name in wanted:
            backend = engine if name in _TUNED else config.backend
            rows.append(Row(name, title_of(name, options.examples), _run(config, suite, model, backend)))
    if options.checkpoint:
        rows.append(Row("checkpoint", title_of("checkpoint", 0), _checkpoint(config, suite, tuned, folder)))
    return rows


def _checkpoint(config: ConvertConfig, suite: SuiteConfig, tuned: ModelConfig, folder: Path) -> RunConfig:
    """The merged checkpoint in plain transformers, asked as the row `tuned` is."""
    weights = WeightsConfig(path=str(folder / "export" / "merged"), quantization="float32")
    model = tuned.model_copy(update={"protocol": plain_protocol(config.model), "weights": weights})
    assert isinstance(config.backend, LlamaCppConfig)
    threads = config.backend.threads
    backend = TransformersConfig(name="transformers", python=config.convert.training.python, threads=threads)
    return _run(config, suite, model, backend)


def _run(config: ConvertConfig, suite: SuiteConfig, model: ModelConfig, backend: BackendConfig) -> RunConfig:
    values = {name: getattr(config, name) for name in RunConfig.model_fields}
    return RunConfig(**(values | {"do": "run", "suite": suite, "model": model, "backend": backend}))
