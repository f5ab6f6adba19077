"""The rows of the table, with everything that a row says computed beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from harness.records import Protocol
from harness.records.summary import Interval
from harness.report.columns import Cell, Column
from harness.report.economy import pace_of
from harness.report.facts import Facets, config_text, facets_of, hardware_of, parameters_of
from harness.report.family import Floor, floor_of
from harness.report.formats import counted, memory, parameters, percent, seconds, share_text, usd
from harness.report.group import Group, suite_label
from harness.report.provenance import answers_text, recorded_cost_text
from harness.report.ranks import Rank
from harness.report.view import RunView

__all__ = ["Row", "conditions", "table_rows", "warnings"]

_FIRST: Final = ("Engine", "Settings", "Weights", "Context and slots", "Load", "Hardware", "Started", "Harness")
"""Conditions that show without opening a row."""
_LONGEST: Final = 150


@dataclass(frozen=True, slots=True)
class Row:
    """One run as the table shows it."""

    id: str
    title: str
    protocol: Protocol
    cells: tuple[tuple[str, Cell], ...]
    """By column key, in the order of the columns."""
    interval: Interval | None
    rank: Rank | None
    rank_note: str
    accuracy: float | None
    floor: Floor | None
    conditions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    apart: str
    """Why it is not ranked though it is no older run; empty if it is ranked."""
    first_apart: bool
    """Whether it is the first of those that are not ranked."""
    older: bool
    facets: Facets
    """What the row is filtered by."""

    @property
    def short_conditions(self) -> str:
        """The conditions that a reader asks for first, a line each."""
        found = [f"{label}: {_short(value)}" for label, value in self.conditions if label in _FIRST]
        return "\n".join(found)

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
        floor = "" if self.floor is None else f"; {self.floor.text}"
        return level + floor


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def warnings(run: RunView) -> tuple[str, ...]:
    """What must be known before a number of this run is believed."""
    summary = run.summary
    found = []
    if not summary.complete and not (summary.early and summary.early.stopped):
        found.append(f"Unfinished: {summary.n_not_run:,} of {counted(summary.n_planned, 'attempt')} have no outcome.")
    found += [*summary.warnings, *run.manifest.warnings]
    floor = floor_of(run)
    if floor and floor.share and summary.accuracy is not None and summary.accuracy <= floor.share:
        found.append(floor.warning)
    if told := answers_text(summary):
        found.append(told)
    if summary.n_unscored:
        found.append(f"{counted(summary.n_unscored, 'attempt')} without a value of its own: see the parts.")
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
        ("Load", None if run.summary.recorded else pace_of(run)),
        ("Weights", _weights(run)),
        ("Quantization", run.summary.quantization),
        (
            "Chat template",
            f"sha256 {facts.chat_template_sha256[:12]}" if facts and facts.chat_template_sha256 else None,
        ),
        ("Hardware", hardware_of(run)),
        ("Asked from", None if hardware_of(run) else f"{machine.cpu}, {cores}"),
        ("System", f"{machine.system}, Python {machine.python}"),
        ("Suite", f"{suite_label(run)}, sha256 {run.summary.suite_hash[:12]}"),
        ("Trials and seed", f"{run.summary.trials} trial(s) per sample, seed {manifest.seed}"),
        ("Cost basis", run.summary.cost_basis),
        ("Cost as told", recorded_cost_text(run.summary)),
        ("Cost as a batch", None if run.summary.batch_cost_usd is None else usd(run.summary.batch_cost_usd)),
        ("Answers", answers_text(run.summary)),
        ("Judged by", _judge(run)),
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
    known = parameters_of(run)
    count = f", {parameters(known)} parameters" if known else ""
    return f"{size}{count}, {weights.source or 'source not recorded'}, sha256 {weights.sha256[:12]}"


def _judge(run: RunView) -> str | None:
    """Which model judged, how often, for how long, at what price, and how sure of itself."""
    found = run.summary.judging
    if found is None:
        return None
    models = sorted({score.judge.model for score in run.scores if score.judge is not None})
    words = [*models, counted(found.calls, "call"), f"{seconds(found.seconds)} in all"]
    words.append("price unknown" if found.cost_usd is None else usd(found.cost_usd))
    if found.agreement is not None:
        share = percent(found.agreement.frac)
        words.append(f"same verdict in both orders {share} of {counted(found.agreement.of, 'time')}")
    if found.human is not None:
        kappa = "" if found.human.kappa is None else f", kappa {found.human.kappa:.2f}"
        words.append(f"as people on {percent(found.human.same)} of {found.human.n} labelled answers{kappa}")
    return ", ".join(words)


def table_rows(group: Group, columns: Sequence[Column]) -> list[Row]:
    """One row a run: the best first, then those that are not ranked, older ones last."""
    found = [
        _row(run, place, _rank_note(place, group), columns)
        for run, place in zip(group.ranked, group.places, strict=True)
    ]
    for place_apart, run in enumerate(group.apart):
        why = f"Not ranked: {group.why_apart(run)}."
        found.append(replace(_row(run, None, why, columns), apart=why, first_apart=place_apart == 0))
    older = [_row(run, None, "An older run: not ranked.", columns) for run in group.older]
    return found + [replace(row, older=True) for row in older]


def _rank_note(rank: Rank | None, group: Group) -> str:
    if rank is None:
        return "No interval, so no rank."
    others = len(group.ranked) - 1
    how = f"sample by sample, {counted(rank.pairs, 'pair')} judged together at 5 % (Holm)"
    if rank.decided:
        if not others:
            return "The only run."
        return f"Decided against {others} of {others}: " + (
            f"{how}." if rank.pairs else "its interval is apart from each."
        )
    names = [group.names[group.ranked[index].id] for index in rank.rivals]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    against = f"{'; '.join(names[:3])}{more}"
    if rank.pairs:
        return f"Not decided against {against}: {how}."
    return f"Not decided: the interval overlaps with {against}."


def _row(run: RunView, rank: Rank | None, note: str, columns: Sequence[Column]) -> Row:
    cells = {column.key: column.cell(run) for column in columns}
    cells["rank"] = Cell(None, reason=note) if rank is None else Cell((rank.best + rank.worst) / 2, rank.text)
    return Row(
        id=run.id,
        title=run.title,
        protocol=run.summary.protocol,
        cells=tuple(cells.items()),
        interval=run.summary.accuracy_interval,
        rank=rank,
        rank_note=note,
        accuracy=run.summary.accuracy,
        floor=floor_of(run),
        conditions=conditions(run),
        warnings=warnings(run),
        apart="",
        first_apart=False,
        older=False,
        facets=facets_of(run),
    )
