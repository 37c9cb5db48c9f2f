"""How large a picture may be, and what is said when memory runs out."""

from __future__ import annotations

import os
from pathlib import Path

from vidrnn.errors import SHORT_OF_MEMORY, FilmError, OutOfMemoryError

MOST_PIXELS = 64_000_000
"""Pixels of a picture, unless the user allows more. A picture of so many takes about 200 MB in each step."""
_VARIABLE = "VIDRNN_MAX_PIXELS"
"""The limit is one for a process and for the processes that it starts, so it stands in the environment."""


def allow_pixels(most_pixels: int) -> None:
    """Set the largest picture that is decoded, in pixels, for this process and those that it starts."""
    os.environ[_VARIABLE] = str(most_pixels)


def refuse_large_picture(path: Path, width: int, height: int) -> None:
    """Refuse a picture by its claimed size, before it is decoded.

    Raises:
        FilmError: it has more pixels than are allowed.
    """
    own = os.environ.get(_VARIABLE, "")
    most_pixels = int(own) if own.isdecimal() else MOST_PIXELS
    if width * height > most_pixels:
        raise FilmError(
            f"{path}: its pictures have {width * height:,} pixels ({width:,} x {height:,}), and {most_pixels:,} are "
            f"allowed. Shrink them, or allow more: --max-pixels {width * height}."
        )


def out_of_memory(path: Path) -> OutOfMemoryError:
    """The error of a film that cannot be read for want of memory."""
    return OutOfMemoryError(f"{path}: {SHORT_OF_MEMORY}")
