import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from harness.errors import DataError
from harness.records import MissClass
from harness.report import RunView, build_leaderboard, write_leaderboard
from harness.report.breakdown import MISSES
from harness.report.columns import COLUMNS
from tests.support.explorer_data import embedded
from tests.support.report_families import every_family
from tests.support.report_runs import four_runs, made_run

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u202egnp.exe\x00\x1b[31m\u2028&lt;"


class _Tags(HTMLParser):
    """Start tags with their attributes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(page)
    return parser.found


def test_same_runs_give_the_same_page() -> None:
    assert build_leaderboard(four_runs()) == build_leaderboard(list(reversed(four_runs())))


def test_page_without_runs_says_how_to_make_one() -> None:
    page = build_leaderboard([])

    assert "No finished run yet." in page
    assert "python -m harness suite=toolcall model=smollm2" in page


def test_page_names_no_address_to_load_from() -> None:
    page = build_leaderboard(four_runs())

    loading = [value for _, found in tags(page) for name, value in found.items() if name in {"src", "srcset", "action"}]
    links = [found["href"] for tag, found in tags(page) if "href" in found and tag != "link"]
    assert loading == []
    assert all(link and link.startswith(("#", "data:text/csv;")) for link in links)
    assert "url(http" not in page
    assert "@import" not in page


def test_hostile_texts_add_no_element_and_stay_readable() -> None:
    clean = build_leaderboard([made_run()])
    run = made_run(title=HOSTILE, quantization=HOSTILE, warnings=(HOSTILE,), change_reply=lambda text: HOSTILE + text)

    page = build_leaderboard([run])

    assert sum(tag == "script" for tag, _ in tags(page)) == sum(tag == "script" for tag, _ in tags(clean)) == 2
    assert not any(tag == "img" or name.startswith("on") for tag, found in tags(page) for name in found)
    assert not set("\u202e\x00\x1b\u2028") & set(page)
    assert any("⟦U+202E⟧gnp.exe⟦U+0000⟧" in text and "<script>" in text for text in embedded(page)["texts"])


def test_lone_surrogates_reach_the_page_spelled_out(tmp_path: Path) -> None:
    run = made_run(title="bad \udc80 title", change_reply=lambda text: text + "\ud800")
    scores = [score.model_copy(update={"extracted": {"\ud801": ["\udfff"]}}) for score in run.scores]

    write_leaderboard([RunView.of(run.manifest, run.summary, run.samples, run.attempts, scores)], tmp_path / "x.html")

    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "bad ⟦U+DC80⟧ title" in page
    assert '{"⟦U+D801⟧":["⟦U+DFFF⟧"]}' in embedded(page)["texts"]


def test_every_attempt_is_in_the_page_and_shared_samples_once() -> None:
    runs = four_runs()

    data = embedded(build_leaderboard(runs))

    assert len(data["samples"]) == len(runs[0].samples)
    assert [len(run["rows"]) for run in data["runs"]] == [len(run.attempts) for run in runs]
    assert len(data["texts"]) == len(set(data["texts"]))


def test_prompt_tools_target_reply_and_reason_of_a_sample_are_in_the_page() -> None:
    run = made_run()

    data = embedded(build_leaderboard([run]))

    place = next(place for place, score in enumerate(run.scores) if score.miss and run.samples[place].tool_target.calls)
    row, attempt, score, asked = (
        data["runs"][0]["rows"][place],
        run.attempts[place],
        run.scores[place],
        run.samples[place],
    )
    sample, texts = data["samples"][row["s"]], data["texts"]
    assert sample["id"] == attempt.sample
    assert texts[sample["messages"][0]["text"]] == asked.messages[0].content
    assert sample["tools"][0]["name"] == asked.tools[0].name
    assert json.loads(texts[sample["calls"][0]])["name"] == asked.tool_target.calls[0].name
    assert attempt.reply
    assert texts[row["reply"]] == attempt.reply.content
    assert texts[row["why"]] == score.why
    assert row["miss"] == score.miss


def test_unscored_attempt_has_no_value_in_the_page() -> None:
    run = made_run()

    rows = embedded(build_leaderboard([run]))["runs"][0]["rows"]

    assert "v" not in rows[-1]
    assert {row["v"] for row in rows[:-1]} == {0.0, 1.0}


def test_ten_megabytes_of_reply_stay_under_five_and_say_what_is_left_out() -> None:
    run = made_run(change_reply=lambda text: text + "long <&> " * 30_000)

    page = build_leaderboard([run])

    assert len(page.encode()) < 5_000_000
    data = embedded(page)
    assert len(data["runs"][0]["rows"]) == len(run.attempts)
    assert re.search(r" … \d{1,3}(,\d{3})+ characters left out … ", data["texts"][data["runs"][0]["rows"][0]["reply"]])
    assert data["longest"] == 20_000


def test_what_was_not_measured_is_a_dash_with_a_reason() -> None:
    run = made_run(usd_per_s=None, quantization=None)

    page = build_leaderboard([run, made_run("other", "Other")])

    cells = re.findall(r'<td class="c-(\w+) none"><span data-tip="([^"]*)">–', page)
    assert dict(cells) == {
        "quantization": "the server does not say",
        "cost": "not measured: no price is known",
        "success_cost": "not measured: no price is known",
    }


def test_column_in_which_no_run_has_anything_is_left_out() -> None:
    page = build_leaderboard([made_run(usd_per_s=None, quantization=None)])

    heads = re.findall(r'<th scope="col" data-key="(\w+)"', page)
    assert not {"cost", "success_cost", "quantization", "task_p50", "pass_hat", "judge_cost"} & set(heads)
    assert {"rank", "accuracy", "n", "ttft_p50"} <= set(heads)
    assert "No price is known for these runs" in page


def test_measured_zero_is_shown_as_zero() -> None:
    run = made_run(skill=-1.0)

    page = build_leaderboard([run])

    assert re.search(r'class="value">0\u202f%<', page)


def test_older_run_of_the_same_setup_is_there_but_folded() -> None:
    old, new = made_run(started_at="2026-01-01T00:00:00Z"), made_run(started_at="2026-02-01T00:00:00Z")

    page = build_leaderboard([old, new])

    assert re.search(rf'<tbody data-run="{old.id}"[^>]* data-older hidden>', page)
    assert [run["id"] for run in embedded(page)["runs"]] == [new.id]


def test_unfinished_run_does_not_replace_a_complete_one() -> None:
    whole, newer = made_run(started_at="2026-01-01T00:00:00Z"), made_run(started_at="2026-02-01T00:00:00Z")
    partial = RunView.of(newer.manifest, newer.summary.model_copy(update={"complete": False, "n_not_run": 30}))

    page = build_leaderboard([whole, partial])

    assert [run["id"] for run in embedded(page)["runs"]] == [whole.id]


def test_warnings_and_conditions_of_a_run_are_in_its_row() -> None:
    page = build_leaderboard([made_run(warnings=("The template drops the tools.",))])

    assert "The template drops the tools." in page
    assert "llamacpp b7012 (a1b2c3d4)" in page
    assert "threads 2" in page
    assert "commit 0123456789ab" in page


def test_runs_without_lines_or_numbers_make_a_page() -> None:
    run = made_run()
    empty = run.summary.model_copy(
        update={"accuracy": None, "accuracy_interval": None, "n_scored": 0, "misses": {}, "by_category": {}}
        | dict.fromkeys(("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "decisions", "cost_usd_per_sample"))
    )
    manifest = run.manifest.model_copy(update={"backend": None, "commit": None})

    page = build_leaderboard([RunView.of(manifest, empty)])

    assert "No attempt was scored" in page
    assert "no attempt was scored" in page


def test_each_column_of_the_table_is_defined_on_the_page() -> None:
    page = build_leaderboard(every_family())

    titles = set(re.findall(r'<th scope="col" data-key="(\w+)"', page)) - {"pass_at", "pass_hat"}
    known = {column.key: column for column in COLUMNS}
    assert titles <= set(known)
    assert all(column.definition for column in COLUMNS)
    assert "{" not in re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def test_page_knows_every_class_of_miss_in_waterfall_order() -> None:
    assert tuple(MISSES) == get_args(MissClass)


def test_script_matches_the_hash_that_the_policy_allows() -> None:
    page = build_leaderboard(four_runs())

    found = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert found
    assert f"'sha256-{b64encode(sha256(found.group(1).encode()).digest()).decode()}'" in page


def test_failed_write_leaves_the_page_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reports" / "leaderboard.html"
    write_leaderboard(four_runs(), path)
    before = path.read_bytes()

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"disk full.*paths\.reports"):
        write_leaderboard([], path)

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["leaderboard.html"]
