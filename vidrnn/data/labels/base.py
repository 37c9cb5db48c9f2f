"""The contract of a label format: a labelling tool's own file becomes bouts of behaviours.

A format knows one kind of file: how it is recognised, its unit and base, whether an end is included, and what it means
by silence. It opens no film, and it does not look for films: it gives the names that the file has for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from vidrnn.values import Bout, Part, Span

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig

Silence = Literal["none", "ignore"]
"""What a moment without a label means: no behaviour was seen, or nobody looked."""


@dataclass(frozen=True, slots=True)
class NamedLabels:
    """What a label file says of one film, by the name that the file has for it."""

    name: str
    """A path, relative to the file or to the machine where it was made, or a name with or without a suffix."""
    bouts: tuple[Bout, ...]
    """Half open, with the file's own time offset taken off."""
    unit: Literal["seconds", "frames"] = "seconds"
    """Of the bouts and of `known`: seconds of the film's clock, or its frames counted from 0."""
    known: tuple[Span, ...] | None = None
    """The parts that were annotated, where the file says it; None: the silence of the format decides."""
    rate: float | None = None
    """Frames per second that the tool assumed of the film, where the file says it."""
    duration_seconds: float | None = None
    """Of the film, where the file says it."""
    group: str | None = None
    part: Part | None = None
    annotator: str = ""
    aliases: tuple[str, ...] = ()
    """Further names that the film may have, tried in order where there is none of the first name."""
    number: int | None = None
    """Of the film, from 1, where the file has no names for films and only counts them."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """All that a label file says."""

    films: tuple[NamedLabels, ...]
    """A film occurs once for each of its annotators."""
    base: str
    """Unit, base and end of its times in words, such as `frames from 1, the last one included`."""
    behaviours: tuple[str, ...] = ()
    """All behaviours that the file declares, where it declares them; some may occur in no film."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    failures: tuple[tuple[str, str], ...] = ()
    """Films whose labels cannot be used: the name, and the reason as a sentence that goes on after it."""


class LabelFormat(ABC):
    """One kind of label file, or of a folder of label files."""

    title: ClassVar[str]
    """In sentences: `BORIS project`."""
    silence: ClassVar[Silence]
    """What moments without a label mean in this format, where the file does not say which parts were annotated."""

    @abstractmethod
    def recognises(self, data: Path, beginning: str) -> bool:
        """Whether a path is of this format, by its content.

        Args:
            data: a file or a folder.
            beginning: the first 64 KiB of a file as text, without a byte order mark; empty for a folder or binary data.
        """

    @abstractmethod
    def read(self, data: Path, options: LabelsConfig) -> LabelFile:
        """Read the whole of it.

        Raises:
            DataError: it is damaged, or of another form; with the place, and what would work.
        """
