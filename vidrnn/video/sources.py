"""The contract of everything that gives pictures one after another: files, cameras, streams and folders."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vidrnn.values import Pixels


class Source(ABC):
    """Pictures in order, each with a raw time stamp. A source goes forward only."""

    codec: str = ""
    """The codec's name as people write it, such as h264."""
    claimed_frames: int = 0
    """The number of frames that the container claims; 0 if it claims none."""
    claimed_fps: float = 0.0
    """The frames per second that the container claims; 0 if it claims none."""
    rotation_degrees: int = 0
    """How far the pictures are turned clockwise before they are shown, as the container asks. They come turned."""
    refusals: int = 0
    """How many frames came only after the decoder had refused to go on, which it does at damage."""

    @abstractmethod
    def grab(self) -> float | None:
        """Go to the next frame and give its raw time in seconds; None if there is none."""

    @abstractmethod
    def picture(self) -> Pixels | None:
        """Give the frame that was grabbed, (height, width, 3) BGR; None if it cannot be decoded."""

    @abstractmethod
    def close(self) -> None:
        """Release the file or device."""
