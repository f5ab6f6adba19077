"""What the score of each run is made of: partial results and rates, each with its interval, measure by measure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.records.score import HUMAN, HUMAN_JUDGED, JUDGED
from harness.records.summary import Interval, Rate, Summary
from harness.report.breakdown import HeatCell, HeatMap
from harness.report.formats import counted, percent, share_text
from harness.report.view import RunView
from harness.stats.proportion import effective_n, korn_graubard

__all__ = [
    "LABELS",
    "MEASURES",
    "Measure",
    "MeasureCell",
    "MeasureTable",
    "cells_of",
    "is_kind",
    "kind_map",
    "measure_of",
    "measure_table",
]


@dataclass(frozen=True, slots=True)
class Measure:
    """A name in `Summary.parts` or `Summary.rates`, as people read it."""

    label: str
    meaning: str = ""
    lower: bool = False
    """Whether less is better."""
    keep: bool = False
    """Whether it is shown though it only repeats the accuracy."""


_ALIKE: Final = "judge_as_people"
_CORRECTED: Final = "corrected_by_people"

MEASURES: Final[dict[str, Measure]] = {
    "decoded": Measure("decoded", "the reply could be read as calls"),
    "decision": Measure("right decision", "a call where one is wanted, none where none is"),
    "tools": Measure("right tools", "the right tools were called"),
    "arguments": Measure("right arguments", "share of the arguments that are right"),
    "prompt_strict": Measure("prompts, strict", "every instruction of the prompt followed, to the letter", keep=True),
    "prompt_loose": Measure("prompts, loose", "the same, with leniency for a first or last line and for asterisks"),
    "instruction_strict": Measure("instructions, strict", "instructions followed, to the letter"),
    "instruction_loose": Measure("instructions, loose", "instructions followed, with leniency"),
    "base": Measure("base tests", "passes the tests of the data set", keep=True),
    "extra": Measure("with extra tests", "passes the further tests, too"),
    "plan_coverage": Measure("plan covered", "calls of the reference plan that were made, arguments included"),
    "plan_order": Measure("plan in order", "longest common run of tools with the plan, over the longer of the two"),
    "plan_length": Measure("plan length", "shorter over longer number of calls: 1 is as many as the plan has"),
    "readable": Measure("readable replies", "replies of the agent whose calls could be read, or that held none"),
    "called": Measure("acted at all", "tasks with a plan in which at least one tool was called"),
    "recovered": Measure("recovered", "task done although a tool was disturbed on purpose", keep=True),
    "retried": Measure("tried again", "a call that was disturbed on purpose was made again"),
    "learned": Measure("learned", "of the tasks that failed: done at the second try, after the checker's message"),
    "done_after_feedback": Measure("done, with feedback", "task done at the first try or after the checker's message"),
    "turns_done": Measure("turns done", "turns in order that end as they should, until the first that does not"),
    "depth": Measure("depth", "share of a session's steps that were as on record before the first that was not"),
    "first_step": Measure("first step", "sessions whose first step is as on record"),
    "end_state": Measure("right end state", "the world is as the reference leaves it, however it came about"),
    "kept_quiet": Measure("kept quiet", "turns that want no call and got none"),
    "valid_json": Measure("valid JSON", "the answer can be parsed as JSON"),
    "valid_schema": Measure("fits the schema", "the answer fulfils the JSON schema"),
    "fields": Measure("right fields", "fields that equal the accepted ones"),
    "token_f1": Measure("token F1", "overlap of words with the nearest accepted answer"),
    "rouge_1": Measure("ROUGE-1", "F1 over words"),
    "rouge_2": Measure("ROUGE-2", "F1 over pairs of words"),
    "rouge_l": Measure("ROUGE-L", "F1 over the longest common run of words"),
    "cosine": Measure("similarity", "cosine of the embeddings with the nearest accepted answer"),
    JUDGED: Measure("judged", "what the judging model gave the answers"),
    _ALIKE: Measure("judge as people", "recorded answers that the judge and people hold for right or wrong alike"),
    _CORRECTED: Measure(
        "judged, put right by people",
        "what the judge gave, less its bias beside people (prediction-powered inference)",
    ),
    "utility": Measure("task done", "the user's task was done"),
    "utility_under_attack": Measure(
        "task done under attack",
        "the user's task was done although a tool's result carried an injected instruction",
        keep=True,
    ),
    "attack_success": Measure(
        "attack succeeded", "the agent did what the injected instruction wanted: each one is a harm", lower=True
    ),
}
"""Those that have a meaning known here, in the order of the page; others stand below under their own name."""


@dataclass(frozen=True, slots=True)
class MeasureCell:
    """One run's value of a measure; None where it has none."""

    run: str
    value: float | None = None
    interval: Interval | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """The value in per cent."""
        return "–" if self.value is None else percent(self.value)


@dataclass(frozen=True, slots=True)
class MeasureTable:
    """Measures down, runs across."""

    runs: tuple[RunView, ...]
    rows: tuple[tuple[str, Measure, tuple[MeasureCell, ...]], ...]


LABELS: Final = frozenset({HUMAN, HUMAN_JUDGED})
"""Labels of recorded answers: told by `Summary.judging.human`, not measures of the run."""


def measure_of(name: str) -> Measure:
    """The measure of that name; of one unknown here its name as words."""
    return MEASURES.get(name) or Measure(name.replace("_", " "))


def measure_table(runs: Sequence[RunView]) -> MeasureTable:
    """Every partial result and rate that any of the runs has; those that only repeat the accuracy are left out."""
    found = [cells_of(run) for run in runs]
    known = list(MEASURES)
    names = sorted(
        dict.fromkeys(name for cells in found for name in cells if not is_kind(name)),
        key=lambda name: known.index(name) if name in known else len(known),
    )
    rows = []
    for name in names:
        if measure_of(name).keep or not all(
            _repeats(run.summary, cells.get(name)) for run, cells in zip(runs, found, strict=True)
        ):
            cells = tuple(each.get(name) or MeasureCell(run.id) for run, each in zip(runs, found, strict=True))
            rows.append((name, measure_of(name), cells))
    return MeasureTable(tuple(runs), tuple(rows))


def is_kind(name: str) -> bool:
    """Whether a rate is that of one kind of instruction, `strict:keywords:existence`: a table of their own."""
    return name.startswith(("strict:", "loose:"))


def kind_map(runs: Sequence[RunView]) -> HeatMap:
    """How often each kind of instruction was followed, kinds down, runs across; no rows where there are none."""
    names = sorted({name for run in runs for name in run.summary.rates if is_kind(name)})
    rows = []
    for name in names:
        cells = []
        for run in runs:
            rate = run.summary.rates.get(name)
            note = f"{rate.passed:,} of {rate.of:,} followed" if rate else "none of this kind"
            cells.append(HeatCell(run.id, name, rate.frac if rate else None, rate.of if rate else 0, note))
        rows.append((name.partition(":")[2], tuple(cells)))
    return HeatMap(tuple(runs), tuple(rows))


def cells_of(run: RunView) -> dict[str, MeasureCell]:
    """The partial results and rates of a run by name. Where one name is both, the rate counts: it weighs each count."""
    found = {}
    for name, part in run.summary.parts.items():
        if name in LABELS:
            continue
        note = f"mean over {counted(part.n_samples, 'sample')}{_between(part.interval)}"
        found[name] = MeasureCell(run.id, part.mean, part.interval, note)
    for name, rate in run.summary.rates.items():
        if name in LABELS:
            continue
        interval = _rate_interval(run, name, rate)
        note = f"{rate.passed:,} of {rate.of:,}{_between(interval)}"
        found[name] = MeasureCell(run.id, rate.frac, interval, note)
    return found | _beside_people(run)


def _beside_people(run: RunView) -> dict[str, MeasureCell]:
    """The judge beside people, and the accuracy put right by it; nothing without people's labels."""
    human = run.summary.judging.human if run.summary.judging else None
    if human is None:
        return {}
    words = [f"{counted(human.n, 'labelled answer')}{_between(human.same_interval)}", f"bias {human.bias:+.2f}"]
    words += [f"kappa {human.kappa:.2f}"] if human.kappa is not None else []
    words += [f"Spearman {human.spearman:.2f}"] if human.spearman is not None else []
    found = {_ALIKE: MeasureCell(run.id, human.same, human.same_interval, ", ".join(words))}
    if human.corrected is not None:
        interval = human.corrected_interval
        value = min(1.0, max(0.0, human.corrected))
        note = f"the judge's mean less its bias of {human.bias:+.2f}{_between(interval)}"
        found[_CORRECTED] = MeasureCell(run.id, value, interval, note)
    return found


def _rate_interval(run: RunView, name: str, rate: Rate) -> Interval | None:
    """The interval of a rate, as wide as if the counts of one sample were one count; None without the lines."""
    sizes: Counter[str] = Counter()
    for score in run.scores:
        if score.value is not None and name in score.counts:
            sizes[score.sample] += score.counts[name][1]
    counts = [size for size in sizes.values() if size]
    return korn_graubard(rate.frac, effective_n(counts)) if counts else None


def _between(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f", {interval.level * 100:g} % interval {share_text(interval.low, interval.high)}"


def _repeats(summary: Summary, cell: MeasureCell | None) -> bool:
    if cell is None or cell.value is None:
        return True
    same = summary.accuracy is not None and abs(cell.value - summary.accuracy) < 1e-9
    return same and summary.n_scored == summary.n_samples * summary.trials
