"""What the explorer holds: the list in the page, the texts in it while they fit, and in files beside it else."""

import json
import re
from pathlib import Path

import orjson
import pytest

from harness.records import Failure, Reply, ServerTiming, Step, ToolTarget
from harness.report import RunView, write_leaderboard
from harness.report import embed as embedding
from harness.report import leaderboard as board
from harness.report.call_verdicts import held
from harness.report.details import parts_of
from harness.report.embed import embed
from harness.report.explorer_rows import frame_of, print_of
from harness.report.group import group_of, groups_of
from harness.report.links import explorer_link
from harness.report.packing import LONGEST, Texts
from harness.report.reading import SharedSamples, read_view, without_texts
from harness.report.side_files import SideFiles, side_script
from harness.store.journal import Journal
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY
from tests.support.explorer_data import beside, embedded, joined
from tests.support.report_families import agent_run
from tests.support.report_runs import four_runs, made_run

_NAME = re.compile(r"\d{4}-[0-9a-f]{16}\.js")


def stored(run: RunView, folder: Path) -> Path:
    """The run as files."""
    place = folder / run.id
    place.mkdir(parents=True)
    (place / MANIFEST).write_text(run.manifest.model_dump_json())
    (place / SUMMARY).write_text(run.summary.model_dump_json())
    for name, records in ((SAMPLES, run.samples), (ATTEMPTS, run.attempts), (SCORES, run.scores)):
        with Journal(place / name) as journal:
            for record in records:
                journal.append(record)
    return place


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages into which the list fits, and no text."""
    monkeypatch.setattr(board, "_PAGE_BYTES", 0)
    monkeypatch.setattr(embedding, "_fit", lambda frame, budget: [])


def test_small_report_is_one_file(tmp_path: Path) -> None:
    write_leaderboard(four_runs(), tmp_path / "leaderboard.html")

    assert [one.name for one in tmp_path.iterdir()] == ["leaderboard.html"]
    assert "strict-dynamic" not in (tmp_path / "leaderboard.html").read_text().partition("</head>")[0]


@pytest.mark.usefixtures("small_pages")
def test_texts_that_do_not_fit_go_to_files_with_the_same_content(tmp_path: Path) -> None:
    page = tmp_path / "leaderboard.html"
    whole = joined(embed(groups_of(four_runs())).json)

    write_leaderboard(four_runs(), page)

    found = beside(page)
    assert "script-src 'sha256-" in page.read_text()
    assert "' 'strict-dynamic';" in page.read_text()
    assert (found["texts"], found["samples"], found["runs"]) == (whole["texts"], whole["samples"], whole["runs"])
    assert [one.name for one in tmp_path.iterdir() if one.name != page.name] == ["leaderboard-data"]
    assert all(_NAME.fullmatch(one.name) for one in (tmp_path / "leaderboard-data").iterdir())


def test_files_of_an_earlier_page_are_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, folder = tmp_path / "leaderboard.html", tmp_path / "leaderboard-data"
    with monkeypatch.context() as patch:
        patch.setattr(board, "_PAGE_BYTES", 0)
        write_leaderboard(four_runs(), page)
    (folder / "notes.txt").write_text("mine")

    write_leaderboard(four_runs()[:1], page)

    assert [one.name for one in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    write_leaderboard(four_runs()[:1], page)
    assert not folder.exists()


def test_a_part_is_closed_when_it_is_large_and_the_next_begins_after_it() -> None:
    runs = [made_run(n=300, change_reply=lambda text: f"{text} {id(text)}" * 60)]

    parts = list(parts_of(frame_of([group_of(runs)])))

    assert len(parts) > 1
    assert [part.first for part in parts] == [0, *(part.last + 1 for part in parts[:-1])]
    assert parts[-1].last == 299
    assert sum(len(orjson.loads(part.body)["rows"]) for part in parts) == 300


def test_runs_whose_list_does_not_fit_are_left_out_and_named(tmp_path: Path) -> None:
    groups = groups_of(four_runs())

    data = json.loads(embed(groups, 4_000, SideFiles(tmp_path / "x.html")).json)

    labels = [f"{title}" for title in data["left_out"]]
    assert len(data["runs"]) + len(labels) == 4
    assert data["runs"][0]["id"] == groups[0].current[0].id
    assert labels


def test_no_text_of_a_part_can_end_the_script_that_carries_it() -> None:
    body = b'{"texts":["`);alert(1)//","${alert(1)}","\\\\u0060"]}'

    script = side_script(body).decode()

    inner = script.partition("String.raw`")[2].removesuffix("`)}));\n")
    assert "`" not in inner
    assert "$" not in inner
    assert json.loads(inner) == json.loads(body)


def test_reply_of_ten_megabytes_keeps_head_and_tail_and_says_how_much_is_gone() -> None:
    run = made_run(n=2)
    long = run.attempts[0].model_copy(update={"reply": Reply(content="a" * 10_000_000 + "end")})

    data = joined(embed([group_of([RunView.of(run.manifest, run.summary, run.samples, [long], run.scores)])]).json)

    text = data["texts"][data["runs"][0]["rows"][0]["reply"]]
    assert len(text) < LONGEST + 60
    assert f" … {10_000_003 - LONGEST:,} characters left out … " in text
    assert text.endswith("end")


def test_run_read_without_texts_makes_the_page_of_the_run_in_memory(tmp_path: Path) -> None:
    runs = [*four_runs()[:2], agent_run(trials=1)]
    shared: SharedSamples = {}
    views = [read_view(stored(run, tmp_path), shared) for run in runs]

    kept = [one.reply for view in views for one in view.attempts if one.reply is not None]
    assert all(reply.content is None and not reply.tool_calls for reply in kept)
    assert all(one is two for one, two in zip(views[0].samples, views[1].samples, strict=True))
    assert joined(embed(groups_of(views)).json)["runs"] == joined(embed(groups_of(runs)).json)["runs"]


def test_bare_attempt_keeps_every_number() -> None:
    attempt = agent_run(trials=1).attempts[0]

    bare = without_texts(attempt)

    assert bare.timing == attempt.timing.model_copy(update={"chunks_ns": ()})
    assert (bare.usage, bare.failure, bare.tries, bare.key) == (
        attempt.usage,
        attempt.failure,
        attempt.tries,
        attempt.key,
    )
    assert [step.unreadable for step in bare.steps] == [step.unreadable for step in attempt.steps]
    assert [[one.took_ns for one in step.results] for step in bare.steps] == [
        [one.took_ns for one in step.results] for step in attempt.steps
    ]
    assert type(bare).model_validate(bare.model_dump()) == bare


def test_list_says_what_each_attempt_was_worth_in_the_order_of_the_samples() -> None:
    run = made_run()
    shuffled = RunView.of(run.manifest, run.summary, run.samples, reversed(run.attempts), reversed(run.scores))

    data = json.loads(embed([group_of([shuffled])]).json)

    outcomes = [data["palette"][code] for code in data["runs"][0]["codes"]]
    assert outcomes == [[score.value, score.miss] for score in run.scores]
    assert data["orders"] == [{"from": 0, "n": len(run.samples)}]


def test_equal_wrong_answers_have_one_print_and_right_ones_none() -> None:
    run = made_run()
    wrong = next(place for place, score in enumerate(run.scores) if score.miss == "decode")
    right = next(place for place, score in enumerate(run.scores) if score.value == 1)
    attempt, score = run.attempts[wrong], run.scores[wrong]
    other = attempt.model_copy(update={"reply": Reply(content="something else")})

    assert print_of(attempt, score) == print_of(attempt.model_copy(update={"seed": 7}), score)
    assert print_of(attempt, score) != print_of(other, score)
    assert print_of(run.attempts[right], run.scores[right]) == "..."


def test_each_argument_has_the_verdict_of_the_scorers_rules() -> None:
    run = made_run()
    place = next(place for place, score in enumerate(run.scores) if score.miss == "wrong_value" and score.extracted)
    sample = run.samples[place]
    target = sample.target
    assert isinstance(target, ToolTarget)
    name, accepted = next(iter(target.calls[0].arguments.items()))
    given = {key: values[0] for key, values in target.calls[0].arguments.items()} | {name: "zzz", "invented": 1}
    score = run.scores[place].model_copy(update={"extracted": [{"name": target.calls[0].name, "arguments": given}]})
    texts = Texts()

    found = held(sample, score, texts)

    assert found
    pair = found[0]
    assert isinstance(pair, list)
    faults = pair[2]
    assert pair[:2] == [0, 0]
    assert isinstance(faults, dict)
    assert set(faults) == {name, "invented"}
    words = texts.items[int(str(faults[name]))]
    assert str(accepted[0]) in words or "not of type" in words


def test_retries_and_what_the_server_says_come_with_the_attempt() -> None:
    run = made_run(n=1)
    lost = Failure(boundary="infrastructure", kind="rate_limit", message="slow down", status=429, retry_after_s=2.0)
    update = {"tries": 2, "failed_tries": (lost,), "server": ServerTiming(queue_s=0.25, prompt_s=0.5)}
    attempt = run.attempts[0].model_copy(update=update)

    data = joined(embed([group_of([RunView.of(run.manifest, run.summary, run.samples, [attempt], run.scores)])]).json)

    row = data["runs"][0]["rows"][0]
    assert [data["texts"][one] for one in row["failed"]] == [
        "infrastructure · rate_limit (HTTP 429): slow down; asked to wait 2 s"
    ]
    assert row["server"] == {"queue": 250.0, "prompt": 500.0}


def test_links_carry_names_as_the_page_has_them() -> None:
    link = explorer_link("leaderboard.html", run="r 1", sample="a\u202e&b", trial="")

    assert link == "leaderboard.html#run=r+1&sample=a%E2%9F%A6U%2B202E%E2%9F%A7%26b"


def test_steps_of_agents_keep_their_order_in_the_page(tmp_path: Path) -> None:
    run = agent_run(trials=1)
    write_leaderboard([run], tmp_path / "leaderboard.html")

    rows = embedded((tmp_path / "leaderboard.html").read_text())["runs"][0]["rows"]

    steps: list[tuple[Step, ...]] = [one.steps for one in run.attempts]
    assert [len(row["steps"]) for row in rows] == [len(one) for one in steps]
