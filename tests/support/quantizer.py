"""A stand-in for llama-quantize: copies the file, with a mark of its type; tells its tensors as the real one does."""

import sys
from pathlib import Path

_PROGRAM = """#!{python}
import sys, time
source, target, kind = [word for word in sys.argv[1:] if not word.startswith("--")][:3]
print("[   1/   2] blk.0.attn_q.weight", flush=True)
{trouble}
print("[   2/   2] blk.0.attn_k.weight", flush=True)
data = open(source, "rb").read()
open(target, "wb").write(data + kind.encode())
open({log!r}, "a").write(kind + "\\n")
"""


def write_quantizer(folder: Path, trouble: str = "") -> tuple[Path, Path]:
    """The program, and the file that gets a line for each type it makes; `trouble` is what it does half-way."""
    program, log = folder / "llama-quantize", folder / "made.txt"
    program.write_text(_PROGRAM.format(python=sys.executable, trouble=trouble, log=str(log)))
    program.chmod(0o755)
    return program, log
