"""What is in other people's logs: nothing, one thing many times, other scripts, and more calls than fit in memory."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from harness.cluster.build import Built, build
from harness.cluster.density import reduced
from harness.cluster.features import features_of
from harness.cluster.figures import map_of
from harness.cluster.folder import Kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.records.call import Call
from tests.support.planted_calls import call, planted

GERMAN = {
    "karte": ("karte", "gestohlen", "sperren", "konto", "geheimzahl", "überweisung"),
    "flug": ("flug", "gepäck", "sitzplatz", "verspätung", "abflug", "bordkarte"),
}
JAPANESE = {
    "card": ("カードを", "紛失", "しました", "停止", "再発行", "お願い"),
    "trip": ("飛行機", "予約を", "変更", "座席", "荷物", "出発"),
}


def run(calls: Sequence[Call], kept: Kept | None = None, **options: object) -> Built:
    chosen = ClusterOptions.model_validate(
        {"calls": "x", "name": "x", "embedding": "tfidf", "stability": 0, "seed": 0} | options
    )
    return build(features_of(calls), chosen, embedding_named("tfidf"), kept or Kept())


def found(built: Built, calls: Sequence[Call]) -> list[str]:
    return [built.kept.assigned[one.id] for one in calls]


def in_words(words: dict[str, tuple[str, ...]], each: int) -> list[tuple[str, Call]]:
    draw, names = random.Random(0), list(words)
    texts = [(names[place % 2], " ".join(draw.sample(words[names[place % 2]], 4))) for place in range(2 * each)]
    return [(name, call(place, text, system="Hilf.")) for place, (name, text) in enumerate(texts)]


@pytest.mark.parametrize("text", ["", " \n ", "🙂", "\ud800", "word " * 200_000])
@pytest.mark.parametrize("count", [1, 30])
def test_texts_that_say_nothing_or_far_too_much_are_one_task(text: str, count: int) -> None:
    built = run([call(place, text) for place in range(count)], stability=1)

    assert [one.rows for one in built.book.clusters] == [count]
    assert built.book.coverage == 1


@pytest.mark.parametrize("words", [GERMAN, JAPANESE], ids=["german", "japanese"])
def test_tasks_in_other_languages_are_found(words: dict[str, tuple[str, ...]]) -> None:
    made = in_words(words, 40)
    calls = [one for _, one in made]

    built = run(calls)

    assert adjusted_rand_score([name for name, _ in made], found(built, calls)) > 0.8


def test_calls_without_session_step_time_or_usage_are_clustered_too() -> None:
    made = [call(place, "block my card") for place in range(20)]
    calls = [replace(one, session=None, step=None, at=None, latency_s=None) for one in made]

    (cluster,) = run(calls).book.clusters

    assert (cluster.weeks, cluster.costs.latency_p50_s, cluster.growth_per_week) == ((), None, None)


def test_one_request_planted_in_many_sessions_is_in_one_task() -> None:
    calls = [one for _, one in planted(["card", "flight"], 40)]
    copies = [call(700 + place, "please block my stolen bank card", system="You help people.") for place in range(12)]

    built = run([*calls, *copies])

    assert len(set(found(built, copies))) == 1


def test_a_node_larger_than_a_block_gives_the_tasks_that_it_gives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planted(["card", "flight", "recipe"], 120)
    calls = [one for _, one in made]
    monkeypatch.setattr("harness.cluster.build._BLOCK", 130)

    built = run(calls)

    assert adjusted_rand_score([topic for topic, _ in made], found(built, calls)) > 0.9
    assert sum(one.rows for one in built.book.clusters) == len(calls)
    assert built.book.assigned == 0
    assert len(built.points) == len(calls)


def test_blocks_keep_ids_edits_and_results_of_earlier_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = planted(["card", "flight"], 120)
    calls = [one for _, one in made]
    monkeypatch.setattr("harness.cluster.build._BLOCK", 90)
    first = run(calls)
    before = found(first, calls)
    (most, _), *_ = Counter(before).most_common()

    again = found(run(calls, first.kept), calls)
    split = run(calls, first.kept, split=(most,))

    assert again == before
    part = split.kept.edits[-1].into[1]
    assert 0 < found(split, calls).count(part) < before.count(most)


@pytest.mark.parametrize("algorithm", ["kmeans", "agglomerative"])
def test_without_noise_every_block_goes_to_a_task(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [one for _, one in planted(["card", "flight", "garden"], 80)]
    monkeypatch.setattr("harness.cluster.build._BLOCK", 100)

    built = run(calls, algorithm=algorithm)

    assert built.book.coverage == 1


def test_a_task_that_comes_back_is_told_from_one_that_does_not() -> None:
    calls = [one for _, one in planted(["card", "flight"], 60)]

    built = run(calls, stability=5)

    own = [one.stability for one in built.book.clusters if not one.noise]
    assert len(own) == 2
    assert all(one is not None and one > 0.75 for one in own)


def test_without_resamples_no_task_has_a_stability() -> None:
    built = run([one for _, one in planted(["card", "flight"], 40)], stability=0)

    assert {one.stability for one in built.book.clusters} == {None}


@pytest.mark.parametrize("times", [3, 40, 250])
def test_one_call_many_times_has_a_place_on_the_map_and_no_warning(times: int) -> None:
    rows = np.tile(np.linspace(0, 1, 90, dtype=np.float32), (times, 1))

    assert map_of(rows, [0] * times, 0).tolist() == [[0.5, 0.5]] * times
    assert reduced(rows, 0).shape == (times, 64)
