"""The data sheet of a suite of sessions: where they come from, how far each goes, and what no number of it can say."""

from collections.abc import Sequence
from statistics import median

from harness.config.building import BuildOptions
from harness.records.curated import CuratedManifest
from harness.suite.build_pick import Stratum
from harness.suite.build_sheet import Facts, listed, period_told, prompts_told, redaction_told
from harness.suite.build_trajectory import Sessions
from harness.suite.spec import SuiteSpec

__all__ = ["session_sheet"]


def session_sheet(
    spec: SuiteSpec, manifest: CuratedManifest, options: BuildOptions, strata: Sequence[Stratum], facts: Facts,
    sessions: Sessions,
) -> str:  # fmt: skip
    """The page, as Markdown."""
    parts = (
        f"# {spec.name}\n\n{spec.description} The model chooses each step, and its calls are given the "
        "results on record (docs/trajectory.md). No tool runs.",
        _provenance(spec, manifest, facts, sessions),
        redaction_told(manifest),
        _contents(spec, strata, facts, options),
        _rules(options),
        _ceiling(spec),
        _limits(facts),
    )
    return "\n\n".join(parts) + "\n"


def _provenance(spec: SuiteSpec, manifest: CuratedManifest, facts: Facts, sessions: Sessions) -> str:
    lines = [
        f"- Curated calls `{manifest.name}`, made {manifest.made} (manifest SHA-256 `{spec.built['calls_manifest']}`, "
        f"records `{manifest.records_hash}`). {manifest.read:,} logged calls were read there, {manifest.kept:,} kept.",
        f"- {facts.read:,} curated calls read here, {facts.elsewhere:,} of other splits, {sessions.links.alone:,} "
        "without a session. A call belongs to a session's sample if its history and answer are how a later one's "
        "history begins, with the same tools and settings; where that breaks off, another sample begins.",
        f"- Sent: {period_told(facts)}. Answered by: {listed(facts.models)}.",
        f"- `samples.jsonl` has the SHA-256 `{spec.built['samples.jsonl']}`.",
    ]
    if sessions.unfit:
        lines.append(f"- Left out: {listed(sessions.unfit)}.")
    if sessions.broken:
        lines.append(f"- Ended before the log ends, by what comes next: {listed(sessions.broken)}.")
    return "## Provenance\n\n" + "\n".join(lines)


def _contents(spec: SuiteSpec, strata: Sequence[Stratum], facts: Facts, options: BuildOptions) -> str:
    needed = int(str(spec.built["needed_per_cluster"]))
    rows = [
        f"| {one.title.replace('|', '/')} | {one.split} | {one.traffic:,} | {one.usable:,} | {len(one.taken):,} |"
        f" {'yes' if len(one.taken) >= needed else 'no'} |"
        for one in strata
    ]
    lines = [
        "| cluster of the first call | split | logged calls | sessions | taken | enough alone |",
        "|---|---|---:|---:|---:|---|",
        *rows,
        "",
        f"{needed:,} sessions show, with power {options.power:g}, that no loss of {options.margin:g} is there "
        f"(one-sided {options.alpha:g}), if a share of {options.discordant:g} of the pairs differs and neither model "
        "is better. `weight` of a sample is the number of logged calls that it stands for.",
        "",
        f"- {len(facts.lengths):,} sessions with {sum(facts.lengths):,} steps: median {median(facts.lengths):g}, most "
        f"{max(facts.lengths):,}. {facts.from_history:,} steps have no call in the curated folder (a repeat, "
        "mostly) and are taken from the history of a later one: without times, tokens or cost.",
        f"- Why an answer counts as right: {listed(facts.labels)}.",
        f"- Steps to whose request the log has several answers: {facts.unstable:,}.",
        prompts_told(facts.prompts),
    ]
    return "## What is in it\n\n" + "\n".join(lines)


def _rules(options: BuildOptions) -> str:
    match = {
        "strict": "`strict`: a call is given the result of the equal call at the same step of the record.",
        "fifo": "`fifo`: a call is given the result of the first equal call of the record that was not made yet.",
    }[options.match]
    read_only = ", ".join(f"`{name}`" for name in options.read_only)
    unstable = {
        "any": "another answer that the log has to the same request ends the session without a value",
        "drop": "a session ends before a request to which the log has several answers",
    }[options.unstable]
    lines = [
        "- A step is judged as in step replay, by its own answer on record.",
        f"- {match}",
        f"- {unstable[0].upper()}{unstable[1:]}.",
    ]
    if read_only:
        lines.append(f"- May be called again with the same result: {read_only}.")
    if options.first_step:
        lines.append(f"- The first {options.first_step:,} steps of each session are given as history.")
    if options.most_steps is not None:
        lines.append(f"- At most {options.most_steps:,} steps of a session are asked.")
    return "## When a step counts\n\n" + "\n".join(lines)


def _ceiling(spec: SuiteSpec) -> str:
    found = spec.ceiling
    if found is None or found.step_rate is None:
        told = "No request occurs twice in these logs: how far their model agrees with itself is not known."
    else:
        told = (
            f"Two answers of the log's model to one request are the same action in {found.step_rate:.1%} of cases "
            f"({found.n:,} repeated requests of all splits). If each step is a chance of its own, it would go through "
            f"{found.rate:.1%} of these sessions again as it did ({found.interval.level:.0%} interval "
            f"{found.interval.low:.1%} to {found.interval.high:.1%})."
        )
    return f"## How far the incumbent agrees with itself\n\n{told}"


def _limits(facts: Facts) -> str:
    lines = [
        "- After the first divergence nothing is known: there is no record of what another step would have led to.",
        "- The user's turns are those of the log. They answer the log's model, not the one that is tested.",
        "- The answer on record is what a model did, not the truth. Another good action counts as a divergence.",
        "- A result on record is of the moment at which it was made: by `fifo`, of a world that may have been another.",
    ]
    if facts.renamed:
        lines.append(f"- {facts.renamed:,} sessions have a tool whose logged name services refuse; it was changed.")
    if facts.thoughts:
        lines.append(f"- {facts.thoughts:,} calls had reasoning in their history, which is not asked again.")
    return "## Known limits\n\n" + "\n".join(lines)
