"""docs/reference.md follows the configuration's records."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness.config.verbs import VERBS

DOCS = Path(__file__).parents[3] / "docs"


def check(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)


def test_page_follows_the_configuration() -> None:
    done = check(DOCS / "generate_reference.py")

    assert done.stderr == ""
    assert done.returncode == 0


def test_page_that_is_behind_is_told_and_left_alone(tmp_path: Path) -> None:
    script = Path(shutil.copy(DOCS / "generate_reference.py", tmp_path))
    shutil.copy(DOCS / "generated.py", tmp_path)
    (tmp_path / "reference.md").write_text("old")

    done = check(script)

    assert done.returncode == 1
    assert "python docs/generate_reference.py" in done.stderr
    assert (tmp_path / "reference.md").read_text() == "old"


def test_page_has_every_verb_with_what_it_does_and_a_key_with_its_default() -> None:
    page = (DOCS / "reference.md").read_text()

    rows = {verb: next(line for line in page.splitlines() if line.startswith(f"| [`{verb}`]")) for verb in VERBS}

    assert all(len(row.split("|")[2].strip()) > 20 for row in rows.values())
    assert "| `concurrency` | integer | `1` | Requests in flight at once, in closed loop. |" in page


def test_no_key_is_without_a_meaning() -> None:
    page = (DOCS / "reference.md").read_text()

    rows = [re.split(r"(?<!\\)\|", line) for line in page.splitlines() if line.startswith("| `")]

    assert len(rows) > 500
    assert [row[1] for row in rows if not row[4].strip()] == []
