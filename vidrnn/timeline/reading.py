"""The contract of a reader: frames in pieces of any length go in, moments come out as soon as they are certain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidrnn.values import Floats, Pixels


@dataclass(frozen=True)
class Moments:
    """What is said of successive moments."""

    probabilities: Floats
    """(steps, classes); not a number where there is none."""
    measures: Mapping[str, Floats] = field(default_factory=dict)
    """Further numbers by name, (steps,) each."""


@dataclass(frozen=True)
class Ending:
    """What is said when there are no more frames."""

    moments: Moments
    """Of the frames that were not certain yet."""
    clip: Floats | None
    """(classes,) the probabilities of all that was read; None for a model that speaks of frames only."""


class Reader(ABC):
    """Reads the frames of one film, in order. Its memory does not grow.

    Law: how the frames are cut into pieces changes nothing.
    """

    classes: tuple[str, ...]
    """In the order of the probabilities."""

    @abstractmethod
    def prepare(self, pixels: Pixels, before: Pixels | None) -> Any:
        """The part of the work that needs no state, so that several threads may do it at once.

        Args:
            pixels: successive frames (count, height, width, 3) at the model's size; they may be overwritten later.
            before: the frame before the first, None if there is none.
        """

    @abstractmethod
    def read(self, prepared: Any) -> Moments:
        """Read on: the next moments that are certain now. Each frame is one moment, in order."""

    @abstractmethod
    def now(self) -> Floats:
        """The probabilities (classes,) of the newest frame, certain or not."""

    @abstractmethod
    def finish(self) -> Ending:
        """What is to be said if there are no more frames; asking changes nothing."""

    @abstractmethod
    def skip(self, frames: int) -> None:
        """So many frames of the model's grid were lost before the next one."""


class ObservedReader(Reader):
    """A reader whose frames somebody else sees too, in order."""

    def __init__(self, reader: Reader, observe: Any) -> None:
        """`observe` is called with each piece of pixels (count, height, width, 3) before it is read."""
        self._reader, self._observe = reader, observe
        self.classes = reader.classes

    def prepare(self, pixels: Pixels, before: Pixels | None) -> Any:
        """As the reader, and a copy of the pixels."""
        return self._reader.prepare(pixels, before), np.array(pixels)

    def read(self, prepared: Any) -> Moments:
        """As the reader, after the observer has seen the pixels."""
        inner, pixels = prepared
        self._observe(pixels)
        return self._reader.read(inner)

    def now(self) -> Floats:
        """As the reader."""
        return self._reader.now()

    def finish(self) -> Ending:
        """As the reader."""
        return self._reader.finish()

    def skip(self, frames: int) -> None:
        """As the reader."""
        self._reader.skip(frames)
