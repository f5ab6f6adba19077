"""The control file, shares, sticky sessions and the day's budget."""

import logging
import os
import time
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.route import RouteControl
from harness.router.budget import Budget
from harness.router.control import CONTROL, OFF_VARIABLE, Control, held_back, in_share, read_control, write_control
from harness.router.sticky import Sticky


def next_look(control: Control) -> RouteControl:
    control._next_look = 0.0  # as a tenth of a second later
    return control.now()


def test_a_change_of_the_file_holds_at_the_next_look(tmp_path: Path) -> None:
    write_control(tmp_path, RouteControl(mode="on"))
    control = Control(tmp_path)

    seen = [control.now().mode]
    write_control(tmp_path, RouteControl(mode="off"))
    seen.append(next_look(control).mode)
    (tmp_path / CONTROL).write_text('{"mode": "canary", "share": 0.5}')
    seen.append(next_look(control).mode)

    assert seen == ["on", "off", "canary"]


def test_a_change_within_one_tick_of_the_clock_is_seen_too(tmp_path: Path) -> None:
    path, just_now = tmp_path / CONTROL, time.time_ns() + 3_600_000_000_000  # however slow the machine is
    path.write_text('{"mode": "on" }')
    os.utime(path, ns=(just_now, just_now))
    control = Control(tmp_path)
    assert control.now().mode == "on"

    path.write_text('{"mode": "off"}')
    os.utime(path, ns=(just_now, just_now))

    assert next_look(control).mode == "off"


def test_a_program_looks_more_than_once_a_second(tmp_path: Path) -> None:
    write_control(tmp_path, RouteControl(mode="on"))
    control = Control(tmp_path)
    control.now()

    assert control._next_look - time.monotonic() < 0.5


@pytest.mark.parametrize(
    "text", [None, "", "{", '{"mode": "full"}', '{"mode": "on", "shares": 1}', '{"share": 7}'], ids=str
)
def test_a_damaged_file_means_off_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    if text is not None:
        (tmp_path / CONTROL).write_text(text)
    control = Control(tmp_path)

    with caplog.at_level(logging.WARNING, "harness.router"):
        seen = [next_look(control).mode for _ in range(5)]

    assert seen == ["off"] * 5
    assert len(caplog.records) == 1
    with pytest.raises(DataError, match=r"control\.json"):
        read_control(tmp_path)


def test_a_mended_file_holds_again(tmp_path: Path) -> None:
    (tmp_path / CONTROL).write_text("{")
    control = Control(tmp_path)
    control.now()

    write_control(tmp_path, RouteControl(mode="on"))

    assert next_look(control).mode == "on"


@pytest.mark.parametrize(("value", "mode"), [("1", "off"), ("yes", "off"), ("0", "on"), ("", "on"), ("false", "on")])
def test_the_environment_variable_shuts_everything_off_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, mode: str
) -> None:
    write_control(tmp_path, RouteControl(mode="on"))
    control = Control(tmp_path)
    control.now()

    monkeypatch.setenv(OFF_VARIABLE, value)

    assert control.now().mode == mode


def test_writing_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    for mode in ("shadow", "on"):
        write_control(tmp_path, RouteControl(mode=mode))

    assert [one.name for one in tmp_path.iterdir()] == [CONTROL]


def test_the_share_of_sessions_is_right_within_binomial_error() -> None:
    n = 20_000

    shares = {share: sum(in_share(f"session {k}", share, "canary shop") for k in range(n)) / n for share in (0.1, 0.5)}

    assert all(abs(found - share) < 4 * (share * (1 - share) / n) ** 0.5 for share, found in shares.items())


def test_a_session_that_is_in_stays_in_when_the_share_grows() -> None:
    names = [f"session {k}" for k in range(2_000)]
    inside = [{name for name in names if in_share(name, share, "canary shop")} for share in (0.1, 0.3, 1.0)]

    assert inside[0] < inside[1] < inside[2] == set(names)


def test_canaries_of_two_policies_are_different_sessions() -> None:
    control = RouteControl(mode="canary", share=0.5)

    def inside(policy: str) -> list[bool]:
        return [held_back(control, policy, "c", f"s{k}", sticks=False) is None for k in range(200)]

    assert inside("one") == inside("one") != inside("two")


def test_modes_hold_calls_back_in_their_order() -> None:
    asked = [
        (RouteControl(mode="off"), True),
        (RouteControl(mode="shadow"), True),
        (RouteControl(mode="canary", share=0.0), True),
        (RouteControl(mode="on"), True),
        (RouteControl(mode="on", sticky=False), True),
        (RouteControl(mode="on"), False),
    ]

    found = [held_back(control, "shop", "c", "s", sticks=sticks) for control, sticks in asked]

    assert found == ["off", "shadow", "not in the canary", "sticky", None, None]


def test_sticky_sessions_hold_over_processes_that_share_a_folder(tmp_path: Path) -> None:
    one, other = Sticky(tmp_path), Sticky(tmp_path)
    assert not other.holds("ticket 1")

    one.add("ticket 1")

    assert other.holds("ticket 1")
    assert Sticky(tmp_path).holds("ticket 1")
    assert not Sticky(tmp_path).holds("ticket 2")
    assert "ticket" not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_sessions_of_last_month_are_forgotten(tmp_path: Path) -> None:
    old = tmp_path / "sticky-2020-01-01.txt"
    old.write_text("0" * 24 + "\n")

    Sticky(tmp_path)

    assert not old.exists()


def test_without_a_folder_each_process_knows_its_own_sessions() -> None:
    one, other = Sticky(None), Sticky(None)

    one.add("ticket 1")

    assert one.holds("ticket 1")
    assert not other.holds("ticket 1")


def test_the_budget_of_calls_is_one_over_restarts_and_processes(tmp_path: Path) -> None:
    control = RouteControl(budget_calls_per_day=3)

    taken = [Budget(tmp_path).take(control, priced=False) is not None for _ in range(5)]

    assert taken == [True] * 3 + [False] * 2


def test_a_budget_in_usd_counts_what_calls_have_cost(tmp_path: Path) -> None:
    control, budget = RouteControl(budget_usd_per_day=1.0), Budget(tmp_path)

    taken = []
    for _ in range(6):
        reserved = budget.take(control, priced=True)
        taken.append(reserved is not None)
        if reserved is not None:
            budget.settle(reserved, 0.3)

    assert taken == [True] * 3 + [False] * 3


def test_calls_under_way_are_reserved_at_the_dearest_price_seen() -> None:
    control, budget = RouteControl(budget_usd_per_day=1.0), Budget(None)
    budget.settle(budget.take(control, priced=True) or 0.0, 0.4)

    taken = [budget.take(control, priced=True) for _ in range(3)]

    assert taken == [0.4, None, None]


def test_a_budget_in_usd_allows_nothing_without_a_price() -> None:
    assert Budget(None).take(RouteControl(budget_usd_per_day=5.0), priced=False) is None
    assert Budget(None).take(RouteControl(), priced=False) == 0.0


def test_a_new_day_has_a_new_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = RouteControl(budget_calls_per_day=1)
    for folder in (tmp_path, None):
        budget = Budget(folder)
        monkeypatch.setattr(time, "strftime", lambda *_: "2026-11-21")
        first = [budget.take(control, priced=False) for _ in range(2)]
        monkeypatch.setattr(time, "strftime", lambda *_: "2026-11-22")

        assert [*first, budget.take(control, priced=False)] == [0.0, None, 0.0]


def test_a_damaged_days_file_lets_nothing_through(tmp_path: Path) -> None:
    budget = Budget(tmp_path)
    budget.take(RouteControl(budget_calls_per_day=9), priced=False)
    next(tmp_path.glob("budget-*.json")).write_text("[]")

    with pytest.raises(ValueError, match="no object"):
        budget.take(RouteControl(budget_calls_per_day=9), priced=False)
