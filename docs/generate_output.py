"""Runs the commands of the pages and writes what they print below them; with `--check` it only compares.

A block is a comment and the fenced block under it:

    <!-- output: shop
    $ python examples/convert/make_log.py shop.jsonl --train 60 --validation 20 --test 120
    -->
    ```console
    $ python -m harness do=collect logs.path=shop.jsonl
    read 200 entries …
    ```

Lines with `$` in the comment are run first and not shown; those in the block are shown, with what they print to
stdout, and of stderr the files that were written and errors. A line that ends in a backslash goes on. `shop` is a
*scene*: a scratch folder, empty but for links to `examples/` and to `docs/scenes/` (as `scenes/`), in which all blocks
of that name are run in the order of the pages in mkdocs.yml (README first), so that a page goes on from what another
one made. Two scenes run side by side.

Words behind the scene: `exit=1`, the exit code that is expected of the last command (0 without it); `head=5`,
`tail=3`: so many lines of each output, `…` for the rest.

A second kind is a table of keys, from the records of `harness/config`, their meanings out of the text below each field:

    <!-- keys: AuditOptions audit. per_cluster earlier -->

    | key | default | meaning |

The record, what stands before its keys, and which of them (all, where none is named).

What differs from run to run and machine to machine (VOLATILE: stamps, durations, speeds, digests) is left out of the
comparison, and a page keeps what it has where nothing else changed. No network and no model: HF_HUB_OFFLINE and
PIP_NO_INDEX are set, the cache is empty. `python -m harness` is run in a process forked from one that has imported it,
which spares most of the time; everything else by the shell, with this interpreter as `python`. With pages as arguments
their scenes alone are run; `--times` tells how long each command took.

Considered instead: cog (its blocks are Python in the page; commands, scenes and volatile parts would be ours all the
same, and that is nearly all of it), markdown-exec and mkdocs-exec (output appears on the site alone, not in the
files), byexample (compares, does not write; GPL), phmdoctest (Python alone).
"""

import base64
import difflib
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BLOCK: Final = re.compile(
    r"^<!-- output: (?P<words>[^\n]*?)(?: *-->|\n(?P<before>.*?)\n?-->)\n\n?```\w*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
KEYS: Final = re.compile(r"^<!-- keys: (?P<words>[^\n]*?) -->\n\n(?P<body>(?:\|[^\n]*\n)*)", re.MULTILINE)
VOLATILE: Final = (
    (r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", "STAMP"),
    (r"\b20\d\d-\d\d-\d\d(?=[:;,.])", "DATE"),
    (r"\b\d[\d,.]* (?:s|ms|min)\b", "TIME"),
    (r"\b\d[\d,.]* (?:[kM]?B)/s", "SPEED"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"stability \d\.\d\d", "STABILITY"),
    (r"[ ─━┄]+", " "),
)
"""What may differ: pattern, and the word for it in comparisons. Blanks and rules follow the width of the others."""
VERBS_USED: Final = ("build", "cluster", "collect", "compare", "curate", "gate", "run", "select")
PRELOADED: Final = (
    *(f"harness.verbs.{verb}" for verb in VERBS_USED),
    *("harness.app", "pyarrow.parquet", "pyarrow.compute", "duckdb", "sklearn.cluster", "rich.table", "scipy.stats"),
)
TOLD: Final = re.compile(r"[a-z][a-z ]*\w {2,}\S| {6,}\S|harness: ")
"""What is shown of stderr: files that were written, and errors; not how far a command is."""
PSEUDONYMS: Final = base64.b64encode(bytes(range(100, 132))).decode()
"""One key of pseudonyms for all, that made-up names stay the same."""
SHELL: Final = re.compile(r"[|&;<>$`*]")
LIMIT_S: Final = 900


class Failed(Exception):
    """A command that did not end as its block says."""


@dataclass(frozen=True, slots=True)
class Block:
    """A generated place of a page."""

    page: Path
    text: str
    words: tuple[str, ...]
    before: tuple[str, ...]
    body: str

    def option(self, name: str) -> int | None:
        """The number of a word such as `exit=1`."""
        found = [word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")]
        return int(found[0]) if found else None


def commands(text: str) -> list[str]:
    r"""The command lines of a block, those that go on joined.

    >>> commands("$ a \\\n  b\nsaid\n$ c\n")
    ['a \\\n  b', 'c']
    """
    return [one.rstrip("\n") for one in re.findall(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE)]


def blocks(page: Path) -> list[Block]:
    """The output blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, found[0], tuple(found["words"].split()), tuple(commands(found["before"] or "")), found["body"])
        for found in BLOCK.finditer(text)
    ]


def pages() -> list[Path]:
    """README and the pages of the site in its order."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    return [ROOT / "README.md", *(ROOT / "docs" / name for name in re.findall(r"([\w/]+\.md)$", nav, re.MULTILINE))]


def masked(text: str) -> str:
    """The text without what may differ.

    >>> masked("results/run/2026-11-22_10-00-00-000001 in 1.2 s")
    'results/run/STAMP in TIME'
    """
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text


def in_harness(words: list[str], folder: str, out: str, err: str) -> None:
    """`python -m harness WORDS` in a process of its own that is there already."""
    os.chdir(folder)
    for number, name in ((1, out), (2, err)):
        with Path(name).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["harness", *words]
    sys.path[0] = folder
    from harness.app import main

    main()


def run(command: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in a scene's folder."""
    words = shlex.split(command.replace("\\\n", " "))
    if words[:3] == ["python", "-m", "harness"] and not SHELL.search(re.sub(r"'[^']*'|\"[^\"$`]*\"", "", command)):
        with tempfile.TemporaryDirectory() as aside:
            out, err = Path(aside, "out"), Path(aside, "err")
            process = multiprocessing.get_context("forkserver").Process(
                target=in_harness, args=(words[3:], str(folder), str(out), str(err))
            )
            process.start()
            process.join(LIMIT_S)
            if process.exitcode is None:
                process.kill()
                raise Failed(f"{command}: not done in {LIMIT_S} s")
            said = [one.read_text(encoding="utf-8") if one.exists() else "" for one in (out, err)]
            return process.exitcode, said[0], said[1]
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


def shown(block: Block, text: str, folder: Path) -> str:
    """An output as the page has it: no blanks at ends of lines, no empty lines around it, not longer than said."""
    lines = [line.rstrip() for line in text.replace(f"{folder}/", "").strip("\n").splitlines()]
    head, tail = block.option("head"), block.option("tail")
    kept = (head or 0) + (tail or 0)
    if kept and len(lines) > kept:
        lines = [*lines[: head or 0], "…", *(lines[-tail:] if tail else [])]
    return "".join(f"{line}\n" for line in lines)


def filled(block: Block, folder: Path) -> str:
    """The body of a block anew; `Failed` where a command ends otherwise than it says."""
    parts, listed = [], commands(block.body)
    for place, command in enumerate([*block.before, *listed]):
        started = time.monotonic()
        code, out, err = run(command, folder)
        if "--times" in sys.argv:
            sys.stderr.write(f"{time.monotonic() - started:6.1f} s  {block.page.name}: {command[:100]}\n")
        last = place == len(block.before) + len(listed) - 1
        if code != ((block.option("exit") or 0) if last else 0):
            raise Failed(f"{block.page.name}: exit code {code}: {command}\n{out}{err}")
        told = "".join(line for line in err.splitlines(keepends=True) if TOLD.match(line))
        if place >= len(block.before):
            parts.append(f"$ {command}\n" + shown(block, out + told, folder))
    return "".join(parts)


def play(scene: list[Block]) -> tuple[list[tuple[Block, str]], str]:
    """The blocks of a scene with their bodies as they are to be (as they were where only what may differ does), and why
    it ended before the last one.
    """
    done: list[tuple[Block, str]] = []
    with tempfile.TemporaryDirectory(prefix="docs-") as made:
        folder = Path(made).resolve()
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "scenes").symlink_to(ROOT / "docs" / "scenes")
        for block in scene:
            try:
                body = filled(block, folder)
            except Failed as error:
                return done, str(error)
            done.append((block, block.body if masked(body) == masked(block.body) else body))
    return done, ""


def scenes(chosen: list[Path]) -> list[list[Block]]:
    """The blocks by scene: those scenes that a chosen page has, the longest first."""
    found: dict[str, list[Block]] = {}
    for page in pages():
        for block in blocks(page):
            found.setdefault(block.words[0], []).append(block)
    kept = [scene for scene in found.values() if any(block.page in chosen for block in scene)]
    return sorted(kept, key=len, reverse=True)


def keys(words: list[str]) -> str:
    """The rows of a table of keys: record, what stands before its keys, the keys that are wanted."""
    from generate_reference import VERBS, VerbConfig, default, meanings, reached

    records = {record.__name__: record for record in reached([VerbConfig, *VERBS.values()])}
    record, before, *wanted = words
    if unknown := set(wanted) - set(records[record].model_fields):
        raise Failed(f"<!-- keys: {' '.join(words)} -->: {record} has no {', '.join(sorted(unknown))}")
    about = meanings(records[record])
    rows = [f"| `{before}{name}` | {default(field)} | {about[name]} |"
            for name, field in records[record].model_fields.items() if not wanted or name in wanted]  # fmt: skip
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def with_keys(text: str) -> str:
    """A page with its tables of keys as the configuration has them."""
    return KEYS.sub(lambda found: found[0][: found.start("body") - found.start()] + keys(found["words"].split()), text)


def environment(cache: str) -> None:
    """No network, no keys, a fixed width, an empty cache, and this interpreter as `python`."""
    for name in [name for name in os.environ if name.endswith(("_KEY", "_TOKEN")) or name.startswith("HARNESS_")]:
        del os.environ[name]
    os.environ |= {
        "HARNESS_CACHE": cache, "HOME": cache, "XDG_STATE_HOME": cache, "HARNESS_PSEUDONYM_KEY": PSEUDONYMS,
        "COLUMNS": "120", "NO_COLOR": "1", "TZ": "UTC", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8",
        "HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip


def played(chosen: list[Path]) -> tuple[list[tuple[Block, str]], list[str]]:
    """All blocks of the scenes of these pages, two scenes at a time, and what went wrong."""
    with tempfile.TemporaryDirectory() as cache, ThreadPoolExecutor(2) as pool:
        environment(cache)
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
        ended = list(pool.map(play, scenes(chosen)))
    return [one for done, _ in ended for one in done], [why for _, why in ended if why]


def brought_up(page: Path, done: list[tuple[Block, str]]) -> str:
    """The page with these blocks and its tables of keys as they are to be; blocks edited meanwhile stay."""
    text = page.read_text(encoding="utf-8")
    for block, body in done:
        if block.page == page:
            text = text.replace(block.text, block.text[: -len(block.body) - 3] + body + "```")
    return with_keys(text)


def main(arguments: list[str]) -> int:
    """0 when all is as it should be (or was written), 1 when `--check` finds a page behind or a command fails."""
    chosen = [Path(one).resolve() for one in arguments if not one.startswith("--")] or pages()
    done, wrong = played(chosen)
    for page in dict.fromkeys([*chosen, *(block.page for block, _ in done)]):
        old, new = page.read_text(encoding="utf-8"), brought_up(page, done)
        if old != new and "--check" in arguments:
            name = str(page.relative_to(ROOT))
            both = old.splitlines(keepends=True), new.splitlines(keepends=True)
            sys.stderr.writelines(difflib.unified_diff(*both, name, "as it is"))
            wrong.append(f"{name} is behind; run: python docs/generate_output.py")
        elif old != new:
            page.write_text(new, encoding="utf-8")
    sys.stderr.writelines(f"{one}\n" for one in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
