"""Baselines without learning: rules that predict the next frames, and signs of motion that tell anomalies.

Frames are floats in [0, 1], (height, width, channels). A context is the frames before a prediction; nothing looks at
later frames. A model that does not beat these baselines is of no use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from vidrnn.timeline.anomaly import frame_error, worst_block

Frames = NDArray[np.float32]
"""(time, height, width, channels) in [0, 1]."""
Picture = NDArray[np.float32]
"""(height, width, channels) in [0, 1]."""
Flow = NDArray[np.float32]
"""(height, width, 2): the motion of each pixel to the right and down, in pixels a frame."""

_LEAST_SIDE = 12
"""Pixels of the longer side. OpenCV's DIS takes no smaller frames."""
Rule = Callable[[Frames, int], Frames]
"""From a context and a horizon to the predicted frames (horizon, height, width, channels)."""


def black_frame(context: Frames, horizon: int) -> Frames:
    """Black frames, whatever the context is."""
    return np.zeros((horizon, *context.shape[1:]), dtype=np.float32)


def last_frame(context: Frames, horizon: int) -> Frames:
    """The last frame of the context, repeated."""
    return np.repeat(context[-1:], horizon, axis=0)


def flow_warped(context: Frames, horizon: int) -> Frames:
    """The last frame, moved on along the optical flow between the last two frames. Of one frame: that frame, repeated.

    Each step traces every pixel one frame further back along the flow. The flow is DIS at its fast setting: Kroeger et
    al., "Fast optical flow using dense inverse search", ECCV 2016.
    """
    last = context[-1]
    flow = optical_flow(context[-2], last) if len(context) > 1 else np.zeros((*last.shape[:2], 2), dtype=np.float32)
    travelled = np.zeros_like(flow)
    predicted = np.empty((horizon, *last.shape), dtype=np.float32)
    for step in range(horizon):
        travelled = flow + _moved(travelled, flow)
        predicted[step] = _moved(last, travelled)
    return predicted


RULES: dict[str, Rule] = {
    "black frame": black_frame,
    "copy of the last frame": last_frame,
    "last frame warped by optical flow": flow_warped,
}
"""The rules that need only the context. The mean image needs training films too."""


class MeanImage:
    """The mean of all frames of the training films: of all fixed pictures, the one with the least squared error."""

    name = "mean image"

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None
        self._frames = 0

    def add(self, frames: Frames) -> None:
        """Add frames (time, height, width, channels)."""
        total = frames.sum(0, dtype=np.float64)
        self._sum = total if self._sum is None else self._sum + total
        self._frames += len(frames)

    @property
    def picture(self) -> Picture:
        """The mean so far.

        Raises:
            ValueError: there is no frame yet.
        """
        if self._sum is None or not self._frames:
            raise ValueError("a mean image needs one frame or more")
        return (self._sum / self._frames).astype(np.float32)

    def predict(self, context: Frames, horizon: int) -> Frames:
        """The mean image, whatever the context is."""
        return np.repeat(self.picture[None], horizon, axis=0)


def optical_flow(before: Picture, after: Picture) -> Flow:
    """The optical flow from `before` to `after`, by DIS; 0 where frames are smaller than 12 pixels."""
    still = np.zeros((*before.shape[:2], 2), dtype=np.float32)
    if max(before.shape[:2]) < _LEAST_SIDE:
        return still
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(search.calc(_grey(before), _grey(after), still), dtype=np.float32)


def smooth_flow(before: Picture, after: Picture) -> Flow:
    """The optical flow by Farneback's method: coarser at the borders of objects, with less noise where nothing moves.

    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003.
    """
    flow = np.zeros((*before.shape[:2], 2), dtype=np.float32)
    scale, levels, window, rounds, neighbours, spread = 0.5, 3, 15, 3, 5, 1.2  # OpenCV's own example
    smooth = cv2.calcOpticalFlowFarneback(
        _grey(before), _grey(after), flow, scale, levels, window, rounds, neighbours, spread, 0
    )
    return np.asarray(smooth, dtype=np.float32)


SIGNS = (
    "frame difference",
    "frame difference, worst block",
    "flow warp error",
    "flow warp error, worst block",
    "flow magnitude",
    "flow magnitude, worst block",
)
"""The numbers that `Signs` gives. The difference of two frames is the error of `last_frame`, one step ahead."""


class Signs:
    """Numbers that tell how much moves in each frame of a film, from this frame and the frames before it.

    Differences and errors are squared. They are means over the frame, or over the block of 16x16 pixels where they are
    largest. Flow is in pixels a frame. The first frame has no frame before it, so its signs are NaN. The warp error is
    that of a prediction from the two frames before; where there is one frame only, the prediction is this frame.
    """

    def __init__(self) -> None:
        self._seen: list[Picture] = []

    def push(self, frame: Picture) -> tuple[float, ...]:
        """The signs of the next frame, in the order of `SIGNS`."""
        if not self._seen:
            self._seen = [frame]
            return (float("nan"),) * len(SIGNS)
        difference = frame_error(self._seen[-1], frame)
        warp = frame_error(flow_warped(np.stack(self._seen), 1)[0], frame)
        speed = np.hypot(*np.moveaxis(smooth_flow(self._seen[-1], frame), -1, 0))
        self._seen = [self._seen[-1], frame]
        return (
            *(difference.mse, difference.worst_block),
            *(warp.mse, warp.worst_block),
            *(float(speed.mean()), worst_block(speed)),
        )


def signs_of(frames: Iterable[Picture]) -> dict[str, NDArray[np.float64]]:
    """Each of the `SIGNS` of every frame of a film (frames,)."""
    signs = Signs()
    rows = np.asarray([signs.push(frame) for frame in frames], dtype=np.float64).reshape(-1, len(SIGNS))
    return dict(zip(SIGNS, rows.T, strict=True))


def _grey(picture: Picture) -> NDArray[np.uint8]:
    """Brightness (height, width) from 0 to 255, for OpenCV's flow."""
    scaled = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
    return scaled[..., 0] if picture.shape[2] == 1 else np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY), np.uint8)


def _moved(picture: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """A picture moved by the flow at each pixel. Pixels from outside of the picture repeat its border."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    moved = cv2.remap(
        picture, columns - flow[..., 0], rows - flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, dtype=np.float32).reshape(picture.shape)
