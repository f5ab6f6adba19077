"""The rows of the table, with everything that a row says computed beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records import Protocol
from harness.records.summary import Interval
from harness.report.columns import COLUMNS, Cell, config_text
from harness.report.formats import counted, memory, share_text
from harness.report.ranks import Rank, ranks
from harness.report.view import RunView

__all__ = ["Row", "conditions", "never_calls", "suite_label", "table_rows", "warnings"]


@dataclass(frozen=True, slots=True)
class Row:
    """One run as the table shows it."""

    id: str
    title: str
    protocol: Protocol
    suite: str
    cells: tuple[tuple[str, Cell], ...]
    """By column key, in the order of the columns."""
    interval: Interval | None
    rank: Rank | None
    rank_note: str
    accuracy: float | None
    floor: float | None
    """Accuracy of a model that never calls a tool, on the same samples; None where it is not known."""
    conditions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    older: bool

    @property
    def interval_text(self) -> str:
        """The interval in per cent; empty without one."""
        return share_text(self.interval.low, self.interval.high) if self.interval else ""

    @property
    def bar_note(self) -> str:
        """What the bar shows, in words."""
        if self.interval is None:
            return "without an interval"
        level = f"{self.interval.level * 100:g} % interval {self.interval_text} ({self.interval.method})"
        floor = "" if self.floor is None else f"; a model that never calls: {self.floor * 100:.0f} %"
        return level + floor


def suite_label(run: RunView) -> str:
    """Name of the suite with its size, which tells a subset from the whole."""
    return f"{run.summary.suite}, {counted(run.summary.n_planned // max(1, run.summary.trials), 'sample')}"


def never_calls(run: RunView) -> float | None:
    """Accuracy that a model would have on this run's scored samples by never calling a tool.

    None without samples, or if the suite is not one of single calls.
    """
    scored = run.sample_values()
    wants = [sample.wants_call for sample in run.samples if sample.id in scored]
    if not wants or None in wants:
        return None
    return wants.count(False) / len(wants)


def warnings(run: RunView) -> tuple[str, ...]:
    """What must be known before a number of this run is believed."""
    summary = run.summary
    found = []
    if not summary.complete:
        found.append(f"Unfinished: {summary.n_not_run:,} of {counted(summary.n_planned, 'attempt')} have no outcome.")
    found += [*summary.warnings, *run.manifest.warnings]
    floor = never_calls(run)
    if floor and summary.accuracy is not None and summary.accuracy <= floor:
        found.append(f"No better than never calling a tool: {floor * 100:.0f} % of these samples want no call.")
    if summary.n_failed:
        found.append(f"{counted(summary.n_failed, 'attempt')} lost to the infrastructure, not scored.")
    return tuple(dict.fromkeys(found))


def conditions(run: RunView) -> tuple[tuple[str, str], ...]:
    """Label and value of everything that the numbers of a run depend on."""
    manifest, facts = run.manifest, run.manifest.backend
    commit = f"{manifest.commit[:12]}{' with changes' if manifest.dirty else ''}" if manifest.commit else None
    machine = manifest.machine
    cores = f"{machine.cores} cores" + (f", {memory(machine.memory_bytes)}" if machine.memory_bytes else "")
    known: list[tuple[str, str | None]] = [
        ("Engine", " ".join(filter(None, [facts.name, facts.build])) if facts else None),
        ("Settings", _named(facts.flags) if facts else None),
        ("Prompt", _named(_part(manifest.config, "prompt"))),
        ("Generation", _named(_part(manifest.config, "generation"))),
        ("Context and slots", _slots(run)),
        ("Weights", _weights(run)),
        (
            "Chat template",
            f"sha256 {facts.chat_template_sha256[:12]}" if facts and facts.chat_template_sha256 else None,
        ),
        ("Hardware", f"{machine.cpu}, {cores}"),
        ("System", f"{machine.system}, Python {machine.python}"),
        ("Suite", f"{suite_label(run)}, sha256 {run.summary.suite_hash[:12]}"),
        ("Trials and seed", f"{run.summary.trials} trial(s) per sample, seed {manifest.seed}"),
        ("Cost basis", run.summary.cost_basis),
        ("Licence", config_text(manifest.config, "model", "licence_url")),
        ("Started", f"{run.summary.started_at}, {counted(manifest.sittings, 'sitting')}, {manifest.wall_s:,.0f} s"),
        ("Harness", f"{manifest.harness_version}, commit {commit or 'not recorded'}"),
        ("Run folder", run.id),
    ]
    return tuple((label, value) for label, value in known if value)


def _part(config: dict[str, JsonValue], name: str) -> dict[str, JsonValue]:
    """A mapping of the model's configuration; empty if it is not there."""
    model = config.get("model")
    found = model.get(name) if isinstance(model, dict) else None
    return found if isinstance(found, dict) else {}


def _named(settings: dict[str, JsonValue]) -> str:
    """The settings that say something, in one line."""
    words = {True: "on", False: "off"}
    shown = {key: words[value] if isinstance(value, bool) else value for key, value in settings.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value not in (None, "", [], {}))


def _slots(run: RunView) -> str | None:
    facts = run.manifest.backend
    if facts is None or facts.context_tokens is None:
        return None
    return f"{facts.context_tokens:,} tokens" + (f", {counted(facts.slots, 'slot')}" if facts.slots else "")


def _weights(run: RunView) -> str | None:
    weights = run.manifest.backend.weights if run.manifest.backend else None
    if weights is None:
        return None
    size = f"{weights.file}, {memory(weights.bytes)}"
    parameters = f", {weights.parameters / 1e6:,.0f} M parameters" if weights.parameters else ""
    return f"{size}{parameters}, {weights.source or 'source not recorded'}, sha256 {weights.sha256[:12]}"


def table_rows(groups: Sequence[Sequence[RunView]], older: Sequence[RunView]) -> list[Row]:
    """One row a run, suite after suite, the best first; older runs stand last and have no rank."""
    found = []
    for group in groups:
        places = ranks([run.summary.accuracy_interval for run in group])
        for run, place in zip(group, places, strict=True):
            found.append(_row(run, place, _rank_note(place, group), older=False))
    return found + [_row(run, None, "An older run: not ranked.", older=True) for run in older]


def _rank_note(rank: Rank | None, group: Sequence[RunView]) -> str:
    if rank is None:
        return "No interval, so no rank."
    if rank.decided:
        return f"Interval apart from all {len(group) - 1} others of this suite." if len(group) > 1 else "The only run."
    names = [f"{group[index].title} {group[index].summary.protocol}" for index in rank.rivals]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Not decided: the interval overlaps with {', '.join(names[:3])}{more}."


def _row(run: RunView, rank: Rank | None, note: str, *, older: bool) -> Row:
    cells = {column.key: column.cell(run) for column in COLUMNS}
    cells["rank"] = Cell(None, reason=note) if rank is None else Cell((rank.best + rank.worst) / 2, rank.text)
    return Row(
        id=run.id,
        title=run.title,
        protocol=run.summary.protocol,
        suite=suite_label(run),
        cells=tuple(cells.items()),
        interval=run.summary.accuracy_interval,
        rank=rank,
        rank_note=note,
        accuracy=run.summary.accuracy,
        floor=never_calls(run),
        conditions=conditions(run),
        warnings=warnings(run),
        older=older,
    )
