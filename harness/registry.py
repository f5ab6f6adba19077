"""Plug-ins by entry point: one file each, imported only when it is asked for by name."""

from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Literal

from harness.errors import ConfigError

__all__ = ["PluginGroup", "load_plugin", "plugin_names"]

PluginGroup = Literal[
    "harness.backends", "harness.environments", "harness.log_formats", "harness.scorers", "harness.suites"
]


def plugin_names(group: PluginGroup) -> list[str]:
    """Names registered in an entry-point group, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load_plugin(group: PluginGroup, name: str) -> object:
    """The object registered under a name, imported now. Raises ConfigError with the allowed names for another."""
    for entry in entry_points(group=group):
        if entry.name == name:
            return entry.load()
    names = plugin_names(group)
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{group.removeprefix('harness.')[:-1]} {name!r} is not known; known: {', '.join(names)}{hint}")
