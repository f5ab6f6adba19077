"""The page of a look at new calls: what to do again first, then everything that speaks for it; one file, offline."""

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.iterate import (
    DriftMeasure,
    DriftRow,
    Growth,
    Iteration,
    NewCluster,
    RouterRow,
    SourceChange,
    StaleVerdict,
    StepDone,
    Todo,
)
from harness.report.export import Columns, Field, Table, markdown_cell, table_of
from harness.report.formats import counted, percent, usd
from harness.report.iterate_words import (
    change_words,
    drift_words,
    dropped_words,
    headline,
    measure_words,
    router_words,
    stake_words,
    summary_lines,
)
from harness.report.page import environment, static_text, write_html

__all__ = ["build_page", "iterate_tables", "markdown_page", "summary_lines", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "iterate.css", "print.css")


def write_page(found: Iteration, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(found))


def build_page(found: Iteration) -> str:
    """The page as HTML, a function of the record alone."""
    names = {one.id: one.name for one in found.growth} | {one.id: one.name for one in found.new_clusters}
    return (
        _environment()
        .get_template("iterate.html.j2")
        .render(
            found=found,
            names=names,
            drifted=[one for one in found.drift if one.drifted],
            headline=headline(found),
            texts=any(one.text is not None for one in found.changes),
            css=Markup(static_text(_CSS)),
        )
    )


def markdown_page(found: Iteration) -> str:
    """The same for a terminal, an issue or a step summary of CI."""
    lines = [f"# {headline(found)}", "", *(f"- {markdown_cell(one.strip())}" for one in summary_lines(found)[1:]), ""]
    for number, one in enumerate(found.todos, 1):
        lines += [f"{number}. **{markdown_cell(one.what)}** ({markdown_cell(stake_words(one.stake))})"]
        lines += [f"   - {markdown_cell(why)}" for why in one.why]
    if found.plan:
        lines += ["", "```", *found.plan, "```"]
    return "\n".join(lines) + "\n"


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "usd": usd, "counted": counted, "stake": stake_words, "change": change_words,
        "drift": drift_words, "measure": measure_words, "routed": router_words, "dropped": dropped_words,
    }  # fmt: skip
    return made


def iterate_tables(found: Iteration) -> tuple[Table, ...]:
    """All tables of a look."""
    measures = [(row, each) for row in found.drift for each in row.measures]
    return (
        table_of("todo", "What to do again, by the money at stake", found.todos, _TODO),
        table_of("verdicts", "Verdicts that something speaks against", found.stale, _STALE),
        table_of("drift", "Old and new calls compared", found.drift, _DRIFT),
        table_of("measures", "Every figure that they were compared by", measures, _MEASURES),
        table_of("changes", "Tools, instructions and models that changed", found.changes, _CHANGES),
        table_of("new_tasks", "Tasks that were not there", found.new_clusters, _NEW),
        table_of("tasks", "New calls of known tasks", found.growth, _GROWTH),
        table_of("router", "What the router's logs say", found.router, _ROUTER),
        table_of("steps", "What was done", found.steps, _STEPS),
    )


_TODO: Columns[Todo] = (
    (Field("what", "text", "", "What to do."), lambda one: one.what),
    (Field("why", "text", "", "Reasons, one after the other."), lambda one: "; ".join(one.why)),
    (Field("clusters", "text", "", "Ids of the tasks."), lambda one: " ".join(one.clusters)),
    (Field("urgent", "flag", "", "An alarm on live traffic."), lambda one: one.urgent),
    (Field("saved_usd_week", "number", "USD", "What the verdict saves a week."), lambda one: one.stake.saved_usd_week),
    (Field("usd_week", "number", "USD", "What its calls cost a week, as recorded."), lambda one: one.stake.usd_week),
    (Field("tokens_week", "number", "tokens", "Tokens a week, as recorded."), lambda one: one.stake.tokens_week),
    (Field("calls_week", "number", "calls", "Calls a week."), lambda one: one.stake.calls_week),
    (Field("since", "text", "", "When it was first found."), lambda one: one.since),
)
_STALE: Columns[StaleVerdict] = (
    (Field("cluster", "text", "", "Id of the task."), lambda one: one.cluster),
    (Field("name", "text", "", "Its name."), lambda one: one.name),
    (Field("verdict", "text", "", "As it stands."), lambda one: one.verdict),
    (Field("variant", "text", "", "Run folder of the chosen variant."), lambda one: one.variant),
    (Field("made_at", "text", "", "When it was made."), lambda one: one.made_at),
    (Field("age_days", "number", "days", "Its age."), lambda one: one.age_days),
    (Field("calls_old", "count", "calls", "Calls of the task before."), lambda one: one.calls_old),
    (Field("calls_new", "count", "calls", "Calls since."), lambda one: one.calls_new),
    (Field("reasons", "text", "", "What speaks against it."), lambda one: "; ".join(one.reasons)),
)
_DRIFT: Columns[DriftRow] = (
    (Field("where", "text", "", "Id of the task or node, or all."), lambda one: one.where),
    (Field("level", "text", "", "cluster, node or all."), lambda one: one.level),
    (Field("side", "text", "", "inputs or outcomes."), lambda one: one.side),
    (Field("n_old", "count", "calls", "Old calls."), lambda one: one.n_old),
    (Field("n_new", "count", "calls", "New calls."), lambda one: one.n_new),
    (Field("sessions_old", "count", "sessions", "Old sessions."), lambda one: one.sessions_old),
    (Field("sessions_new", "count", "sessions", "New sessions."), lambda one: one.sessions_new),
    (Field("p", "number", "", "Smallest of its figures, adjusted among them."), lambda one: one.p),
    (Field("p_adjusted", "number", "", "The same over all tests of the look."), lambda one: one.p_adjusted),
    (Field("drifted", "flag", "", "Sure, and large enough."), lambda one: one.drifted),
    (Field("why_not", "text", "", "Why it was not tested."), lambda one: one.why_not),
)
_MEASURES: Columns[tuple[DriftRow, DriftMeasure]] = (
    (Field("where", "text", "", "Id of the task or node, or all."), lambda one: one[0].where),
    (Field("side", "text", "", "inputs or outcomes."), lambda one: one[0].side),
    (Field("figure", "text", "", "What was compared."), lambda one: one[1].name),
    (Field("kind", "text", "", "psi, mean, mmd or auc."), lambda one: one[1].kind),
    (Field("effect", "number", "", "Its size, in the unit of the kind."), lambda one: one[1].effect),
    (Field("p", "number", "", "Adjusted among the figures of this test."), lambda one: one[1].p),
    (Field("old", "number", "", "Mean of the old calls, of a mean."), lambda one: one[1].old),
    (Field("now", "number", "", "Mean of the new calls."), lambda one: one[1].now),
    (Field("notable", "flag", "", "Whether it is as large as iterate.drift asks for."), lambda one: one[1].notable),
)
_CHANGES: Columns[SourceChange] = (
    (Field("kind", "text", "", "What happened."), lambda one: one.kind),
    (Field("node", "text", "", "Id of the node."), lambda one: one.node),
    (Field("what", "text", "", "Name of the tool or model; hash of the sentence."), lambda one: one.what),
    (Field("detail", "text", "", "Of a tool: which properties."), lambda one: "; ".join(one.detail)),
    (Field("text", "text", "", "The sentence, masked, where samples are shown."), lambda one: one.text),
    (Field("since", "text", "", "Day of the first new call with it."), lambda one: one.since),
    (Field("calls", "count", "calls", "New calls that it concerns."), lambda one: one.calls),
    (Field("clusters", "text", "", "Ids of the tasks."), lambda one: " ".join(one.clusters)),
)
_NEW: Columns[NewCluster] = (
    (Field("id", "text", "", "Its id, until it is taken into the clusters."), lambda one: one.id),
    (Field("node", "text", "", "Id of the node."), lambda one: one.node),
    (Field("within", "text", "", "Known task that takes these calls in."), lambda one: one.within),
    (Field("new_node", "flag", "", "Whether the node is new, too."), lambda one: one.new_node),
    (Field("name", "text", "", "By its words, where samples are shown."), lambda one: one.name),
    (Field("calls", "count", "calls", "New calls in it."), lambda one: one.calls),
    (Field("sessions", "count", "sessions", "Of these calls."), lambda one: one.sessions),
    (Field("share", "number", "share", "Of all new calls."), lambda one: one.share),
    (Field("first", "text", "", "Day of the first."), lambda one: one.first),
    (Field("usd_week", "number", "USD", "What it costs a week."), lambda one: one.stake.usd_week),
)
_GROWTH: Columns[Growth] = (
    (Field("id", "text", "", "Id of the task."), lambda one: one.id),
    (Field("node", "text", "", "Id of the node."), lambda one: one.node),
    (Field("name", "text", "", "Its name."), lambda one: one.name),
    (Field("old", "count", "calls", "Old calls."), lambda one: one.old),
    (Field("new", "count", "calls", "New calls."), lambda one: one.new),
    (Field("week_old", "number", "calls", "Old calls a week."), lambda one: one.week_old),
    (Field("week_new", "number", "calls", "New calls a week."), lambda one: one.week_new),
)
_ROUTER: Columns[RouterRow] = (
    (Field("cluster", "text", "", "Id of the task."), lambda one: one.cluster),
    (Field("what", "text", "", "handed on, or other answer."), lambda one: one.what),
    (Field("old", "number", "share", "Before the last look."), lambda one: one.old),
    (Field("now", "number", "share", "Since."), lambda one: one.now),
    (Field("n_old", "count", "calls", "Calls before."), lambda one: one.n_old),
    (Field("n_new", "count", "calls", "Calls since."), lambda one: one.n_new),
    (Field("p_adjusted", "number", "", "Over all tasks."), lambda one: one.p_adjusted),
    (Field("drifted", "flag", "", "Sure, and large enough."), lambda one: one.drifted),
)
_STEPS: Columns[StepDone] = (
    (Field("name", "text", "", "Step."), lambda one: one.name),
    (Field("command", "text", "", "As a person would type it."), lambda one: one.command),
    (Field("exit_code", "count", "", "Of the command."), lambda one: one.exit_code),
    (Field("seconds", "number", "s", "How long it took."), lambda one: one.seconds),
    (Field("outcome", "text", "", "What came out."), lambda one: one.outcome),
)
