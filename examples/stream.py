"""Read a video frame by frame, as a camera would give it, and print each segment when it has ended.

    python examples/stream.py [VIDEO] [MODEL]

A stream remembers a fixed amount, however long it runs. The frames may come from anywhere: a camera, a microscope, a
network connection. Only two things are needed for each frame: its pixels and its time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import vidrnn

ROOT = Path(__file__).resolve().parent.parent


def frames_of(video: Path) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Each frame as pixels (height, width, 3) uint8 RGB, and its time in seconds.

    Replace this function by your own source. The times must increase.
    """
    capture = cv2.VideoCapture(str(video))
    while True:
        is_read, picture = capture.read()
        if not is_read:
            return
        seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        yield np.asarray(picture[..., ::-1], dtype=np.uint8), seconds  # OpenCV gives blue first; vidrnn wants red first


def main(video: Path, model: Path) -> None:
    """Print a line for each segment, and the answer for the whole video at the end."""
    stream = vidrnn.load(model).stream()
    for pixels, seconds in frames_of(video):
        answer = stream.push(pixels, seconds)
        # `answer` is what the model thinks at this moment. `ended` is the part of the timeline that is now certain.
        for segment in answer.ended:
            print(f"{segment.start_seconds:6.2f} to {segment.end_seconds:6.2f} s  {segment.label}")
    end = stream.finish()
    for segment in end.ended:
        print(f"{segment.start_seconds:6.2f} to {segment.end_seconds:6.2f} s  {segment.label}")
    print(f"the whole video: {end.label}, probability {end.probability:.2f}")


if __name__ == "__main__":
    defaults = [str(ROOT / "sample_videos" / "a_day.webm"), str(ROOT / "models" / "moves")]
    chosen = [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]]
    main(Path(chosen[0]), Path(chosen[1]))
