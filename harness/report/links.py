"""Addresses of samples in the leaderboard's explorer, in one form for every page that leads there."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from harness.report.text import clip, visible

__all__ = ["LONGEST_ID", "explorer_link", "explorer_query", "page_link", "shown_id"]

LONGEST_ID: Final = 300
"""Characters of a sample's id that a page holds."""


def shown_id(id_: str) -> str:
    """A sample's id as the page has it: hidden characters spelled out, an endless one cut."""
    return visible(clip(id_, LONGEST_ID))


def explorer_query(keys: Mapping[str, str]) -> str:
    """What stands behind the `#` of an address; values as the page has them, empty ones left out.

    Keys: run, beside, beside2, beside3, sample, trial, result, miss, category, text (docs/explorer.md).
    >>> explorer_query({"run": "a b", "sample": "x&y", "trial": ""})
    'run=a+b&sample=x%26y'
    """
    shown = {key: shown_id(value) if key == "sample" else visible(value) for key, value in keys.items() if value}
    return urlencode(shown)


def explorer_link(page: str = "", **keys: str) -> str:
    """The whole address; without a page one on the page itself."""
    return f"{page}#{explorer_query(keys)}"


def page_link(path: str) -> str:
    r"""The address of a file under `reports`; of a name that is no UTF-8 its bytes as they lie on disk.

    >>> page_link("runs/a b#1.html"), page_link("runs/\udc80.html")
    ('runs/a%20b%231.html', 'runs/%80.html')
    """
    return quote(path, errors="surrogateescape")
