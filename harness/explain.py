"""Hydra's complaints in one line: what was seen, what is allowed, and the nearest match."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from harness.paths import conf_dir

__all__ = ["explain"]

_UNKNOWN_KEY = re.compile(r"Could not override '(?P<key>[^']+)'")
_UNKNOWN_GROUP = re.compile(r"Could not override '(?P<key>[^']+)'\.\s*No match in the defaults list")
_NOT_A_VALUE = re.compile(r"Value '(?P<value>.*)' .*could not be converted to (?P<type>\w+)", re.DOTALL)


def explain(error: Exception, argv: list[str]) -> str:
    """One line for a configuration that Hydra could not compose from `argv`."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_option(error)
    if isinstance(error, OverrideParseException):
        from harness.backends.blame import without_shapes  # an address may hold a key; a sixth of a second to import

        typed = without_shapes(str(error.override))
        return f"{typed!r} is not of the form key=value; quote what has commas or spaces: 'key=\"a, b\"'"
    text = _chain(error)
    if match := _UNKNOWN_GROUP.search(text):
        return _no_group(match["key"])
    if match := _UNKNOWN_KEY.search(text):
        return _no_key(match["key"], _chosen(argv))
    if match := _NOT_A_VALUE.search(text):
        return f"{match['value']!r} is not a value of type {match['type']}"
    return " ".join(text.split())[:400]


def _chain(error: BaseException) -> str:
    """The error's words with those of its causes."""
    words: list[str] = []
    current: BaseException | None = error
    while current is not None:
        words.append(str(current))
        current = current.__cause__
    return "\n".join(words)


def options(group: str) -> list[str]:
    """Names that a group can be set to, sorted."""
    return sorted(path.stem if path.suffix == ".yaml" else path.name for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """Names of the configuration groups, sorted."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and any(path.glob("*.yaml")))


def _near(word: str, allowed: list[str]) -> str:
    near = get_close_matches(word, allowed, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _no_option(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    allowed = options(group)
    if group == "suite":  # those of the folder where one stands (docs/suites.md)
        allowed = sorted({*allowed, *(one.parent.name for one in Path("suites").glob("*/suite.yaml"))})
    return f"{group}={name} is not known; {group} is one of {', '.join(allowed)}{_near(name, allowed)}"


def _no_group(key: str) -> str:
    known = groups()
    name = key.partition("@")[0]
    if name in known:
        return f"the chosen do= has no use for {name}=…; leave it out (see python -m harness --help)"
    return f"{name} is not a group; groups: {', '.join(known)}{_near(name, known)}"


def _chosen(argv: list[str]) -> dict[str, str]:
    """The options that the command line chose for groups, defaults for the rest; a model brings its usual backend."""
    chosen = {"do": "run", "suite": "toolcall", "model": "smollm2", "hardware": "laptop_16gb"}
    typed = dict(word.partition("=")[::2] for word in argv if "=" in word)
    chosen |= {key: value for key, value in typed.items() if key in chosen and value in options(key)}
    backend = typed.get("backend", "")
    return chosen | {"backend": backend if backend in options("backend") else _usual_backend(chosen["model"])}


def _usual_backend(model: str) -> str:
    """The backend that a model's file names among its defaults."""
    file = conf_dir() / "model" / f"{model}.yaml"
    loaded = OmegaConf.load(file) if file.is_file() else DictConfig({})
    defaults = OmegaConf.select(loaded, "defaults") or []
    named = [one[key] for one in defaults if isinstance(one, DictConfig) for key in one if "backend" in str(key)]
    return str(named[-1]) if named else "llamacpp"


def _no_key(key: str, chosen: dict[str, str]) -> str:
    allowed = _known_keys(chosen)
    if key in allowed:
        return f"{key} is a key that the chosen files leave out; add it: +{key}=…"
    parent = key.rpartition(".")[0]
    siblings = [one for one in allowed if one.rpartition(".")[0] == parent]
    if parent == "suite.options" and not siblings:
        return f"{key} is not a key: conf/suite/{chosen['suite']}.yaml lists none there; add it: +{key}=…"
    if not parent:
        siblings = sorted({*groups(), *(one.partition(".")[0] for one in allowed)})
    scope = siblings or allowed
    near = _near(key, allowed if parent else siblings)
    listed = ", ".join(scope[:24]) + (", …" if len(scope) > 24 else "")
    return f"{key} is not a key; keys{f' of {parent}' if siblings and parent else ''}: {listed}{near}"


def _known_keys(chosen: dict[str, str]) -> list[str]:
    """Keys of the chosen configuration, as the schema and the files have them, dotted."""
    from harness.config import known_keys

    keys = set(known_keys(chosen["do"], chosen["backend"]))
    for group in ("suite", "backend", "model", "hardware"):
        file: Path = conf_dir() / group / f"{chosen[group]}.yaml"
        if file.is_file():
            loaded = OmegaConf.load(file)
            keys.update(f"{group}.{key}" for key in loaded if isinstance(key, str) and key != "defaults")
            keys.update(_inside("suite.options", OmegaConf.select(loaded, "options") if group == "suite" else None))
    return sorted(keys)


def _inside(prefix: str, node: object) -> Iterator[str]:
    """Dotted keys of a mapping, those of its own mappings in their place."""
    if isinstance(node, DictConfig):
        for name in map(str, node):
            deeper = list(_inside(f"{prefix}.{name}", node[name]))
            yield from deeper or [f"{prefix}.{name}"]
