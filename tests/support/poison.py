"""Hostile text, and any record with it in every text that comes from outside: names, ids, prompts, replies, errors.

The same text is always poisoned alike, so that ids still lead to what they are the id of.
"""

import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from harness.cluster.build import build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.report import RunView, audit, clusters, load, quantize, select, write_leaderboard
from harness.report.page import write_html
from tests.support.audits import audit_of, mixed
from tests.support.frontiers import frontier_of, stored, views_of
from tests.support.last_pages import Changes, last_pages
from tests.support.planted_calls import planted
from tests.support.report_families import every_family
from tests.support.report_runs import four_runs
from tests.unit.report.test_traffic_and_load import book, weighted

__all__ = ["HIDDEN", "PAYLOADS", "POISONED_PAGES", "poison", "poisoned", "poisoned_view"]

PAYLOADS = (
    "</script><script>window.owned=1;alert(1)</script>",
    "<img src=x onerror=\"window.owned=1;alert(2)\">",
    "<svg/onload=window.owned=1></svg>",
    "\"autofocus onfocus=\"window.owned=1\" onmouseover='window.owned=1' x=\"",
    "'><iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
    "</title></style></textarea><base href=http://127.0.0.1:9/><link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "javascript:window.owned=1//",
    "<a href=\"javascript:window.owned=1\">click</a><form action=http://127.0.0.1:9/><button>go</button></form>",
    "{{7*7}}{% raw %}${window.owned=1}`${window.owned=1}`",
    "&#60;script&#62;window.owned=1&#60;/script&#62; ]]> --> <!--",
    "\u202egnp.exe\u202c\u2066hidden\u2069\u200e",
    "zero\u200b\u2060\ufeffwidth\U000e0041\u00ad",
    "\x1b[31mred\x1b[0m\x07\x00nul\x9b",
    "lone \udc80 surrogate",
    "|cell|\r\n# heading\n::error::x\n```\n![x](http://127.0.0.1:9/x.png)",
    "مرحبا بالعالم עברית",
    "unbroken" + "W" * 120,
    "__proto__",
)  # fmt: skip
"""Scripts, markup, addresses, templates, text that hides or turns around, Markdown, and a word without an end."""

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What no page may hold as it is."""

_ALL = " ".join(PAYLOADS)
_SAMPLES = 4
_SPARED = re.compile(
    r"(stats|policy|.*_at|at|.*_hash|.*sha256|commit|digest|kind|harness_version|harness|package|rule|unit|method)\Z"
)
"""Fields that hold a time, a hash or a word of ours, which code reads by its form."""

R = TypeVar("R", bound=BaseModel)
V = TypeVar("V")


def poison(text: str) -> str:
    """The text with everything hostile after it; a mode that code reads at the end of a name stays there."""
    name, mode, _ = text.partition(" (hybrid)")
    return f"{name} {_ALL}{mode}" if text else text


def poisoned(record: R, spared: tuple[str, ...] = ()) -> R:
    """The record with every text poisoned but times, hashes, words of ours and the fields that are named."""
    changed = {
        name: _walk(getattr(record, name), info.annotation, spared)
        for name, info in type(record).model_fields.items()
        if name not in spared and not _SPARED.match(name)
    }
    return record.model_copy(update=changed)


def _walk(value: object, annotation: object, spared: tuple[str, ...]) -> object:
    if isinstance(value, BaseModel):
        return poisoned(value, spared)
    if isinstance(value, str):
        return poison(value) if _takes_text(annotation) else value
    if isinstance(value, tuple | list):
        inner = _inner(annotation, 0)
        return type(value)(_walk(one, inner, spared) for one in value)
    if isinstance(value, Mapping):
        key, inner = _inner(annotation, 0), _inner(annotation, 1)
        return {
            poison(name) if isinstance(name, str) and _takes_text(key) else name: _walk(one, inner, spared)
            for name, one in value.items()
        }
    return value


def _takes_text(annotation: object) -> bool:
    """Whether any text may stand there, not only one of a few words."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return _takes_text(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return any(map(_takes_text, get_args(annotation)))
    if origin is Literal:
        return False
    return annotation is str or annotation is object or "JsonValue" in str(annotation)


def _inner(annotation: object, place: int) -> object:
    """The annotation of a collection's items; of JSON, JSON again."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return _inner(get_args(annotation)[0], place)
    if origin in {Union, types.UnionType}:
        wanted = [one for one in get_args(annotation) if get_origin(one) is not None]
        return _inner(wanted[0], place) if wanted else object
    found = [one for one in get_args(annotation) if one is not Ellipsis]
    return found[min(place, len(found) - 1)] if found else object


def _few(run: RunView) -> RunView:
    """The run with its first samples only: poison makes every one of them long."""
    samples = run.samples[:_SAMPLES]
    kept = {one.id for one in samples}
    attempts = tuple(one for one in run.attempts if one.sample in kept)
    return RunView.of(run.manifest, run.summary, samples, attempts, [one for one in run.scores if one.sample in kept])


def poisoned_view(run: RunView) -> RunView:
    """A run with poison in all that a model, a suite or a server may have said."""
    manifest = poisoned(run.manifest, ("config", "packages", "job"))
    return replace(
        run,
        manifest=manifest,
        summary=poisoned(run.summary),
        samples=tuple(poisoned(one, ("types",)) for one in run.samples),
        attempts=tuple(map(poisoned, run.attempts)),
        scores=tuple(map(poisoned, run.scores)),
    )


def _leaderboard(folder: Path) -> Path:
    write_leaderboard([poisoned_view(_few(one)) for one in four_runs()], folder / "leaderboard.html")
    return folder / "leaderboard.html"


def _families(folder: Path) -> Path:
    write_leaderboard([poisoned_view(_few(one)) for one in (*every_family(), weighted())], folder / "families.html")
    return folder / "families.html"


def _audit(folder: Path) -> Path:
    made = audit_of(mixed(), {"shop": {"moves": 300, None: 100}})
    kept = {"leaderboard": "leaderboard.html", "selection": "select.html"}
    links = {poison(name): poison(address) for name, address in made.links.items() if name not in kept}
    found = poisoned(made, ("links",)).model_copy(update={"links": kept | links})
    audit.write_page(found, folder / "audit.html")
    return folder / "audit.html"


def _select(folder: Path) -> Path:
    found = poisoned(mixed())
    write_html(folder / "select.html", select.build_page(found, frozenset(one.run for one in found.variants)))
    return folder / "select.html"


def _load(folder: Path) -> Path:
    load.write_page(poisoned(book()), folder / "load.html")
    return folder / "load.html"


def _quantize(folder: Path) -> Path:
    runs = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 1), "Q2_K": stored("Q2_K", 22)}
    views = {poison(name): poisoned_view(view) for name, view in views_of(runs).items()}
    quantize.write_page(poisoned(frontier_of(folder, runs)), views, folder / "quantize.html")
    return folder / "quantize.html"


def _clusters(folder: Path) -> Path:
    options = ClusterOptions.model_validate({"calls": "x", "name": "x", "embedding": "tfidf", "stability": 0})
    made = build(
        features_of([call for _, call in planted(["flight", "recipe"], 40)]), options, embedding_named("tfidf"), Kept()
    )
    points = [poisoned(one) for one in made.points]
    clusters.write_page(poisoned(made.book), points, folder / "clusters.html")
    return folder / "clusters.html"


class _Poison(Changes):
    """Poison in every record."""

    def record(self, one: R) -> R:
        return poisoned(one, ("config", "packages", "job"))

    def view(self, one: RunView) -> RunView:
        return poisoned_view(_few(one))


POISONED_PAGES: dict[str, Callable[[Path], Path]] = {
    "leaderboard": _leaderboard,
    "families": _families,
    "audit": _audit,
    "clusters": _clusters,
    "load": _load,
    "quantize": _quantize,
    "select": _select,
} | last_pages(_Poison())
"""By name: what writes the poisoned page into a folder and says where it is."""
