"""The rows in the formats of programs that train elsewhere, each with what that program needs to be run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.convert.data.exports.axolotl import write_axolotl
from harness.convert.data.exports.llamafactory import write_llamafactory
from harness.convert.data.exports.nemo import write_nemo
from harness.convert.data.exports.openai import write_openai
from harness.convert.data.exports.parts import Export, Writer
from harness.convert.data.exports.trl import write_trl
from harness.convert.data.setup import Setup
from harness.records.convert import DatasetRow

__all__ = ["WRITERS", "export_rows"]

WRITERS: Mapping[str, Writer] = {
    "axolotl": write_axolotl,
    "llamafactory": write_llamafactory,
    "nemo": write_nemo,
    "openai": write_openai,
    "trl": write_trl,
}


def export_rows(
    name: str, out: Path, train: Sequence[DatasetRow], validation: Sequence[DatasetRow], setup: Setup
) -> list[str]:
    """Writes `out/NAME/` anew; what to know of it, in sentences: rows that this format cannot hold, mostly."""
    export = Export(out / name, name, train, validation, setup)
    WRITERS[name](export)
    return export.notes
