"""One run boiled down to the numbers that a program, a gate or a leaderboard reads."""

from typing import Literal

from pydantic import Field

from harness.records.attempt import FailureKind, Protocol, RecordedBy
from harness.records.base import Record
from harness.records.interval import Interval
from harness.records.score import MissClass
from harness.records.sequential import EarlyStop
from harness.records.survival import TrajectorySummary

__all__ = [
    "CachedAnswers",
    "CategorySummary",
    "Ceiling",
    "CostInterval",
    "DecisionTable",
    "FormatSummary",
    "GrammarSummary",
    "HumanAgreement",
    "Interval",
    "JudgeSummary",
    "OverflowSummary",
    "PartSummary",
    "Quantiles",
    "Rate",
    "RecordedAnswers",
    "RecordedCost",
    "Summary",
    "TrafficSummary",
]


class Ceiling(Record):
    """How often the model that a suite was recorded from agrees with itself: more than that no other model can show."""

    rate: float = Field(ge=0, le=1)
    """Chance that two of its answers to one request are the same action, by the suite's scorer."""
    interval: Interval
    n: int = Field(ge=1)
    """Requests that the log has more than once."""
    step_rate: float | None = Field(default=None, ge=0, le=1, exclude_if=lambda rate: rate is None)
    """Of a suite of whole sessions: the chance for one step. `rate` is then what it comes to over their steps, if each
    step is a chance of its own."""


class CostInterval(Record):
    """A two-sided interval of a cost in USD."""

    low: float = Field(ge=0)
    high: float | None
    """None: without a bound, since it is not shown that the model succeeds at all."""
    level: float = Field(gt=0, lt=1)
    method: str


class Quantiles(Record):
    """Order statistics of the measured attempts, in the unit of the field's name."""

    n: int = Field(ge=1)
    mean: float
    p50: float
    p95: float
    p99: float


class DecisionTable(Record):
    """The 2×2 of calling: what the target wanted against what the model did, over scored samples."""

    should_call_called: int = 0
    should_call_silent: int = 0
    should_abstain_called: int = 0
    should_abstain_silent: int = 0


class CategorySummary(Record):
    """Accuracy within one stratum of the suite."""

    n_samples: int
    n_scored: int
    accuracy: float | None
    interval: Interval | None
    traffic_frac: float | None = None
    """Share of the suite's traffic that it stands for; None for a suite that stands for none."""
    title: str | None = Field(default=None, exclude_if=lambda title: title is None)
    """What people call it, where its name is only an id: a cluster of logs."""


class TrafficSummary(Record):
    """Accuracy over the traffic that the samples stand for, each category (a cluster of the logs) by its calls."""

    accuracy: float = Field(ge=0, le=1)
    interval: Interval
    covered_frac: float = Field(gt=0, le=1)
    """Share of the suite's traffic in categories with a scored sample: what the accuracy speaks of."""
    calls: float = Field(gt=0)
    """Logged calls that the whole suite stands for."""
    effective_n: float = Field(ge=1)
    """Independent samples of equal weight that these are worth, if samples of one session are all alike."""


class OverflowSummary(Record):
    """Samples whose prompt does not fit into the model's context."""

    n: int = Field(ge=1)
    of: int = Field(ge=1)
    """Samples with a finished attempt."""
    traffic_frac: float | None
    """Share of the traffic that they stand for; None for a suite that stands for none."""
    text_frac: float
    """Share of all prompts' text, in characters of messages and tools."""
    context_tokens: int | None
    """Of the engine; None where it does not say."""


class PartSummary(Record):
    """Mean of one of the scorer's partial results, over the samples that have it."""

    n_samples: int = Field(ge=1)
    mean: float
    interval: Interval | None = None


class Rate(Record):
    """Passed of all, over the whole run: instructions of all prompts, for example."""

    passed: int = Field(ge=0)
    of: int = Field(ge=1)

    @property
    def frac(self) -> float:
        """Share of what passed."""
        return self.passed / self.of


class PassK(Record):
    """Mean over samples of an estimate from their trials, with the samples that had at least k."""

    k: int = Field(ge=1)
    value: float
    interval: Interval | None = None
    n_samples: int = Field(ge=1)


class FormatSummary(Record):
    """How many of the lost points are format: what the same replies would be worth after JSON repair."""

    points_lost: float
    """Sum over scored attempts of 1 − value."""
    points_repaired: float
    """Part of them that JSON repair gives back."""
    n_repaired: int
    """Attempts that repair makes worth more."""
    points_lucky: float = 0.0
    """Points that repair would take away: calls where none was wanted, which nobody could read."""


class GrammarSummary(Record):
    """What a grammar gives back and costs, on the samples that were missed without one and put again under it."""

    run: str
    """Folder of the re-run."""
    n_samples: int
    points_back: float
    """What these samples gain in value under the grammar, summed over those that gain, per trial: in samples."""
    ttft_s: float | None
    """Median of TTFT with minus without, sample by sample: what compiling the grammar costs."""
    tpot_s: float | None
    """Median of TPOT with minus without: what each token costs more."""
    e2e_s: float | None
    """Median of e2e with minus without; the replies differ in length, too."""


class HumanAgreement(Record):
    """A judge beside people, on recorded answers that people labelled; and the run's mean put right by it."""

    n: int = Field(ge=1)
    """Labelled answers that the judge judged too."""
    same: float
    """Share of them that both hold for right, or both for wrong, from 0.5 on."""
    same_interval: Interval
    kappa: float | None
    """Cohen's, with quadratic weights where there are grades; null where both always say the same one thing."""
    kappa_interval: Interval | None
    spearman: float | None
    spearman_interval: Interval | None
    bias: float
    """Mean of judge − person: above 0 the judge is lenient."""
    corrected: float | None
    """Mean of the judged answers less the bias, as prediction-powered inference has it; valid if the judge errs on this
    model's answers as on the recorded ones. Null with fewer than 2 labels, or where sessions tie samples together."""
    corrected_interval: Interval | None


class JudgeSummary(Record):
    """What the model that judged took, beside what the judged model took."""

    calls: int
    seconds: float
    cost_usd: float | None
    agreement: Rate | None = None
    """Verdicts that were the same in both orders of presentation."""
    human: HumanAgreement | None = None
    """None where no sample carries a person's label."""


class CachedAnswers(Record):
    """How many attempts were answered from the cache of replies, and when those answers were made."""

    n: int = Field(ge=1)
    of: int = Field(ge=1)
    """Finished attempts."""
    first: str
    """Date of the oldest, UTC."""
    last: str


class RecordedAnswers(Record):
    """How many attempts are a log's own answers, and what their latencies are."""

    n: int = Field(ge=1)
    of: int = Field(ge=1)
    """Finished attempts."""
    models: tuple[str, ...]
    """Who gave them, most answers first."""
    n_e2e: int = 0
    """Those with an end-to-end time on record."""
    n_ttft: int = 0
    """Those with a time to the first token on record."""
    latency_sources: tuple[str, ...] = ()
    """What the log says that its latencies were taken from."""


class RecordedCost(Record):
    """What others say that the answers cost, summed; never added to what is computed here."""

    usd: float = Field(ge=0)
    n: int = Field(ge=1)
    """Attempts that somebody gave a cost for."""
    by: tuple[RecordedBy, ...]
    computed_usd: float | None = None
    """What the same attempts cost at list price; None where one of them has none."""


class Summary(Record):
    """What one run measured. A null is something that was not measured; 0 is a measured zero."""

    schema_version: Literal[1] = 1
    run: str
    """Name of the run folder."""
    suite: str
    suite_hash: str
    model: str
    model_title: str
    protocol: Protocol
    backend: str
    quantization: str | None
    trials: int
    started_at: str
    """ISO 8601, UTC."""
    wall_s: float | None
    """Busy wall-clock seconds over all sittings of the run, warm-up and start-up excluded."""
    complete: bool

    n_planned: int
    """Attempts planned: samples × trials."""
    n_samples: int
    """Distinct samples with a finished attempt."""
    n_scored: int
    """Attempts with a value, model failures (value 0) among them."""
    n_failed: int
    """Attempts lost to the infrastructure: unscored."""
    n_model_failures: int
    """Attempts without a usable reply by the model's own fault: scored 0, counted in n_scored."""
    n_not_run: int
    """Planned attempts without an outcome: n_planned = n_scored + n_failed + n_unscored + n_not_run."""
    n_unscored: int = 0
    """Attempts with a reply that has no value of its own: a metric over the whole corpus, for example."""

    accuracy: float | None
    """Mean value of the scored attempts."""
    accuracy_interval: Interval | None
    traffic: TrafficSummary | None = None
    """The accuracy by traffic; None for a suite whose samples stand for nothing but themselves."""
    overflow: OverflowSummary | None = None
    """None where every prompt fits."""
    by_category: dict[str, CategorySummary]
    misses: dict[MissClass, int]
    """Scored attempts below 1 by where they were lost."""
    failures: dict[FailureKind, int]
    """Attempts without a usable reply, by kind, of either boundary."""
    ceiling: Ceiling | None = None
    """Of a suite from logs: what the accuracy is to be held against."""
    trajectories: TrajectorySummary | None = Field(default=None, exclude_if=lambda found: found is None)
    """Of a suite of whole sessions: how far they go along with the record."""
    decisions: DecisionTable | None
    """Call or no call, for tool suites."""
    parts: dict[str, PartSummary] = Field(default_factory=dict)
    """The scorer's partial results by name."""
    rates: dict[str, Rate] = Field(default_factory=dict)
    """Counts of the scorer over all samples, by name."""
    pass_at: tuple[PassK, ...] = ()
    """Unbiased pass@k for k = 1 .. the trials that every sample has, where every value is 0 or 1."""
    pass_hat: tuple[PassK, ...] = ()
    """pass^k likewise: the chance that k attempts all pass."""
    format: FormatSummary | None = None
    """None where repair reads no reply differently."""
    grammar: GrammarSummary | None = None
    """None where the misses were not put again (`run.recheck=constrained`)."""
    judging: JudgeSummary | None = None
    calls_per_task: float | None = None
    """Replies of the model per attempt, for agents' tasks."""
    task_s: Quantiles | None = None
    """From the first request of an agent's task to its end, its tools included. The latencies below are per reply."""

    ttft_s: Quantiles | None
    """Intended send to the first content, reasoning or tool-call token."""
    ttft_content_s: Quantiles | None = None
    """The same to the first token of the answer's text."""
    ttft_reasoning_s: Quantiles | None = None
    """The same to the first reasoning token."""
    ttft_tool_s: Quantiles | None = None
    """The same to the first token of a native tool call."""
    ttft_cold_s: Quantiles | None = None
    """`ttft_s` of attempts whose prompt was computed, less than half of its tokens cached."""
    ttft_warm_s: Quantiles | None = None
    """`ttft_s` of attempts with at least half of the prompt's tokens cached."""
    queue_s: Quantiles | None = None
    """Wait at the server before and around its service, where it reports its own times (an upper bound)."""
    tpot_s: Quantiles | None
    """(last token − first token) / (output tokens − 1), per attempt with at least two tokens."""
    tpot_with_first_s: Quantiles | None
    """(last token − send) / output tokens: the convention that counts the first token in."""
    e2e_s: Quantiles | None
    """Intended send to the last byte."""
    output_tokens_per_s: float | None
    """Median over attempts of (output tokens − 1) / (last token − first token)."""
    system_tokens_per_s: float | None
    """All output tokens / wall_s."""
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None

    cost_usd: float | None
    cost_usd_per_call: float | None = None
    """cost_usd / replies: as per sample, but for agents, who call several times."""
    cost_usd_per_sample: float | None
    """cost_usd / finished attempts."""
    cost_usd_per_sample_interval: CostInterval | None = None
    cost_usd_per_success: float | None
    """cost_usd / sum of values; null without a success."""
    cost_usd_per_success_interval: CostInterval | None = None
    judged_cost_usd_per_success: float | None = None
    """The same with what the judging model cost; null where no model judged or one of both costs is not known."""
    energy_joules: float | None = None
    """Of the processor's packages and the cards while the clock ran, other programs included; null if not measured."""
    cost_basis: str | None
    """One line: which prices or which hardware the cost was computed from."""
    batch_cost_usd: float | None = None
    """The same tokens at the prices of the provider's batch service; null where one answer has no such price."""
    recorded_cost: RecordedCost | None = None
    """Beside `cost_usd`, from other hands."""
    spent_usd: float | None = None
    """What this run paid of `cost_usd`: answers from the cache or on record cost nothing now. Null as `cost_usd` is."""
    n_cached: int = 0
    """Attempts answered from the cache of replies: their times are in no figure above."""
    cached: CachedAnswers | None = None
    recorded: RecordedAnswers | None = None
    """Set where answers are a log's own: the times above are then those of the log, not measured here."""

    early: EarlyStop | None = None
    """Of a run with `run.stop=verdict`: what became certain and what was saved. The intervals of its accuracy hold at
    every look then; a test for a fixed number of samples does not."""
    unfit: str | None = None
    """Why this run is not to be ranked: what was measured is a broken template or parser, not the model."""
    of_run: str | None = None
    """Folder of the run whose misses alone were put again here: not to be ranked either."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before believing a number above."""
