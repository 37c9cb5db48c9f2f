"""What FFmpeg may open: the formats it may take a file for, and the protocols it may speak.

A film is data. Some formats only name other files or addresses, and FFmpeg would read those as well, so it is told by
a list which formats and protocols are allowed. The lists hold for OpenCV and for PyAV.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition

_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""OpenCV reads it at each opening. It replaces what OpenCV would set by itself."""
_OPENCV_OWN = {"rtsp_flags": "prefer_tcp"}

_FORMATS = (
    "3dostr 4xm alias_pix amv apng asf av1 avi avs bethsoftvid bfi bink bmp_pipe brender_pix cavsvideo cdxl cine "
    "dds_pipe dhav dirac dnxhd dpx_pipe dsicin dv dvd dxa ea evc exr_pipe film_cpk flic flv frm gdv gif gif_pipe "
    "gxf h261 h263 h264 hevc hnm ico idcin ifv ingenient ipmovie ipu ivf ivr j2k_pipe jpeg_pipe jpegls_pipe "
    "jpegxl_anim jpegxl_pipe jv live_flv lmlm4 luodat lvf lxf m4v matroska mjpeg mjpeg_2000 mm moflex mov mpeg "
    "mpegts mpegtsraw mpegvideo mpjpeg msnwctcp mtv mv mvi mxf mxg nc nsv nut nuv obu ogg pam_pipe pbm_pipe "
    "pcx_pipe pfm_pipe pgm_pipe pgmyuv_pipe pgx_pipe phm_pipe pictor_pipe pmp png_pipe ppm_pipe psd_pipe psxstr "
    "pva qdraw_pipe qoi_pipe r3d rl2 rm roq rpl sdr2 ser sga sgi_pipe siff simbiosis_imx smk smush sunrast_pipe "
    "swf thp tiertexseq tiff_pipe tmv txd ty usm v210 vbn_pipe vc1 vc1test vividas vivo vmd vvc wc3movie "
    "webp_pipe wsvqa wtv wve xbm_pipe xmv xpm_pipe xwd_pipe yop yuv4mpegpipe"
)
"""FFmpeg's names of the formats that hold pictures themselves. Not in the list, since they open other files: concat,
dash, hls, image2, imf, mlv, sdp, vobsub, webm_dash_manifest. Nor is tty, which draws the letters of any text."""
_HTTP_FORMATS = "hls dash aac ac3 eac3 mp3 webvtt"
"""A live stream over http is often a playlist that grows, and its parts."""
_SOUND = "aac ac3 aiff amr ape asf_o au caf dts eac3 flac mp3 tta wav w64 wv"
"""Sound alone: the diagnosis names it."""
_STREAM_FORMATS = "rtsp sdp rtp"

_PROTOCOLS = {
    "http": "http https httpproxy tls tcp crypto data",
    "rtsp": "rtsp rtsps rtp srtp udp tcp tls http https httpproxy",
    "rtmp": "rtmp rtmps rtmpt rtmpts tcp tls http https httpproxy",
    "rtp": "rtp srtp udp",
    "udp": "udp",
    "tcp": "tcp",
    "pipe": "pipe",
}
"""What a stream may speak, by its scheme. No stream may read a file of this machine, since none has `file`."""


def _pairs(formats: str, protocols: str) -> dict[str, str]:
    return {"format_whitelist": formats.replace(" ", ","), "protocol_whitelist": protocols.replace(" ", ",")}


FILE_OPTIONS: Mapping[str, str] = _pairs(_FORMATS, "file")
"""For a film file that FFmpeg opens by its name."""
HANDLE_OPTIONS: Mapping[str, str] = _pairs(f"{_FORMATS} {_SOUND}", "")
"""For a film file that was opened already: FFmpeg may then open nothing."""


def stream_options(address: str) -> Mapping[str, str]:
    """For an address of FFmpeg, such as rtsp://HOST/PATH or pipe:0."""
    scheme = address.partition(":")[0].lower()
    family = scheme if scheme in _PROTOCOLS else scheme.removesuffix("s")
    more = {"http": f" {_HTTP_FORMATS}", "rtsp": f" {_STREAM_FORMATS}", "rtp": f" {_STREAM_FORMATS}"}
    return _pairs(_FORMATS + more.get(family, ""), _PROTOCOLS.get(family, scheme))


class _Environment:
    """OpenCV takes options from the environment only, which all threads share.

    Openings with the same options go on side by side; others wait for them. Afterwards the environment is as it was, so
    that a child process finds the user's own options.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._users, self._value = 0, ""
        self._before: str | None = None

    @contextmanager
    def holding(self, options: Mapping[str, str]) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._value == _written(options, self._before))
            if not self._users:
                self._before = os.environ.get(_VARIABLE)
                self._value = os.environ[_VARIABLE] = _written(options, self._before)
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                if not self._users and self._before is None:
                    del os.environ[_VARIABLE]
                elif not self._users and self._before is not None:
                    os.environ[_VARIABLE] = self._before
                self._changed.notify_all()


def _written(options: Mapping[str, str], own: str | None) -> str:
    """All options as OpenCV reads them: its own, then these, and last those that the user has set, which win."""
    users = dict(pair.split(";", 1) for pair in (own or "").split("|") if ";" in pair)
    return "|".join(f"{name};{value}" for name, value in {**_OPENCV_OWN, **options, **users}.items())


opencv_options = _Environment().holding
"""`with opencv_options(OPTIONS):` a `cv2.VideoCapture` that is opened in the block obeys the options."""
