"""The contract of a tracker: another program that records a training. It knows no events, only names and numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from vidrnn.values import Pixels

Ending = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class Place:
    """What is recorded, and where."""

    folder: Path
    """Of the run."""
    identity: str | None
    """What `Tracker.open` gave when this training began; None for a new training."""


class Tracker(ABC):
    """Records one training. It is used by one thread, and opens no network connection unless its user asks for it."""

    package: ClassVar[str]
    """What must be installed. It is imported in `open`, not before."""

    @abstractmethod
    def open(self, place: Place) -> str:
        """Begin, or go on with the training that the place names. Gives what names it from now on."""

    @abstractmethod
    def settings(self, settings: Mapping[str, Any]) -> None:
        """Record the settings of the training, by their names; values are texts and numbers."""

    @abstractmethod
    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        """Record numbers of an epoch, by name."""

    @abstractmethod
    def picture(self, name: str, pixels: Pixels) -> None:
        """Record a picture (height, width, 3) RGB."""

    @abstractmethod
    def text(self, name: str, text: str) -> None:
        """Record sentences, as Markdown."""

    @abstractmethod
    def close(self, ending: Ending) -> None:
        """End the recording. A training that was stopped may go on later."""
