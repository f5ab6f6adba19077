"""The tables of load, quantization and clusters as data."""

from harness.records.cluster import Cluster, ClusterBook
from harness.records.frontier import Frontier, FrontierPoint
from harness.records.load import LoadBook, LoadPoint
from harness.records.paired import PairedComparison
from harness.report.export import Columns, Field, Table, Value, table_of

__all__ = ["cluster_tables", "frontier_tables", "load_tables"]


def load_tables(found: LoadBook) -> tuple[Table, ...]:
    """The speeds of a load replay, and the backlog over time."""
    trace = [(one.speed, at_s, count) for one in found.points for at_s, count in one.trace]
    return (
        table_of("speeds", f"Load of {found.suite} on {found.model_title}", found.points, _SPEEDS),
        table_of("backlog", "Calls due and not done, over time", trace, (
            (Field("speed", "number", "times the log", "Speed of the replay."), lambda one: one[0]),
            (Field("at_s", "number", "s", "Since it began."), lambda one: one[1]),
            (Field("open", "count", "calls", "Due and not done."), lambda one: one[2]),
        )),
    )  # fmt: skip


_SPEEDS: Columns[LoadPoint] = (
    (Field("speed", "number", "times the log", "1: as fast as in the log."), lambda one: one.speed),
    (Field("verdict", "text", "", "holds, overloaded or undecided."), lambda one: one.verdict),
    (Field("planned", "count", "calls", "Planned."), lambda one: one.planned),
    (Field("sent", "count", "calls", "Sent."), lambda one: one.sent),
    (Field("served", "count", "calls", "With a whole reply."), lambda one: one.served),
    (Field("in_time", "count", "calls", "Served within the goal, of those that count."), lambda one: one.in_time),
    (Field("counted", "count", "calls", "Calls with a verdict."), lambda one: one.counted),
    (Field("lost", "count", "calls", "Lost to the infrastructure: not in time."), lambda one: one.lost),
    (Field("unfit", "count", "calls", "Refused by the model's own limits."), lambda one: one.unfit),
    (Field("share", "number", "share", "in_time / counted; null: none counted."), lambda one: one.share),
    (Field("low", "number", "share", "Lower end of its interval."),
     lambda one: one.interval.low if one.interval else None),
    (Field("high", "number", "share", "Upper end."), lambda one: one.interval.high if one.interval else None),
    (Field("offered_per_s", "number", "calls/s", "Sent over the time in which they were."),
     lambda one: one.offered_per_s),
    (Field("served_per_s", "number", "calls/s", "Whole replies over the time to the last."),
     lambda one: one.served_per_s),
    (Field("ttft_p50_s", "number", "s", "First token from the intended send, median of the served."),
     lambda one: one.ttft_s.p50 if one.ttft_s else None),
    (Field("ttft_p95_s", "number", "s", "95th percentile."), lambda one: one.ttft_s.p95 if one.ttft_s else None),
    (Field("e2e_p50_s", "number", "s", "Whole reply from the intended send, median of the served."),
     lambda one: one.e2e_s.p50 if one.e2e_s else None),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one.e2e_s.p95 if one.e2e_s else None),
    (Field("late_p99_s", "number", "s", "How late the harness itself sent."), lambda one: one.late_p99_s),
    (Field("backlog_most", "count", "calls", "Most calls due and not done."), lambda one: one.backlog.most),
    (Field("backlog_grows", "flag", "", "Whether it grew to the end."), lambda one: one.backlog.grows),
    (Field("cost_usd", "number", "USD", "Of the calls; null: no price."), lambda one: one.cost_usd),
    (Field("why", "text", "", "In a sentence."), lambda one: one.why),
)  # fmt: skip


def frontier_tables(found: Frontier) -> tuple[Table, ...]:
    """The precisions of a model."""
    return (table_of("precisions", f"{found.model_title} on {found.suite}, by precision", found.points, _PRECISIONS),)


def _pair(one: FrontierPoint) -> PairedComparison | None:
    return one.comparison


def _verdict(one: FrontierPoint) -> Value:
    return one.comparison.verdict.verdict if one.comparison else None


_PRECISIONS: Columns[FrontierPoint] = (
    (Field("type", "text", "", "Precision as asked for, or the name of a file."), lambda one: one.type),
    (Field("run", "text", "", "Folder of the run."), lambda one: one.run),
    (Field("file", "text", "", "Name of the weights' file."), lambda one: one.file),
    (Field("bytes", "count", "bytes", "Of that file."), lambda one: one.bytes),
    (Field("sha256", "text", "", "Of that file."), lambda one: one.sha256),
    (Field("bytes_per_weight", "number", "bytes", "File over parameters."), lambda one: one.bytes_per_weight),
    (Field("memory_bytes", "count", "bytes", "Resident memory of the engine."), lambda one: one.memory_bytes),
    (Field("memory_from", "text", "", "measured or estimated."), lambda one: one.memory_from),
    (Field("accuracy", "number", "share", "Mean value of the scored attempts."), lambda one: one.accuracy),
    (Field("low", "number", "share", "Lower end of its interval."),
     lambda one: one.accuracy_interval.low if one.accuracy_interval else None),
    (Field("high", "number", "share", "Upper end."),
     lambda one: one.accuracy_interval.high if one.accuracy_interval else None),
    (Field("n_scored", "count", "attempts", "With a value."), lambda one: one.n_scored),
    (Field("n_failed", "count", "attempts", "Lost to the infrastructure."), lambda one: one.n_failed),
    (Field("ttft_p50_s", "number", "s", "First token, median."), lambda one: one.ttft_p50_s),
    (Field("tpot_p50_s", "number", "s", "Further token, median."), lambda one: one.tpot_p50_s),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), lambda one: one.e2e_p50_s),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one.e2e_p95_s),
    (Field("tokens_per_s", "number", "tokens/s", "Median speed of generation."), lambda one: one.tokens_per_s),
    (Field("verdict", "text", "", "Against the baseline: pass, fail, need_more; null: none."), _verdict),
    (Field("difference", "number", "share", "To the baseline, pair by pair."),
     lambda one: found.difference if (found := _pair(one)) else None),
    (Field("difference_low", "number", "share", "Lower end of its interval."),
     lambda one: found.interval.low if (found := _pair(one)) else None),
    (Field("difference_high", "number", "share", "Upper end."),
     lambda one: found.interval.high if (found := _pair(one)) else None),
    (Field("gained", "count", "samples", "Right with it alone."),
     lambda one: found.gained if (found := _pair(one)) else None),
    (Field("lost", "count", "samples", "Right with the baseline alone."),
     lambda one: found.lost if (found := _pair(one)) else None),
    (Field("more", "count", "samples", "About how many more would decide."),
     lambda one: found.verdict.more if (found := _pair(one)) else None),
    (Field("no_verdict", "text", "", "Why there is none; null: there is one."), lambda one: one.no_verdict),
)  # fmt: skip


def cluster_tables(found: ClusterBook, *, texts: bool = True) -> tuple[Table, ...]:
    """The tasks of an agent. texts: whether words of calls may stand in it."""
    nodes = {one.id: one.name for one in found.nodes}
    weeks = [(one, week) for one in found.clusters for week in one.weeks]
    columns: Columns[Cluster] = (
        (Field("cluster", "text", "", "Id that stays with the task."), lambda one: one.id),
        (Field("name", "text", "", "Its name."), lambda one: one.name),
        (Field("node", "text", "", "Node of the agent that it belongs to."), lambda one: nodes.get(one.node, one.node)),
        (Field("noise", "flag", "", "Whether these are the calls that belong to no task."), lambda one: one.noise),
        (Field("family", "text", "", "Kind of call."), lambda one: one.family),
        (Field("calls", "count", "calls", "Of the log, repeats counted."), lambda one: one.calls),
        (Field("rows", "count", "calls", "Of the curated folder."), lambda one: one.rows),
        (Field("share", "number", "share", "Of all calls."), lambda one: one.share),
        (Field("stability", "number", "Jaccard", "How much of it comes back on part of the calls; null: not asked."),
         lambda one: one.stability),
        (Field("prompt_tokens", "count", "tokens", "As logged; null: no call says so."),
         lambda one: one.costs.prompt_tokens),
        (Field("output_tokens", "count", "tokens", "As logged."), lambda one: one.costs.output_tokens),
        (Field("usd", "number", "USD", "As recorded; null: no call says so."), lambda one: one.costs.usd),
        (Field("usd_n", "count", "calls", "Calls that say what they cost."), lambda one: one.costs.usd_n),
        (Field("latency_p50_s", "number", "s", "As logged, median."), lambda one: one.costs.latency_p50_s),
        (Field("latency_p95_s", "number", "s", "95th percentile."), lambda one: one.costs.latency_p95_s),
        (Field("growth_per_week", "number", "log", "Slope of the logarithm of calls a week; null: under 3 weeks."),
         lambda one: one.growth_per_week),
        (Field("actions", "text", "", "What the log's model did, with its share."),
         lambda one: "; ".join(f"{name} {share:.3g}" for name, share in one.actions.items())),
        (Field("words", "text", "", "Frequent here, rare elsewhere; null where texts were left out."),
         lambda one: ", ".join(one.words) if texts else None),
    )  # fmt: skip
    return (
        table_of("clusters", f"Recurring tasks of {found.source}", found.clusters, columns),
        table_of("weeks", "Calls of each task by week", weeks, (
            (Field("cluster", "text", "", "Id of the task."), lambda one: one[0].id),
            (Field("week", "text", "date", "Monday of the week."), lambda one: one[1].week),
            (Field("calls", "count", "calls", "Sent in it."), lambda one: one[1].calls),
        )),
    )  # fmt: skip
