"""Verified pairs are counted once each, in order, by session; an alarm is kept, told and may turn the policy off."""

import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.config import MonitorConfig, MonitorOptions, compose_apart
from harness.errors import ConfigError, DataError, GateFailed
from harness.iterate.monitoring import LEDGER, STATE, alarms, monitor_folder
from harness.iterate.standing import alarm_print, alarm_todos, alarm_words, monitor_reports
from harness.records.interval import Interval
from harness.records.monitor import MonitorBook, MonitorReport
from harness.records.route import CertifiedRecord, RouteControl, RouteRule, VerifiedPair
from harness.report.monitor import build_page
from harness.router.control import read_control, write_control
from harness.router.policy import load_policy
from harness.router.router import Router
from harness.verbs.monitor import main
from tests.support.routes import Json, called, deploy, policy, request

POLICY = "shop@0123456789ab"
NOW = 2_000_000_000.0
DAY = 86_400.0


def pair(number: int, *, same: bool | None = True, at: float | None = None, **more: Any) -> VerifiedPair:
    """A verified call, ten minutes after the one before."""
    given = {"call": f"c{number}", "at": NOW - 10 * DAY + 600 * number if at is None else at, "policy": POLICY}
    given |= {"small": "s", "large": "l", "served": "s", "same": same, "routed": True}
    return VerifiedPair.model_validate(given | more)


def write(folder: Path, pairs: Iterable[VerifiedPair], day: str = "2026-11-01-1-aa") -> Path:
    """Appends them to a day file of the router's log."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"verified-{day}.jsonl").open("a") as file:
        file.writelines(f"{one.model_dump_json()}\n" for one in pairs)
    return folder


def options(folder: Path, **more: Any) -> MonitorOptions:
    given: dict[str, Any] = {"logs": (str(folder / "calls"),), "policy": POLICY, "limit": 0.2, "name": "shop"}
    return MonitorOptions(**given | more)


def look(folder: Path, now: float = NOW, **more: Any) -> MonitorReport:
    return alarms(options(folder, **more), folder / "results", now=now)


def book(folder: Path) -> MonitorBook:
    return MonitorBook.model_validate_json((folder / "results" / "monitor" / "shop" / STATE).read_bytes())


def ledger(folder: Path) -> list[str]:
    lines = (folder / "results" / "monitor" / "shop" / LEDGER).read_bytes().splitlines()
    return [orjson.loads(line)["what"] for line in lines]


def mixed(count: int) -> list[VerifiedPair]:
    """Calls of which some belong to sessions and to tasks, a sixth with different answers."""
    rng = random.Random(5)
    return [
        pair(n, same=rng.random() > 0.17, session=f"s{n // 3}" if n % 4 else None, cluster=f"t{n % 2}")
        for n in range(count)
    ]


def test_many_looks_come_to_the_state_of_one(tmp_path: Path) -> None:
    pairs = mixed(240)
    write(tmp_path / "one" / "calls", pairs)
    look(tmp_path / "one")

    for part in range(0, 240, 24):
        own = pairs[part : part + 24]
        write(tmp_path / "many" / "calls", own, day=f"2026-11-0{1 + part // 80}-1-aa")
        look(tmp_path / "many", now=own[-1].at + 1)
    look(tmp_path / "many")

    one, many = book(tmp_path / "one"), book(tmp_path / "many")
    assert one.watches[0].state == many.watches[0].state
    assert one.counts == many.counts
    assert one.counts.used == 240


def test_a_look_without_new_lines_changes_nothing_of_what_is_known(tmp_path: Path) -> None:
    write(tmp_path / "calls", mixed(50))
    look(tmp_path)
    before = book(tmp_path)

    look(tmp_path)

    assert book(tmp_path) == before


def test_a_call_that_stands_in_two_files_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "calls", mixed(30))
    write(tmp_path / "calls" / "copy", mixed(30), day="2026-11-02-2-bb")

    counts = look(tmp_path).counts

    assert (counts.read, counts.used, counts.twice) == (30, 30, 30)


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "calls", [pair(0)]) / "verified-2026-11-01-1-aa.jsonl"
    line = pair(1).model_dump_json()
    with file.open("a") as opened:
        opened.write(line[:40])
    first = look(tmp_path).counts
    with file.open("a") as opened:
        opened.write(f"{line[40:]}\n")

    second = look(tmp_path).counts

    assert (first.read, second.read, second.broken) == (1, 2, 0)


def test_what_is_no_loss_or_cannot_be_judged_is_counted_apart(tmp_path: Path) -> None:
    calls = write(tmp_path / "calls", [pair(0), pair(1, same=None), pair(2, routed=False), pair(3, policy="other@1")])
    with (calls / "verified-2026-11-01-1-aa.jsonl").open("a") as file:
        file.write("no json\n")

    counts = look(tmp_path).counts

    assert (counts.used, counts.unlike, counts.not_routed, counts.other_policy, counts.broken) == (1, 1, 1, 1, 1)


def test_a_late_line_is_taken_and_told_and_one_too_late_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "calls", [pair(0), pair(50)])
    look(tmp_path)
    write(tmp_path / "calls", [pair(7), pair(8, at=NOW - 31 * DAY)])

    report = look(tmp_path)

    assert (report.counts.used, report.counts.late, report.counts.too_late) == (3, 1, 1)
    assert any("came too late" in note for note in report.notes)


def test_a_session_is_one_unit_when_its_hour_is_over(tmp_path: Path) -> None:
    at = NOW - 1800
    write(tmp_path / "calls", [pair(n, at=at + n, session="s", same=n > 0) for n in range(4)])

    early, late = look(tmp_path), look(tmp_path, now=NOW + 1900)

    assert (early.counts.used, early.pending) == (0, 4)
    assert (late.views[0].units, late.views[0].values, late.views[0].mean) == (1, 4, 0.25)


def test_labels_that_come_later_are_waited_for(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    write(tmp_path / "calls", [pair(n, at=NOW - DAY) for n in range(3)])
    labels.write_text('{"call": "c1", "small_value": 0.0}\n')
    more: dict[str, Any] = {"outcome": "error", "labels": str(labels)}
    first = look(tmp_path, **more)
    labels.write_text(labels.read_text() + '{"call": "c0", "small_value": 1.0}\n')

    second = look(tmp_path, **more)
    third = look(tmp_path, now=NOW + 8 * DAY, **more)

    assert (first.counts.used, first.views[0].mean, first.pending) == (1, 1.0, 2)
    assert (second.counts.used, second.views[0].mean, second.pending) == (2, 0.5, 1)
    assert (third.counts.used, third.counts.unlabelled, third.pending) == (2, 1, 0)


def test_a_label_that_is_none_is_named_by_its_line(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    write(tmp_path / "calls", [pair(0)])
    labels.write_text('{"call": "c1", "small_value": 7}\n')

    with pytest.raises(DataError, match=r"line 1: small_value"):
        look(tmp_path, outcome="error", labels=str(labels))


def failing(folder: Path, name: str = POLICY, count: int = 160) -> Path:
    """A log in which the models differ in half of the calls from call 60 on."""
    return write(folder / "calls", [pair(n, same=n < 60 or n % 2 == 0, policy=name) for n in range(count)])


def test_an_alarm_is_kept_until_it_is_reset_with_a_reason(tmp_path: Path) -> None:
    failing(tmp_path)
    first, second = look(tmp_path), look(tmp_path)
    anew = look(tmp_path, reset="prompt v3 is live")

    assert [bool(one.alarms) for one in (first, second, anew)] == [True, True, False]
    assert (anew.epoch, anew.views[0].values, anew.counts.read) == (2, 0, 160)
    assert ledger(tmp_path) == ["begun", "alarm", "reset"]


def test_an_alarm_tells_when_the_change_began_and_after_how_many_calls(tmp_path: Path) -> None:
    failing(tmp_path)

    (view,) = look(tmp_path).views

    assert view.alarmed_values is not None
    assert view.since_values is not None
    assert 60 < view.alarmed_values < 160
    assert view.alarmed_values - view.since_values == pytest.approx(60, abs=2)
    assert view.since == pytest.approx(pair(60).at, abs=1300)


def test_a_value_that_is_none_is_a_broken_line_and_stops_no_look(tmp_path: Path) -> None:
    folder = write(tmp_path / "calls", [pair(n, small_value=1.0, large_value=1.0) for n in range(3)])
    good = pair(3, small_value=0.0, large_value=1.0).model_dump_json()
    with (folder / "verified-2026-11-01-1-aa.jsonl").open("a") as file:
        file.write(f"{good.replace('0.0', '-7.0').replace('c3', 'c4')}\n{good}\n")

    found = look(tmp_path, outcome="loss", limit=0.05)

    assert (found.counts.broken, found.views[0].values) == (1, 4)


def test_a_state_that_is_gone_is_missed_by_its_ledger(tmp_path: Path) -> None:
    write(tmp_path / "calls", [pair(n, same=False) for n in range(120)])
    assert look(tmp_path).alarms
    (tmp_path / "results" / "monitor" / "shop" / STATE).unlink()

    with pytest.raises(DataError, match=r"state\.json is gone, and ledger\.jsonl says .* monitor\.reset="):
        look(tmp_path)

    assert look(tmp_path, reset="the disk was lost").views[0].values == 120
    assert ledger(tmp_path) == ["begun", "alarm", "reset", "alarm"]


def test_no_name_of_a_session_is_in_what_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "calls", [pair(n, session="ada@example.org", at=NOW - 5 + n) for n in range(3)])

    found = look(tmp_path)

    kept = "".join(one.read_text() for one in (tmp_path / "results" / "monitor" / "shop").glob("*.json*"))
    assert found.pending == 3
    assert "ada" not in kept


def test_other_settings_are_refused_since_the_promise_was_for_the_old_ones(tmp_path: Path) -> None:
    write(tmp_path / "calls", [pair(0)])
    look(tmp_path)

    with pytest.raises(ConfigError, match=r"begun with other settings \(design\)"):
        look(tmp_path, limit=0.25)


def test_an_alarm_turns_the_policy_off_once_where_it_is_asked_to(tmp_path: Path) -> None:
    route = deploy(tmp_path / "route", policy())
    failing(tmp_path, load_policy(route).id)
    more: dict[str, Any] = {"policy": None, "route": str(route)}

    quiet = look(tmp_path, **more)
    left_on = read_control(route).mode
    first = look(tmp_path, **more, kill=True)
    turned_off = read_control(route).mode
    write_control(route, RouteControl(mode="canary", share=0.1))
    second = look(tmp_path, **more, kill=True)

    assert (quiet.killed, left_on) == (False, "on")
    assert (first.killed, turned_off) == (True, "off")
    assert (second.killed, read_control(route).mode) == (False, "canary")
    assert ledger(tmp_path) == ["begun", "alarm", "kill"]


def test_a_monitor_for_each_task_finds_the_one_that_fails(tmp_path: Path) -> None:
    rules = tuple(RouteRule(cluster=name, expert="small") for name in ("t0", "t1", "t2"))
    route = deploy(tmp_path / "route", policy(rules=rules, index="0" * 64))
    name = load_policy(route).id
    pairs = [pair(n, same=n % 3 != 1 or n % 2 == 0, cluster=f"t{n % 3}", policy=name) for n in range(300)]
    write(tmp_path / "calls", pairs)

    report = look(tmp_path, policy=None, route=str(route), by="both")

    assert [one.key for one in report.views] == ["traffic", "t0", "t1", "t2"]
    assert [one.key for one in report.alarms] == ["t1"]
    assert report.views[0].need > 3.0


def test_the_loss_that_a_policy_may_have_is_its_margin_over_the_share_that_it_keeps(tmp_path: Path) -> None:
    shown = CertifiedRecord(
        margin=0.02, alpha=0.05, threshold=0.5, coverage=Interval(low=0.7, high=0.9, level=0.95, method="x"),
        covered=0.8, difference=0.0, worst=-0.01, n=100, sessions=100, rungs=(), tuned_on=100, split="x",
    )  # fmt: skip
    route = deploy(tmp_path / "route", policy(certified=shown))
    name = load_policy(route).id
    write(tmp_path / "calls", [pair(n, policy=name, small_value=0.5, large_value=1.0) for n in range(60)])

    (view,) = look(tmp_path, policy=None, route=str(route), outcome="loss", limit=None).views

    assert view.limit == pytest.approx(0.025)
    assert view.alarm


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"logs": ()}, r"monitor\.logs is empty"),
        ({"policy": None}, "whose pairs"),
        ({"limit": None}, "what is still as it should be"),
        ({"by": "cluster"}, "needs a policy with tasks"),
        ({"limit": 0.97}, "leaves the bounds"),
    ],
    ids=["no logs", "no policy", "no limit", "no tasks", "limit too high"],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    write(tmp_path / "calls", [pair(0)])

    with pytest.raises(ConfigError, match=said):
        look(tmp_path, **more)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        look(tmp_path)


def test_a_policy_s_folder_is_named_by_what_its_pairs_carry(tmp_path: Path) -> None:
    assert monitor_folder(options(tmp_path, name=None), tmp_path).name == "shop-0123456789ab"


def test_the_verb_ends_with_an_error_on_an_alarm_and_leaves_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    pairs = [pair(n, at=now - DAY + 60 * n, same=n % 2 == 0) for n in range(120)]
    write(tmp_path / "calls", pairs)
    config = compose_apart(
        "do=monitor", f"monitor.logs={tmp_path}/calls", f"monitor.policy='{POLICY}'", "monitor.limit=0.2",
        f"paths.results={tmp_path}/results", f"paths.reports={tmp_path}/reports",
    )  # fmt: skip
    assert isinstance(config, MonitorConfig)

    with pytest.raises(GateFailed, match="the disagreement has passed its limit"):
        main([config])

    assert "alarm on" in capsys.readouterr().out
    assert "Evidence that the limit was passed" in (tmp_path / "reports" / "monitor.html").read_text()


async def test_pairs_of_a_real_router_are_read_as_it_writes_them(tmp_path: Path) -> None:
    route = deploy(tmp_path / "route", policy(), RouteControl(mode="on", verify=1.0))

    async def small(_: Json) -> Json:
        return called({"order_id": "A12"})

    async def large(_: Json) -> Json:
        return called({"order_id": "B34"})

    router = Router(route, {"small": small, "large": large}, log=tmp_path / "calls")
    for _ in range(12):
        await router.acompletion(request())
        await router._aside.drain(5)
    await router.aclose()

    report = look(tmp_path, now=time.time() + 1, policy=None, route=str(route))

    assert report.counts.used == 12
    assert report.views[0].mean == 1.0
    assert report.policy == load_policy(route).id


def test_a_look_that_found_nothing_new_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "calls", mixed(20))
    look(tmp_path)
    kept = {file: file.read_bytes() for file in (tmp_path / "results").rglob("*.json*")}

    look(tmp_path, now=NOW + 60)

    assert {file: file.read_bytes() for file in (tmp_path / "results").rglob("*.json*")} == kept


def test_an_alarm_that_stands_is_the_first_thing_to_do(tmp_path: Path) -> None:
    failing(tmp_path)
    look(tmp_path)

    reports = monitor_reports(tmp_path / "results")
    (todo,) = alarm_todos(reports)

    assert todo.urgent
    assert "has passed its limit of 20.0% (all traffic)" in alarm_words(reports)[0]


def test_the_print_of_a_monitor_changes_with_an_alarm_and_not_with_a_look(tmp_path: Path) -> None:
    failing(tmp_path, count=60)
    look(tmp_path)
    (report,) = monitor_reports(tmp_path / "results")
    before = alarm_print(report)
    write(tmp_path / "calls", [pair(n) for n in range(60, 70)])
    look(tmp_path)
    quiet = alarm_print(report)
    write(tmp_path / "calls", [pair(n, same=False) for n in range(70, 140)])
    look(tmp_path)

    assert before == quiet != alarm_print(report)


def test_a_page_without_any_call_says_so(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()

    page = build_page(look(tmp_path))

    assert "No verified call yet." in page
    assert "<svg" not in page
