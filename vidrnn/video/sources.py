"""The contract of everything that gives pictures one after another: files, cameras, streams and folders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from vidrnn.values import Pixels


class Source(ABC):
    """Pictures in order, each with a raw time stamp. A source goes forward only."""

    codec: str = ""
    """The codec's name as people write it, such as h264."""
    claimed_frames: int = 0
    """The number of frames that the container claims; 0 if it claims none."""
    claimed_fps: float = 0.0
    """The frames per second that the container claims; 0 if it claims none."""
    claimed_pixels: int = 0
    """The claimed size of a picture in pixels; 0 if it is not known before the first picture."""
    rotation_degrees: int = 0
    """How far the pictures are turned clockwise before they are shown, as the container asks. They come turned."""
    mirrored: bool = False
    """Whether the pictures are mirrored, left to right, before they are turned, as the container asks."""
    start_seconds: float = 0.0
    """The time on the container's clock at which the raw times begin; known after the first frame."""
    from_container: bool = False
    """Whether the frames come from a container of packets, which damage can hit in any place."""
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

    def notes(self) -> Iterator[str]:
        """A sentence for each thing that went wrong so far in making pictures."""
        yield from ()

    def oddities(self) -> Iterator[str]:
        """A sentence for each property of the pictures that is odd but no fault."""
        yield from ()
