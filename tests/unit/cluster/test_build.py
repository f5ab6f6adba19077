"""Tasks, their ids over time, edits by hand, and what they cost. Embeddings by TF-IDF: no weights."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from harness.cluster.build import Built, build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept, read_kept, write_kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.errors import ConfigError, DataError
from harness.records.call import Call
from tests.support.planted_calls import START, WEEK, call, planted


def run(calls: Sequence[Call], kept: Kept | None = None, **options: object) -> Built:
    chosen = ClusterOptions.model_validate(
        {"calls": "curated/x", "name": "x", "embedding": "tfidf", "stability": 0} | options
    )
    return build(features_of(calls), chosen, embedding_named(chosen.embedding), kept or Kept())


def labels(built: Built, calls: Sequence[Call]) -> list[str]:
    return [built.kept.assigned[one.id] for one in calls]


@pytest.mark.parametrize("algorithm", ["hdbscan", "kmeans", "agglomerative"])
def test_planted_tasks_are_found(algorithm: str) -> None:
    made = planted(["card", "flight", "recipe"], 40)
    calls = [one for _, one in made]

    built = run(calls, algorithm=algorithm)

    assert adjusted_rand_score([topic for topic, _ in made], labels(built, calls)) > 0.9


def test_the_same_calls_give_the_same_clusters_again_and_from_the_folder(tmp_path: Path) -> None:
    calls = [one for _, one in planted(["card", "flight"], 40)] + [call(900, "zyx wvu"), call(901, "qqq rrr sss")]
    first = run(calls, stability=1)
    before = labels(first, calls)
    write_kept(tmp_path / "x", first.kept)

    again = run(calls, read_kept(tmp_path / "x"), stability=1)

    assert labels(again, calls) == before
    assert run(calls, stability=1).book.clusters == first.book.clusters
    assert again.book.stability.ari is not None


def test_ids_stay_when_calls_come_and_a_new_task_gets_a_new_id() -> None:
    old = planted(["card", "flight", "recipe"], 40)
    first = run([one for _, one in old])
    ids = dict(zip([topic for topic, _ in old], labels(first, [one for _, one in old]), strict=True))
    new = planted(["card", "garden", "recipe"], 40, first=5_000)

    second = run([one for _, one in new], first.kept)

    found = {topic: Counter(second.kept.assigned[one.id] for name, one in new if name == topic) for topic, _ in new}
    assert found["card"].most_common(1)[0][0] == ids["card"]
    assert found["recipe"].most_common(1)[0][0] == ids["recipe"]
    assert found["garden"].most_common(1)[0][0] not in {*ids.values(), "n1.noise"}
    assert second.book.assigned >= 70
    assert [one.id for one in second.book.nodes] == ["n1"]
    absent = next(one for one in second.book.clusters if one.id == ids["flight"])
    assert (absent.rows, absent.costs.usd) == (0, None)


def test_a_task_that_drifts_keeps_its_id() -> None:
    words = [f"{start}{end}" for start in ("bank", "card", "loan", "debt") for end in ("ing", "less", "hold", "ward")]
    others = [one for _, one in planted(["recipe", "garden"], 40, first=8_000)]
    kept, seen = Kept(), set()

    for month in range(4):
        now = words[month : month + 10]
        texts = [" ".join(np.random.default_rng((month, place)).permutation(now)[:6]) for place in range(40)]
        calls = [call(month * 100 + place, text, system="You help people.") for place, text in enumerate(texts)]
        built = run([*calls, *others], kept)
        kept = built.kept
        seen.add(Counter(labels(built, calls)).most_common(1)[0][0])

    assert len(seen) == 1


def test_strangers_are_noise_and_not_pressed_into_a_task() -> None:
    calls = [one for _, one in planted(["card", "flight"], 80)]
    odd = ["xylophone quartz", "nebula tariff", "ferret opera", "gasket monsoon", "plinth vortex", "turnip zodiac"]
    strangers = [call(900 + place, text, system="You help people.") for place, text in enumerate(odd)]
    kept = run(calls).kept

    built = run(strangers, kept)

    assert set(labels(built, strangers)) == {"n1.noise"}
    assert built.book.coverage == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_calls_are_one_task(count: int) -> None:
    built = run([one for _, one in planted(["card"], count)], stability=3)

    assert [(one.id, one.rows) for one in built.book.clusters] == [("c1", count)]
    assert built.book.stability.ari is None
    assert len(built.points) == count


def test_identical_calls_are_one_task() -> None:
    built = run([call(place, "the very same words") for place in range(50)])

    assert [one.rows for one in built.book.clusters] == [50]


def test_merges_and_splits_by_hand_survive_the_folder_and_later_runs(tmp_path: Path) -> None:
    made = planted(["card", "flight", "recipe"], 40)
    calls = [one for _, one in made]
    first = run(calls)
    ids = {
        topic: Counter(first.kept.assigned[one.id] for name, one in made if name == topic).most_common(1)[0][0]
        for topic, _ in made
    }
    write_kept(tmp_path / "x", first.kept)

    merged = run(calls, read_kept(tmp_path / "x"), merge=((ids["card"], ids["flight"]),), split=(ids["recipe"],))
    write_kept(tmp_path / "x", merged.kept)
    more = planted(["card", "flight"], 30, first=7_000)
    later = run([*calls, *(one for _, one in more)], read_kept(tmp_path / "x"))

    rows = Counter(later.kept.assigned[one.id] for _, one in more)
    assert rows[ids["card"]] >= 50
    assert ids["flight"] not in {one.id for one in later.book.clusters}
    assert [edit.kind for edit in later.kept.edits] == ["merge", "split"]
    part = later.kept.edits[1].into[1]
    assert {one.id for one in later.book.clusters} >= {ids["card"], ids["recipe"], part}


@pytest.mark.parametrize("options", [{"merge": (("c1", "c99"),)}, {"merge": (("c1", "c1"),)}, {"split": ("c99",)}])
def test_edits_of_what_is_not_there_say_so(options: dict[str, object]) -> None:
    calls = [one for _, one in planted(["card"], 10)]

    with pytest.raises(ConfigError, match="cluster"):
        run(calls, run(calls).kept, **options)


def test_clusters_of_another_embedding_are_refused() -> None:
    calls = [one for _, one in planted(["card"], 4)]
    kept = run(calls).kept
    assert kept.book is not None
    kept.book = kept.book.model_copy(update={"embedding": "minilm@0"})

    with pytest.raises(ConfigError, match=r"cluster\.fresh=true"):
        run(calls, kept)


def test_a_damaged_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    write_kept(tmp_path / "x", run([one for _, one in planted(["card"], 4)]).kept)
    (tmp_path / "x" / "centroids.npz").write_bytes(b"no")

    with pytest.raises(DataError, match=r"cluster\.fresh=true"):
        read_kept(tmp_path / "x")


def test_costs_are_sums_of_what_was_logged_and_a_dash_where_nothing_was() -> None:
    (cluster,) = run([call(place, "same", at=START + WEEK * (place // 2)) for place in range(8)]).book.clusters

    assert cluster.costs.usd == pytest.approx(0.08)
    assert (cluster.costs.prompt_tokens, cluster.costs.output_tokens, cluster.costs.latency_p50_s) == (800, 80, 0.5)
    assert [week.calls for week in cluster.weeks] == [2, 2, 2, 2]
    assert cluster.growth_per_week == pytest.approx(0, abs=1e-9)
    assert cluster.share == 1


@pytest.mark.parametrize(("name", "said"), [("nothing", "minilm, tfidf"), ("model2vec:x", "pip install model2vec")])
def test_unknown_embeddings_are_answered_in_one_line(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        embedding_named(name)
