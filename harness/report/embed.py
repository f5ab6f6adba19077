"""The samples and replies of a page as JSON that is safe inside HTML: in it while they fit, else in files beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from harness.report.details import Part, parts_of
from harness.report.explorer_rows import Frame, frame_of
from harness.report.group import Group
from harness.report.packing import LONGEST, Json, html_json
from harness.report.side_files import SideFile, SideFiles
from harness.report.text import visible

__all__ = ["BUDGET_BYTES", "Embedded", "embed", "html_json"]

BUDGET_BYTES: Final = 4_500_000
_ROW_BYTES: Final = 8
"""An attempt in the list takes its code, a comma and the print of its answer."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The data of the explorer."""

    json: str
    files: tuple[SideFile, ...] = ()
    """Beside the page; empty if all is inside."""


def embed(groups: Sequence[Group], budget: int = BUDGET_BYTES, side: SideFiles | None = None) -> Embedded:
    """What the sample explorer reads: a list of all attempts, and their texts in parts.

    budget: bytes that the JSON should stay within. While prompts and replies fit into it they are inside; if not, they
    go to `side`, and without one they stay inside, whatever their size. Runs whose list alone does not fit are left
    out, the last ones first, and named.
    """
    frame = frame_of(groups)
    left_out = _fit(frame, budget) if side is not None else []
    room = budget - _size(frame)
    inside: list[Part] = []
    files: list[SideFile] = []
    for part in parts_of(frame):
        room -= len(part.body)
        if side is None or (room >= 0 and not files):
            inside.append(part)
        else:
            files += [side.put(one) for one in (*inside, part)]
            inside = []
    index: Json = {**frame.index(), "longest": LONGEST}
    if left_out:
        index["left_out"] = list[JsonValue](left_out)
    if files and side is not None:
        index["folder"] = side.folder.name
        index["files"] = [list(one) for one in files]
    return Embedded(_joined(index, inside), tuple(files))


def _size(frame: Frame) -> int:
    """Bytes of the list once its outcomes are known."""
    rows = sum(len(lane.places) for lane in frame.lanes)
    return len(html_json(frame.index())) + _ROW_BYTES * rows


def _fit(frame: Frame, budget: int) -> list[str]:
    """Labels of the runs that had to go for the list of the others to fit."""
    left_out: list[str] = []
    while len(frame.lanes) > 1 and _size(frame) > budget:
        left_out.append(visible(frame.lanes.pop().label))
        last = max((lane.places[-1][0] for lane in frame.lanes if lane.places), default=-1)
        del frame.asked[last + 1 :]
    return left_out


def _joined(index: Json, inside: Sequence[Part]) -> str:
    parts = b",".join(b"[%d,%d,%b]" % (part.first, part.last, part.body) for part in inside)
    return f'{html_json(index).decode()[:-1]},"parts":[{parts.decode()}]}}'
