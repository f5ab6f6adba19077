"""Who answered in the log that a suite was made from, and where those answers lie: `model=incumbent`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from harness.backends.recorded import INCUMBENT, answers
from harness.config import ModelConfig, RecordedConfig, RunConfig
from harness.errors import ConfigError

__all__ = ["FILE", "seated"]

FILE = "incumbent.jsonl"
_SAMPLES = "samples.jsonl"
_SHOWN = 3


def seated(config: RunConfig, samples: Iterable[str], places: Sequence[Path]) -> RunConfig:
    """The configuration with the file of the incumbent's answers, and the model named as the log names it.

    samples: ids of those of the run. places: where the suite's samples are, a folder or a file each. A configuration
    of anything else comes back as it is. Raises ConfigError where the suite has no such answers.
    """
    if not isinstance(config.backend, RecordedConfig):
        return config
    given = config.backend.path
    if given is not None and (config.model.name != INCUMBENT or not Path(given).expanduser().is_file()):
        return config
    file = _file(config, places) if given is None else Path(given).expanduser()
    wanted = set(samples)
    found = Counter(_model(line.data) for line in answers(file) if line.sample in wanted)
    if not found:
        raise ConfigError(
            f"{file.name} has no answer to any sample of this run: are its ids those of the samples? "
            'A line is {"id": "…", "model": "gpt-4.1", "reply": "…"} (docs/recorded.md)'
        )
    backend = config.backend.model_copy(update={"path": str(file)})
    return config.model_copy(update={"backend": backend, "model": _named(config.model, found)})


def _file(config: RunConfig, places: Sequence[Path]) -> Path:
    folders = list(dict.fromkeys(place if place.is_dir() else place.parent for place in places))
    for folder in folders:
        if (folder / FILE).is_file():
            return folder / FILE
    files = [place / _SAMPLES if place.is_dir() else place for place in places]
    for file in dict.fromkeys(files):
        if file.suffix == ".jsonl" and file.is_file() and any(True for _ in answers(file)):
            return file
    where = folders[0] / FILE if config.suite.path is not None and folders else FILE
    raise ConfigError(
        f"suite {config.suite.name} carries no incumbent's answers: {where} is missing. Write one line for each answer "
        'of the log, {"id": "…", "model": "gpt-4.1", "reply": "…"}, or put "incumbent" into the lines of '
        f"{_SAMPLES} (docs/recorded.md); or name a file of them: backend.path=answers.jsonl"
    )


def _model(data: Mapping[str, JsonValue]) -> str:
    response = data.get("response")
    name = data.get("model") or (response.get("model") if isinstance(response, dict) else None)
    return str(name) if name else INCUMBENT


def _named(model: ModelConfig, found: Counter[str]) -> ModelConfig:
    """One model of the log by its name; several as `incumbent`, with their names in the title."""
    names = [name for name, _ in found.most_common()]
    if model.name != INCUMBENT:  # named by the user
        return model.model_copy(update={"protocol": "native"})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    who = ", ".join(names[:_SHOWN]) + more
    title = INCUMBENT if names == [INCUMBENT] else f"{INCUMBENT} ({who})"
    name = names[0] if len(names) == 1 else INCUMBENT
    return model.model_copy(update={"name": name, "title": title, "protocol": "native"})
