"""The tables of selection, audit and gate as data."""

from collections.abc import Callable

from harness.records.audit import Audit, AuditCell, AuditCluster
from harness.records.decision import Assessment, Criterion, Decision, ParetoPoint, Plan, Selection, Share, Variant
from harness.records.gate import GateCheck, GateResult
from harness.records.interval import Interval
from harness.report.export import Columns, Field, Table, table_of

__all__ = ["audit_tables", "gate_tables", "selection_tables"]


def _low(interval: Interval | None) -> float | None:
    return interval.low if interval else None


def _high(interval: Interval | None) -> float | None:
    return interval.high if interval else None


def selection_tables(found: Selection) -> tuple[Table, ...]:
    """All tables of a selection."""
    labels = {one.id: one.label for one in found.variants}
    evidence = [(one, each, criterion) for one in found.decisions for each in one.evidence
                for criterion in each.criteria if criterion.status != "not_set"]  # fmt: skip
    return (
        table_of("verdicts", f"Verdicts on {found.suite}, by cluster", found.decisions, _verdicts(labels)),
        table_of("evidence", "Every criterion of every variant in every cluster", evidence, _evidence(labels)),
        table_of("variants", "Every variant", list(zip(found.variants, found.pareto, strict=True)), _VARIANTS),
        table_of("plans", "How many deployments", found.plans, _PLANS),
        table_of("shares", "What can move", found.shares, _SHARES),
    )


def _verdicts(labels: dict[str, str]) -> Columns[Decision]:
    return (
        (Field("cluster", "text", "", "Id of the cluster."), lambda one: one.cluster),
        (Field("name", "text", "", "Its name."), lambda one: one.name),
        (Field("verdict", "text", "", "replace, hybrid, keep or need-n-more."), lambda one: one.verdict),
        (Field("variant", "text", "", "Chosen, or nearest to a verdict; null: none."),
         lambda one: labels.get(one.variant or "", one.variant)),
        (Field("run", "text", "", "Folder of the run behind it."), lambda one: one.variant),
        (Field("more", "count", "samples", "About how many samples more would decide."), lambda one: one.more),
        (Field("n", "count", "samples", "Samples of the cluster."), lambda one: one.n),
        (Field("sessions", "count", "sessions", "Independent ones that these are of."), lambda one: one.sessions),
        (Field("calls", "number", "calls", "Logged calls that it stands for."), lambda one: one.traffic.calls),
        (Field("usd", "number", "USD", "What the baseline spends on it; null: not known."),
         lambda one: one.traffic.usd),
        (Field("baseline_accuracy", "number", "share", "Of the baseline."), lambda one: one.baseline_accuracy),
        (Field("why", "text", "", "In a sentence."), lambda one: one.why),
    )  # fmt: skip


_Found = tuple[Decision, Assessment, Criterion]


def _evidence(labels: dict[str, str]) -> Columns[_Found]:
    return (
        (Field("cluster", "text", "", "Id of the cluster."), lambda one: one[0].cluster),
        (Field("variant", "text", "", "Name of the variant."), lambda one: labels.get(one[1].variant, one[1].variant)),
        (Field("run", "text", "", "Folder of the run behind it."), lambda one: one[1].variant),
        (Field("mode", "text", "", "direct, or hybrid: some calls are handed on."), lambda one: one[1].mode),
        (Field("criterion", "text", "", "What has to hold."), lambda one: one[2].name),
        (Field("status", "text", "", "pass, fail, need_more or unknown."), lambda one: one[2].status),
        (Field("limit", "number", "of the criterion", "Margin, share that may be late, or ratio."),
         lambda one: one[2].limit),
        (Field("n", "count", "samples", "Samples that it is judged on."), lambda one: one[2].n),
        (Field("estimate", "number", "of the criterion", "Difference, share of late calls, or ratio."),
         lambda one: one[2].estimate),
        (Field("low", "number", "of the criterion", "Lower end of its interval."), lambda one: _low(one[2].interval)),
        (Field("high", "number", "of the criterion", "Upper end."), lambda one: _high(one[2].interval)),
        (Field("gained", "count", "samples", "Right with the variant alone; null: no pairs."),
         lambda one: one[2].pair.gained if one[2].pair else None),
        (Field("lost", "count", "samples", "Right with the baseline alone."),
         lambda one: one[2].pair.lost if one[2].pair else None),
        (Field("p", "number", "p", "Of the criterion not being held."), lambda one: one[2].p),
        (Field("p_adjusted", "number", "p", "Of the variant, for all verdicts together."),
         lambda one: one[1].p_adjusted),
        (Field("why", "text", "", "In a sentence."), lambda one: one[2].why),
    )  # fmt: skip


_Point = tuple[Variant, ParetoPoint]
_VARIANTS: Columns[_Point] = (
    (Field("variant", "text", "", "Name of the variant."), lambda one: one[0].label),
    (Field("run", "text", "", "Folder of the run."), lambda one: one[0].run),
    (Field("deployment", "text", "", "What runs on one server."), lambda one: one[0].deployment),
    (Field("accuracy", "number", "share", "Over all samples, by traffic."), lambda one: one[0].accuracy),
    (Field("low", "number", "share", "Lower end of its interval."), lambda one: _low(one[0].accuracy_interval)),
    (Field("high", "number", "share", "Upper end."), lambda one: _high(one[0].accuracy_interval)),
    (Field("cost_usd_per_call", "number", "USD", "Mean of a call."), lambda one: one[0].cost_usd_per_call),
    (Field("cost_basis", "text", "", "What costs were computed from."), lambda one: one[0].cost_basis),
    (Field("ttft_p50_s", "number", "s", "First token, median."), lambda one: one[0].ttft_p50_s),
    (Field("ttft_p95_s", "number", "s", "95th percentile."), lambda one: one[0].ttft_p95_s),
    (Field("e2e_p50_s", "number", "s", "Whole reply, median."), lambda one: one[0].e2e_p50_s),
    (Field("e2e_p95_s", "number", "s", "95th percentile."), lambda one: one[0].e2e_p95_s),
    (Field("times_from", "text", "", "measured, or log."), lambda one: one[0].times_from),
    (Field("tokens_per_s", "number", "tokens/s", "Median speed of generation."), lambda one: one[0].tokens_per_s),
    (Field("memory_bytes", "count", "bytes", "Of serving it."), lambda one: one[0].memory_bytes),
    (Field("memory_from", "text", "", "measured or estimated."), lambda one: one[0].memory_from),
    (Field("licence", "text", "", "Of the weights."), lambda one: one[0].licence),
    (Field("front", "flag", "", "Whether no other variant is as good in all and better in one."),
     lambda one: one[1].front),
    (Field("barred", "text", "", "Why the constraints leave it out; null: they do not."), lambda one: one[0].barred),
)  # fmt: skip

_PLANS: Columns[Plan] = (
    (Field("plan", "text", "", "Name of the plan."), lambda one: one.name),
    (Field("deployments", "text", "", "What has to run."), lambda one: "; ".join(one.deployments)),
    (Field("calls_moved", "number", "share", "Calls that the variants answer."), lambda one: one.calls_moved),
    (Field("cost_usd_per_1k", "number", "USD", "Of 1,000 calls of the whole traffic."),
     lambda one: one.cost_usd_per_1k),
    (Field("price_calls", "number", "share", "Calls that it moves less than the best."), lambda one: one.price_calls),
    (Field("price_usd_per_1k", "number", "USD", "What 1,000 calls cost more than with the best."),
     lambda one: one.price_usd_per_1k),
    (Field("exact", "flag", "", "Whether every choice was looked at."), lambda one: one.exact),
)  # fmt: skip

_SHARES: Columns[Share] = (
    (Field("unit", "text", "", "Currency: calls, tokens, usd or seconds."), lambda one: one.unit),
    (Field("replace", "number", "share", "In clusters with the verdict replace."), lambda one: one.replace),
    (Field("with_hybrid", "number", "share", "And what hybrids answer themselves."), lambda one: one.with_hybrid),
    (Field("not_refuted", "number", "share", "In clusters where it is not shown that none will do."),
     lambda one: one.not_refuted),
    (Field("low", "number", "share", "What is shown to move, with the traffic's own chance."),
     lambda one: _low(one.interval)),
    (Field("high", "number", "share", "What is not shown to stay."), lambda one: _high(one.interval)),
    (Field("saved", "number", "share", "Net saved of usd and seconds; below 0: lost."), lambda one: one.saved),
)  # fmt: skip


def audit_tables(found: Audit) -> tuple[Table, ...]:
    """All tables of an audit; those of its selection are beside it, under `select`."""
    labels = {one.id: one.label for one in found.selection.variants}
    cells = [(cluster, cell) for cluster in found.clusters for cell in cluster.cells]
    return (
        table_of("clusters", f"What to do with each task of {found.suite}", found.clusters, _CLUSTERS),
        table_of("matrix", "Every model in every task", cells, _matrix(labels)),
        table_of("runs", "Who was asked", found.runs, (
            (Field("model", "text", "", "Name of the model."), lambda one: one.model),
            (Field("protocol", "text", "", "How it is told of its tools."), lambda one: one.protocol),
            (Field("status", "text", "", "complete, unfinished or failed."), lambda one: one.status),
            (Field("run", "text", "", "Folder of the run; null: none."), lambda one: one.run),
            (Field("reused", "flag", "", "Whether its answers were there before."), lambda one: one.reused),
            (Field("n_scored", "count", "attempts", "With a value."), lambda one: one.n_scored),
            (Field("n_lost", "count", "attempts", "Lost to the infrastructure."), lambda one: one.n_lost),
            (Field("said", "text", "", "What was done, or why not."), lambda one: one.said),
        )),
        table_of("agents", "How much of each agent moves", found.agents, (
            (Field("agent", "text", "", "Name in the log."), lambda one: one.agent),
            (Field("calls", "number", "calls", "With the repeats that they stand for."), lambda one: one.calls),
            (Field("moves", "number", "share", "In clusters that move."), lambda one: one.moves),
            (Field("open", "number", "share", "In clusters that are not decided."), lambda one: one.open),
        )),
    )  # fmt: skip


_CLUSTERS: Columns[AuditCluster] = (
    (Field("cluster", "text", "", "Id of the cluster."), lambda one: one.cluster),
    (Field("name", "text", "", "Its name."), lambda one: one.name),
    (Field("agents", "text", "", "Agents that make such calls; null: not known."),
     lambda one: "; ".join(one.agents) or None),
    (Field("share", "number", "share", "Of the calls."), lambda one: one.share),
    (Field("usd_per_1k", "number", "USD", "What the baseline spends on it per 1,000 calls of all."),
     lambda one: one.usd),
    (Field("next", "text", "", "move, hybrid, convert, measure, context or keep."), lambda one: one.next),
    (Field("nearest", "text", "", "Variant with most right answers."), lambda one: one.nearest),
    (Field("top_action", "number", "share", "Of its calls that do the most frequent thing."),
     lambda one: one.top_action),
    (Field("examples", "count", "calls", "Curated calls that could teach a model."), lambda one: one.examples),
    (Field("why", "text", "", "In a sentence."), lambda one: one.why),
)  # fmt: skip


def _matrix(labels: dict[str, str]) -> Columns[tuple[AuditCluster, AuditCell]]:
    return (
        (Field("cluster", "text", "", "Id of the cluster."), lambda one: one[0].cluster),
        (Field("name", "text", "", "Its name."), lambda one: one[0].name),
        (Field("variant", "text", "", "Name of the variant."), lambda one: labels.get(one[1].variant, one[1].variant)),
        (Field("status", "text", "", "pass, fail, need_more or barred."), lambda one: one[1].status),
        (Field("hybrid", "flag", "", "Whether it passes with some calls handed on."), lambda one: one[1].hybrid),
        (Field("n", "count", "samples", "Samples that both have scored."), lambda one: one[1].n),
        (Field("accuracy", "number", "share", "Of the variant."), lambda one: one[1].accuracy),
        (Field("difference", "number", "share", "To the baseline, pair by pair."), lambda one: one[1].difference),
        (Field("more", "count", "samples", "That would decide it."), lambda one: one[1].more),
        (Field("form_misses", "count", "attempts", "Lost to form."), lambda one: one[1].form_misses),
        (Field("overflowed", "count", "attempts", "Prompts beyond the context."), lambda one: one[1].overflowed),
    )


_Read = Callable[[GateCheck], str | int | float | bool | None]


def gate_tables(found: GateResult) -> tuple[Table, ...]:
    """The checks of a gate."""
    return (table_of("checks", f"Gate on {found.suite}: {found.verdict}", found.checks, _CHECKS),)


_CHECKS: tuple[tuple[Field, _Read], ...] = (
    (Field("check", "text", "", "What is looked at."), lambda one: one.name),
    (Field("tier", "text", "", "blocking, warning or informative."), lambda one: one.tier),
    (Field("status", "text", "", "pass, fail, inconclusive, not_judged or no_samples."), lambda one: one.status),
    (Field("rule", "text", "", "The limit in words."), lambda one: one.rule),
    (Field("n", "count", "samples", "Samples that it rests on."), lambda one: one.n),
    (Field("sessions", "count", "sessions", "Independent sessions, where some hold several."),
     lambda one: one.sessions),
    (Field("limit", "number", "of the check", "Share, multiple, USD, tokens or seconds."), lambda one: one.limit),
    (Field("baseline", "number", "of the check", "The baseline's figure."), lambda one: one.baseline),
    (Field("candidate", "number", "of the check", "The candidate's figure."), lambda one: one.candidate),
    (Field("estimate", "number", "of the check", "Difference, ratio, or the figure itself."), lambda one: one.estimate),
    (Field("low", "number", "of the check", "Lower end of its interval."), lambda one: _low(one.interval)),
    (Field("high", "number", "of the check", "Upper end."), lambda one: _high(one.interval)),
    (Field("p", "number", "p", "Of the limit not being held."), lambda one: one.p),
    (Field("p_failing_adjusted", "number", "p", "Of the limit being held, over the checks of its tier."),
     lambda one: one.p_failing_adjusted),
    (Field("more", "count", "samples", "About how many more would decide."), lambda one: one.more),
    (Field("why", "text", "", "In a sentence."), lambda one: one.why),
)  # fmt: skip
