"""What every scorer is checked with: one module for each, named as the scorer, with its `SPECIMENS`."""

from dataclasses import dataclass, field
from importlib import import_module

from harness.records import Sample
from harness.scorers.context import ScorerContext

__all__ = ["Specimen", "specimens_of"]


@dataclass(frozen=True, slots=True)
class Specimen:
    """A sample that a scorer can judge, with what the scorer is made from."""

    sample: Sample
    context: ScorerContext = field(default_factory=ScorerContext)
    needs: str | None = None
    """Program without which the scorer cannot work on a machine; then its tests are skipped with that reason."""


def specimens_of(name: str) -> list[Specimen]:
    """The specimens of a registered scorer; a scorer without a module of its name here is an error."""
    found: list[Specimen] = import_module(f"tests.support.specimens.{name}").SPECIMENS
    return found
