"""A suite's own description: `suites/<name>/suite.yaml`, read and checked, and its samples loaded."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from harness.assets import fetch
from harness.config import SuiteConfig, explain_validation
from harness.errors import ConfigError, DataError
from harness.paths import suites_dir
from harness.protocols import SuiteLoader
from harness.records import Record, Sample
from harness.records.asset import AssetSpec
from harness.registry import load_plugin
from harness.suite.sampling import stratified

__all__ = ["Suite", "SuiteSpec", "load_suite", "read_spec"]


class SuiteSpec(Record):
    """What a suite is, where its data is, and who reads and judges it."""

    name: str
    title: str
    description: str
    licence: str
    source: str | None = None
    """Web address of the benchmark."""
    loader: str
    """Name in the entry-point group `harness.suites`."""
    scorer: str
    """Name in the entry-point group `harness.scorers`."""
    categories: tuple[str, ...]
    data: AssetSpec


class Suite(Record):
    """The samples chosen for a run, with the hash that names exactly them."""

    spec: SuiteSpec
    samples: tuple[Sample, ...]
    hash: str
    """SHA-256 over the chosen samples in order."""


def read_spec(name: str) -> SuiteSpec:
    """The description of a suite. Raises ConfigError if there is no such suite or its description is wrong."""
    file = suites_dir() / name / "suite.yaml"
    if not file.is_file():
        known = sorted(p.parent.name for p in suites_dir().glob("*/suite.yaml"))
        raise ConfigError(f"suite.name={name} is not known; suites: {', '.join(known)}")
    try:
        return SuiteSpec.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError(f"suites/{name}/suite.yaml: {explain_validation(error)}") from None


def load_suite(config: SuiteConfig, cache: Path, on_progress: Callable[..., None] | None = None) -> Suite:
    """The chosen samples of a suite, its data fetched first if need be.

    Raises ConfigError for an unknown suite or category, AssetError if the data cannot be had.
    """
    spec = read_spec(config.name)
    folder = fetch(spec.data, cache=cache, on_progress=on_progress, key="data").path
    make = load_plugin("harness.suites", spec.loader)
    assert callable(make)
    loader: SuiteLoader = make(folder, config.categories or spec.categories)
    samples = stratified(tuple(loader.samples()), config.limit, config.seed, config.sampling)
    if not samples:
        raise DataError(f"suite {config.name} has no sample in the categories chosen")
    return Suite(spec=spec, samples=samples, hash=samples_hash(samples))


def samples_hash(samples: Iterable[Sample]) -> str:
    """SHA-256 over the samples' JSON lines, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(sample.model_dump_json().encode())
        digest.update(b"\n")
    return digest.hexdigest()
