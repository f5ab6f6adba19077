"""Numbers as people read them; every function takes a measured value, never None."""

from math import floor, log10

__all__ = ["change", "counted", "memory", "parameters", "percent", "points", "rate", "seconds", "share_text", "usd"]

_THIN = "\u202f"


def percent(share: float) -> str:
    r"""A share 0..1 in whole per cent, with one digit where whole ones would read 0 or 100 wrongly.

    >>> percent(0.308), percent(0.004), percent(0.0)
    ('31\u202f%', '0.4\u202f%', '0\u202f%')
    """
    value = share * 100
    if 0 < value < 1 or 99 < value < 100:
        return f"{min(max(round(value, 1), 0.1), 99.9):.1f}{_THIN}%"
    return f"{value:.0f}{_THIN}%"


def share_text(low: float, high: float) -> str:
    r"""An interval of shares in per cent.

    >>> share_text(0.231, 0.397)
    '23–40\u202f%'
    """
    return f"{low * 100:.0f}–{high * 100:.0f}{_THIN}%"


def points(share: float) -> str:
    r"""A difference of shares in percentage points, with its sign.

    >>> points(0.123), points(0.0), points(-0.004)
    ('+12', '0', '−0.4')
    """
    value = abs(share * 100)
    text = f"{value:.0f}" if value >= 1 or value == 0 else f"{max(0.1, value):.1f}"
    return text if value == 0 else f"{'+' if share > 0 else '−'}{text}"


def change(value: float) -> str:
    r"""A difference of seconds with its sign.

    >>> change(0.0351), change(-1.5)
    ('+35.1\u202fms', '−1.50\u202fs')
    """
    return f"{'−' if value < 0 else '+'}{seconds(abs(value))}"


def _three(value: float) -> str:
    """Three significant digits without exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    return f"{value:,.{digits}f}"


def seconds(value: float) -> str:
    r"""Seconds with three significant digits, in milliseconds below a second.

    >>> seconds(0.0123), seconds(2.345)
    ('12.3\u202fms', '2.35\u202fs')
    """
    if round(value, 4) < 1:
        return f"{_three(value * 1000)}{_THIN}ms"
    return f"{_three(value)}{_THIN}s"


def rate(value: float) -> str:
    """Tokens per second."""
    return _three(value)


def usd(value: float) -> str:
    """Dollars with three significant digits.

    >>> usd(0.000123), usd(0.0)
    ('$0.000123', '$0')
    """
    return f"${_three(value)}"


def memory(count: int) -> str:
    r"""Bytes in the largest binary unit that leaves at least 1.

    >>> memory(225_000_000)
    '215\u202fMiB'
    """
    if count >= 1 << 30:
        return f"{_three(count / (1 << 30))}{_THIN}GiB"
    return f"{count / (1 << 20):.0f}{_THIN}MiB"


def parameters(count: int) -> str:
    r"""Parameters of a model in millions or billions.

    >>> parameters(134_515_008), parameters(3_821_079_552)
    ('135\u202fM', '3.82\u202fB')
    """
    return f"{_three(count / 1e9)}{_THIN}B" if count >= 999_500_000 else f"{_three(count / 1e6)}{_THIN}M"


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "run"), counted(2, "run")
    ('1 run', '2 runs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
