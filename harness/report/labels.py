"""Where the labels of a scatter plot go, so that none covers another, a point or the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

__all__ = ["Box", "Label", "place_labels"]

_CHARACTER = 7.0
_HEIGHT = 13.0
_RADII = (11.0, 20.0, 32.0, 46.0, 62.0)
_ANGLES = 16
_LEADER_FROM = 15.0
_SHIFTS = (0.0, -9.0, 9.0, -14.0, 14.0)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the plot's units, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def hits(self, other: "Box") -> bool:
        """Whether the two share an area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, frame: "Box") -> bool:
        """Whether it lies within the frame."""
        return (
            frame.left <= self.left
            and self.right <= frame.right
            and frame.top <= self.top
            and self.bottom <= frame.bottom
        )


@dataclass(frozen=True, slots=True)
class Label:
    """A text with its anchor and baseline, and the line that leads to its point if it stands apart."""

    text: str
    x: float
    y: float
    anchor: str
    box: Box
    leader: tuple[float, float, float, float] | None


def place_labels(
    points: Sequence[tuple[float, float, str]], obstacles: Sequence[Box], frame: Box
) -> list[Label | None]:
    """A label for each (x, y, text), None where every place tried is taken.

    Tried in turn: right and left beside the point, then rings of growing radius around it, from the right side on.
    First come, first served, so callers put the points that matter most first.
    """
    taken = list(obstacles)
    found: list[Label | None] = []
    for x, y, text in points:
        label = next((one for one in _candidates(x, y, text) if _free(one, taken, frame)), None)
        found.append(label)
        if label is not None:
            taken.append(label.box)
    return found


def _free(label: Label, taken: Sequence[Box], frame: Box) -> bool:
    return label.box.inside(frame) and not any(label.box.hits(box) for box in taken)


def _candidates(x: float, y: float, text: str) -> list[Label]:
    width = len(text) * _CHARACTER
    found = [_beside(x, y + shift, text, width, side) for shift in _SHIFTS for side in (1, -1)]
    for radius in _RADII:
        for step in range(_ANGLES):
            turn = (step + 1) // 2 * (1 if step % 2 else -1) * 2 * pi / _ANGLES
            at_x, at_y = x + radius * cos(turn), y + radius * sin(turn)
            left = at_x - width * (1 - cos(turn)) / 2
            box = Box(left, at_y - _HEIGHT / 2, left + width, at_y + _HEIGHT / 2)
            leader = (x, y, at_x, at_y) if radius > _LEADER_FROM else None
            # Anchored on the side of its point: where fonts run wider or narrower, the far end moves.
            anchor, anchor_x = _anchor(cos(turn), box)
            found.append(Label(text, anchor_x, at_y + _HEIGHT * 0.3, anchor, box, leader))
    return found


def _beside(x: float, y: float, text: str, width: float, side: int) -> Label:
    """Close by on the right (1) or the left (-1), a little higher or lower where the middle is taken."""
    near = x + side * _RADII[0]
    box = Box(min(near, near + side * width), y - _HEIGHT / 2, max(near, near + side * width), y + _HEIGHT / 2)
    return Label(text, near, y + _HEIGHT * 0.3, "start" if side > 0 else "end", box, None)


def _anchor(side: float, box: Box) -> tuple[str, float]:
    if side > 0.3:
        return "start", box.left
    if side < -0.3:
        return "end", box.right
    return "middle", (box.left + box.right) / 2
