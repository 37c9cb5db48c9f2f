"""Pictures at another size. Training, films and live streams are resized by this one rule."""

from __future__ import annotations

import cv2
import numpy as np

from vidrnn.values import Pixels, Size


def resized(pixels: Pixels, size: Size | None) -> Pixels:
    """The whole picture (height, width, 3) at another size, never cropped. None leaves it as it is.

    A side that shrinks is averaged over areas. It is halved first as often as possible, since the mean of two by two
    pixels is by far the quickest. A side that grows is interpolated.
    """
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    shrunk = Size(min(height, size.height), min(width, size.width))
    while height % 2 == width % 2 == 0 and height >= 2 * shrunk.height and width >= 2 * shrunk.width:
        height, width = height // 2, width // 2
        pixels = _scaled(pixels, Size(height, width), cv2.INTER_AREA)
    return _scaled(_scaled(pixels, shrunk, cv2.INTER_AREA), size, cv2.INTER_LINEAR)


def _scaled(pixels: Pixels, size: Size, interpolation: int) -> Pixels:
    if pixels.shape[:2] == (size.height, size.width):
        return pixels
    return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=interpolation), dtype=np.uint8)
