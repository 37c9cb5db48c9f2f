"""The parts that a page is made of. The template has a macro for each, called by `kind`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from markupsafe import Markup

from vidrnn.tables import Table


@dataclass(frozen=True)
class Words:
    """Sentences, each a paragraph."""

    kind: ClassVar[str] = "words"
    sentences: tuple[str, ...]
    quiet: bool = False


@dataclass(frozen=True)
class Score:
    """The number that counts, with its interval between 0 and 1."""

    kind: ClassVar[str] = "score"
    name: str
    value: float
    interval: tuple[float, float] | None
    of: str


@dataclass(frozen=True)
class Figures:
    """Figures side by side where there is room; each has its text within."""

    kind: ClassVar[str] = "figures"
    pictures: tuple[Markup, ...]
    caption: str = ""


@dataclass(frozen=True)
class Rows:
    """A table."""

    kind: ClassVar[str] = "rows"
    table: Table


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: rows are the truth."""

    kind: ClassVar[str] = "matrix"
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def strength(self, row: int, column: int) -> int:
        """The share of a row that is in a column, in percent."""
        return round(100 * self.counts[row][column] / max(1, sum(self.counts[row])))


@dataclass(frozen=True)
class Lane:
    """One line of an ethogram."""

    name: str
    shapes: tuple[tuple[str, str], ...]
    """The colour and the SVG path of each class, on a canvas of 1000 x 1."""


@dataclass(frozen=True)
class FilmRaster:
    """The lines of one film."""

    name: str
    seconds: float
    agreement: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Raster:
    """Ethograms of films, and the colours of the classes."""

    kind: ClassVar[str] = "raster"
    films: tuple[FilmRaster, ...]
    legend: tuple[tuple[str, str], ...]
    """Class and colour."""


@dataclass(frozen=True)
class When:
    """When something decided: columns over time, on a canvas of 1000 x 100."""

    text: str
    """What the curve shows, for people who do not see it."""
    caption: str
    """What the columns are, in few words."""
    first: str
    last: str
    """The times of both ends."""
    speaking: str
    """The SVG path of the columns above the middle line."""
    against: str
    """That of the columns below it."""
    zero: float
    """The height of the middle line."""
    shown: tuple[float, float] | None
    """Where the time of the frames begins, and how long it is; None: they are as long as the curve."""


@dataclass(frozen=True)
class Strip:
    """Frames of one stretch of a film, with what is said of it."""

    title: str
    lines: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...] = ()
    """The address of each picture, and its time."""
    curve: When | None = None
    """When the model saw it: a curve under the frames. None: that is not known."""


@dataclass(frozen=True)
class Strips:
    """Strips below each other."""

    kind: ClassVar[str] = "strips"
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Listing:
    """A text as it is, such as a command; a long one is folded under a title."""

    kind: ClassVar[str] = "listing"
    text: str
    title: str = ""


Block: TypeAlias = Words | Score | Figures | Rows | Matrix | Raster | Strips | Listing


@dataclass(frozen=True)
class Section:
    """A part of the page with a title."""

    name: str
    """Its address within the page."""
    title: str
    blocks: Sequence[Block]
