"""Writes harness/help.json: what `--help` prints for each verb; with `--check` it only compares."""

import contextlib
import io
import json
import os
import sys
import tempfile

from generated import keep
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.global_hydra import GlobalHydra

from harness.config import register_defaults
from harness.config.verbs import VERBS
from harness.help import PAGE, conf_print
from harness.paths import conf_dir

START = "Configuration (change any key with key=value)"
END = "Exit codes: "


def composed(hydra: Hydra, words: list[str]) -> list[str]:
    """The lines that Hydra prints for these words and `--help`."""
    parser = get_args_parser()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        hydra.app_help("config", parser, parser.parse_args([*words, "--help"]))
    return said.getvalue().removesuffix("\n").split("\n")


def page(verbs: list[str]) -> dict[str, object]:
    """The whole page: what stands before and after every verb's configuration once, and each of these."""
    register_defaults()
    path = create_automatic_config_search_path(None, None, str(conf_dir()))
    assert isinstance(path, ConfigSearchPathImpl)
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        hydra = Hydra.create_main_hydra2("app", path)
        try:
            whole = {verb: composed(hydra, [f"do={verb}"]) for verb in verbs}
        finally:
            GlobalHydra.instance().clear()
    heads, foots = set(), set()
    for verb, lines in whole.items():
        start = lines.index(START) + 1
        end = max(place for place, line in enumerate(lines) if line.startswith(END))
        heads.add("\n".join(lines[:start]))
        foots.add("\n".join(lines[end:]))
        found[verb] = lines[start:end]
    (head,), (foot,) = heads, foots
    return {"conf": conf_print(conf_dir()), "head": head.split("\n"), "verbs": found, "foot": foot.split("\n")}


def main(arguments: list[str]) -> int:
    """0 when the page is as it should be (or was written), 1 when `--check` finds it behind."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    made = json.dumps(page(list(VERBS)), indent=0, ensure_ascii=False) + "\n"
    return keep(
        PAGE, made, "harness/help.json is behind conf/ and harness/config; run: python docs/generate_help.py", arguments
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
