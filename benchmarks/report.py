"""engine.md from what the benchmarks left: the comparison, the parts of a call, the memory, and which targets hold.

`python -m benchmarks.report` reads engine.json and, where they are there, parts.json and memory.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.compare import OURS, ROOT

_TARGETS = (("inspect_run", 30.0), ("guidellm_run", 5.0))
_CALLS_PER_CPU_S = 2500
_RATES = (
    ("in_flight_calls_per_cpu_s", "streamed, read, scored, journaled, progress shown"),
    ("calls_per_cpu_s", "and with the summary and the table that follow the last call"),
)


def page(engine: dict[str, Any], parts: dict[str, Any] | None, memory: dict[str, Any] | None) -> str:
    sections = [_comparison(engine), _targets(engine, memory)]
    sections += [_parts(parts)] if parts else []
    sections += [_memory(memory)] if memory else []
    return "\n\n".join(sections) + "\n"


def _comparison(engine: dict[str, Any]) -> str:
    said = engine["conditions"]
    load = " ".join(f"{one:.1f}" for one in said["load_before"])
    lines = [
        "# Engine benchmark",
        "",
        f"{said['at']}, {said['cores']} cores ({said['cpu']}), {said['system']}, Python {said['python']}; "
        f"load before {load}. {said['chunks']} streamed chunks a reply, {said['concurrency']} calls at once, "
        f"{said['rounds']} rounds A B C … A B C …; medians, lowest and highest of the rounds in brackets.",
        "",
        "| who | version | does | calls / CPU s | CPU µs / call | ours is | calls / s | ours is | calls timed |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(_row(row) for row in sorted(engine["rows"], key=_rank))])


def _rank(row: dict[str, Any]) -> tuple[bool, float]:
    return row["module"] != OURS, row.get("calls_per_cpu_s", float("inf"))


def _row(row: dict[str, Any]) -> str:
    name = f"**{row['title']}**" if row["module"] == OURS else row["title"]
    if row["version"] is None:
        return f"| {name} | not installed | {row['does']} | | | | | | |"
    if "calls_per_cpu_s" not in row:
        return f"| {name} | {row['version']} | failed: {row['failed']} | | | | | | |"
    return (
        f"| {name} | {row['version']} | {row['does']} | {row['calls_per_cpu_s']:,.0f} | {row['cpu_us']:,.0f} "
        f"| {_times(row, 'calls_per_cpu_s')} | {row['calls_per_s']:,.0f} | {_times(row, 'calls_per_s')} "
        f"| {row['calls']:,} |"
    )


def _times(row: dict[str, Any], key: str) -> str:
    ratio = row.get(f"ours_over_{key}")
    if row["module"] == OURS or ratio is None:
        return ""
    return f"{_x(ratio['median'])}× ({_x(ratio['low'])}–{_x(ratio['high'])})"


def _x(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def _targets(engine: dict[str, Any], memory: dict[str, Any] | None) -> str:
    rows = {row["module"]: row for row in engine["rows"]}
    lines = ["## Targets", "", "| target | measured | |", "|---|--:|---|"]
    for key, counted in _RATES:
        if rate := rows.get(OURS, {}).get(key):
            verdict = _holds(rate >= _CALLS_PER_CPU_S)
            lines.append(f"| ≥ {_CALLS_PER_CPU_S:,} calls a CPU second, {counted} | {rate:,.0f} | {verdict} |")
    for module, least in _TARGETS:
        row = rows.get(module, {})
        ratio = row.get("ours_over_calls_per_cpu_s")
        measured = _x(ratio["median"]) + "×" if ratio else "not measured"
        verdict = _holds(ratio["median"] >= least) if ratio else ""
        lines.append(f"| ≥ {least:.0f}× {row.get('title', module)}, per CPU second | {measured} | {verdict} |")
    for part, title in _MEMORY if memory else ():
        one = memory[part] if memory else {}
        peak = one.get("million_mb", one.get("peak_mb"))
        lines.append(f"| a million attempts under 500 MB: {title} | {peak:,.0f} MB | {_holds(one['holds'])} |")
    return "\n".join(lines)


_MEMORY = (
    ("runner", "a run of 200 samples, many trials"),
    ("records", "as many samples as attempts, without the samples themselves"),
    ("resume", "a sitting that finds them done"),
    ("table", "the Parquet table of such a run, in a process of its own"),
)


def _holds(yes: bool) -> str:
    return "holds" if yes else "**missed**"


def _parts(parts: dict[str, Any]) -> str:
    lines = [
        "## Where our time goes",
        "",
        "Each part alone, 200 calls at a time, CPU time of the process. A whole run costs more than their sum: the "
        "parts take turns there, and the caches with them.",
        "",
        "| part | CPU µs / call (median) | lowest |",
        "|---|--:|--:|",
    ]
    for one in parts["benchmarks"]:
        each = 1e6 / one["extra_info"]["calls"]
        stats = one["stats"]
        lines.append(f"| {one['extra_info']['part']} | {stats['median'] * each:.1f} | {stats['min'] * each:.1f} |")
    return "\n".join(lines)


def _memory(memory: dict[str, Any]) -> str:
    lines = [
        "## Memory",
        "",
        "| what | attempts | peak before | peak | a million | each |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for part, title in _MEMORY:
        one = memory[part]
        *earlier, last = one.get("runs", [one])
        lines += [f"{_memory_run(title, run)} | | |" for run in earlier]
        each = one.get("bytes_per_attempt", last["grown_mb"] * 2**20 / last["attempts"])
        measured = not earlier or last["attempts"] >= 1_000_000
        million = "measured" if measured else f"{one['million_mb']:,.0f} MB (extrapolated)"
        lines.append(f"{_memory_run(title, last)} | {million} | {each:,.0f} B |")
    return "\n".join(lines)


def _memory_run(title: str, run: dict[str, Any]) -> str:
    return f"| {title} | {run['attempts']:,} | {run['before_mb']:.0f} MB | {run['peak_mb']:.0f} MB"


def _read(file: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench")
    folder: Path = parser.parse_args().out
    engine = _read(folder / "engine.json")
    if engine is None:
        parser.error("engine.json is not there: run python -m benchmarks.compare first")
    text = page(engine, _read(folder / "parts.json"), _read(folder / "memory.json"))
    (folder / "engine.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
