"""The columns of the table: what each says, in which unit, and why a cell may be empty."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records import MissClass
from harness.records.summary import Quantiles, Summary
from harness.report.formats import memory, percent, rate, seconds, usd
from harness.report.view import RunView

__all__ = ["COLUMNS", "Cell", "Column", "abstention", "config_text", "well_formed"]

_NOT_MEASURED = "not measured"
_NO_SCORE = "no attempt was scored"
_NO_TOKENS = "not measured: no reply of two tokens or more"
_FORMAT_MISSES: tuple[MissClass, ...] = ("transport", "context_overflow", "length", "decode", "schema")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: how it sorts and how it reads. Nothing measured: no sort value, and the reason why."""

    sort: float | str | None
    text: str = "–"
    reason: str = ""


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


def well_formed(summary: Summary) -> float | None:
    """Share of scored attempts whose reply could be read and fits the tools' schema; None if none was scored."""
    if not summary.n_scored:
        return None
    return 1 - sum(summary.misses.get(miss, 0) for miss in _FORMAT_MISSES) / summary.n_scored


def abstention(summary: Summary) -> tuple[float, int] | None:
    """Share of samples that want no call and got none, with their number; None without such samples."""
    table = summary.decisions
    wanted = table.should_abstain_called + table.should_abstain_silent if table else 0
    return (table.should_abstain_silent / wanted, wanted) if table and wanted else None


def config_text(config: dict[str, JsonValue], *path: str) -> str | None:
    """The text or number at a path of a run's configuration; None if it is not there."""
    value: JsonValue = config
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _maybe(value: float | None, text: Callable[[float], str], reason: str = _NOT_MEASURED) -> Cell:
    return Cell(None, reason=reason) if value is None else Cell(value, text(value))


def _word(value: str | None, reason: str) -> Cell:
    return Cell(value.lower(), value) if value else Cell(None, reason=reason)


def _accuracy(run: RunView) -> Cell:
    return _maybe(run.summary.accuracy, percent, _NO_SCORE)


def _abstention(run: RunView) -> Cell:
    found = abstention(run.summary)
    return _maybe(found[0] if found else None, percent, "no sample of this run wants silence")


def _quantile(pick: Callable[[Summary], Quantiles | None], name: str, reason: str) -> Callable[[RunView], Cell]:
    def cell(run: RunView) -> Cell:
        found = pick(run.summary)
        return _maybe(None if found is None else float(getattr(found, name)), seconds, reason)

    return cell


def _tokens(run: RunView) -> Cell:
    return _maybe(run.summary.output_tokens_per_s, rate, _NO_TOKENS)


def _cost(run: RunView) -> Cell:
    cost = run.summary.cost_usd_per_sample
    return _maybe(None if cost is None else cost * 1000, usd, "not measured: no price is known")


def _success_cost(run: RunView) -> Cell:
    cost = run.summary.cost_usd_per_success
    known = run.summary.cost_usd is not None
    reason = "undefined: no success to divide by" if known else "not measured: no price is known"
    return _maybe(None if cost is None else cost * 1000, usd, reason)


def _memory(run: RunView) -> Cell:
    facts = run.manifest.backend
    if facts is None or facts.memory_bytes is None:
        return Cell(None, reason="not measured: the engine's memory cannot be seen")
    return Cell(facts.memory_bytes, memory(facts.memory_bytes))


def _licence(run: RunView) -> Cell:
    return _word(config_text(run.manifest.config, "model", "licence"), "not in the configuration of the run")


def _rank(_: RunView) -> Cell:
    """Empty: a place needs the other runs, so `rows` fills it in."""
    return Cell(None)


_TTFT = _quantile(lambda summary: summary.ttft_s, "p50", _NOT_MEASURED)
_TTFT_95 = _quantile(lambda summary: summary.ttft_s, "p95", _NOT_MEASURED)
_TPOT = _quantile(lambda summary: summary.tpot_s, "p50", _NO_TOKENS)
_E2E = _quantile(lambda summary: summary.e2e_s, "p50", _NOT_MEASURED)
_E2E_95 = _quantile(lambda summary: summary.e2e_s, "p95", _NOT_MEASURED)


COLUMNS: tuple[Column, ...] = (
    Column("model", "Model", "Run", "The model that answered; its button opens the conditions of the run.",
           lambda run: Cell(run.title.lower(), run.title), numeric=False),
    Column("protocol", "Protocol", "Run", "How the model is told of its tools and how its calls come back: prompted "
           "(free text), constrained (a grammar allows valid calls only) or native (the server's tool calling).",
           lambda run: Cell(run.summary.protocol, run.summary.protocol), numeric=False),
    Column("quantization", "Quant.", "Run", "How the weights are stored. Fewer bits: smaller, often faster, sometimes "
           "less accurate.", lambda run: _word(run.summary.quantization, "the server does not say"), numeric=False),
    Column("rank", "Rank", "Quality", "Place by accuracy within its suite. A span such as 1–3 means that intervals "
           "overlap: they do not decide the order within the span, and they do not prove the runs equal either.",
           _rank, best="low"),
    Column("accuracy", "Accuracy", "Quality", "Mean value of the scored attempts, in per cent, with its interval. "
           "A call counts only if tool, arguments and values are all right.", _accuracy, best="high"),
    Column("n", "n", "Quality", "Number of scored attempts. What the infrastructure lost is neither scored nor counted "
           "here.", lambda run: Cell(run.summary.n_scored, f"{run.summary.n_scored:,}"), best="high"),
    Column("well_formed", "Well-formed", "Quality", "Share of scored attempts whose reply could be decoded and fits "
           "the schema of the tools, in per cent. Not whether the call was right.",
           lambda run: _maybe(well_formed(run.summary), percent, _NO_SCORE), best="high"),
    Column("abstention", "Abstains", "Quality", "Of the samples that want no call: share that got none, in per cent.",
           _abstention, best="high"),
    Column("ttft_p50", "TTFT p50", "Speed", "Time to first token: from the intended send to the first content, "
           "reasoning or tool-call token. Median over attempts.", _TTFT, best="low"),
    Column("ttft_p95", "TTFT p95", "Speed", "Time to first token that 95 of 100 attempts stay under.", _TTFT_95,
           best="low"),
    Column("tpot", "TPOT p50", "Speed", "Time per output token after the first: (last token − first token) / "
           "(output tokens − 1). Median over attempts.", _TPOT, best="low"),
    Column("e2e_p50", "e2e p50", "Speed", "End to end: from the intended send to the last byte. Median over attempts.",
           _E2E, best="low"),
    Column("e2e_p95", "e2e p95", "Speed", "End-to-end time that 95 of 100 attempts stay under.", _E2E_95, best="low"),
    Column("tokens", "Tokens/s", "Speed", "Output tokens per second of one reply after its first token. Median over "
           "attempts.", _tokens, best="high"),
    Column("cost", "1k calls", "Cost", "US dollars per 1,000 calls, failed tries included.", _cost, best="low"),
    Column("success_cost", "1k successes", "Cost", "US dollars per 1,000 exact calls: cost divided by the sum of "
           "values.", _success_cost, best="low"),
    Column("memory", "Memory", "Needs", "Resident memory of the engine after loading the weights.", _memory,
           best="low"),
    Column("licence", "Licence", "Needs", "Licence of the weights.", _licence, numeric=False),
    Column("date", "Date", "Needs", "When the run started (UTC).",
           lambda run: _word(run.summary.started_at[:10], "not recorded"), numeric=False),
)  # fmt: skip
"""In the order of the page."""
