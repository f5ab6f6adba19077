"""How a fetch is shown."""

import io

import pytest

from harness.assets.progress import Progress, console_progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_for_a_log_start_and_end_only() -> None:
    stream = io.StringIO()

    with console_progress(stream) as report:
        for done in (0, 250_000, 500_000, 1_000_000):
            report(Progress("x.gguf: download", done, 1_000_000))

    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "x.gguf: download: 0 B of 1.0 MB",
        "x.gguf: download: 1.0 MB of 1.0 MB",
    ]


def test_each_step_gets_its_own_line() -> None:
    stream = io.StringIO()

    with console_progress(stream) as report:
        report(Progress("a: download", 0, None))
        report(Progress("b: take out", 0, 10))

    assert stream.getvalue().splitlines() == ["a: download: 0 B", "b: take out: 0 B of 10 B"]


def test_terminal_shows_a_bar_and_ci_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, str] = {}
    for ci in ("", "true"):
        monkeypatch.setenv("CI", ci)
        stream = _Terminal()
        with console_progress(stream) as report:
            report(Progress("[x].gguf: download", 5, 10))
        shown[ci] = stream.getvalue()

    assert "\x1b[" in shown[""]
    assert "[x].gguf: download" in shown[""]
    assert shown["true"] == "[x].gguf: download: 5 B of 10 B\n"


def test_silent_writes_nothing() -> None:
    stream = io.StringIO()

    with console_progress(stream, show=False) as report:
        report(Progress("x", 0, 1))

    assert stream.getvalue() == ""
