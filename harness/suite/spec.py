"""A suite's own description: `suites/<name>/suite.yaml`, read and checked, and its samples loaded."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import Field, JsonValue, ValidationError

from harness.assets import fetch
from harness.config import SuiteConfig, explain_validation
from harness.errors import ConfigError, DataError
from harness.paths import suites_dir
from harness.protocols import SuiteLoader
from harness.records import Record, Sample
from harness.records.asset import AssetSpec, PathAsset
from harness.records.summary import Ceiling
from harness.registry import load_plugin
from harness.suite.sampling import stratified

__all__ = ["Suite", "SuiteContext", "SuiteSpec", "load_suite", "places", "read_spec", "samples_hash"]


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
    categories: tuple[str, ...] = ()
    """Empty: whatever the loader finds."""
    titles: dict[str, str] = Field(default_factory=dict, exclude_if=lambda titles: not titles)
    """What people call its categories, where these are only ids: the clusters of logs."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """What loader, scorer and environment are told; `suite.options` of the configuration is put on top, where it is not
    null."""
    defects: dict[str, str] = Field(default_factory=dict)
    """Samples whose data is known to be wrong, with what is wrong: `do=validate` tells of them and does not fail."""
    data: AssetSpec | None = None
    """None for a suite whose samples come from elsewhere (a package's task)."""
    ceiling: Ceiling | None = None
    """Of a suite from logs; None where no request occurs twice in them."""
    built: dict[str, JsonValue] = Field(default_factory=dict)
    """What `do=build` made it from: the curated folder, its hashes, every setting, and the hashes of its own files."""


@dataclass(frozen=True, slots=True)
class SuiteContext:
    """Handed to `from_context` of a loader's class, for loaders that need more than a folder and categories."""

    folder: Path | None
    """The fetched data: a folder, or the file where the asset is one."""
    home: Path
    """The folder that `suite.yaml` lies in."""
    spec: SuiteSpec
    config: SuiteConfig
    options: Mapping[str, JsonValue] = field(default_factory=dict)


class Suite(Record):
    """The samples chosen for a run, with the hash that names exactly them."""

    spec: SuiteSpec
    samples: tuple[Sample, ...]
    hash: str
    """SHA-256 over the chosen samples in order."""
    data: Path | None = None
    """Where its data lies."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    traffic: dict[str, float] = Field(default_factory=dict)
    """Of a suite from logs: calls that each category of all its samples stands for, the chosen ones or not."""


def read_spec(name: str, home: Path | None = None) -> SuiteSpec:
    """The description of a suite. Raises ConfigError if there is no such suite or its description is wrong.

    home: folder of a suite of one's own; None: the project's suite of that name.
    """
    file = (suites_dir() / name if home is None else home) / "suite.yaml"
    if not file.is_file():
        if home is not None:
            raise ConfigError(f"suite.path={home} has no suite.yaml; see docs/suites.md for one in under 20 lines")
        known = sorted(p.parent.name for p in suites_dir().glob("*/suite.yaml"))
        raise ConfigError(f"suite.name={name} is not known; suites: {', '.join(known)}")
    try:
        return SuiteSpec.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError(f"{file}: {explain_validation(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())[:200]}") from None


def _why_none(loader: SuiteLoader) -> str:
    """Why nothing was chosen, by a loader that can tell."""
    told = getattr(loader, "why_none", None)
    return str(told()) if callable(told) else "no sample in the categories chosen"


def load_suite(config: SuiteConfig, cache: Path, on_progress: Callable[..., None] | None = None) -> Suite:
    """The chosen samples of a suite, its data fetched first if need be.

    Raises ConfigError for an unknown suite or category, AssetError if the data cannot be had.
    """
    home = Path(config.path).expanduser() if config.path else None
    spec = read_spec(config.name, home)
    home = home or suites_dir() / config.name
    own = config.options.get("file")
    asset = PathAsset(path=str(Path(own).expanduser().absolute())) if isinstance(own, str) else spec.data
    folder = _data(asset, home, cache, on_progress)
    given = {name: value for name, value in config.options.items() if value is not None}
    options = spec.options | given | ({"tasks": list(config.tasks)} if config.tasks else {})
    make = load_plugin("harness.suites", spec.loader)
    from_context = getattr(make, "from_context", None)
    loader: SuiteLoader
    if from_context is not None:
        loader = from_context(SuiteContext(folder, home, spec, config, options))
    else:
        assert callable(make)
        loader = make(folder, config.categories or spec.categories)
    whole = tuple(loader.samples())
    samples = stratified(whole, config.limit, config.seed, config.sampling)
    if not samples:
        raise DataError(f"suite {config.name} has {_why_none(loader)}")
    return Suite(
        spec=spec,
        samples=samples,
        hash=samples_hash(samples),
        data=folder,
        options=options,
        traffic=_traffic(spec, whole),
    )


def _traffic(spec: SuiteSpec, samples: Iterable[Sample]) -> dict[str, float]:
    """Calls that each category stands for; nothing for a suite whose samples stand for themselves."""
    found: dict[str, float] = {}
    weighted = bool(spec.built)
    for sample in samples:
        found[sample.category] = found.get(sample.category, 0.0) + sample.weight
        weighted = weighted or sample.weight != 1.0
    return found if weighted else {}


def _data(asset: AssetSpec | None, home: Path, cache: Path, on_progress: Callable[..., None] | None) -> Path | None:
    """The suite's data where it lies; a relative path in `suite.yaml` counts from the suite's own folder.

    `suite.options.file`, a file of one's own in place of the suite's, counts from the current folder.
    """
    if asset is None:
        return None
    if isinstance(asset, PathAsset):
        asset = asset.model_copy(update={"path": str(home / Path(asset.path).expanduser())})
    return fetch(asset, cache=cache, on_progress=on_progress, key="data").path


def places(config: SuiteConfig, suite: Suite) -> tuple[Path, ...]:
    """Where a suite's samples may lie with what belongs to them: its data, then its own folder."""
    home = Path(config.path).expanduser() if config.path else suites_dir() / config.name
    return (home,) if suite.data is None else (suite.data, home)


def samples_hash(samples: Iterable[Sample]) -> str:
    """SHA-256 over the samples' JSON lines, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(sample.model_dump_json().encode())
        digest.update(b"\n")
    return digest.hexdigest()
