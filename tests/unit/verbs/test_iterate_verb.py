"""`do=iterate` as typed: what is printed and kept, what a second look costs, and the exit codes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from harness.config import IterateConfig, IterateOptions
from harness.config.verb import PathsConfig, ReportOptions
from harness.errors import ConfigError, DataError, WorkToDo
from harness.iterate.state import LEDGER, STATE, append, held, read_state, write_state
from harness.records.iterate import Iteration, LedgerLine
from harness.verbs.iterate import main
from tests.support.new_traffic import START, WEEK, known_tasks, traffic
from tests.support.replay_calls import curated

LATER = START + 5 * WEEK


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IterateConfig:
    """A shop with known tasks and unchanged new calls."""
    monkeypatch.chdir(tmp_path)
    known_tasks(tmp_path, traffic(60))
    curated(tmp_path / "curated" / "june", traffic(30, first=1_000, at=LATER))
    return IterateConfig(
        do="iterate",
        progress="off",
        paths=PathsConfig(),
        report=ReportOptions(tables=False),
        iterate=IterateOptions(calls="curated/june", clusters="clusters/shop"),
    )


def with_new_model(config: IterateConfig) -> IterateConfig:
    curated(Path("curated/july"), traffic(30, first=2_000, at=LATER, model="big-2"))
    return config.model_copy(update={"iterate": IterateOptions(calls="curated/july", clusters="clusters/shop")})


def test_nothing_new_exits_0_and_the_next_look_reads_nothing(
    config: IterateConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main([config])
    first = capsys.readouterr().out
    monkeypatch.setattr("harness.iterate.look.look", None)

    main([config])

    assert "60 new calls (2026-02-09 to 2026-03-08): nothing to do again." in first
    assert "nothing has changed since the look of" in capsys.readouterr().out
    assert Path("reports/iterate.html").is_file()
    found = Iteration.model_validate_json(Path("results/iterate/latest/iteration.json").read_bytes())
    assert (found.n_new, found.todos) == (60, ())


def test_another_folder_to_compare_with_is_looked_at_anew(
    config: IterateConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    known = Path(config.iterate.clusters or "") / "clusters.json"
    source = Path(str(orjson.loads(known.read_bytes())["source"]))
    kept = source.rename(Path("moved"))
    main([config])
    first = capsys.readouterr().out
    named = config.iterate.model_copy(update={"reference": (str(kept),)})

    main([config.model_copy(update={"iterate": named})])

    assert "60 new calls" in first
    assert "nothing has changed" not in capsys.readouterr().out
    found = Iteration.model_validate_json(Path("results/iterate/latest/iteration.json").read_bytes())
    assert found.n_old > 0


def test_calls_that_were_exchanged_behind_their_manifest_are_looked_at(
    config: IterateConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    main([config])
    capsys.readouterr()
    file = Path("curated/june/calls.parquet")
    other = curated(Path("curated/other"), traffic(20, first=3_000, at=LATER))
    file.write_bytes((other / "calls.parquet").read_bytes())

    with pytest.raises(WorkToDo):  # other calls, which drifted
        main([config])

    assert "40 new calls" in capsys.readouterr().out


def test_what_is_to_be_done_exits_1_each_time_until_it_is_done(config: IterateConfig) -> None:
    changed = with_new_model(config)

    for _ in range(2):
        with pytest.raises(WorkToDo, match=r"to do again; iterate\.apply=true does so") as caught:
            main([changed])

        assert caught.value.exit_code == 1
    quiet = changed.model_copy(update={"iterate": changed.iterate.model_copy(update={"exit_zero": True})})
    main([quiet])


def test_the_ledger_is_a_chain_without_paths_or_texts(config: IterateConfig, tmp_path: Path) -> None:
    main([config])
    with pytest.raises(WorkToDo):
        main([with_new_model(config)])

    lines = Path("iterate/shop", LEDGER).read_bytes().splitlines()
    entries = [LedgerLine.model_validate_json(line) for line in lines]

    assert [one.event for one in entries] == ["look", "look"]
    assert entries[0].before == ""
    assert len(entries[1].before) == 16
    kept = Path("iterate/shop", LEDGER).read_text() + Path("iterate/shop", STATE).read_text()
    assert str(tmp_path) not in kept
    assert "luggage" not in kept


def test_a_verdict_that_came_of_age_ends_the_quiet(config: IterateConfig, capsys: pytest.CaptureFixture[str]) -> None:
    main([config])
    state = read_state(Path("iterate/shop"))
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    write_state(Path("iterate/shop"), state.model_copy(update={"due_at": past}))
    capsys.readouterr()

    main([config])

    assert "nothing has changed" not in capsys.readouterr().out


def test_without_known_tasks_it_says_what_to_make_first(config: IterateConfig) -> None:
    elsewhere = config.model_copy(update={"iterate": IterateOptions(calls="curated/june", clusters="clusters/none")})

    with pytest.raises(ConfigError, match="make them with do=cluster"):
        main([elsewhere])


def test_a_folder_that_is_none_is_named(config: IterateConfig) -> None:
    elsewhere = config.model_copy(update={"iterate": IterateOptions(calls="curated/none", clusters="clusters/shop")})

    with pytest.raises(DataError, match="is no folder of curated calls"):
        main([elsewhere])


def test_apply_without_a_model_is_refused_before_anything_is_changed(config: IterateConfig) -> None:
    changed = with_new_model(config)
    applied = changed.model_copy(update={"iterate": changed.iterate.model_copy(update={"apply": True})})

    with pytest.raises(ConfigError, match=r"iterate\.models=\[smollm2\]"):
        main([applied])

    assert not Path("iterate/shop", LEDGER).exists()


def test_a_state_in_use_is_refused(config: IterateConfig) -> None:
    with held(Path("iterate/shop")), pytest.raises(DataError, match="being written by another process"):
        main([config])


def test_a_damaged_state_is_refused_in_one_line(config: IterateConfig) -> None:
    Path("iterate/shop").mkdir(parents=True)
    Path("iterate/shop", STATE).write_text("{")

    with pytest.raises(DataError, match="take an earlier one from version control"):
        main([config])


def test_one_source_of_calls_has_to_be_named() -> None:
    with pytest.raises(ValueError, match="one of the two"):
        IterateConfig(do="iterate")


def test_lines_of_the_ledger_name_the_hash_of_the_line_before(tmp_path: Path) -> None:
    line = {"at": "2026-01-01T00:00:00+00:00", "event": "look", "look": 1}

    append(tmp_path, line)
    append(tmp_path, line)

    first, second = (LedgerLine.model_validate_json(one) for one in (tmp_path / LEDGER).read_bytes().splitlines())
    assert first.before != second.before
