"""Trackers for the tests: one that remembers what it was given, and one that fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vidrnn.tracking.base import Ending, Place, Tracker
from vidrnn.values import Pixels

CALLS: list[tuple[Any, ...]] = []


class Remembering(Tracker):
    package: ClassVar[str] = "numpy"

    def open(self, place: Place) -> str:
        CALLS.append(("open", place.folder, place.identity))
        return place.identity or "first"

    def settings(self, settings: Mapping[str, Any]) -> None:
        CALLS.append(("settings", dict(settings)))

    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        CALLS.append(("scalars", dict(numbers), step))

    def picture(self, name: str, pixels: Pixels) -> None:
        CALLS.append(("picture", name, pixels.shape))

    def text(self, name: str, text: str) -> None:
        CALLS.append(("text", name, text))

    def close(self, ending: Ending) -> None:
        CALLS.append(("close", ending))


class Failing(Remembering):
    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        raise ConnectionError("the server is gone\nand more")


class Missing(Remembering):
    package: ClassVar[str] = "a_package_that_nobody_has"
