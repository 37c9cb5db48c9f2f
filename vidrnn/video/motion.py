"""Motion between two frames of a film: which frame is before another one, and the optical flow between the two."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidrnn.values import InputName, Pixels
from vidrnn.video.clock import JUMP_SECONDS, TOLERANCE_SECONDS

FLOW_LEVELS = 8
"""Levels of a flow picture for a motion of one pixel. So a flow picture holds up to 16 pixels each way, a tenth of the
short side of a pretrained encoder's usual picture. A longer motion counts as one of 16 pixels."""
_STILL = 128
"""The level of no motion in the first two channels of a flow picture."""
_LEAST_SIDE = 32
"""Pixels of a side. OpenCV's DIS refuses tiny pictures and crashes on long narrow ones, so sides are padded to this."""


class BeforeFinder:
    """Finds for each frame of a film the frame before it, which is the same for training, films and live streams.

    It is the latest frame that is at least `motion_seconds` earlier (2 ms of tolerance). If there is none, it is the
    frame right before; the first frame of a film is its own. After a jump of the clock the film begins anew. So it does
    not depend on the times at which a model looks.
    """

    def __init__(self, motion_seconds: float) -> None:
        self._motion_seconds = motion_seconds
        self._kept: deque[tuple[float, Pixels]] = deque()

    def find(self, seconds: float, pixels: Pixels) -> Pixels:
        """The frame before the next frame of the film.

        Args:
            seconds: the frame's own time.
            pixels: its picture, which must not change after this call.
        """
        kept, reach = self._kept, seconds - self._motion_seconds + TOLERANCE_SECONDS
        if kept and seconds - kept[-1][0] > JUMP_SECONDS:
            kept.clear()
        while len(kept) > 1 and kept[1][0] <= reach:
            kept.popleft()
        before = pixels
        if kept:
            before = kept[0][1] if kept[0][0] <= reach else kept[-1][1]
        kept.append((seconds, pixels))
        return before


def flow_pictures(frames: Pixels, before: Pixels) -> Pixels:
    """The optical flow from the frame before each frame to the frame, as pictures.

    The method is DIS: Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016.

    Args:
        frames: (..., height, width, 3) RGB.
        before: the frame before each frame, shaped as `frames`.

    Returns:
        shaped as `frames`: the motion to the right and the motion down, with 128 for none, and the length of the
        motion, with 0 for none; each pixel of motion counts `FLOW_LEVELS`.
    """
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    shown = np.empty(frames.shape, np.uint8)
    height, width = frames.shape[-3:-1]
    pairs = zip(frames.reshape(-1, height, width, 3), before.reshape(-1, height, width, 3), strict=True)
    for place, (now, earlier) in enumerate(pairs):
        flow = search.calc(_grey(earlier), _grey(now), None)[:height, :width] * np.float32(FLOW_LEVELS)
        levels = np.concatenate([flow + _STILL, np.hypot(flow[..., :1], flow[..., 1:])], -1)
        shown.reshape(-1, height, width, 3)[place] = np.rint(levels).clip(0, 255)
    return shown


def motion_inputs(wanted: Sequence[InputName], frames: Pixels, before: Pixels | None) -> dict[str, Pixels]:
    """The inputs of a network beside `frames` (..., height, width, 3), each shaped as `frames`.

    Raises:
        ValueError: some are wanted, and `before`, the frame before each frame, is not given.
    """
    if not wanted:
        return {}
    if before is None:
        raise ValueError("this network sees motion: it needs `before`, the frame before each frame")
    return {name: before if name == "before" else flow_pictures(frames, before) for name in wanted}


def _grey(picture: Pixels) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    down, across = (max(0, _LEAST_SIDE - side) for side in grey.shape)
    if down or across:
        grey = cv2.copyMakeBorder(grey, 0, down, 0, across, cv2.BORDER_REPLICATE)
    return np.asarray(grey, dtype=np.uint8)
