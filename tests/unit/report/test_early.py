"""What a stopped run says on the terminal and in its page."""

from harness.records.sequential import Certainty, ClusterVerdict, EarlyStop, Saved
from harness.records.summary import Summary
from harness.report.early import HEADS, early_lines, early_rows
from harness.report.table import markdown_page
from harness.stats.sequential_pairs import sequential_verdict
from tests.support.report_runs import made_run


def cluster(name: str, verdict: Certainty, **more: object) -> ClusterVerdict:
    seen = sequential_verdict([1.0, 0.0, -1.0], margin=0.05)
    return ClusterVerdict.model_validate(
        {"cluster": name, "share": 0.05, "verdict": verdict, "n_planned": 10, "n_not_asked": 7, "gained": 1, "lost": 1,
         "seen": seen.model_copy(update={"decided_at": None if verdict == "need_more" else 3}), **more}
    )  # fmt: skip


def early(*clusters: ClusterVerdict, stopped: bool = True, **saved: object) -> EarlyStop:
    spared = Saved.model_validate({"attempts": 60, "of": 100, "tokens": 1234, "usd": 0.5, **saved})
    return EarlyStop(
        stopped=stopped, role="candidate", against="gpt-4o", by="category", margin=0.05, alpha=0.05, correction="holm",
        n_tests=len(clusters), looks=3, clusters=clusters, saved=spared, accuracy=0.5, accuracy_interval=None,
    )  # fmt: skip


def summary(found: EarlyStop | None = None) -> Summary:
    return made_run(n=10).summary.model_copy(update={"early": found})


def told(found: EarlyStop) -> list[str]:
    return early_lines([summary(found)])


def test_each_verdict_is_said_in_words_with_what_was_saved() -> None:
    lines = told(
        early(cluster("a", "pass"), cluster("b", "fail"), cluster("c", "dominated", dominated_by="m2"),
              cluster("d", "need_more", more=120))
    )  # fmt: skip

    assert "stopped early, 1 of 4 clusters undecided with all their samples" in lines[0]
    assert "60 of 100 attempts not needed (60%), about 1,234 tokens, about $0.5" in lines[0]
    assert "pass: no worse, certain after 3 pairs" in lines[1]
    assert "fail: worse by more than 5 points" in lines[2]
    assert "dropped: m2 is surely better and costs no more" in lines[3]
    assert "need more: not decided, about 120 pairs to go" in lines[4]


def test_what_is_not_known_is_not_said() -> None:
    (line, *_) = told(early(cluster("a", "pass"), tokens=None, usd=None))

    assert line.endswith("60 of 100 attempts not needed (60%)")


def test_a_run_that_was_cut_short_saved_nothing() -> None:
    (line, *_) = told(early(cluster("a", "need_more"), stopped=False))

    assert "not stopped by rule; 60 of 100 attempts not made so far" in line


def test_many_clusters_are_counted_after_the_first() -> None:
    lines = told(early(*(cluster(f"c{n}", "pass" if n % 2 else "need_more") for n in range(20))))

    assert len(lines) == 1 + 12 + 1
    assert lines[-1] == "  and 8 smaller clusters: 4 need more, 4 pass (verdict.json)"


def test_the_page_of_a_run_has_a_row_for_each_cluster() -> None:
    found = early(cluster("a", "pass"), cluster("b|c", "dominated", dominated_by="m2"))

    page = markdown_page(summary(found))

    assert [len(row) for row in early_rows(found)] == [len(HEADS)] * 2
    assert "## Stopped when certain" in page
    assert "| b\\|c | 5.0% | dominated by m2 | 3 of 10 |" in page


def test_a_run_without_the_rule_says_nothing_of_it() -> None:
    assert early_lines([summary()]) == []
    assert "Stopped when certain" not in markdown_page(summary())
