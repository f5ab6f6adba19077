"""From curated calls to a suite that asks them again: which calls, what counts as right, and how sure that is."""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import yaml
from pydantic import JsonValue, ValidationError

from harness.backends.incumbent import FILE as INCUMBENT_FILE
from harness.config.building import LOGGED_PARAMS, BuildOptions
from harness.cores import ONE_CORE, Cores
from harness.errors import ConfigError, DataError
from harness.records.call import SPLITS, Call, Split
from harness.records.cluster import ClusterBook
from harness.records.curated import CuratedManifest
from harness.records.summary import Ceiling
from harness.store.calls import CURATED_MANIFEST, picked, read_curated, read_range, sha256_of
from harness.suite.arrivals import ARRIVALS, Arrivals
from harness.suite.build_pick import Stratum, needed_pairs, pick
from harness.suite.build_sheet import Facts, data_sheet
from harness.suite.build_survey import Lines, Survey, lines_of, survey_of
from harness.suite.build_trajectory import Sessions, session_ceiling
from harness.suite.build_trajectory_sheet import session_sheet
from harness.suite.spec import SuiteSpec

__all__ = ["SAMPLES", "Built", "build"]

SAMPLES: Final = "samples.jsonl"
_ASSIGNMENTS: Final = "assignments.parquet"
_BOOK: Final = "clusters.json"
_AT_ONCE: Final = 1_000
"""Calls of sessions that are in memory at once, at most as messages."""
_POLICY: Final = ("policy", "version", "scope", "detection")
"""What `do=curate` says of its redaction, counts aside."""


@dataclass(frozen=True, slots=True)
class Built:
    """What was made."""

    folder: Path
    spec: SuiteSpec
    strata: list[Stratum]
    needed: int
    """Samples of each cluster that the power calculation asks for."""
    facts: Facts


def build(options: BuildOptions, cores: Cores = ONE_CORE) -> Built:
    """Makes the suite's folder and says what is in it: the same for any number of processors.

    All calls are read once, those that are taken a second time; what stays in memory are ids and counts.

    Raises ConfigError where a suite of that name is there already, DataError for no curated calls, damaged ones, or
    none that can be asked again.
    """
    source, folder = Path(options.calls).expanduser(), Path(options.out).expanduser() / options.name
    if folder.exists() and not options.replace:
        raise ConfigError(f"{folder} is there already; choose another build.name, or add build.replace=true")
    if folder.exists() and not (folder / SAMPLES).is_file():
        raise ConfigError(f"{folder} is not a suite that do=build made, and is left alone; choose another build.name")
    manifest = read_curated(source)
    clusters = _clusters(options.clusters)
    sessions = Sessions(options) if options.replay == "trajectory" else None
    survey = survey_of(source, options, clusters, sessions.links if sessions else None, cores)
    candidates = list(survey.candidates.values())
    if sessions is not None:
        candidates, survey.facts.unfit = sessions.check(partial(_picked, source)), sessions.unfit
    if not candidates:
        raise DataError(_nothing(source, options, survey, sessions))
    _check_params(options, survey.params)
    needed = needed_pairs(options.margin, options.alpha, options.power, options.discordant)
    strata = pick(candidates, options.per_cluster or needed, options.per_session, options.seed)
    names = _names(options.clusters)
    for one in strata:
        one.name = names.get(one.cluster, "")
    strata.sort(key=lambda one: options.splits.index(one.split))
    ceiling = survey.ceiling()
    if sessions is not None:
        taken = [one for stratum in strata for one in stratum.taken]
        ceiling = session_ceiling(ceiling, [sessions.steps[one] for one in taken])
    plan = _Plan(options, source, folder, manifest, strata, needed, ceiling, sessions, survey.arrivals)
    return _write(plan, survey.facts, clusters, cores)


def _nothing(source: Path, options: BuildOptions, survey: Survey, sessions: Sessions | None) -> str:
    """Why there is nothing to ask, and what to type next."""
    reasons = survey.facts.unfit.copy()
    if sessions is not None:
        reasons["without a session"] = sessions.links.alone
    told = [f"{reason}: {count:,}" for reason, count in reasons.most_common(3) if count]
    elsewhere = set(options.splits) != set(SPLITS) and survey.facts.elsewhere
    then = "build.splits=[train,calibration,test] takes all of them" if elsewhere else "look at what was logged"
    if sessions is not None and not elsewhere:
        then = "for a sample of each call leave build.replay out"
    what = "session" if sessions is not None else "call"
    where = f"{source} in the splits {', '.join(options.splits)}"
    return f"no {what} of {where} can be asked again ({', '.join(told) or 'no calls there'}); {then}"


def _check_params(options: BuildOptions, seen: set[str]) -> None:
    """Raises ConfigError for a field of requests that no call has."""
    strange = next((one for one in options.params if one not in LOGGED_PARAMS | seen), None)
    if strange is not None:
        known = ", ".join(sorted(LOGGED_PARAMS | seen))
        raise ConfigError(f"build.params={strange} is no field of a logged request here; take of {known}")


def _clusters(path: str | None) -> dict[str, str] | None:
    """Cluster of each call by its id. Raises ConfigError where the file is none of assignments."""
    if path is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(path).expanduser()
    file = file / _ASSIGNMENTS if file.is_dir() else file
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0][:160]
        raise ConfigError(f"build.clusters={path}: {file.name} cannot be read ({said})") from None
    call = next((name for name in ("call", "call_id", "id") if name in table.column_names), None)
    cluster = next((name for name in ("cluster", "cluster_id") if name in table.column_names), None)
    if call is None or cluster is None:
        seen = ", ".join(table.column_names)
        raise ConfigError(f"build.clusters={path} has the columns {seen}; needed: call (or call_id), cluster")
    pairs = zip(table[call].to_pylist(), table[cluster].to_pylist(), strict=True)
    return {str(one): str(other) for one, other in pairs if one is not None and other is not None}


def _names(path: str | None) -> dict[str, str]:
    """What `do=cluster` calls its clusters, by their ids; nothing where the folder does not tell."""
    file = Path(path or "").expanduser() / _BOOK
    if path is None or not file.is_file():
        return {}
    try:
        return {one.id: one.name for one in ClusterBook.model_validate_json(file.read_bytes()).clusters}
    except ValidationError:
        raise ConfigError(f"build.clusters={path}: {_BOOK} cannot be read; make it anew with do=cluster") from None


@dataclass(frozen=True, slots=True)
class _Plan:
    options: BuildOptions
    source: Path
    folder: Path
    manifest: CuratedManifest
    strata: list[Stratum]
    needed: int
    ceiling: Ceiling | None
    sessions: Sessions | None = None
    """Of `build.replay=trajectory`."""
    arrivals: Arrivals = field(default_factory=Arrivals)


def _write(plan: _Plan, facts: Facts, clusters: dict[str, str] | None, cores: Cores) -> Built:
    """Writes into a folder beside the suite's, which takes its name when all is there."""
    making = plan.folder.with_name(f".{plan.folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    try:
        making.mkdir(mode=0o700, parents=True)
        hashes = _rows(plan, facts, clusters, making, cores)
        spec = _spec(plan, hashes)
        text = yaml.safe_dump(spec.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)
        _put(
            making / "suite.yaml",
            f"# Made by do=build. Do not edit: build.replace=true makes it anew.\n{text}".encode(),
        )
        sheet = _sheet(plan, spec, facts)
        _put(making / "datasheet.md", sheet.encode())
        _put(making / ".gitignore", b"# Made from your logs: not for a repository unless you decide so.\n*\n")
        if plan.folder.exists():
            shutil.rmtree(plan.folder)
        making.rename(plan.folder)
    except OSError as error:
        raise DataError(f"{plan.folder} cannot be written: {error.strerror}; choose another build.out") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Built(plan.folder, spec, plan.strata, plan.needed, facts)


def _put(path: Path, data: bytes) -> None:
    with _opened(path) as file:
        file.write(data)


def _opened(path: Path) -> BinaryIO:
    """A new file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _rows(
    plan: _Plan, facts: Facts, clusters: dict[str, str] | None, folder: Path, cores: Cores
) -> dict[str, JsonValue]:
    """Writes the samples and the incumbent's answers; their hashes."""
    with _opened(folder / SAMPLES) as samples, _opened(folder / INCUMBENT_FILE) as answers:
        for lines in _chosen(plan, facts, clusters, cores):
            samples.write(lines.samples)
            answers.write(lines.answers)
    _put(folder / ARRIVALS, plan.arrivals.data())
    return {name: sha256_of(folder / name) for name in (SAMPLES, INCUMBENT_FILE, ARRIVALS)}


def _sheet(plan: _Plan, spec: SuiteSpec, facts: Facts) -> str:
    if plan.sessions is None:
        return data_sheet(spec, plan.manifest, plan.options, plan.strata, facts)
    return session_sheet(spec, plan.manifest, plan.options, plan.strata, facts, plan.sessions)


def _chosen(plan: _Plan, facts: Facts, clusters: dict[str, str] | None, cores: Cores) -> Iterator[Lines]:
    """The samples with the incumbent's answers, in the order of the folder."""
    weights = {one: weight for stratum in plan.strata for one, weight in stratum.taken.items()}
    if plan.sessions is None:
        for lines in lines_of(plan.source, plan.options, weights, clusters, cores):
            facts.add(lines.facts)
            yield lines
        return
    for made in plan.sessions.made(partial(_picked, plan.source), weights, facts.see_call):
        facts.see_session(made.sample, made.from_history, renamed=made.renamed)
        yield Lines.of(made.sample, made.line)


def _picked(source: Path, ids: Collection[str]) -> Iterator[Call]:
    """The calls with these ids."""
    for part, _ in picked(source, ids, _AT_ONCE):
        yield from read_range(part)


def _spec(plan: _Plan, hashes: dict[str, JsonValue]) -> SuiteSpec:
    options, n = plan.options, sum(len(one.taken) for one in plan.strata)
    first: Split = options.splits[0]
    whole = plan.sessions is not None
    what = "sessions" if whole else "logged calls"
    again = "gone through again with the recorded results" if whole else "asked again with its recorded history"
    about = f"{n:,} {what} of {plan.manifest.name}, each {again}."
    return SuiteSpec(
        name=options.name,
        title=f"Replay of {plan.manifest.name}",
        description=about,
        licence="as the logs that it is made of; not for publication unless their owner says so",
        loader="jsonl",
        scorer="trajectory" if whole else "replay",
        options={"split": first},
        ceiling=plan.ceiling,
        titles={one.cluster: one.name for one in plan.strata if one.name},
        built={
            "calls": plan.manifest.name,
            "calls_manifest": sha256((plan.source / CURATED_MANIFEST).read_bytes()).hexdigest(),
            "records_hash": plan.manifest.records_hash,
            "redaction": {name: plan.manifest.redaction[name] for name in _POLICY if name in plan.manifest.redaction},
            "needed_per_cluster": plan.needed,
            "settings": options.model_dump(mode="json", exclude={"calls", "out", "clusters", "replace"}),
            **hashes,
        },
    )
