"""Near duplicates: what is found, and what is template and not content."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH

from harness.curate.buckets import bands, buckets_of, signatures
from harness.curate.shingles import Hashes, jaccard, shingle
from harness.store.calls import read_calls
from tests.support.curated_calls import START, call, curated, said, sessions

_LONG_PROMPT = " ".join(f"rule{n} says that you must never do {n}." for n in range(300))


def _groups(folder: Path) -> dict[str, str]:
    return {one.record: one.duplicate_group for one in read_calls(folder)}


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("perms", [64, 128, 256])
def test_pair_at_the_threshold_is_proposed_almost_surely(threshold: float, perms: int) -> None:
    count, rows = bands(threshold, perms)

    assert count * rows <= perms
    assert 1 - (1 - threshold**rows) ** count >= 0.99 or rows == 1


def test_jaccard_agrees_with_its_definition_on_sets() -> None:
    chance = np.random.default_rng(0)
    for _ in range(200):
        one, other = (set(chance.integers(0, 40, chance.integers(0, 30)).tolist()) for _ in range(2))
        wanted = len(one & other) / len(one | other) if one | other else 1.0

        arrays = [np.array(sorted(each), np.uint32) for each in (one, other)]

        assert jaccard(*arrays) == pytest.approx(wanted)


def test_role_makes_a_difference_and_order_of_words_does() -> None:
    assert jaccard(shingle("a b c d e", "user"), shingle("a b c d e", "tool")) < 1
    assert jaccard(shingle("a b c d e", "user"), shingle("e d c b a", "user")) < 0.2


def test_planted_near_duplicates_are_grouped_across_sessions(tmp_path: Path) -> None:
    long = said(3, words=120)
    records = [*sessions(10), call("x", long), call("y", f"{long} thanks", at=START + 9)]

    groups = _groups(curated(tmp_path, records).folder)

    assert groups["x/0"] == groups["y/0"]
    assert len(set(groups.values())) == 11


def test_tool_results_tell_calls_apart_that_ask_alike(tmp_path: Path) -> None:
    def asked(name: str, result: str) -> object:
        made = {"id": "c", "name": "find_order", "arguments": "{}"}
        history = (
            {"role": "user", "content": said(3)},
            {"role": "assistant", "tool_calls": [made]},
            {"role": "tool", "tool_call_id": "c", "content": result},
        )
        return call(name, "", messages=history)

    folder = curated(tmp_path, [asked("a", said(8, words=90)), asked("b", said(9, words=90))]).folder  # type: ignore[list-item]

    assert len(set(_groups(folder).values())) == 2


def test_prompt_that_all_sessions_share_makes_no_two_calls_alike(tmp_path: Path) -> None:
    system = {"role": "system", "content": _LONG_PROMPT}
    records = [call(f"s{n}", "", messages=(system, {"role": "user", "content": said(n)})) for n in range(2, 12)]

    groups = _groups(curated(tmp_path, records).folder)

    assert len(set(groups.values())) == 10


def test_what_is_filled_into_a_shared_prompt_still_tells_calls_apart_and_alike(tmp_path: Path) -> None:
    def asked(name: str, scenario: int) -> object:
        system = {"role": "system", "content": f"{_LONG_PROMPT}\n{said(scenario, words=60)}"}
        return call(name, "", messages=(system, {"role": "user", "content": "Hi! How can I help you today?"}))

    records = [asked(f"s{n}", n) for n in range(2, 12)] + [asked("again", 5)]

    groups = _groups(curated(tmp_path, records, drop=[]).folder)  # type: ignore[arg-type]

    assert groups["again/0"] == groups["s5/0"]
    assert len(set(groups.values())) == 10


@pytest.fixture
def sets() -> list[Hashes]:
    """An empty set, one that is larger than what is permuted at once, and pairs of any likeness."""
    chance = np.random.default_rng(3)
    drawn = [np.unique(chance.integers(0, 1 << 32, 40, np.uint32)) for _ in range(60)]
    mixed = [np.unique(np.concatenate([one[:cut], other[cut:]])) for one, other in pairwise(drawn) for cut in (5, 36)]
    return [np.empty(0, np.uint32), np.unique(chance.integers(0, 1 << 32, 40_000, np.uint32)), *drawn, *mixed]


def test_signatures_are_those_of_datasketch(sets: list[Hashes]) -> None:
    made = MinHash(num_perm=128, scheme="affine32").permutations

    ours = signatures(sets, made)

    for place, one in enumerate(sets):
        theirs = MinHash(num_perm=128, hashfunc=int, scheme="affine32")
        theirs.update_batch(one.tolist())
        assert (ours[:, place] == theirs.hashvalues).all()


def test_candidates_are_those_of_datasketch(sets: list[Hashes]) -> None:
    theirs = MinHashLSH(num_perm=128, params=bands(0.8, 128))
    signed = signatures(sets, MinHash(num_perm=128, scheme="affine32").permutations)
    for place in range(len(sets)):
        theirs.insert(place, MinHash(hashvalues=signed[:, place], scheme="affine32"))

    ours = buckets_of([(place,) for place in range(len(sets))], sets.__getitem__, 0.8, 128)

    found = [ours.others(place) for place in range(len(sets))]
    assert sum(map(len, found)) > 20
    for place, others in enumerate(found):
        asked = theirs.query(MinHash(hashvalues=signed[:, place], scheme="affine32"))
        assert others == sorted(one for one in asked if one != place)
