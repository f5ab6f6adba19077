"""The tables of the leaderboard as data: rows, categories, misses, parts, pairs of protocols and the order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.records.interval import Interval
from harness.records.summary import PassK, Quantiles
from harness.report.columns import abstention, well_formed
from harness.report.export import Columns, Field, Table, Value, table_of
from harness.report.facts import licence_of, parameters_of, where_of
from harness.report.family import family_of
from harness.report.group import Group
from harness.report.measures import cells_of, measure_of
from harness.report.pairs import Pair, pair_up
from harness.report.ranks import Rank, ranks
from harness.report.view import RunView

__all__ = ["leaderboard_tables"]


@dataclass(frozen=True, slots=True)
class _Line:
    """A run in its suite."""

    run: RunView
    suite: str
    name: str
    status: str
    rank: Rank | None


def leaderboard_tables(groups: Sequence[Group]) -> tuple[Table, ...]:
    """All tables of the page, every suite in one; older runs are rows of `runs` and no more."""
    lines = [line for group in groups for line in _lines(group)]
    current = [line for line in lines if line.status != "older"]
    return (
        table_of("runs", "Every run", lines, _RUNS),
        _categories(current),
        _misses(current),
        _parts(current),
        table_of("protocols", "What another protocol changes", _pairs(groups), _PAIRS),
    )


def _lines(group: Group) -> Iterable[_Line]:
    places = ranks([run.summary.accuracy_interval for run in group.ranked])
    for run, place in zip(group.ranked, places, strict=True):
        yield _Line(run, group.title, group.names[run.id], "ranked", place)
    for run in group.apart:
        yield _Line(run, group.title, group.names[run.id], "not ranked", None)
    for run in group.older:
        yield _Line(run, group.title, group.names[run.id], "older", None)


def _end(pick: Callable[[_Line], Interval | None], end: str) -> Callable[[_Line], Value]:
    def read(line: _Line) -> Value:
        found = pick(line)
        return None if found is None else float(getattr(found, end))

    return read


def _quantile(pick: Callable[[_Line], Quantiles | None], name: str) -> Callable[[_Line], Value]:
    def read(line: _Line) -> Value:
        found = pick(line)
        return None if found is None else float(getattr(found, name))

    return read


def _pass(found: Sequence[PassK]) -> float | None:
    last = max(found, key=lambda one: one.k, default=None)
    return last.value if last else None


def _abstains(line: _Line) -> float | None:
    found = abstention(line.run.summary)
    return found[0] if found else None


def _memory(line: _Line) -> int | None:
    facts = line.run.manifest.backend
    return facts.memory_bytes if facts else None


def _build(line: _Line) -> str | None:
    facts = line.run.manifest.backend
    return " ".join(filter(None, [facts.name, facts.build])) if facts else None


def _settings(line: _Line) -> str | None:
    return "; ".join(f"{key}={value}" for key, value in sorted(line.run.settings.items())) or None


_RUNS: Columns[_Line] = (
    (Field("run", "text", "", "Folder of the run."), lambda one: one.run.id),
    (Field("suite", "text", "", "Suite with its size."), lambda one: one.suite),
    (Field("suite_hash", "text", "", "SHA-256 over its samples: only runs of one hash compare."),
     lambda one: one.run.summary.suite_hash),
    (Field("name", "text", "", "The run, told apart from others of its suite."), lambda one: one.name),
    (Field("model", "text", "", "Name of the model."), lambda one: one.run.summary.model),
    (Field("protocol", "text", "", "prompted, constrained or native."), lambda one: one.run.summary.protocol),
    (Field("quantization", "text", "", "How the weights are stored; null: not told."),
     lambda one: one.run.summary.quantization),
    (Field("parameters", "count", "parameters", "Of the weights."), lambda one: parameters_of(one.run)),
    (Field("licence", "text", "", "Of the weights; null: not known."), lambda one: licence_of(one.run)),
    (Field("where", "text", "", "local, hosted, or on record."), lambda one: where_of(one.run)),
    (Field("settings", "text", "", "What else was set that can change an answer; null: nothing."), _settings),
    (Field("status", "text", "", "ranked, not ranked (unfit, or a re-run of misses), or older."),
     lambda one: one.status),
    (Field("complete", "flag", "", "Whether every attempt has an outcome."), lambda one: one.run.summary.complete),
    (Field("rank_best", "count", "", "Best place that its interval allows; null: not ranked."),
     lambda one: one.rank.best if one.rank else None),
    (Field("rank_worst", "count", "", "Worst place. Equal to the best: the order is decided."),
     lambda one: one.rank.worst if one.rank else None),
    (Field("accuracy", "number", "share", "Mean value of the scored attempts, 0 to 1."),
     lambda one: one.run.summary.accuracy),
    (Field("accuracy_low", "number", "share", "Lower end of its interval."),
     _end(lambda one: one.run.summary.accuracy_interval, "low")),
    (Field("accuracy_high", "number", "share", "Upper end."),
     _end(lambda one: one.run.summary.accuracy_interval, "high")),
    (Field("traffic_accuracy", "number", "share", "The same with each category counting by its logged calls."),
     lambda one: one.run.summary.traffic.accuracy if one.run.summary.traffic else None),
    (Field("traffic_low", "number", "share", "Lower end of its interval."),
     _end(lambda one: one.run.summary.traffic.interval if one.run.summary.traffic else None, "low")),
    (Field("traffic_high", "number", "share", "Upper end."),
     _end(lambda one: one.run.summary.traffic.interval if one.run.summary.traffic else None, "high")),
    (Field("n_planned", "count", "attempts", "Attempts planned."), lambda one: one.run.summary.n_planned),
    (Field("n_scored", "count", "attempts", "Attempts with a value."), lambda one: one.run.summary.n_scored),
    (Field("n_failed", "count", "attempts", "Lost to the infrastructure: not scored."),
     lambda one: one.run.summary.n_failed),
    (Field("trials", "count", "", "Attempts of each sample."), lambda one: one.run.summary.trials),
    (Field("well_formed", "number", "share", "Attempts whose reply could be read and has the form asked for."),
     lambda one: well_formed(one.run.summary)),
    (Field("abstention", "number", "share", "Of samples that want no call: those that got none."), _abstains),
    (Field("pass_at_k", "number", "share", "pass@k for k = trials: at least one of k succeeds."),
     lambda one: _pass(one.run.summary.pass_at)),
    (Field("pass_hat_k", "number", "share", "pass^k for k = trials: all k succeed."),
     lambda one: _pass(one.run.summary.pass_hat)),
    (Field("ttft_p50_s", "number", "s", "Time to the first token, median."),
     _quantile(lambda one: one.run.summary.ttft_s, "p50")),
    (Field("ttft_p95_s", "number", "s", "95th percentile."), _quantile(lambda one: one.run.summary.ttft_s, "p95")),
    (Field("tpot_p50_s", "number", "s", "Time for a further token, median."),
     _quantile(lambda one: one.run.summary.tpot_s, "p50")),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), _quantile(lambda one: one.run.summary.e2e_s, "p50")),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), _quantile(lambda one: one.run.summary.e2e_s, "p95")),
    (Field("times_from", "text", "", "measured in this run, or log: on record."),
     lambda one: "log" if one.run.summary.recorded else "measured" if one.run.summary.e2e_s else None),
    (Field("output_tokens_per_s", "number", "tokens/s", "Median speed of generation."),
     lambda one: one.run.summary.output_tokens_per_s),
    (Field("prompt_tokens", "count", "tokens", "Of all attempts."), lambda one: one.run.summary.prompt_tokens),
    (Field("output_tokens", "count", "tokens", "Of all attempts."), lambda one: one.run.summary.output_tokens),
    (Field("cost_usd", "number", "USD", "Of the whole run."), lambda one: one.run.summary.cost_usd),
    (Field("cost_usd_per_sample", "number", "USD", "Of a finished attempt."),
     lambda one: one.run.summary.cost_usd_per_sample),
    (Field("cost_usd_per_success", "number", "USD", "Cost over the sum of values; null: no success, or no price."),
     lambda one: one.run.summary.cost_usd_per_success),
    (Field("cost_basis", "text", "", "What costs were computed from."), lambda one: one.run.summary.cost_basis),
    (Field("memory_bytes", "count", "bytes", "Resident memory of the engine; null: not seen."), _memory),
    (Field("engine", "text", "", "Engine with its build."), _build),
    (Field("cpu", "text", "", "Processor of the machine that ran the harness."),
     lambda one: one.run.manifest.machine.cpu),
    (Field("cores", "count", "", "Of that machine."), lambda one: one.run.manifest.machine.cores),
    (Field("started_at", "text", "ISO 8601", "When it began, UTC."), lambda one: one.run.summary.started_at),
    (Field("commit", "text", "", "Of the harness; null: not recorded."), lambda one: one.run.manifest.commit),
)  # fmt: skip


def _who(line: _Line) -> tuple[Value, ...]:
    return (line.run.id, line.suite, line.name)


_WHO = (
    Field("run", "text", "", "Folder of the run."),
    Field("suite", "text", "", "Suite with its size."),
    Field("name", "text", "", "The run, told apart from others of its suite."),
)


def _categories(lines: Sequence[_Line]) -> Table:
    return Table(
        "categories",
        "Accuracy by category",
        (
            *_WHO,
            Field("category", "text", "", "Stratum or cluster of the suite."),
            Field("n_samples", "count", "samples", "Samples with a finished attempt."),
            Field("n_scored", "count", "attempts", "Attempts with a value."),
            Field("accuracy", "number", "share", "Mean value, 0 to 1; null: nothing scored."),
            Field("low", "number", "share", "Lower end of its interval."),
            Field("high", "number", "share", "Upper end."),
            Field("traffic_frac", "number", "share", "Of the traffic; null: the suite stands for none."),
        ),
        tuple(
            (
                *_who(line), name, one.n_samples, one.n_scored, one.accuracy,
                one.interval.low if one.interval else None, one.interval.high if one.interval else None,
                one.traffic_frac,
            )
            for line in lines
            for name, one in line.run.summary.by_category.items()
        ),
    )  # fmt: skip


def _misses(lines: Sequence[_Line]) -> Table:
    return Table(
        "misses",
        "Where attempts were lost",
        (
            *_WHO,
            Field("miss", "text", "", "Class of miss; right: worth 1. not_scored: lost to the infrastructure."),
            Field("n", "count", "attempts", "Attempts that ended so."),
        ),
        tuple(
            (*_who(line), name, count) for line in lines for name, count in _ended(line)
        ),
    )  # fmt: skip


def _ended(line: _Line) -> list[tuple[str, int]]:
    summary = line.run.summary
    right = summary.n_scored - sum(summary.misses.values())
    lost = summary.n_failed + summary.n_unscored
    return [("right", right), *summary.misses.items(), *([("not_scored", lost)] if lost else [])]


def _parts(lines: Sequence[_Line]) -> Table:
    return Table(
        "parts",
        "Parts of the score",
        (
            *_WHO,
            Field("part", "text", "", "Partial result or rate."),
            Field("meaning", "text", "", "What it says; null: its scorer alone knows."),
            Field("value", "number", "share", "Mean or rate, 0 to 1."),
            Field("low", "number", "share", "Lower end of its interval; null: none."),
            Field("high", "number", "share", "Upper end."),
        ),
        tuple(
            (
                *_who(line), name, measure_of(name).meaning or None, cell.value,
                cell.interval.low if cell.interval else None, cell.interval.high if cell.interval else None,
            )
            for line in lines
            for name, cell in cells_of(line.run).items()
        ),
    )  # fmt: skip


def _pairs(groups: Sequence[Group]) -> list[Pair]:
    return [pair for group in groups if group.by_protocol for pair in pair_up(group.ranked)]


_PAIRS: Columns[Pair] = (
    (Field("suite", "text", "", "Name of the suite."), lambda one: one.before.summary.suite),
    (Field("model", "text", "", "Name of the model."), lambda one: one.before.summary.model),
    (Field("family", "text", "", "What is counted."), lambda one: family_of([one.before, one.after]).key),
    (Field("before", "text", "", "Protocol of the first run."), lambda one: one.before.summary.protocol),
    (Field("after", "text", "", "Protocol of the second."), lambda one: one.after.summary.protocol),
    (Field("run_before", "text", "", "Folder of the first run."), lambda one: one.before.id),
    (Field("run_after", "text", "", "Folder of the second."), lambda one: one.after.id),
    (Field("n", "count", "samples", "Samples scored in both, of single calls those that want one."), lambda one: one.n),
    (Field("both", "count", "samples", "Right in both."), lambda one: one.both),
    (Field("gained", "count", "samples", "Right only after."), lambda one: one.gained),
    (Field("lost", "count", "samples", "Right only before."), lambda one: one.lost),
    (Field("neither", "count", "samples", "Right in neither."), lambda one: one.neither),
    (Field("points_lost", "number", "points", "What the first run misses of 100."), lambda one: one.points_lost),
    (Field("points_back", "number", "points", "How much of it returns."), lambda one: one.points_back),
    (Field("points_gone", "number", "points", "What goes missing instead."), lambda one: one.points_gone),
)
