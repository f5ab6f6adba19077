"""The cache of replies: a rerun asks nobody, costs nothing, and says so; what must not come from it does not."""

import json
import multiprocessing
import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import PriceConfig, RunConfig
from harness.errors import DataError
from harness.protocols import Endpoint
from harness.records import Reply, Timing, Usage
from harness.records.manifest import BackendFacts, WeightFacts
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.runner.replies import Replies, open_replies
from harness.store.replies import FILE, ReplyStore
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import SAMPLES, Echo, echo_job
from tests.support.openai_server import Server, serve_in_thread

PRICE = PriceConfig(
    input_usd_per_mtok=1, output_usd_per_mtok=2, as_of="2026-11-01",
    batch={"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 1},
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_look_at_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes half a second a run, and no time is judged here."""
    monkeypatch.setattr("harness.runner.job.busy_warning", lambda: None)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as found:
        yield found


def job(url: str, tmp: Path, samples: Any = SAMPLES, **run: object) -> Job:
    found = echo_job(url, tmp, Echo(), samples, **{"reply_cache": "on", **run})
    model = found.config.model.model_copy(update={"hosted": True, "price": PRICE})
    paths = found.config.paths.model_copy(update={"replies": str(tmp / "replies")})
    return replace(found, config=found.config.model_copy(update={"model": model, "paths": paths}))


def once(plan: Job) -> Outcome:
    (outcome,) = execute([plan])
    return outcome


def test_a_rerun_asks_nobody_and_keeps_what_the_answers_cost_apart_from_what_was_paid(
    server: Server, tmp_path: Path
) -> None:
    first = once(job(server.url, tmp_path, trials=2, warmup=2)).summary
    asked = len(server.bodies)

    second = once(job(server.url, tmp_path, trials=2, warmup=2)).summary

    assert asked == 24 + 2
    assert len(server.bodies) == asked  # no warm-up either
    assert (first.n_cached, second.n_cached, second.accuracy) == (0, 24, first.accuracy)
    assert second.cost_usd == first.cost_usd == first.spent_usd == pytest.approx(24 * 12e-6)
    assert second.spent_usd == 0.0
    assert second.cached is not None
    assert (second.cached.n, second.cached.of, second.cached.first) == (24, 24, second.started_at[:10])


def test_cached_answers_cost_what_the_run_says_that_it_reckons_with(server: Server, tmp_path: Path) -> None:
    dearer = PRICE.model_copy(update={"output_usd_per_mtok": 4.0})
    again = job(server.url, tmp_path)
    model = again.config.model.model_copy(update={"price": dearer})

    first = once(job(server.url, tmp_path)).summary
    second = once(replace(again, config=again.config.model_copy(update={"model": model}))).summary

    assert second.n_cached == 12
    assert first.cost_usd == pytest.approx(12 * 12e-6)
    assert second.cost_usd == pytest.approx(12 * 14e-6)
    assert "4 out" in (second.cost_basis or "")


def test_times_of_cached_answers_are_in_no_figure(server: Server, tmp_path: Path) -> None:
    once(job(server.url, tmp_path, SAMPLES[:6]))

    summary = once(job(server.url, tmp_path)).summary

    assert (summary.n_cached, summary.n_scored) == (6, 12)
    assert summary.ttft_s is not None
    assert summary.e2e_s is not None
    assert (summary.ttft_s.n, summary.e2e_s.n, summary.system_tokens_per_s) == (6, 6, None)


def test_an_attempt_from_the_cache_is_marked_and_whole(server: Server, tmp_path: Path) -> None:
    before = read_run(once(job(server.url, tmp_path)).folder).attempts

    after = read_run(once(job(server.url, tmp_path)).folder).attempts

    assert {one.origin for one in before} == {"measured"}
    assert {one.origin for one in after} == {"cached"}
    assert [one.model_copy(update={"origin": "measured"}) for one in after] == list(before)


@pytest.mark.parametrize(
    ("mode", "asked_first", "asked_again"), [("off", 12, 12), ("read", 12, 12), ("write", 12, 12), ("on", 12, 0)]
)
def test_each_mode_does_its_half(server: Server, tmp_path: Path, mode: str, asked_first: int, asked_again: int) -> None:
    once(job(server.url, tmp_path, reply_cache=mode))
    first = len(server.bodies)
    once(job(server.url, tmp_path, reply_cache=mode))

    assert (first, len(server.bodies) - first) == (asked_first, asked_again)
    assert (tmp_path / "replies").exists() == (mode != "off")


def test_written_in_one_run_and_only_read_in_the_next(server: Server, tmp_path: Path) -> None:
    once(job(server.url, tmp_path, reply_cache="write"))

    assert once(job(server.url, tmp_path, reply_cache="read")).summary.n_cached == 12


def test_a_failure_is_never_kept(tmp_path: Path) -> None:
    answers = {n: fake.error(500, {"error": {"message": "broken"}}) if n == 3 else fake.reply("yes") for n in range(12)}
    with serve_in_thread(lambda n, _b: answers.get(n, fake.reply("yes"))) as server:
        lost = once(job(server.url, tmp_path)).summary
        again = once(job(server.url, tmp_path, resume="never")).summary

    assert (lost.n_failed, again.n_failed, again.n_cached) == (1, 0, 11)
    assert len(server.bodies) == 13


def test_an_empty_reply_is_a_failure_too(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("")) as server:
        once(job(server.url, tmp_path))

        assert once(job(server.url, tmp_path)).summary.n_cached == 0


def test_a_request_that_comes_twice_in_a_suite_is_asked_twice(tmp_path: Path) -> None:
    twins = tuple(SAMPLES[0].model_copy(update={"id": name}) for name in ("a", "b"))
    with serve_in_thread(lambda n, _b: fake.reply("yes" if n == 0 else "no")) as server:
        first = once(job(server.url, tmp_path, twins)).summary
        second = once(job(server.url, tmp_path, twins)).summary

    assert (first.n_cached, second.n_cached, len(server.bodies)) == (0, 2, 2)
    assert first.accuracy == second.accuracy == 0.5


def test_a_request_that_comes_twice_keeps_its_place_when_the_run_goes_on(tmp_path: Path) -> None:
    twins = tuple(SAMPLES[0].model_copy(update={"id": name}) for name in ("a", "b"))

    def answer(number: int, _: object) -> Any:
        return fake.reply("yes") if number == 0 else fake.error(500, "not now") if number == 1 else fake.reply("no")

    with serve_in_thread(answer) as server:
        broken = once(job(server.url, tmp_path, twins, retries=0, concurrency=1))
        whole = once(job(server.url, tmp_path, twins, retries=0, concurrency=1, resume=str(broken.folder))).summary

    assert (whole.n_cached, len(server.bodies)) == (0, 3)
    assert whole.accuracy == 0.5


def test_answers_that_the_disk_refuses_to_keep_are_counted_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ReplyStore.__init__

    def full(store: ReplyStore, folder: Path, max_mb: int) -> None:
        made(store, folder, max_mb)
        store._base.execute("PRAGMA max_page_count = 1")  # as little as it has: SQLite says that the disk is full

    monkeypatch.setattr(ReplyStore, "__init__", full)
    with serve_in_thread(lambda _n, _b: fake.reply("yes" * 3000)) as server:
        outcome = once(job(server.url, tmp_path))

    run = read_run(outcome.folder)
    (said,) = [one for one in run.manifest.warnings if "kept" in one]
    assert said.startswith("answers are no longer kept for a rerun: the cache of replies")
    assert "full" in said
    assert len(run.attempts) == len(server.bodies) == len(SAMPLES)
    assert all(one.reply is not None for one in run.attempts)


def test_trials_stay_different_answers(tmp_path: Path) -> None:
    with serve_in_thread(lambda n, _b: fake.reply("yes" if n < 12 else "no")) as server:
        once(job(server.url, tmp_path, trials=2))
        plan = job(server.url, tmp_path, trials=2)
        attempts = read_run(once(plan).folder).attempts

    said = {trial: {one.reply.content for one in attempts if one.reply and one.trial == trial} for trial in (0, 1)}
    assert said == {0: {"yes"}, 1: {"no"}}


def test_a_budget_in_money_is_not_used_up_by_the_cache(server: Server, tmp_path: Path) -> None:
    once(job(server.url, tmp_path))

    outcome = once(job(server.url, tmp_path, budget={"usd": 1e-5, "calls": 1, "tokens": 1}))

    assert (outcome.stopped, outcome.summary.n_cached) == (None, 12)


def test_what_the_answers_cost_as_a_batch_is_a_figure_of_its_own(server: Server, tmp_path: Path) -> None:
    summary = once(job(server.url, tmp_path)).summary

    assert summary.batch_cost_usd == pytest.approx(12 * (10 * 0.5 + 1 * 1) / 1e6)
    assert summary.cost_usd == pytest.approx(12 * 12e-6)


def test_what_the_provider_says_that_a_call_cost_stands_beside_what_is_computed(tmp_path: Path) -> None:
    def answer(_n: int, _b: object) -> list[fake.Step]:
        counted = {"prompt_tokens": 10, "completion_tokens": 1, "cost": 0.25}
        end = fake.event({"model": "m-2026", "system_fingerprint": "fp_1", "choices": [], "usage": counted})
        words = [fake.delta(content="yes"), fake.delta(finish="stop"), end, fake.DONE]
        return [fake.Raw(fake.SSE_HEAD), *map(fake.chunked, words), fake.END]

    with serve_in_thread(answer) as server:
        first = once(job(server.url, tmp_path)).summary
        second = once(job(server.url, tmp_path)).summary

    assert first.recorded_cost == second.recorded_cost
    assert first.recorded_cost is not None
    assert (first.recorded_cost.usd, first.recorded_cost.n, first.recorded_cost.by) == (3.0, 12, ("provider",))
    assert first.recorded_cost.computed_usd == first.cost_usd == pytest.approx(12 * 12e-6)
    with closing(sqlite3.connect(tmp_path / "replies" / FILE)) as base:
        kept = json.loads(base.execute("SELECT reply FROM replies").fetchone()[0])
    assert (kept["model"], kept["fingerprint"]) == ("m-2026", "fp_1")


def facts(**changes: Any) -> BackendFacts:
    return BackendFacts(name="endpoint", **changes)


def sourced(config: RunConfig, tmp: Path, **endpoint: Any) -> bytes:
    given = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "facts": facts(), **endpoint}
    found = open_replies(config, Endpoint(**given))
    assert found is not None
    found.close()
    return found.source


def test_another_key_is_the_same_source_and_another_address_model_or_weights_are_not(tmp_path: Path) -> None:
    config = job("http://127.0.0.1:1/v1", tmp_path).config
    local = config.model_copy(update={"model": config.model.model_copy(update={"hosted": False})})
    weights = WeightFacts(file="w", sha256="1" * 64, bytes=1, quantization="Q4")

    base = sourced(config, tmp_path)

    assert sourced(config, tmp_path, headers={"Authorization": "Bearer sk-another"}) == base
    assert sourced(config, tmp_path, base_url="http://127.0.0.1:2/v1") != base
    assert sourced(config, tmp_path, model="n") != base
    assert sourced(local, tmp_path, facts=facts(weights=weights)) != sourced(local, tmp_path)


def test_the_order_of_fields_and_the_slot_make_no_other_request(tmp_path: Path) -> None:
    def key(body: bytes, trial: int = 0) -> str:
        return Replies(b"s", None, None, "id_slot").key(body, trial, "a")

    base = key(b'{"model":"m","temperature":0,"stream":true,"id_slot":3}')

    assert key(b'{"temperature":0,"model":"m","id_slot":1}') == base
    assert key(b'{"temperature":1,"model":"m"}') != base
    assert key(b'{"model":"m","temperature":0}', trial=1) != base


def test_an_engine_of_our_own_is_asked_and_the_run_says_so(tmp_path: Path) -> None:
    config = job("http://127.0.0.1:1/v1", tmp_path).config
    own = config.model_copy(update={"backend": config.backend.model_copy(update={"name": "llamacpp"})})

    assert open_replies(own, Endpoint("http://127.0.0.1:1/v1", "m", facts())) is None


def test_nothing_but_the_owner_can_read_the_file_and_no_request_is_in_it(server: Server, tmp_path: Path) -> None:
    once(job(server.url, tmp_path))

    files = list((tmp_path / "replies").iterdir())
    assert [stat.S_IMODE(one.stat().st_mode) for one in files] == [0o600] * len(files)
    assert stat.S_IMODE((tmp_path / "replies").stat().st_mode) == 0o700
    assert not any(b"question 3" in one.read_bytes() for one in files)


def test_a_file_that_is_no_cache_is_told_with_what_to_type(server: Server, tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / FILE).write_bytes(b"not a database at all, and long enough to be looked at" * 100)

    with pytest.raises(DataError, match=r"cannot be used \(file is not a database\): remove the file.*reply_cache=off"):
        once(job(server.url, tmp_path))


def test_the_oldest_answers_make_room(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path, 1)
    for number in range(257):
        store.put(str(number), os.urandom(20_000))

    assert store.get("0") is None
    assert store.get("256") is not None
    assert 20 < len(store) < 130
    assert store.path.stat().st_size < 3 << 20
    store.close()


def _write(folder: str, name: str, ready: Any) -> None:
    store = ReplyStore(Path(folder), 64)
    for number in range(100_000):
        store.put(f"{name}{number}", b"x" * 500)
        if number == 200:
            ready.set()


def test_two_processes_write_at_once_and_a_kill_leaves_it_whole(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    events = [context.Event() for _ in "ab"]
    both = [
        context.Process(target=_write, args=(str(tmp_path), name, one)) for name, one in zip("ab", events, strict=True)
    ]
    for one in both:
        one.start()
    assert all(one.wait(60) for one in events)
    for process in both:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()

    store = ReplyStore(tmp_path, 64)

    assert store.get("a200") == store.get("b200") == b"x" * 500
    store.put("after", b"y")
    assert store.get("after") == b"y"
    with closing(sqlite3.connect(store.path)) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()


async def test_an_answer_of_another_version_is_asked_for_again(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path, 1)
    replies = Replies(b"s", store, store)
    store.put("k", b'{"reply":{},"timing":{"at":0},"usage":{},"from":"the future"}')
    store.put("good", _line().encode())

    assert replies.find("k") is None
    found = replies.find("good")
    assert found is not None
    assert found.reply == Reply(content="yes")
    replies.close()


def _line() -> str:
    reply, timing, usage = Reply(content="yes"), Timing(at=1.0), Usage()
    return (
        f'{{"reply":{reply.model_dump_json()},"timing":{timing.model_dump_json()},"usage":{usage.model_dump_json()}}}'
    )
