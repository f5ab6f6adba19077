"""The table of a complete run: every outcome, typed, equal to what the journals say."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from harness.errors import DataError
from harness.measure import e2e_s, tpot_s, ttft_s
from harness.records import Attempt, Failure, RawToolCall, Reply, Score, Timing, Usage
from harness.records.manifest import MachineFacts, Manifest
from harness.store import compact as module
from harness.store.compact import COLUMNS, compact, compact_apart
from harness.store.journal import Journal
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import ATTEMPTS, MANIFEST, PARQUET, SCORES, write_record

LOST = Failure(boundary="infrastructure", kind="server_error", message="HTTP 500: boom", status=500)


def attempt(number: int, *, failure: Failure | None = None, content: str = "", tries: int = 1) -> Attempt:
    marks = tuple(range(50_000_000 + number, 90_000_000, 10_000_000))
    return Attempt(
        sample=f"s{number}",
        model="m",
        protocol="native",
        backend="endpoint",
        reply=None if failure else Reply(content=content or None, tool_calls=(RawToolCall(name="f", arguments="{"),)),
        timing=Timing(at=1.5, intended_ns=-7, first_tool_ns=marks[0], last_ns=marks[-1], end_ns=marks[-1] + 5,
                      chunks_ns=() if failure else marks),
        usage=Usage(prompt_tokens=10, output_tokens=len(marks), counted_by="server") if not failure else Usage(),
        failure=failure,
        tries=tries,
        failed_tries=(LOST,) * (tries - 1),
    )  # fmt: skip


def score(number: int, *, lost: bool = False, why: str = "", trial: int = 0) -> Score:
    if lost:
        return Score(sample=f"s{number}", category="c", trial=trial, scorer="x", boundary="infrastructure", why=why)
    return Score(sample=f"s{number}", category="c", trial=trial, scorer="x", value=0.5, miss="wrong_value", why=why,
                 parts={"decoded": 1.0}, extracted=[{"name": "f"}], boundary="model")  # fmt: skip


def made(folder: Path, attempts: Sequence[Attempt], scores: Sequence[Score], status: str = "complete") -> Path:
    machine = MachineFacts(system="s", cpu="c", cores=2, memory_bytes=None, python="3")
    manifest = Manifest(
        run="the-run", job="j", started_at="2026-01-01", harness_version="0", commit=None, dirty=None, config={},
        config_hash="h", suite="echo", suite_hash="0", model="m", protocol="native", machine=machine, packages={},
        seed=0,
    ).model_copy(update={"status": status})  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_record(folder / MANIFEST, manifest)
    with Journal(folder / ATTEMPTS) as attempt_journal, Journal(folder / SCORES) as score_journal:
        for one in attempts:
            attempt_journal.append(one)
        for other in scores:
            score_journal.append(other)
    return folder


def rows(path: Path) -> list[dict[str, object]]:
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_the_table_says_what_the_journals_say(tmp_path: Path) -> None:
    attempts = [attempt(n, tries=n + 1, content="häß\n'€'") for n in range(3)] + [attempt(3, failure=LOST)]
    folder = made(tmp_path, attempts, [score(0), score(1), score(2), score(3, lost=True)])

    table = rows(compact(folder))

    assert list(table[0]) == list(COLUMNS)
    for row, (one, verdict) in zip(table, final_outcomes(folder), strict=True):
        assert verdict is not None
        assert (row["sample"], row["trial"], row["tries"]) == (one.sample, one.trial, one.tries)
        assert (row["value"], row["miss"], row["category"]) == (verdict.value, verdict.miss, verdict.category)
        assert (row["ttft_s"], row["tpot_s"]) == (ttft_s(one.timing), tpot_s(one.timing, one.usage))
        assert row["e2e_s"] == (e2e_s(one.timing) if one.reply else None)
        assert row["chunks_ns"] == list(one.timing.chunks_ns)
        assert (row["content"], row["output_tokens"]) == (one.reply and one.reply.content, one.usage.output_tokens)
        assert row["failure"] == (one.failure and one.failure.kind)
    assert json.loads(str(table[0]["tool_calls"])) == [{"name": "f", "arguments": "{", "id": None}]
    assert json.loads(str(table[0]["parts"])) == {"decoded": 1.0}
    assert (table[3]["value"], table[3]["boundary"], table[3]["status"]) == (None, "infrastructure", 500)
    assert table[2]["failed_tries"] == ["server_error", "server_error"]


def test_the_columns_have_types_that_can_be_reckoned_with(tmp_path: Path) -> None:
    path = compact(made(tmp_path, [attempt(0)], [score(0)]))

    with duckdb.connect() as connection:
        kinds = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        total = connection.execute("SELECT sum(value), max(chunks_ns[1]) FROM read_parquet(?)", [str(path)]).fetchall()
    assert {name: kind for name, kind, *_ in kinds} == COLUMNS
    assert total == [(0.5, 50_000_000)]


def test_what_was_not_measured_is_null_and_never_nan(tmp_path: Path) -> None:
    row = rows(compact(made(tmp_path, [attempt(0, failure=LOST)], [score(0, lost=True)])))[0]

    assert row["tpot_s"] is None
    assert row["cost_usd"] is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in row.values())


@pytest.mark.parametrize(
    "content", ["\0 nul", "' \" \\ \n \r \u2028", "x" * 3_000_000, "𝄞", "null", "{}"],
    ids=["nul", "quotes", "long", "astral", "null", "braces"],
)  # fmt: skip
def test_replies_of_any_kind_come_through(content: str, tmp_path: Path) -> None:
    folder = made(tmp_path, [attempt(0, content=content), attempt(1)], [score(0, why=content[:50]), score(1)])

    table = rows(compact(folder))

    assert table[0]["content"] == content.replace("\0", "\ufffd")
    assert len(table) == 2


def test_only_the_last_outcome_of_an_attempt_is_a_row(tmp_path: Path) -> None:
    attempts = [attempt(0, failure=LOST), attempt(1), attempt(0)]
    folder = made(tmp_path, attempts, [score(0, lost=True), score(1), score(0)])

    table = rows(compact(folder))

    assert [(row["sample"], row["value"], row["failure"]) for row in table] == [("s1", 0.5, None), ("s0", 0.5, None)]


def test_a_run_without_an_attempt_is_an_empty_table(tmp_path: Path) -> None:
    assert rows(compact(made(tmp_path, [], []))) == []


def test_an_unfinished_run_is_not_compacted(tmp_path: Path) -> None:
    folder = made(tmp_path, [attempt(0)], [score(0)], status="interrupted")

    with pytest.raises(DataError, match="interrupted, not complete: finish it"):
        compact(folder)

    assert not (folder / PARQUET).exists()


def test_compacting_again_replaces_the_table_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    made(folder, [attempt(0)], [score(0)])
    compact(folder)
    with Journal(folder / ATTEMPTS) as journal:
        journal.append(attempt(1))

    table = rows(compact(folder))

    assert [row["sample"] for row in table] == ["s0", "s1"]
    assert sorted(file.name for file in folder.iterdir()) == sorted([MANIFEST, ATTEMPTS, SCORES, PARQUET])


def test_a_large_run_is_made_a_table_of_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, here = (made(tmp_path / name, [attempt(0)], [score(0)]) for name in ("apart", "here"))
    monkeypatch.setattr(module, "_LARGE_BYTES", 1)
    compact(here)

    def refuse(_: Path) -> Path:
        raise AssertionError("the table was made in this process")

    monkeypatch.setattr(module, "compact", refuse)
    compact_apart(apart)

    assert rows(apart / PARQUET) == rows(here / PARQUET)


def test_what_the_other_process_says_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path, [attempt(0)], [score(0)], status="interrupted")
    monkeypatch.setattr(module, "_LARGE_BYTES", 1)

    with pytest.raises(DataError, match=r"interrupted, not complete"):
        compact_apart(folder)
