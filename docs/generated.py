"""What the generators of this folder end with: the file is written, or with `--check` compared."""

import sys
from collections.abc import Sequence
from pathlib import Path


def keep(file: Path, made: str, behind: str, arguments: Sequence[str]) -> int:
    """0 when the file is as it should be (or was written), 1 when `--check` finds it behind, which is said."""
    if "--check" not in arguments:
        file.write_text(made, encoding="utf-8")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write(f"{behind}\n")
    return 1
