"""The commands that do again what new calls put in doubt, in order."""

from pathlib import Path
from shlex import quote

from harness.config.iterate import IterateOptions
from harness.errors import ConfigError
from harness.iterate.todo import next_suite
from harness.iterate.world import World
from harness.paths import conf_dir
from harness.records.cluster import ClusterBook
from harness.records.decision import Selection

__all__ = ["again_of", "command_of", "plan_of"]

_PROGRAM = ("python", "-m", "harness")


def plan_of(
    world: World, calls: Path, options: IterateOptions, selection: Selection | None, book: ClusterBook
) -> list[str]:
    """Clusters, suite, runs, selection, gates, as a person would type them."""
    found = [command_of(("do=cluster", f"cluster.calls={_near(calls)}", *_cluster_words(world, book)))]
    if selection is None:
        return found
    suite = next_suite(selection.suite)
    models = options.models or chosen_models(selection)
    found.append(command_of(build_words(world, calls, suite, options)))
    found += [command_of((f"suite={suite}", f"model={one}", *options.overrides)) for one in ("incumbent", *models)]
    found.append(command_of(("do=select", f"select.suite={suite}", f"select.clusters={_near(world.clusters)}")))
    gate = "python -m harness do=gate gate.baseline=INCUMBENTS_RUN run=RUN_OF_"
    return found + [f"{gate}{one}" for one in models]


def build_words(world: World, calls: Path, suite: str, options: IterateOptions) -> tuple[str, ...]:
    """What builds the suite anew."""
    return (
        "do=build", f"build.calls={_near(calls)}", f"build.clusters={_near(world.clusters)}", f"build.name={suite}",
        *options.build,
    )  # fmt: skip


def _cluster_words(world: World, book: ClusterBook) -> tuple[str, ...]:
    words = [f"cluster.name={world.clusters.resolve().name}"]
    if _near(world.clusters.parent) != "clusters":
        words.append(f"cluster.out={_near(world.clusters.parent)}")
    embedding = book.embedding.partition("@")[0]
    words += [f"cluster.embedding={embedding}"] if embedding != "minilm" else []
    words += [f"cluster.algorithm={book.algorithm}"] if book.algorithm != "hdbscan" else []
    return tuple(words)


def chosen_models(selection: Selection) -> tuple[str, ...]:
    """Models that a verdict chose or comes nearest with, else all but the baseline."""
    models = {one.id: one.model for one in selection.variants}
    chosen = [models[one.variant] for one in selection.decisions if one.variant in models]
    every = [one.model for one in selection.variants if one.id != selection.baseline]
    return tuple(dict.fromkeys(chosen or every))


def again_of(options: IterateOptions, selection: Selection | None) -> tuple[str, ...]:
    """The models that are asked again. Raises ConfigError where none is known, or one is no name in conf/model."""
    models = options.models or (() if selection is None else chosen_models(selection))
    if not models:
        raise ConfigError("iterate.apply=true asks models again, and no selection says which: iterate.models=[smollm2]")
    for one in models:
        if not (conf_dir() / "model" / f"{one}.yaml").is_file() and not Path("models", one).exists():
            raise ConfigError(
                f"iterate.models: {one} is no name in conf/model, so it cannot be asked again by that name; "
                'for a server: iterate.models=[endpoint] \'iterate.overrides=["model.url=…","model.name=…"]\''
            )
    return models


def command_of(words: tuple[str, ...]) -> str:
    """A command line that a shell reads as these words."""
    return " ".join([*_PROGRAM, *(quote(word) if set(word) & set(" '\"[]{}$&;|<>*?()") else word for word in words)])


def _near(path: Path) -> str:
    """A path from where one stands, or its last name where it lies elsewhere."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else f"…/{whole.name}"
