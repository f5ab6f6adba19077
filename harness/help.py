"""What `--help` prints, from a page that was made before: composing it loads Hydra and the whole configuration.

`harness/help.json` is made by `docs/generate_help.py`. It stands for `conf/` as it was then: where a file there is
another one, or the current folder has models of its own, the page is composed as for any other command line.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.paths import conf_dir

__all__ = ["PAGE", "conf_print", "made_help", "print_help"]

PAGE = Path(__file__).with_name("help.json")
_ASKED = frozenset({"-h", "--help"})


def conf_print(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of the configuration."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.yaml")):
        digest.update(f"{file.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def made_help(words: Sequence[str], page: Path = PAGE) -> str | None:
    """The help for a command line of `--help` and at most one `do=VERB`; None for any other, or where it is behind."""
    asked = [one for one in words if one in _ASKED]
    rest = [one for one in words if one not in _ASKED]
    if len(asked) != 1 or len(rest) > 1 or (rest and not rest[0].startswith("do=")):
        return None
    verb = rest[0].removeprefix("do=") if rest else "run"
    try:
        made = json.loads(page.read_text(encoding="utf-8"))
        if verb not in made["verbs"] or made["conf"] != conf_print(conf_dir()) or any(Path("models").glob("*.yaml")):
            return None
    except (OSError, ValueError, KeyError):  # no page, as in a checkout that is being changed
        return None
    return "\n".join((*made["head"], *made["verbs"][verb], *made["foot"]))


def print_help(words: Sequence[str]) -> bool:
    """Prints the help where the page has it; False where nothing was printed."""
    text = made_help(words)
    if text is None:
        return False
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    return True
