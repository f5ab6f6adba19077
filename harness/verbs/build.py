"""`do=build`: curated calls made into a suite that asks them again."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.config import BuildConfig
from harness.executor.cores import cores_of
from harness.report.formats import counted
from harness.suite.build import Built, build

__all__ = ["main"]

_SHOWN = 30


def main(configs: Sequence[BuildConfig]) -> None:
    """Builds and prints. Raises ConfigError or DataError where it cannot."""
    (config,) = configs
    with cores_of(config.executor) as cores:
        built = build(config.build, cores)
    console = Console()
    console.print(_table(built))
    facts = built.facts
    unit = "sessions or parts of them" if config.build.replay == "trajectory" else "calls"
    for reason, count in facts.unfit.most_common():
        console.print(f"left out: {count:,} {unit}, {reason}", highlight=False, soft_wrap=True, markup=False)
    small = sum(len(one.taken) < built.needed for one in built.strata)
    if small:
        have = "has" if small == 1 else "have"
        said = f"{small} of {counted(len(built.strata), 'cluster')} {have} fewer than the {built.needed:,} samples"
        said += f" that a verdict in each alone needs (margin {config.build.margin:g})"
        console.print(said, highlight=False, soft_wrap=True)
    console.print(_ceiling(built), highlight=False, soft_wrap=True)
    aside = Console(stderr=True)
    n = sum(len(one.taken) for one in built.strata)
    aside.print(f"suite        {built.folder} ({n:,} samples)", highlight=False, soft_wrap=True)
    where = f"suite={built.spec.name}" if config.build.out == "suites" else f"suite=local suite.path={built.folder}"
    aside.print(f"next         python -m harness do=validate {where}", highlight=False, soft_wrap=True)
    aside.print(f"             python -m harness {where} model=incumbent", highlight=False, soft_wrap=True)


def _ceiling(built: Built) -> str:
    found = built.spec.ceiling
    if found is None:
        return "the log has no request twice: how far its model agrees with itself is not known"
    low, high = found.interval.low, found.interval.high
    if found.step_rate is not None:
        return (
            f"the log's model agrees with itself on {found.step_rate:.1%} of {found.n:,} repeated requests; by that, "
            f"if each step is a chance of its own, on {found.rate:.1%} of whole sessions ({found.interval.level:.0%} "
            f"interval {low:.1%} to {high:.1%})"
        )
    return (
        f"the log's model agrees with itself on {found.rate:.1%} of {found.n:,} repeated requests "
        f"({found.interval.level:.0%} interval {low:.1%} to {high:.1%})"
    )


def _table(built: Built) -> Table:
    table = Table(title=f"{built.spec.name}: {built.spec.description}")
    table.add_column("cluster")
    table.add_column("split")
    for name in ("logged calls", "can be asked", "taken"):
        table.add_column(name, justify="right")
    for one in built.strata[:_SHOWN]:
        table.add_row(escape(one.title), one.split, f"{one.traffic:,}", f"{one.usable:,}", f"{len(one.taken):,}")
    if len(built.strata) > _SHOWN:
        rest = built.strata[_SHOWN:]
        sums = (sum(getattr(one, name) for one in rest) for name in ("traffic", "usable"))
        taken = sum(len(one.taken) for one in rest)
        table.add_row(f"{len(rest)} more", "", *(f"{number:,}" for number in (*sums, taken)))
    return table
