"""One of each page that the harness writes, from made-up records, for checks that hold for all of them."""

from collections.abc import Callable
from pathlib import Path

from harness.cluster.build import build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions, MonitorOptions, RouteOptions
from harness.iterate.monitoring import alarms
from harness.records.route import VerifiedPair
from harness.report import audit, clusters, load, monitor, quantize, route, select, write_leaderboard
from harness.report.page import write_html
from harness.route.build import route as make_route
from tests.support.audits import audit_of, mixed
from tests.support.frontiers import frontier_of, stored, views_of
from tests.support.last_pages import Changes, last_pages
from tests.support.planted_calls import planted
from tests.support.report_families import every_family
from tests.support.report_runs import four_runs
from tests.support.route_calls import evidence
from tests.support.route_calls import planted as planted_routes
from tests.unit.report.test_traffic_and_load import book, weighted

__all__ = ["PAGES"]


def _leaderboard(folder: Path) -> Path:
    write_leaderboard(four_runs(), folder / "leaderboard.html")
    return folder / "leaderboard.html"


def _families(folder: Path) -> Path:
    write_leaderboard([*every_family(), weighted()], folder / "families.html")
    return folder / "families.html"


def _empty(folder: Path) -> Path:
    write_leaderboard([], folder / "empty.html")
    return folder / "empty.html"


def _audit(folder: Path) -> Path:
    audit.write_page(audit_of(mixed(), {"shop": {"moves": 300, None: 100}}), folder / "audit.html")
    return folder / "audit.html"


def _select(folder: Path) -> Path:
    found = mixed()
    write_html(folder / "select.html", select.build_page(found, frozenset(one.run for one in found.variants)))
    return folder / "select.html"


def _route(folder: Path) -> Path:
    calls = [planted_routes(200, seed, lambda sure: sure**0.5, prefix=name) for seed, name in enumerate("ab")]
    options = RouteOptions.model_validate({"margin": 0.05, "kinds": ["cascade", "cluster"], "calls_per_s": 1.0})
    route.write_page(
        make_route("2026-01-01", evidence(calls[0], calls[1]), "no index", options).report, folder / "route.html"
    )
    return folder / "route.html"


def _monitor(folder: Path) -> Path:
    calls = folder / "monitor"
    calls.mkdir(parents=True, exist_ok=True)
    pairs = (
        VerifiedPair(
            call=str(n), at=60.0 * n, policy="shop@0", small="s", large="l", served="s", same=n % 3 > 0, routed=True
        )
        for n in range(200)
    )
    (calls / "verified-1.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in pairs))
    options = MonitorOptions(logs=(str(calls),), policy="shop@0", limit=0.2)
    monitor.write_page(alarms(options, calls, now=86_400.0), folder / "monitor.html")
    return folder / "monitor.html"


def _load(folder: Path) -> Path:
    load.write_page(book(), folder / "load.html")
    return folder / "load.html"


def _quantize(folder: Path) -> Path:
    runs = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 1), "Q2_K": stored("Q2_K", 22)}
    quantize.write_page(frontier_of(folder, runs), views_of(runs), folder / "quantize.html")
    return folder / "quantize.html"


def _clusters(folder: Path) -> Path:
    options = ClusterOptions.model_validate({"calls": "x", "name": "x", "embedding": "tfidf", "stability": 0})
    calls = [call for _, call in planted(["flight", "recipe"], 40)]
    made = build(features_of(calls), options, embedding_named("tfidf"), Kept())
    clusters.write_page(made.book, made.points, folder / "clusters.html")
    return folder / "clusters.html"


PAGES: dict[str, Callable[[Path], Path]] = {
    "leaderboard": _leaderboard,
    "families": _families,
    "empty": _empty,
    "audit": _audit,
    "clusters": _clusters,
    "load": _load,
    "monitor": _monitor,
    "quantize": _quantize,
    "route": _route,
    "select": _select,
} | last_pages(Changes())
"""By name: what writes the page into a folder and says where it is."""
