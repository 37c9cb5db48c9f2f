"""A window shows the newest picture with its answer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Self

# Without this, Qt complains at each letter that it brings no fonts. None of its fonts are used.
os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")

import cv2
import numpy as np

from vidrnn.errors import UsageError
from vidrnn.values import Answer, Now, Pixels

_PROGRAM = "import cv2; cv2.namedWindow('vidrnn'); cv2.waitKey(1)"
_TRIAL_SECONDS = 20.0
_LARGEST = 1280, 720
"""Width and height of the picture in the window, in pixels. A larger picture is shrunk."""
_NARROWEST = 320
"""Width in pixels. A narrower picture is enlarged."""
_BACKGROUND, _TEXT, _BAR_BACKGROUND, _BAR = (24, 24, 24), (240, 240, 240), (70, 70, 70), (79, 161, 89)
"""BGR."""
_ESCAPE = 27


class Screen:
    """A window that is open until the user closes it; q and Escape close it, too."""

    def __init__(self, title: str) -> None:
        """Open the window.

        Raises:
            UsageError: there is no screen, or no window can be opened on it.
        """
        if reason := _why_no_window():
            raise UsageError(f"--show: {reason} Leave --show out.")
        self._title = title
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()

    def closed_after(self, picture: Pixels | None, now: Now | None) -> bool:
        """Show the picture (height, width, 3) BGR with its answer. True if the user has closed the window."""
        if picture is not None:
            cv2.imshow(self._title, captioned(picture, *(_said(now.answer) if now else ("", 0.0))))
        key = cv2.waitKey(1) & 0xFF
        return key in (ord("q"), _ESCAPE) or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1


def _said(answer: Answer) -> tuple[str, float]:
    """All classes that hold, or the label where none does, and the probability of the most probable one."""
    return ", ".join(answer.holding) or answer.label, answer.probability


def captioned(picture: Pixels, label: str, probability: float) -> Pixels:
    """The picture (height, width, 3) at a size that fits a screen, with the label and a bar below it."""
    height, width = picture.shape[:2]
    factor = min(_LARGEST[0] / width, _LARGEST[1] / height, max(1.0, _NARROWEST / width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.concatenate([np.asarray(shown, np.uint8), _caption(shown.shape[1], label, probability)])


def _caption(width: int, label: str, probability: float) -> Pixels:
    letters = max(14, width // 30)
    line = np.full((2 * letters + 8, width, 3), _BACKGROUND, np.uint8)
    text = f"{label}  {probability:.2f}" if label else ""
    cv2.putText(line, text, (letters // 2, letters + letters // 2), _TEXT, cv2.FontFace("sans"), letters, 500)
    line[-6:] = _BAR_BACKGROUND
    line[-6:, : round(width * probability)] = _BAR
    return line


def _why_no_window() -> str:
    """Why no window can be opened; empty if one can. Another process tries it, since a failure ends the process."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no screen here (DISPLAY is not set)."
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _PROGRAM], capture_output=True, timeout=_TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "the screen does not answer."
    if trial.returncode == 0:
        return ""
    return "no window can be opened here. OpenCV may be the headless version, or the screen may belong to another user."
