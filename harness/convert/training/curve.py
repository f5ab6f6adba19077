"""What more rows buy: trainings on parts of the rows, and a power law through their errors where they allow one."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from harness.config import ConvertConfig
from harness.convert.data.files import TRAIN, VALIDATION, read_rows, write_rows
from harness.convert.data.tokens import LOGITS
from harness.convert.files import content_key, read_kept
from harness.convert.training.run import train
from harness.errors import ConfigError
from harness.records.convert import CurvePoint, LearningCurve, TrainPlan, TrainPoint, TrainResult
from harness.records.paired import Span
from harness.stats.proportion import wilson
from harness.store.runfolder import write_record

__all__ = ["CURVE", "fit_curve", "learning_curve"]

CURVE: Final = "curve.json"
_DRAWS: Final = 2000
_LEAST: Final = 3


def learning_curve(
    config: ConvertConfig, plan: TrainPlan, data: Path, out: Path, on_point: Callable[[TrainPoint], None]
) -> LearningCurve:
    """Trains on the first rows of `data`, for each number in `convert.curve`, and fits what comes of it.

    The rows are in a random order already. Each training takes the same number of steps (`convert.curve_steps`), so
    that fewer rows are read more often, and is judged at its best step on the same validation rows. What is there in
    `out` is kept. Raises ConfigError where a number is larger than the rows that there are, or nothing to judge by.
    """
    rows, validation = read_rows(data / TRAIN), read_rows(data / VALIDATION)
    sizes = sorted(set(config.convert.curve))
    if sizes[-1] > len(rows):
        raise ConfigError(f"convert.curve has {sizes[-1]:,} rows and there are {len(rows):,}; leave it out")
    if not validation:
        raise ConfigError("convert.curve needs rows to judge by: convert.data.validation=50")
    key = content_key("curve", plan.key, list(sizes), config.convert.curve_steps)
    if (kept := read_kept(out / CURVE, LearningCurve, key)) is not None:
        return kept
    points, metric = [], None
    for size in sizes:
        part = out / f"rows-{size}"
        part.mkdir(parents=True, exist_ok=True)
        write_rows(part / TRAIN, rows[:size])
        for name in (VALIDATION, LOGITS):
            if (data / name).is_file():
                shutil.copyfile(data / name, part / name)
        done = train(_bounded(config), _part_of(plan, config, size, len(rows)), part, part / "train", on_point)
        points.append(_point(done, size, len(validation)))
        metric = metric or done.metric
    found = fit_curve(points, key=key, metric=metric)
    write_record(out / CURVE, found)
    return found


def _bounded(config: ConvertConfig) -> ConvertConfig:
    """The configuration without what would end some of the trainings sooner than others."""
    training = config.convert.training.model_copy(update={"patience": None, "max_minutes": None})
    return config.model_copy(update={"convert": config.convert.model_copy(update={"training": training})})


def _part_of(plan: TrainPlan, config: ConvertConfig, size: int, whole: int) -> TrainPlan:
    """The plan of a training on a part."""
    step = plan.batch * plan.accumulate * plan.processes
    most = -(-whole // step) * plan.epochs
    steps = config.convert.curve_steps or plan.max_steps or max(1, int(most))
    key = content_key("part", plan.key, size, steps)
    return plan.model_copy(update={"key": key, "max_steps": steps, "epochs": steps * step / size + 1})


def _point(done: TrainResult, size: int, n: int) -> CurvePoint:
    metric = done.best_metric
    interval = wilson(round(metric * n), n) if metric is not None else None
    return CurvePoint(rows=size, steps=done.steps, seconds=done.seconds, metric=metric, n=n, interval=interval)


def fit_curve(points: Sequence[CurvePoint], *, key: str, metric: str | None = None, seed: int = 0) -> LearningCurve:
    """The curve with error = a · rows^-b fitted by weighted least squares on logarithms, and its next doubling.

    Errors are (wrong + 0.5) / (n + 1), weighted by the wrong ones (the variance of a logarithm of a count is about one
    over the count). Intervals: 95 %, from binomial draws at the measured shares. Nothing is said of the doubling with
    fewer than three points, or where the interval of b holds 0: then the points do not show that rows help.
    """
    told = [(one.rows, one.metric, one.n) for one in points if one.metric is not None and one.n]
    bare = {"key": key, "points": tuple(points), "metric": metric}
    if len(told) < _LEAST:
        return LearningCurve.model_validate(
            bare | {"why": f"cannot tell: a law takes {_LEAST} points, here are {len(told)}"}
        )
    rows = np.array([one[0] for one in told], dtype=float)
    n = np.array([one[2] for one in told], dtype=float)
    wrong = n * (1 - np.array([one[1] for one in told], dtype=float))
    draws = np.random.default_rng(seed).binomial(
        n.astype(int), np.clip((wrong + 0.5) / (n + 1), 0, 1), (_DRAWS, len(n))
    )
    slopes, at_next = _laws(rows, np.vstack([wrong, draws]), n)
    low, high = np.quantile(slopes[1:], [0.025, 0.975])
    found = bare | {
        "exponent": float(slopes[0]),
        "exponent_interval": _span(slopes[0], low, high),
        "next_rows": int(2 * rows[-1]),
    }
    if low <= 0:
        seen = f"exponent {slopes[0]:.2f}, 95 % {low:.2f} … {high:.2f}"
        why = f"cannot tell: these points do not show that more rows help ({seen})"
        return LearningCurve.model_validate(found | {"why": why})
    worst, best = np.quantile(at_next[1:], [0.975, 0.025])
    then, least, most = (float(1 - min(1.0, one)) for one in (at_next[0], worst, best))
    why = f"{2 * rows[-1]:,.0f} rows: ≈ {then:.1%} ({least:.1%} … {most:.1%}), if the law holds that far"
    more = {"next_metric": then, "next_interval": _span(then, least, most), "why": why}
    return LearningCurve.model_validate(found | more)


def _span(value: float, low: float, high: float) -> Span:
    return Span(value=float(value), low=float(low), high=float(high), level=0.95, method="parametric bootstrap")


def _laws(
    rows: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    wrong: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    n: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> "tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]":
    """Exponents b and errors at twice the largest number of rows, for each line of `wrong` (draws, points)."""
    x, y, weight = np.log(rows), np.log((wrong + 0.5) / (n + 1)), wrong + 0.5
    total = weight.sum(1)
    mean_x, mean_y = (weight * x).sum(1) / total, (weight * y).sum(1) / total
    spread = (weight * (x - mean_x[:, None]) ** 2).sum(1)
    slope = (weight * (x - mean_x[:, None]) * (y - mean_y[:, None])).sum(1) / spread
    return -slope, np.exp(mean_y + slope * (np.log(2 * rows[-1]) - mean_x))
