"""The runs of one suite: which are ranked, which are not and why, and by what name each is told apart."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.records import AgentTarget, ReplayTarget, Sample, TextTarget, ToolTarget, TrajectoryTarget
from harness.report.family import Family, family_of
from harness.report.formats import counted
from harness.report.ranks import Rank, places
from harness.report.view import RunView, SuiteKey, latest, ranked_by_traffic, suites

__all__ = ["Group", "group_of", "groups_of", "names_of", "suite_label"]

_MOST_SETTINGS = 3


@dataclass(frozen=True, slots=True)
class Group:
    """What is compared with each other."""

    title: str
    anchor: str
    family: Family
    ranked: tuple[RunView, ...]
    """The best first."""
    apart: tuple[RunView, ...]
    """Runs that are not to be ranked: unfit ones, and re-runs of misses."""
    older: tuple[RunView, ...]
    by_protocol: bool
    """Whether it matters how the model is told of its tools."""
    names: dict[str, str]
    """Of each run, told apart from the others."""
    by_traffic: bool = False
    """Whether the order is that of the accuracy by traffic, not by samples."""
    places: tuple[Rank | None, ...] = ()
    """What each of the ranked runs can hold, in their order."""

    def why_apart(self, run: RunView) -> str:
        """Why a run is not ranked, as the rest of a sentence; empty if it is."""
        parent = run.summary.of_run
        if parent is None:
            return run.summary.unfit or ""
        protocol = "under a grammar" if run.summary.protocol == "constrained" else run.summary.protocol
        return f"only what {self.names.get(parent, parent)} missed, put again {protocol}"

    @property
    def own(self) -> tuple[RunView, ...]:
        """Ranked runs, then unfit ones: all that were put to the whole suite."""
        return (*self.ranked, *(run for run in self.apart if run.summary.of_run is None))

    @property
    def current(self) -> tuple[RunView, ...]:
        """All but the older ones."""
        return (*self.ranked, *self.apart)


def group_of(runs: Sequence[RunView], older: Sequence[RunView] = (), title: str = "", anchor: str = "suite-1") -> Group:
    """The runs of one suite, best first, as a group."""
    apart = sorted(filter(_is_apart, runs), key=lambda run: run.summary.of_run is not None)
    by_protocol = _by_protocol(runs)
    ranked = tuple(run for run in runs if not _is_apart(run))
    by_traffic = ranked_by_traffic(runs)
    return Group(
        title=title or (suite_label(runs[0]) if runs else ""),
        anchor=anchor,
        family=family_of(runs),
        ranked=ranked,
        apart=tuple(apart),
        older=tuple(older),
        by_protocol=by_protocol,
        names=names_of([*runs, *older], by_protocol=by_protocol),
        by_traffic=by_traffic,
        places=tuple(places(ranked, by_traffic=by_traffic)),
    )


def groups_of(runs: Iterable[RunView]) -> list[Group]:
    """All runs, suite by suite, the one with most samples first; of each set-up the latest run counts."""
    current, older = latest(runs)
    found = suites(current)
    labels = [suite_label(group[0]) for group in found]
    twice = {label for label, count in Counter(labels).items() if count > 1}
    groups = []
    for place, (group, label) in enumerate(zip(found, labels, strict=True), 1):
        key = group[0].suite_key
        title = f"{label} ({key[1][:6]})" if label in twice else label
        groups.append(group_of(group, _older(older, key), title, f"suite-{place}"))
    return groups


def _older(older: Sequence[RunView], key: SuiteKey) -> list[RunView]:
    """The replaced runs of one suite, re-runs of their misses among them."""
    own = [run for run in older if run.suite_key == key]
    ids = {run.id for run in own}
    return own + [run for run in older if run.suite_key != key and run.summary.of_run in ids]


def suite_label(run: RunView) -> str:
    """Name of the suite with its tasks and its size, which tells a subset from the whole."""
    suite = run.manifest.config.get("suite")
    asked = suite if isinstance(suite, dict) else {}
    several = asked.get("tasks")
    tasks = [str(one) for one in (several if isinstance(several, list) and several else [asked.get("task")]) if one]
    named = ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
    name = f"{run.summary.suite}: {named}" if named and named not in run.summary.suite else run.summary.suite
    return f"{name}, {counted(run.summary.n_planned // max(1, run.summary.trials), 'sample')}"


def _is_apart(run: RunView) -> bool:
    return run.summary.of_run is not None or run.summary.unfit is not None


def _by_protocol(runs: Sequence[RunView]) -> bool:
    models = Counter(run.model_key for run in runs if run.summary.of_run is None)
    if any(count > 1 for count in models.values()):
        return True
    samples = [sample for run in runs for sample in run.samples]
    return not samples or any(map(_has_protocol, samples))


def _has_protocol(sample: Sample) -> bool:
    target = sample.target
    if isinstance(target, ReplayTarget | TrajectoryTarget):
        return bool(sample.tools)
    return isinstance(target, ToolTarget | AgentTarget) or (isinstance(target, TextTarget) and target.match == "json")


def names_of(runs: Sequence[RunView], *, by_protocol: bool) -> dict[str, str]:
    """A name for each run that tells it apart: model, protocol, quantization and settings, as far as it takes them."""
    plain = {run.id: f"{run.title}, {run.summary.protocol}" if by_protocol else run.title for run in runs}
    stored: dict[str, set[str | None]] = {}
    for run in runs:
        stored.setdefault(plain[run.id], set()).add(run.summary.quantization)
    told = {
        run.id: f"{plain[run.id]}, {run.summary.quantization}"
        if len(stored[plain[run.id]]) > 1 and run.summary.quantization
        else plain[run.id]
        for run in runs
    }
    return {run.id: _with_settings(run, [one for one in runs if told[one.id] == told[run.id]], told) for run in runs}


def _with_settings(run: RunView, alike: Sequence[RunView], told: Mapping[str, str]) -> str:
    """A run's name with the settings in which it differs from others of that name."""
    all_of_them = [one.settings for one in alike]
    own = run.settings
    differ = [key for key in own if any(other.get(key) != own[key] for other in all_of_them)]
    shown = ", ".join(f"{key.rpartition('.')[2]}={own[key]}" for key in sorted(differ)[:_MOST_SETTINGS])
    return f"{told[run.id]}, {shown}" if shown else told[run.id]
