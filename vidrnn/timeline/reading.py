"""The contract of a reader: it takes frames in pieces of any length, and gives moments as soon as they are certain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from typing_extensions import override

from vidrnn.values import Floats, Pixels


@dataclass(frozen=True)
class Moments:
    """The outputs at successive times."""

    probabilities: Floats
    """(steps, classes); NaN where there is none."""
    measures: Mapping[str, Floats] = field(default_factory=dict)
    """Further numbers by name, (steps,) each."""


@dataclass(frozen=True)
class Ending:
    """The outputs that are certain when there are no more frames."""

    moments: Moments
    """Those that were not certain yet."""
    clip: Floats | None
    """(classes,) the probabilities of the film as a whole; None for a model that answers for frames only."""


class Reader(ABC):
    """Reads the frames of one film, in order. Its memory does not grow.

    Law: how the frames are cut into pieces changes nothing.
    """

    classes: tuple[str, ...]
    """In the order of the probabilities."""

    @abstractmethod
    def prepare(self, pixels: Pixels, before: Pixels | None) -> Any:
        """Do the part of the work that needs no state. Several threads may call this at once.

        Args:
            pixels: successive frames (count, height, width, 3) at the model's size; the caller overwrites them later.
            before: the frame before each, shaped as `pixels`; None if the model's `handling` asks for none.
        """

    @abstractmethod
    def read(self, prepared: Any) -> Moments:
        """Read on. Gives the next moments that are certain; each frame is one moment, in order."""

    @abstractmethod
    def now(self) -> Floats:
        """The probabilities (classes,) of the newest frame, certain or not."""

    @abstractmethod
    def finish(self) -> Ending:
        """The outputs if there are no more frames. The reader stays as it is."""

    @abstractmethod
    def skip(self, frames: int) -> None:
        """Note that this many frames of the model's grid are lost before the next one."""


class ObservedReader(Reader):
    """A reader that also hands each frame to an observer, in order."""

    def __init__(self, reader: Reader, observe: Callable[[Pixels], None]) -> None:
        """`observe` is called with each piece of pixels (count, height, width, 3) before it is read."""
        self._reader, self._observe = reader, observe
        self.classes = reader.classes

    @override
    def prepare(self, pixels: Pixels, before: Pixels | None) -> Any:
        return self._reader.prepare(pixels, before), np.array(pixels)

    @override
    def read(self, prepared: Any) -> Moments:
        inner, pixels = prepared
        self._observe(pixels)
        return self._reader.read(inner)

    @override
    def now(self) -> Floats:
        return self._reader.now()

    @override
    def finish(self) -> Ending:
        return self._reader.finish()

    @override
    def skip(self, frames: int) -> None:
        self._reader.skip(frames)
