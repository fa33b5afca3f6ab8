"""Places the labels of points so that none covers another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER, HEIGHT = 6.3, 14.0  # of the charts' 12 px sans-serif, on the wide side
GAPS = (3.0, 9.0, 18.0, 30.0, 45.0, 62.0, 82.0, 105.0)
DIRECTIONS = [(math.cos(turn * math.pi / 8), math.sin(turn * math.pi / 8)) for turn in range(16)]
LEADER_FROM = 9.0  # a label as far as this from its point is joined to it by a line
POINT_COVERED = 25.0  # what that costs, in units of distance


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle of the drawing, in its units; `top` < `bottom`."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Returns whether the two have more than an edge in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: "Box") -> bool:
        """Returns whether the other lies inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


@dataclass(frozen=True, kw_only=True)
class Disc:
    """A point of a chart, and what it is called."""

    x: float
    y: float
    radius: float
    text: str

    @property
    def core(self) -> Box:
        """The square inside the disc."""
        half = self.radius * math.sqrt(0.5)
        return Box(left=self.x - half, top=self.y - half, right=self.x + half, bottom=self.y + half)


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where a label is, and the line from its point to it: (x1, y1, x2, y2)."""

    box: Box
    leader: tuple[float, float, float, float] | None


def place_labels(
    discs: Sequence[Disc], frame: Box, taken: Sequence[Box] = ()
) -> list[Label | None]:
    """Returns a place inside the frame for the label of each disc, the first ones first.

    None where every place near the disc would cover another label.

    Args:
        discs: what to label.
        frame: where labels may be.
        taken: where they may not be.
    """
    boxes, found = list(taken), []
    for disc in discs:
        best, least = None, math.inf
        for gap in GAPS:
            for direction in DIRECTIONS:
                label = _label(disc, gap, direction)
                if not frame.holds(label.box) or any(map(label.box.overlaps, boxes)):
                    continue
                # beside a point reads better than above or below it
                aside = abs((label.box.top + label.box.bottom) / 2 - disc.y) / 10
                covered = sum(label.box.overlaps(other.core) for other in discs)
                cost = gap + aside + POINT_COVERED * covered
                if cost < least:
                    best, least = label, cost
        if best is not None:
            boxes.append(best.box)
        found.append(best)
    return found


def _label(disc: Disc, gap: float, direction: tuple[float, float]) -> Label:
    half_width, half_height = len(disc.text) * CHARACTER / 2, HEIGHT / 2
    reach, (dx, dy) = disc.radius + gap, direction
    x, y = disc.x + dx * (reach + half_width), disc.y + dy * (reach + half_height)
    box = Box(
        left=x - half_width, top=y - half_height, right=x + half_width, bottom=y + half_height
    )
    if gap < LEADER_FROM:
        return Label(box=box, leader=None)
    end_x, end_y = min(max(disc.x, box.left), box.right), min(max(disc.y, box.top), box.bottom)
    return Label(box=box, leader=(disc.x, disc.y, end_x, end_y))
