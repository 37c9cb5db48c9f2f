"""What this machine's decoders read and write: OpenCV's and PyAV's own copies of FFmpeg."""

from __future__ import annotations

import re
from dataclasses import dataclass

_READ = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "prores", "ffv1", "wmv3", "dvvideo")
"""Usual codecs of films, by FFmpeg's names."""
_WRITTEN = ("libx264", "libvpx")


@dataclass(frozen=True)
class Decoders:
    """The libraries that read films here."""

    opencv_ffmpeg: str
    """The version of FFmpeg's codecs in OpenCV; empty where it has none."""
    opencv_sources: list[str]
    """By which means OpenCV opens films and cameras."""
    pyav_ffmpeg: str
    """The version of FFmpeg's codecs in PyAV; empty where PyAV is not installed."""
    reads: list[str]
    """Codecs that PyAV decodes, of the usual ones."""
    writes: list[str]
    """Encoders that vidrnn writes films with."""


def describe_decoders() -> Decoders:
    """The versions and the codecs of the decoders."""
    import cv2

    found = re.search(r"avcodec:\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    names = (cv2.videoio_registry.getBackendName(backend) for backend in cv2.videoio_registry.getBackends())
    sources = list(dict.fromkeys(names))
    try:
        import av
    except ImportError:  # the small install has none
        return Decoders(found[1] if found else "", sources, "", [], [])
    codecs = av.codecs_available
    version = ".".join(map(str, av.library_versions["libavcodec"]))
    reads = [name for name in _READ if name in codecs or f"lib{name}" in codecs]
    return Decoders(found[1] if found else "", sources, version, reads, [name for name in _WRITTEN if name in codecs])
