"""The data sheet of a suite from logs: where it comes from, what was removed, what is in it, what is wrong with it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Final

import yaml

from harness.config.building import BuildOptions
from harness.records import ReplayTarget, Sample, TrajectoryTarget
from harness.records.call import Call
from harness.records.curated import CuratedManifest
from harness.scorers.replay_values import is_free_text
from harness.suite.build_pick import Stratum
from harness.suite.spec import SuiteSpec

__all__ = ["Facts", "data_sheet", "listed", "period_told", "prompts_told", "redaction_told"]

_CONTEXTS: Final = (2_048, 4_096, 8_192, 32_768)


@dataclass(slots=True)
class Facts:
    """What was counted while the suite was made."""

    read: int = 0
    elsewhere: int = 0
    """Calls of splits that the suite does not hold."""
    repeated: int = 0
    """Calls whose very request is another sample's."""
    unfit: Counter[str] = field(default_factory=Counter)
    """Calls left out, by reason."""
    families: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    wants: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    params: Counter[str] = field(default_factory=Counter)
    sessions: set[str] = field(default_factory=set)
    unlabelled_sessions: int = 0
    several: int = 0
    """Samples with more than one answer that counts."""
    free_text: int = 0
    """String arguments of references that count as free text."""
    arguments: int = 0
    """All arguments of references."""
    renamed: int = 0
    """Samples with a tool whose logged name providers refuse."""
    thoughts: int = 0
    """Samples whose history holds reasoning, which is not asked again."""
    prompts: list[int] = field(default_factory=list)
    """Prompt tokens by the log."""
    first: float | None = None
    last: float | None = None
    lengths: list[int] = field(default_factory=list)
    """Steps of each session, of a suite of sessions; so are the next two."""
    from_history: int = 0
    """Steps that no call of the curated folder tells of."""
    unstable: int = 0
    """Steps to whose request the log has several answers."""

    def see(self, call: Call, sample: Sample) -> None:
        """Counts a sample and the call that it is made of."""
        target = sample.target
        assert isinstance(target, ReplayTarget)
        self.see_call(call)
        self.families[call.family] += 1
        self.wants[target.wants] += 1
        self.rules["calls" if target.wants == "call" else target.text] += 1
        self.splits[sample.split] += 1
        self.params.update(sample.params.keys())
        self.several += len(target.references) > 1
        self.renamed += any(tool.name != logged["name"] for tool, logged in zip(sample.tools, call.tools, strict=True))
        if call.session is None:
            self.unlabelled_sessions += 1
        else:
            self.sessions.add(call.session)
        for made in target.references[0].calls:
            schemas = next((tool.parameters.get("properties") for tool in sample.tools if tool.name == made.name), None)
            for name, value in made.arguments.items():
                schema = schemas.get(name) if isinstance(schemas, dict) else None
                self.arguments += 1
                known = schema if isinstance(schema, dict) else {}
                self.free_text += isinstance(value, str) and is_free_text(name, value, known)

    def add(self, other: "Facts") -> None:
        """Adds what was counted of calls that come after these."""
        for one in fields(self):
            own, more = getattr(self, one.name), getattr(other, one.name)
            if isinstance(own, Counter | set):
                own.update(more)
            elif one.name not in {"first", "last"}:
                setattr(self, one.name, own + more)
        self.first = min((at for at in (self.first, other.first) if at is not None), default=None)
        self.last = max((at for at in (self.last, other.last) if at is not None), default=None)

    def see_call(self, call: Call) -> None:
        """Counts what a call says of itself, whichever sample it is part of."""
        self.labels[call.reference.label] += 1
        self.thoughts += any("reasoning" in message for message in call.messages)
        self.models[call.model or "not logged"] += 1
        if call.usage.prompt_tokens is not None:
            self.prompts.append(call.usage.prompt_tokens)
        if call.at is not None:
            self.first = call.at if self.first is None else min(call.at, self.first)
            self.last = call.at if self.last is None else max(call.at, self.last)

    def see_session(self, sample: Sample, from_history: int, *, renamed: bool) -> None:
        """Counts a session; its calls are seen one by one besides."""
        target = sample.target
        assert isinstance(target, TrajectoryTarget)
        self.lengths.append(len(target.steps))
        self.from_history += from_history
        self.unstable += sum(len(step.target.references) > 1 for step in target.steps)
        self.renamed += renamed


def data_sheet(
    spec: SuiteSpec, manifest: CuratedManifest, options: BuildOptions, strata: Sequence[Stratum], facts: Facts
) -> str:
    """The page, as Markdown."""
    parts = (
        f"# {spec.name}\n\n{spec.description} Each is asked with the messages, tools and settings of the log, and the "
        "action is held against the one on record (docs/replay.md).",
        _provenance(spec, manifest, facts),
        redaction_told(manifest),
        _contents(strata, facts, int(str(spec.built["needed_per_cluster"])), options),
        _rules(options, facts),
        _ceiling(spec),
        _limits(facts),
    )
    return "\n\n".join(parts) + "\n"


def _provenance(spec: SuiteSpec, manifest: CuratedManifest, facts: Facts) -> str:
    lines = [
        f"- Curated calls `{manifest.name}`, made {manifest.made} (manifest SHA-256 `{spec.built['calls_manifest']}`, "
        f"records `{manifest.records_hash}`). {manifest.read:,} logged calls were read there, {manifest.kept:,} kept.",
        f"- {facts.read:,} curated calls read here; {facts.elsewhere:,} of other splits, {facts.repeated:,} whose very "
        f"request is another sample's, {facts.unfit.total():,} that cannot be asked again.",
        f"- Sent: {period_told(facts)}. Answered by: {listed(facts.models)}.",
        f"- `samples.jsonl` has the SHA-256 `{spec.built['samples.jsonl']}`.",
    ]
    if facts.unfit:
        lines.append(f"- Left out: {listed(facts.unfit)}.")
    return "## Provenance\n\n" + "\n".join(lines)


def period_told(facts: Facts) -> str:
    """The first and the last day of the calls."""
    if facts.first is None or facts.last is None:
        return "not logged"
    return " to ".join(datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%d") for one in (facts.first, facts.last))


def redaction_told(manifest: CuratedManifest) -> str:
    """What the curated folder says of its redaction, as a section."""
    told = yaml.safe_dump(dict(manifest.redaction), sort_keys=True, allow_unicode=True).strip() or "nothing is said"
    return f"## Redaction\n\nAs the curated folder says:\n\n```yaml\n{told}\n```"


def _contents(strata: Sequence[Stratum], facts: Facts, needed: int, options: BuildOptions) -> str:
    rows = [
        f"| {one.title.replace('|', '/')} | {one.split} | {one.traffic:,} | {one.usable:,} | {len(one.taken):,} |"
        f" {'yes' if len(one.taken) >= needed else 'no'} |"
        for one in strata
    ]
    sessions = f"{len(facts.sessions):,} sessions" + (
        f" and {facts.unlabelled_sessions:,} samples without one" if facts.unlabelled_sessions else ""
    )
    floor = f"{needed:,} pairs show, with power {options.power:g}, that no loss of {options.margin:g} is there"
    lines = [
        "| cluster | split | logged calls | can be asked | taken | enough alone |",
        "|---|---|---:|---:|---:|---|",
        *rows,
        "",
        f"{floor} (one-sided {options.alpha:g}), if a share of {options.discordant:g} of the pairs differs and neither "
        "model is better. Clusters with fewer samples need others beside them, or more logs. `weight` of a sample is "
        "the number of logged calls that it stands for.",
        "",
        f"- Splits: {listed(facts.splits)}; {sessions}.",
        f"- Families: {listed(facts.families)}. Decision on record: {listed(facts.wants)}.",
        f"- Why an answer counts as right: {listed(facts.labels)}.",
        f"- Asked as logged: {listed(facts.params) or 'nothing beside messages and tools'}.",
        prompts_told(facts.prompts),
    ]
    return "## What is in it\n\n" + "\n".join(lines)


def prompts_told(tokens: Sequence[int]) -> str:
    """How long the prompts are, as a line of a list."""
    if not tokens:
        return "- The log counts no prompt tokens."
    ordered = sorted(tokens)
    over = ", ".join(f"{sum(one > size for one in ordered) / len(ordered):.0%} beyond {size:,}" for size in _CONTEXTS)
    middle, most = ordered[len(ordered) // 2], ordered[-1]
    return f"- Prompt tokens by the log (its model's tokenizer): median {middle:,}, most {most:,}; {over}."


def _rules(options: BuildOptions, facts: Facts) -> str:
    rouge = f"`rouge` is ROUGE-L F1 of {options.threshold:g} or more"
    free = (
        f"in equal normal form, or with a token F1 of {options.free_text:g} or more"
        if options.free_text is not None
        else "in equal normal form"
    )
    several = {
        "any": "any of them counts",
        "drop": "such requests are left out",
    }[options.unstable]
    return "\n".join(
        (
            "## When a step counts",
            "",
            "- The same decision, the same calls in any order, each argument by its schema.",
            f"- {facts.free_text:,} of {facts.arguments:,} arguments are free text: right {free}. The part `exact` has "
            "the share of steps without that allowance.",
            f"- Samples by rule: {listed(facts.rules)}. `decision` takes any words where nothing is called; {rouge}.",
            f"- Several answers on record ({facts.several:,} samples): {several}.",
        )
    )


def _ceiling(spec: SuiteSpec) -> str:
    found = spec.ceiling
    if found is None:
        told = "No request occurs twice in these logs: how far their model agrees with itself is not known."
    else:
        told = (
            f"Two answers of the log's model to one request are the same action in {found.rate:.1%} of cases "
            f"({found.interval.level:.0%} interval {found.interval.low:.1%} to {found.interval.high:.1%}, "
            f"{found.n:,} repeated requests of all splits). A model that scores near this is as near to the log as the "
            "log's own model. Repeated requests may be easier, or harder, than the rest."
        )
    return f"## How far the incumbent agrees with itself\n\n{told}"


def _limits(facts: Facts) -> str:
    lines = [
        "- The answer on record is what a model did, not the truth, unless its label says otherwise. Another good "
        "action counts as a miss.",
        "- Each step is asked with the log's own history: errors do not add up as they would in a whole session.",
        "- The thresholds for free text and ROUGE-L are stated, not checked against people on these logs.",
        "- Redaction changes texts; arguments that repeat a redacted value carry its pseudonym.",
    ]
    if facts.renamed:
        lines.append(f"- {facts.renamed:,} samples have a tool whose logged name services refuse; it was changed.")
    if facts.thoughts:
        lines.append(f"- {facts.thoughts:,} samples had reasoning in their history, which is not asked again.")
    return "## Known limits\n\n" + "\n".join(lines)


def listed(counts: Mapping[str, int] | Iterable[tuple[str, int]]) -> str:
    """Names with their counts, most first."""
    ordered = Counter(dict(counts)).most_common()
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
