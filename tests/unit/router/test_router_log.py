"""The router's log is an agent's log like any other: `do=collect` takes its calls and leaves the rest alone."""

import stat
from pathlib import Path

import orjson
import pytest

from harness.capture import session
from harness.config import LogsConfig
from harness.logs.collect import collect
from harness.logs.reading import read_logs
from harness.logs.store import LogStore
from harness.records.logs import LogRecord
from harness.records.route import RouteControl, RouteDecision, VerifiedPair
from harness.router import Router
from tests.support.routes import Model, called, deploy, policy, request, spoken

SMALL, LARGE = called({"order_id": "A12"}), called({"order_id": "A12", "fast": True})


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """A log of four calls: kept and verified, handed on, in shadow, streamed."""
    folder, small = deploy(tmp_path / "policy", policy(), RouteControl(mode="on", verify=1.0)), Model(SMALL)
    router = Router(folder, {"small": small, "large": Model(LARGE)}, log=tmp_path / "log")
    with session("ticket 1", agent="support"):
        await router.acompletion(request())
        small.answer = spoken("Which?")
        await router.acompletion(request("and B7?"), session="ticket 2")
        small.answer = SMALL
        async for _ in await router.acompletion(request("and C3?", stream=True)):
            pass
    deploy(folder, policy(), RouteControl(mode="shadow"))
    router._control._next_look = 0.0
    await router.acompletion(request("where is D4?"), session="ticket 3")
    await router.aclose(60)
    return tmp_path / "log"


def records(log: Path) -> list[LogRecord]:
    return [one.item.record for one in read_logs([str(log)]) if one.item.record is not None]


def test_collect_takes_the_calls_and_skips_the_rest(log: Path, tmp_path: Path) -> None:
    store = LogStore.open(tmp_path / "store", key=None, create=True, reader="test")

    done = collect(LogsConfig.model_validate({"path": (str(log),)}), store, keep_days=None)

    books = done.books
    assert (books.total("kept"), books.total("quarantined")) == (4, 0)
    assert sum(books.skipped().values()) == books.total("read") - 4
    assert all("no log" in rule for rule in books.skipped())


def test_model_session_latency_step_and_agent_are_found(log: Path) -> None:
    found = {one.messages[-1]["content"]: one for one in records(log)}

    first, streamed = found["where is order A12?"], found["and C3?"]
    assert (first.model, first.session, first.step, first.agent) == ("small", "ticket 1", 0, "support")
    assert [found[text].model for text in ("and B7?", "and C3?", "where is D4?")] == ["large", "small", "large"]
    assert all(one.latency_s is not None and one.latency_kind == "end_to_end" for one in found.values())
    assert first.reply is not None
    assert first.reply["tool_calls"][0]["name"] == "get_order"
    assert (streamed.reply or {})["tool_calls"] == first.reply["tool_calls"]
    assert first.usage.prompt_tokens == 100
    assert found["and B7?"].cost_usd == pytest.approx((100 * 2 + 10 * 8) / 1e6)


def test_a_call_brings_its_decision_along(log: Path) -> None:
    found = {one.messages[-1]["content"]: RouteDecision.model_validate(one.extra["route"]) for one in records(log)}

    assert {text: one.reason for text, one in found.items()} == {
        "where is order A12?": "kept",
        "and B7?": "no_call",
        "and C3?": "kept",
        "where is D4?": "shadow",
    }
    assert all(one.policy.startswith("shop@") and one.router_s >= 0 for one in found.values())


def test_decisions_and_pairs_are_records_without_any_text(log: Path) -> None:
    decisions = [
        RouteDecision.model_validate_json(line)
        for path in log.glob("decisions-*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    pairs = [
        VerifiedPair.model_validate_json(line)
        for path in log.glob("verified-*.jsonl")
        for line in path.read_bytes().splitlines()
    ]

    assert (len(decisions), len(pairs)) == (4, 3)
    assert {one.call for one in pairs} < {one.call for one in decisions}
    for path in [*log.glob("decisions-*"), *log.glob("verified-*"), *log.glob("state/*")]:
        assert b"order" not in path.read_bytes()


def test_nobody_else_can_read_it(log: Path) -> None:
    files = [path for path in log.rglob("*") if path.is_file()]

    assert len(files) >= 4
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


async def test_no_key_of_the_request_gets_into_it(tmp_path: Path) -> None:
    folder = deploy(tmp_path / "policy", policy())
    router = Router(folder, {"small": Model(SMALL), "large": Model(LARGE)}, log=tmp_path / "log")

    await router.acompletion(request(extra_headers={"Authorization": "Bearer sk-123"}))
    await router.aclose(60)

    (line,) = [orjson.loads(path.read_bytes()) for path in (tmp_path / "log").glob("calls-*")]
    assert "sk-123" not in str(line)
