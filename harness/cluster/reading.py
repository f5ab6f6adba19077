"""The features of a curated folder, read in parts on as many processors as there are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.cluster.features import Features, Table, features_of
from harness.cores import ONE_CORE, Cores
from harness.store.calls import CallRange, call_ranges, read_range

__all__ = ["features_in"]

_ROWS: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Reading:
    """Of each part the features of its calls."""

    def open(self) -> Callable[[CallRange], Features]:
        """One part after another; nothing is kept."""
        return _features


def features_in(folder: Path, cores: Cores = ONE_CORE, rows: int = _ROWS) -> Features:
    """What `features_of` makes of the folder's calls. rows: of a part. Raises DataError as `read_calls` does."""
    found = Features()
    prompts, tools, texts = Table(found.prompts), Table(found.tools), Table(found.texts)
    for part in cores.map(_Reading(), call_ranges(folder, rows)):
        prompt_of = [prompts.place(prompt) for prompt in part.prompts]
        tools_of = [tools.place(names) for names in part.tools]
        text_of = [texts.place(text) for text in part.texts]
        for call in part.calls:
            call.prompt, call.tools, call.text = prompt_of[call.prompt], tools_of[call.tools], text_of[call.text]
        found.calls += part.calls
    return found


def _features(part: CallRange) -> Features:
    return features_of(read_range(part))
