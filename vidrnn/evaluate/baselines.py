"""What needs no learning: frames foretold by rule, and frames told apart by how much moves.

Frames are floats in [0, 1], (height, width, channels); a context is the frames that were seen, and nothing later is
looked at. A model that does not beat these has learnt nothing of worth.
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
"""(height, width, 2): how far what is at a pixel moves to the right and down, in pixels a frame."""

_LEAST_SIDE = 12  # pixels of the longer side, below which OpenCV's DIS finds no flow
Rule = Callable[[Frames, int], Frames]
"""Context and horizon to the frames foretold (horizon, height, width, channels)."""


def black_frame(context: Frames, horizon: int) -> Frames:
    """Nothing, whatever was seen."""
    return np.zeros((horizon, *context.shape[1:]), dtype=np.float32)


def last_frame(context: Frames, horizon: int) -> Frames:
    """The last frame that was seen, again and again."""
    return np.repeat(context[-1:], horizon, axis=0)


def flow_warped(context: Frames, horizon: int) -> Frames:
    """The last frame, moving on as it moved from the one before it; of a context of one frame, that frame.

    Each step traces every pixel one frame further back along the flow between the last two frames, found by DIS at its
    fast setting: Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016.
    """
    last = context[-1]
    flow = optical_flow(context[-2], last) if len(context) > 1 else np.zeros((*last.shape[:2], 2), dtype=np.float32)
    travelled = np.zeros_like(flow)
    foretold = np.empty((horizon, *last.shape), dtype=np.float32)
    for step in range(horizon):
        travelled = flow + _moved(travelled, flow)
        foretold[step] = _moved(last, travelled)
    return foretold


RULES: dict[str, Rule] = {
    "black frame": black_frame,
    "copy of the last frame": last_frame,
    "last frame warped by optical flow": flow_warped,
}
"""All that need nothing but the context; the mean image needs training films."""


class MeanImage:
    """The mean of all frames of the training films: what is best foretold where nothing is known."""

    name = "mean image"

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None
        self._frames = 0

    def add(self, frames: Frames) -> None:
        """Count in some frames (time, height, width, channels)."""
        total = frames.sum(0, dtype=np.float64)
        self._sum = total if self._sum is None else self._sum + total
        self._frames += len(frames)

    @property
    def picture(self) -> Picture:
        """The mean so far.

        Raises:
            ValueError: no frame was counted in.
        """
        if self._sum is None or not self._frames:
            raise ValueError("a mean image needs a frame or more")
        return (self._sum / self._frames).astype(np.float32)

    def foretell(self, context: Frames, horizon: int) -> Frames:
        """The mean image, whatever was seen."""
        return np.repeat(self.picture[None], horizon, axis=0)


def optical_flow(before: Picture, after: Picture) -> Flow:
    """How each pixel of `before` moves to come to `after`, by DIS; none where frames are below 12 pixels."""
    still = np.zeros((*before.shape[:2], 2), dtype=np.float32)
    if max(before.shape[:2]) < _LEAST_SIDE:
        return still
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(search.calc(_grey(before), _grey(after), still), dtype=np.float32)


def smooth_flow(before: Picture, after: Picture) -> Flow:
    """The same by Farneback's polynomials: coarser at the borders of things, quieter where nothing moves.

    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003.
    """
    flow = np.zeros((*before.shape[:2], 2), dtype=np.float32)
    scale, levels, window, rounds, neighbours, spread = 0.5, 3, 15, 3, 5, 1.2  # OpenCV's own example
    found = cv2.calcOpticalFlowFarneback(
        _grey(before), _grey(after), flow, scale, levels, window, rounds, neighbours, spread, 0
    )
    return np.asarray(found, dtype=np.float32)


SIGNS = (
    "frame difference",
    "frame difference, worst block",
    "flow warp error",
    "flow warp error, worst block",
    "flow magnitude",
    "flow magnitude, worst block",
)
"""What `Signs` says of a frame. The difference of two frames is the error of a copy of the last one, one step ahead."""


class Signs:
    """Takes the frames of a film one after another and says of each, from what came before, how much is going on.

    Differences and errors are squared and means over the frame, or over the block of 16x16 pixels where they are
    largest; flow is in pixels a frame. The first frame has nothing before it: its signs are not numbers. The flow that
    foretells is that of the two frames before; it is still where there is but one.
    """

    def __init__(self) -> None:
        self._seen: list[Picture] = []

    def push(self, frame: Picture) -> tuple[float, ...]:
        """The signs of the frame that has come, in the order of `SIGNS`."""
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
    found = np.asarray([signs.push(frame) for frame in frames], dtype=np.float64).reshape(-1, len(SIGNS))
    return dict(zip(SIGNS, found.T, strict=True))


def _grey(picture: Picture) -> NDArray[np.uint8]:
    """Brightness as OpenCV's flow wants it: (height, width), 0 to 255."""
    scaled = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
    return scaled[..., 0] if picture.shape[2] == 1 else np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY), np.uint8)


def _moved(picture: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """What is at a pixel after it has moved by the flow that is there; from beyond the border comes the border."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    found = cv2.remap(
        picture, columns - flow[..., 0], rows - flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found, dtype=np.float32).reshape(picture.shape)
