"""What `do=curate` tells a person: books, redaction, answers, splits and leakage."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.assets.progress import human_bytes
from harness.curate.curated import DISAGREEMENT, LEAKAGE, Curated
from harness.records.call import SPLITS
from harness.records.curated import CuratedManifest, DisagreementRow, LeakageReport
from harness.records.summary import Interval

__all__ = ["show"]

_LOG_WIDTH = 160
_WAYS = {"calls": "each call by chance", "sessions": "sessions kept together", "groups": "as done"}
_MOST_KINDS = 12
_MOST_AGENTS = 12


def show(done: Curated, console: Console | None = None) -> None:
    """Prints it, on standard output unless told otherwise."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _LOG_WIDTH)
    manifest = done.manifest
    rate = f"{human_bytes(done.request_bytes / max(done.seconds, 1e-9))}/s"
    speed = f"{human_bytes(done.request_bytes)} of requests in {done.seconds:.1f} s ({rate})"
    for line in (*_books(manifest, speed), "", *_redaction(manifest.redaction)):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if done.disagreement:
        console.print(_answers(done.disagreement))
    console.print(_leaks(done.leakage))
    for line in (*_splits(manifest), *_notes(done)):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    told = f"calls: {done.folder}/ (manifest.json, {LEAKAGE}, {DISAGREEMENT})"
    console.print(told, highlight=False, soft_wrap=True, markup=False)


def _books(manifest: CuratedManifest, speed: str) -> list[str]:
    return [
        f"read {manifest.read:,} calls of {manifest.source}, {speed}",
        *(f"  {row.calls:>10,} {row.rule}" for row in manifest.dropped),
        f"  {manifest.kept:>10,} kept",
    ]


def _redaction(facts: dict[str, Any]) -> list[str]:
    """Counts by kind, where they were found, and what redaction did to the tool calls."""
    if facts.get("policy") == "off":
        return ["redaction: off; personal data and secrets are in the curated calls"]
    replaced: dict[str, dict[str, int]] = facts.get("replaced", {})
    kinds = sorted(replaced, key=lambda kind: -sum(replaced[kind].values()))
    lines = [f"replaced by pseudonyms ({facts.get('policy')}), a message that many calls repeat counted once:"]
    for kind in kinds[:_MOST_KINDS]:
        places = ", ".join(f"{where} {count:,}" for where, count in Counter(replaced[kind]).most_common())
        lines.append(f"  {sum(replaced[kind].values()):>10,} {kind}: {places}")
    if len(kinds) > _MOST_KINDS:
        rest = sum(sum(replaced[kind].values()) for kind in kinds[_MOST_KINDS:])
        lines.append(f"  {rest:>10,} of {len(kinds) - _MOST_KINDS} other kinds")
    if not kinds:
        lines.append("           0 values")
    control = facts.get("control")
    if control and control["agreement"] is not None:
        lines.append(
            f"  control: {control['agreement']:.2%} of {control['tool_calls']:,} tool calls agree with themselves "
            f"after redaction ({control['changed']:,} of {control['values']:,} argument values replaced)"
        )
    return lines


def _answers(rows: Sequence[DisagreementRow]) -> Table:
    table = _table("the incumbent against itself: the first two answers to requests that occur again")
    table.add_column("agent", no_wrap=True, overflow="ellipsis", max_width=36)
    for name in ("requests", "called or not", "other tools", "other arguments", "other text"):
        table.add_column(name, justify="right")
    table.add_column("differs (95 %)", justify="right", no_wrap=True)
    table.add_column("in action (95 %)", justify="right", no_wrap=True)
    for row in rows[: _MOST_AGENTS + 1]:
        counts = [f"{count:,}" for count in (row.repeated, row.decision, row.tool, row.arguments, row.text)]
        rates = (_rate(row.any_frac, row.any_interval), _rate(row.action_frac, row.action_interval))
        table.add_row(Text(plain(row.agent) if row.agent else "all"), *counts, *rates)
    if len(rows) > _MOST_AGENTS + 1:
        table.add_row(f"and {len(rows) - _MOST_AGENTS - 1:,} more", *[""] * 7)
    return table


def _leaks(report: LeakageReport) -> Table:
    table = _table(f"what is in train of the test, near duplicates from Jaccard {report.threshold:g} on")
    table.add_column("split", no_wrap=True)
    for name in ("test calls", "≥ .8", "≥ .9", "1", "same request", "last user text", "tool result", "system prompt"):
        table.add_column(name, justify="right")
    table.add_column("near duplicates (95 %)", justify="right", no_wrap=True)
    table.add_column("sessions", justify="right")
    table.add_column("users", justify="right")
    for row in report.rows:
        shares = [_share(count, row.looked_at) for count in (row.at_80, row.at_90, row.at_100)]
        same = (row.same_request, row.same_last_user, row.same_tool_result, row.same_system)
        shares += [_share(count, row.test_calls) for count in same]
        rate = "–" if row.interval is None else _rate(row.at_threshold / row.looked_at, row.interval)
        both = (f"{row.shared_sessions:,}", f"{row.shared_users:,}")
        table.add_row(_WAYS[row.split], f"{row.test_calls:,}", *shares, rate, *both)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "–"


def _rate(share: float, interval: Interval) -> str:
    return f"{share:.1%} ({interval.low:.1%}–{interval.high:.1%})"


def _splits(manifest: CuratedManifest) -> list[str]:
    counts = ", ".join(
        f"{split} {manifest.splits[split]:,} ({_share(manifest.splits[split], manifest.kept)})" for split in SPLITS
    )
    most = _share(manifest.largest_group, manifest.kept)
    return [f"{counts}; {manifest.groups:,} groups, the largest {manifest.largest_group:,} calls ({most})"]


def _notes(done: Curated) -> list[str]:
    """What a person should do something about."""
    manifest, notes = done.manifest, []
    if manifest.largest_group > 0.2 * manifest.kept and manifest.groups > 1:
        notes.append(
            "note: the largest group cannot be split, so the shares are off; curate.split.chains=drop splits it by "
            "session and drops what is then too near to train"
        )
    if done.untested and manifest.splits["test"]:
        notes.append(f"note: no test call of {', '.join(plain(agent) for agent in done.untested[:_MOST_AGENTS])}")
    empty = [split for split in SPLITS if not manifest.splits[split] and _wanted(manifest, split)]
    if empty:
        notes.append(f"note: no call is in {' and '.join(empty)}: too few groups")
    if done.leakage.test_before_train_ends and manifest.settings.get("split_by") == "seed":
        share = _share(done.leakage.test_before_train_ends, manifest.splits["test"])
        notes.append(f"note: {share} of the test was sent before train ends; curate.split_by=time tests on the latest")
    return notes


def plain(name: str) -> str:
    """A name out of a log without characters that could steer a terminal."""
    return "".join(one for one in name if one.isprintable())[:48]


def _wanted(manifest: CuratedManifest, split: str) -> bool:
    shares = manifest.settings.get("split")
    return isinstance(shares, dict) and bool(shares.get(split))
