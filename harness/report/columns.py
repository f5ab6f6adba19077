"""The columns of the table: what each says, in which unit, and why a cell may be empty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.records import MissClass
from harness.records.summary import PassK, Quantiles, Summary
from harness.report.economy import cost_range, small_model, watt_hours
from harness.report.facts import engine_of, hardware_of, licence_of, parameters_of, where_of
from harness.report.formats import memory, parameters, percent, points, rate, seconds, share_text, usd
from harness.report.group import Group
from harness.report.provenance import recorded_mark, unmeasured_reason
from harness.report.view import RunView

__all__ = ["COLUMNS", "GENERAL", "Cell", "Column", "abstention", "columns_for", "definitions", "well_formed"]

_NOT_MEASURED = "not measured"
_NO_SCORE = "no attempt was scored"
_ALL_COVERED = 0.9995
_NO_TOKENS = "not measured: no reply of two tokens or more"
_FORMAT_MISSES: Final[tuple[MissClass, ...]] = (
    "transport", "context_overflow", "length", "decode", "schema", "no_answer", "does_not_compile",
)  # fmt: skip
_FORMS: Final[dict[str, tuple[str, str]]] = {
    "calls": ("Well-formed", "Share of scored attempts whose reply could be decoded and fits the schema of the tools, "
              "in per cent. Not whether the call was right."),
    "code": ("Compiles", "Share of scored attempts whose reply holds a program that can be parsed, in per cent. Not "
             "whether it is right."),
    "answers": ("Readable", "Share of scored attempts in whose reply an answer was found, in per cent. Not whether it "
                "is right."),
    "steps": ("Well-formed", "Share of scored steps whose reply could be decoded and fits the schema of the tools, in "
              "per cent. Not whether it was as on record."),
    "sessions": ("Readable", "Share of the replies whose calls could be read, in per cent."),
    "agents": ("Readable", "Share of the agent's replies whose calls could be read, in per cent."),
}  # fmt: skip
"""Title and definition of the column on form, by family; the others have none."""
_ALWAYS: Final = frozenset({"model", "rank", "accuracy", "n"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: how it sorts, how it reads and what to add. Nothing measured: no sort value, and the reason why."""

    sort: float | str | None
    text: str = "–"
    reason: str = ""
    note: str = ""
    """What stands behind the value, for whoever points at it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    key: str
    title: str
    group: str
    definition: str
    """What it is, with its unit."""
    cell: Callable[[RunView], Cell]
    numeric: bool = True
    best: str = ""
    """Which way is better: `high`, `low` or neither."""
    extra: bool = False
    """Whether it shows only if the reader asks for it."""


def well_formed(summary: Summary) -> float | None:
    """Share of scored attempts whose reply could be read and has the form wanted; None if none was scored."""
    if not summary.n_scored:
        return None
    return 1 - sum(summary.misses.get(miss, 0) for miss in _FORMAT_MISSES) / summary.n_scored


def abstention(summary: Summary) -> tuple[float, int] | None:
    """Share of samples that want no call and got none, with their number; None without such samples."""
    table = summary.decisions
    wanted = table.should_abstain_called + table.should_abstain_silent if table else 0
    return (table.should_abstain_silent / wanted, wanted) if table and wanted else None


def _maybe(value: float | None, text: Callable[[float], str], reason: str = _NOT_MEASURED) -> Cell:
    return Cell(None, reason=reason) if value is None else Cell(value, text(value))


def _word(value: str | None, reason: str) -> Cell:
    return Cell(value.lower(), value) if value else Cell(None, reason=reason)


def _accuracy(run: RunView) -> Cell:
    return _maybe(run.summary.accuracy, percent, _NO_SCORE)


def _traffic(run: RunView) -> Cell:
    found = run.summary.traffic
    if found is None:
        return Cell(None, reason="the suite stands for no traffic, or nothing was scored")
    between = share_text(found.interval.low, found.interval.high)
    note = f"{found.interval.level * 100:g} % interval {between} ({found.interval.method}), worth "
    note += f"{found.effective_n:,.0f} independent samples"
    if found.covered_frac < _ALL_COVERED:
        note += f"; of {percent(found.covered_frac)} of the traffic"
    return Cell(found.accuracy, percent(found.accuracy), note=note)


def _abstention(run: RunView) -> Cell:
    found = abstention(run.summary)
    return _maybe(found[0] if found else None, percent, "no sample of this run wants silence")


def _quantile(pick: Callable[[Summary], Quantiles | None], name: str, reason: str) -> Callable[[RunView], Cell]:
    def cell(run: RunView) -> Cell:
        found = pick(run.summary)
        value = None if found is None else float(getattr(found, name))
        mark = recorded_mark(run.summary)
        return _maybe(value, lambda one: seconds(one) + mark, unmeasured_reason(run.summary, reason))

    return cell


def _tokens(run: RunView) -> Cell:
    return _maybe(run.summary.output_tokens_per_s, rate, _NO_TOKENS)


def _cost(run: RunView) -> Cell:
    cost = run.summary.cost_usd_per_sample
    found = _maybe(None if cost is None else cost * 1000, usd, _no_cost(run))
    return replace(found, note=cost_range(run.summary.cost_usd_per_sample_interval))


def _no_cost(run: RunView) -> str:
    model = run.manifest.config.get("model")
    if isinstance(model, dict) and model.get("price") is not None:
        return "not known: some answers came without counts of tokens"
    return "not measured: no price is known"


def _told_cost(run: RunView) -> Cell:
    found = run.summary.recorded_cost
    return _maybe(None if found is None else found.usd * 1000 / found.n, usd, "nobody but us says what it cost")


def _success_cost(run: RunView) -> Cell:
    cost = run.summary.cost_usd_per_success
    known = run.summary.cost_usd is not None
    reason = "undefined: no success to divide by" if known else _no_cost(run)
    found = _maybe(None if cost is None else cost * 1000, usd, reason)
    return replace(found, note=cost_range(run.summary.cost_usd_per_success_interval))


def _judged_cost(run: RunView) -> Cell:
    cost = run.summary.judged_cost_usd_per_success
    return _maybe(None if cost is None else cost * 1000, usd, "no model judged, or a price is not known")


def _energy(run: RunView) -> Cell:
    facts = run.manifest.energy
    reason = "the model answers elsewhere" if facts is None else facts.reason or "measured for a part only"
    return _maybe(watt_hours(run), lambda one: f"{rate(one)} Wh", f"not measured: {reason}")


def _small(run: RunView) -> Cell:
    found = small_model(run)
    if found is None:
        return Cell(None, reason="the weights are not seen")
    verdict, device = found
    if verdict.verdict is None:
        return Cell(None, reason=f"{device}: {verdict.why}")
    return Cell("yes" if verdict.verdict else "no", "yes" if verdict.verdict else "no", note=f"{device}: {verdict.why}")


def _memory(run: RunView) -> Cell:
    facts = run.manifest.backend
    if facts is None or facts.memory_bytes is None:
        return Cell(None, reason="not measured: the engine's memory cannot be seen")
    return Cell(facts.memory_bytes, memory(facts.memory_bytes))


def _parameters(run: RunView) -> Cell:
    found = parameters_of(run)
    none = Cell(None, reason="neither weights nor configuration tell")
    return none if found is None else Cell(found, parameters(found))


def _hardware(run: RunView) -> Cell:
    return _word(hardware_of(run), f"not known: the answers are {where_of(run)}")


def _form(run: RunView) -> Cell:
    replies = [step for attempt in run.attempts for step in attempt.steps]
    if replies:
        return _maybe(sum(step.unreadable is None for step in replies) / len(replies), percent)
    if run.summary.calls_per_task is not None:
        return Cell(None, reason="the replies were not kept")
    return _maybe(well_formed(run.summary), percent, _NO_SCORE)


def _repair(run: RunView) -> Cell:
    found = run.summary.format
    back = found.points_repaired / run.summary.n_scored if found and run.summary.n_scored else None
    return _maybe(back, points, "repair reads no reply differently")


def _grammar(run: RunView) -> Cell:
    found, summary = run.summary.grammar, run.summary
    back = found.points_back * summary.trials / summary.n_scored if found and summary.n_scored else None
    return _maybe(back, points, "the misses were not put again under a grammar")


def _attack(run: RunView) -> Cell:
    part = run.summary.parts.get("attack_success")
    return _maybe(part.mean if part else None, percent, "nothing was injected")


def _agreement(run: RunView) -> Cell:
    found = run.summary.judging.agreement if run.summary.judging else None
    return _maybe(found.frac if found else None, percent, "no verdict was asked for in both orders")


def _judge_time(run: RunView) -> Cell:
    found = run.summary.judging
    return _maybe(found.seconds / found.calls if found else None, seconds, "no model judged")


def _judge_cost(run: RunView) -> Cell:
    found, n = run.summary.judging, run.summary.n_scored
    cost = found.cost_usd * 1000 / n if found and found.cost_usd is not None and n else None
    return _maybe(cost, usd, "no price of the judge is known" if found else "no model judged")


def _pass_k(pick: Callable[[Summary], tuple[PassK, ...]], k: int) -> Callable[[RunView], Cell]:
    def cell(run: RunView) -> Cell:
        found = next((one for one in pick(run.summary) if one.k == k), None)
        return _maybe(found.value if found else None, percent, f"fewer than {k} trials of each sample")

    return cell


def _rank(_: RunView) -> Cell:
    """Empty: a place needs the other runs, so `rows` fills it in."""
    return Cell(None)


_TTFT = _quantile(lambda summary: summary.ttft_s, "p50", _NOT_MEASURED)
_TTFT_95 = _quantile(lambda summary: summary.ttft_s, "p95", _NOT_MEASURED)
_TPOT = _quantile(lambda summary: summary.tpot_s, "p50", _NO_TOKENS)
_TPOT_95 = _quantile(lambda summary: summary.tpot_s, "p95", _NO_TOKENS)
_E2E = _quantile(lambda summary: summary.e2e_s, "p50", _NOT_MEASURED)
_E2E_95 = _quantile(lambda summary: summary.e2e_s, "p95", _NOT_MEASURED)
_TASK = _quantile(lambda summary: summary.task_s, "p50", "not a suite of agents' tasks")
_TASK_95 = _quantile(lambda summary: summary.task_s, "p95", "not a suite of agents' tasks")


COLUMNS: tuple[Column, ...] = (
    Column("model", "Model", "Run", "The model that answered; its button opens the conditions of the run.",
           lambda run: Cell(run.title.lower(), run.title), numeric=False),
    Column("protocol", "Protocol", "Run", "How the model is told of its tools and how its calls come back: prompted "
           "(free text), constrained (a grammar allows valid calls only) or native (the server's tool calling).",
           lambda run: Cell(run.summary.protocol, run.summary.protocol), numeric=False),
    Column("quantization", "Quant.", "Run", "How the weights are stored. Fewer bits: smaller, often faster, sometimes "
           "less accurate.", lambda run: _word(run.summary.quantization, "the server does not say"), numeric=False),
    Column("engine", "Engine", "Run", "The program that answered; build and settings are among the run's conditions.",
           lambda run: _word(engine_of(run), "the answers are on record"), numeric=False, extra=True),
    Column("where", "Where", "Run", "Who answers: a local engine, a hosted service, or a log.",
           lambda run: _word(where_of(run), ""), numeric=False, extra=True),
    Column("rank", "Rank", "Quality", "Place within its suite, by accuracy{by_traffic}. A span such as 1–3 is a tie: "
           "within it no order is decided, which does not prove the runs equal. They are compared sample by sample, "
           "all pairs together at 5 % (Holm); else intervals apart decide.", _rank, best="low"),
    Column("accuracy", "Accuracy", "Quality", "Mean value of the scored attempts, in per cent, with its interval. "
           "{rule}", _accuracy, best="high"),
    Column("traffic", "By traffic", "Quality", "Accuracy in per cent with each category counting by the calls of the "
           "log that it stands for. The interval shows on hover.", _traffic, best="high"),
    Column("n", "n", "Quality", "Number of scored attempts. What the infrastructure lost is neither scored nor counted "
           "here.", lambda run: Cell(run.summary.n_scored, f"{run.summary.n_scored:,}"), best="high"),
    Column("well_formed", "{form}", "Quality", "{form_rule}", _form, best="high"),
    Column("abstention", "Abstains", "Quality", "Of the samples that want no call: share that got none, in per cent.",
           _abstention, best="high"),
    Column("repair", "+ Repair", "Quality", "Percentage points of accuracy that JSON repair of the same replies would "
           "give back: lost to format.", _repair),
    Column("grammar", "+ Grammar", "Quality", "Percentage points of accuracy that came back when the misses were put "
           "again under a grammar: lost to format.", _grammar),
    Column("attack", "Attacked ↓", "Quality", "Attack success: share of attempts in which the agent did what an "
           "injected instruction wanted, in per cent. Lower is better: each one is a harm.", _attack, best="low"),
    Column("judge_agrees", "Judge agrees", "Quality", "Share of verdicts that the judging model gave alike in both "
           "orders of presentation, in per cent.", _agreement, best="high"),
    Column("replies", "Replies", "Speed", "Replies of the model per task: its steps.",
           lambda run: _maybe(run.summary.calls_per_task, rate, "not a suite of agents' tasks"), best="low"),
    Column("task_p50", "Task p50", "Speed", "From the first request of a task to its end, its tools included. Median "
           "over attempts.", _TASK, best="low"),
    Column("task_p95", "Task p95", "Speed", "Time of a task that 95 of 100 attempts stay under.", _TASK_95, best="low"),
    Column("ttft_p50", "TTFT p50", "Speed", "Time to first token: from the intended send to the first content, "
           "reasoning or tool-call token. Median over {replies}.", _TTFT, best="low"),
    Column("ttft_p95", "TTFT p95", "Speed", "Time to first token that 95 of 100 {replies} stay under.", _TTFT_95,
           best="low"),
    Column("tpot", "TPOT p50", "Speed", "Time per output token after the first: (last token − first token) / "
           "(output tokens − 1). Median over {replies}.", _TPOT, best="low"),
    Column("tpot_p95", "TPOT p95", "Speed", "Time per output token that 95 of 100 {replies} stay under.", _TPOT_95,
           best="low", extra=True),
    Column("e2e_p50", "e2e p50", "Speed", "End to end: from the intended send to the last byte. Median over {replies}.",
           _E2E, best="low"),
    Column("e2e_p95", "e2e p95", "Speed", "End-to-end time that 95 of 100 {replies} stay under.", _E2E_95, best="low"),
    Column("tokens", "Tokens/s", "Speed", "Output tokens per second of one reply after its first token. Median over "
           "{replies}.", _tokens, best="high"),
    Column("cost", "1k {units}", "Cost", "US dollars per 1,000 {units}. Failed tries are in it where a machine's time "
           "is paid; what a provider takes for them nobody tells.", _cost, best="low"),
    Column("success_cost", "1k successes", "Cost", "US dollars per 1,000 {units} worth 1: cost divided by the sum of "
           "values.", _success_cost, best="low"),
    Column("told_cost", "1k {units}, as told", "Cost", "US dollars per 1,000 {units} that the provider, litellm or the "
           "log says that they cost. Never part of what is computed at list price.", _told_cost),
    Column("judge_time", "Judge time", "Cost", "Mean time of one call of the judging model.", _judge_time, best="low"),
    Column("judge_cost", "Judge, 1k {units}", "Cost", "US dollars that the judging model takes for 1,000 {units}, "
           "besides what the judged one takes.", _judge_cost, best="low"),
    Column("judged_cost", "1k successes, judged", "Cost", "The same with what the judging model takes.", _judged_cost,
           best="low"),
    Column("energy", "Energy, 1k {units}", "Cost", "Watt-hours per 1,000 {units} by the counters of the processor's "
           "packages and of the cards, other programs included; the rest of the machine is not in it.", _energy,
           best="low"),
    Column("small", "Small?", "Needs", "Whether it is a small language model as Belcak et al. define one "
           "(arXiv:2506.02153): it fits a common consumer device, and is practical there for one user. Device and "
           "reason stand behind each value; the bounds are 2 s to the first token and 10 tokens a second.", _small,
           numeric=False),
    Column("parameters", "Params", "Needs", "Parameters of the model: of the weights as they were read, else as its "
           "configuration has it.", _parameters, best="low"),
    Column("memory", "Memory", "Needs", "Resident memory of the engine after loading the weights.", _memory,
           best="low"),
    Column("hardware", "Hardware", "Needs", "Processor, cores and memory of the machine that answered.", _hardware,
           numeric=False, extra=True),
    Column("licence", "Licence", "Needs", "Licence of the weights.",
           lambda run: _word(licence_of(run), "not in the configuration of the run"), numeric=False),
    Column("date", "Date", "Needs", "When the run started (UTC).",
           lambda run: _word(run.summary.started_at[:10], "not recorded"), numeric=False),
)  # fmt: skip
"""In the order of the page, with places for the words of a family."""


GENERAL: Final = {
    "unit": "attempt", "units": "attempts", "replies": "attempts, or replies of an agent", "rule": "", "form": "Form",
    "form_rule": "", "by_traffic": ", by traffic where the suite stands for some",
}  # fmt: skip
"""The words where tables of several families are spoken of."""


def columns_for(group: Group) -> tuple[Column, ...]:
    """The columns that say something about at least one run of the group, in the words of its family."""
    family = group.family
    form, form_rule = _FORMS.get(family.key, ("", ""))
    words = {
        "unit": family.unit,
        "units": family.units,
        "rule": family.rule,
        "replies": "replies" if family.key in {"agents", "sessions"} else "attempts",
        "form": form,
        "form_rule": form_rule,
        "by_traffic": " by traffic" if group.by_traffic else "",
    }
    runs = [*group.current, *group.older]
    found: list[Column] = []
    for column in COLUMNS:
        if (column.key == "protocol" and not group.by_protocol) or (column.key == "well_formed" and not form):
            continue
        if column.key in _ALWAYS or any(column.cell(run).sort is not None for run in runs):
            title, definition = column.title.format(**words), column.definition.format(**words)
            found.append(replace(column, title=title, definition=definition))
        if column.key == "n":
            found += _trial_columns(runs)
    return tuple(found)


def definitions(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    """Title, family and definition of every column shown; the family is empty where all mean the same."""
    shown = [(group, column) for group in groups for column in columns_for(group)]
    if len({group.family.key for group in groups}) == 1:
        return list(dict.fromkeys((column.title, "", column.definition) for _, column in shown))
    found: dict[tuple[str, str, str], None] = {}
    order = [column.key for column in COLUMNS]
    for group, column in sorted(shown, key=lambda one: order.index(one[1].key) if one[1].key in order else 6):
        plain = next((one for one in COLUMNS if one.key == column.key), None)
        if column.key in {"accuracy", "well_formed"}:
            found[(column.title, group.family.title, column.definition)] = None
        elif plain is None:
            found[(column.title, "", column.definition)] = None
        else:
            found[(plain.title.format(**GENERAL), "", plain.definition.format(**GENERAL))] = None
    return list(found)


def _trial_columns(runs: Sequence[RunView]) -> list[Column]:
    k = max((one.k for run in runs for one in run.summary.pass_hat), default=0)
    if k < 2:
        return []
    each, any_ = "Chance that {k} attempts at one sample {what}, in per cent: {why}", "Quality"
    return [
        Column("pass_at", f"pass@{k}", any_, each.format(k=k, what="hold at least one success", why="the best of them "
               "is what you get."), _pass_k(lambda summary: summary.pass_at, k), best="high"),
        Column("pass_hat", f"pass^{k}", any_, each.format(k=k, what="are all successes", why="what you can rely on."),
               _pass_k(lambda summary: summary.pass_hat, k), best="high"),
    ]  # fmt: skip
