"""An encoder that is a graph of another program, from one picture to one vector. onnxruntime computes it.

This module opens no file and checks no graph: it is given bytes that were checked. onnxruntime reads a graph that is
given as bytes without opening any other file.
"""

from __future__ import annotations

import copy
from threading import Lock
from typing import Any, Self

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as refusals
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.errors import ModelError, first_line
from vidrnn.nets.encoders.base import PictureEncoder
from vidrnn.nets.spec import EncoderConfig, PixelRecord
from vidrnn.values import Size

_REFUSALS = (
    refusals.EPFail,
    refusals.Fail,
    refusals.InvalidArgument,
    refusals.InvalidGraph,
    refusals.InvalidProtobuf,
    refusals.NotImplemented,
    refusals.RuntimeException,
)


class OnnxEncoder(PictureEncoder):
    """The vector that a graph gives for each picture. It is always frozen."""

    def __init__(self, config: EncoderConfig, size: Size) -> None:
        """An encoder for pictures of `size`, still without its graph: see `take_graph`."""
        assert config.graph is not None and config.pixels is not None
        super().__init__(*_of_pixels_in_one(config.pixels))
        self.graph, self.pixels = config.graph, config.pixels
        self.view_width, self.grey = self.graph.width, self.pixels.channels == "grey"
        self.views = ("appearance", *config.motion)
        self.network = nn.Identity()
        self._engine: _Engine | None = None

    @property
    def content(self) -> bytes:
        """The graph. Without it nothing can be encoded."""
        assert self._engine is not None, "the encoder was not given its graph"
        return self._engine.content

    def take_graph(self, content: bytes) -> None:
        """Take the bytes of a graph that was checked."""
        self._engine = _Engine(content)

    @property
    @override
    def identity(self) -> str:
        return self.graph.model_dump_json() + self.pixels.model_dump_json()

    @override
    def folded(self) -> Self:
        return copy.deepcopy(self).eval()

    @override
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """As the contract says.

        Raises:
            ModelError: the graph does not take such pictures.
        """
        given = self.graph_input(pictures).detach().cpu().numpy()
        return torch.from_numpy(self._vectors(given)).to(pictures.device)

    def shape_for(self, size: Size) -> tuple[int, ...]:
        """The shape of the graph's output for one black picture of `size`.

        Raises:
            ModelError: the graph does not take it.
        """
        assert self._engine is not None, "the encoder was not given its graph"
        black = torch.zeros(1, len(self.mean), size.height, size.width)
        pictures = np.ascontiguousarray(self.graph_input(black).numpy())
        return self._engine.run(self.graph.input, self.graph.output, pictures).shape

    def graph_input(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (count, channels, height, width) RGB as the graph takes them."""
        if self.pixels.channels == "bgr":
            pictures = pictures.flip(1)
        if self.graph.whole_numbers:
            pictures = (pictures * 255).round().to(torch.uint8)  # the graph normalises them itself
        return pictures.permute(0, 2, 3, 1) if self.graph.channels_last else pictures

    def _vectors(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """The features (count, view_width) of pictures in the graph's own form."""
        assert self._engine is not None, "the encoder was not given its graph"
        pictures = np.ascontiguousarray(pictures)
        at_once = 1 if self.graph.one_at_once else len(pictures)
        parts = [
            self._engine.run(self.graph.input, self.graph.output, pictures[start : start + at_once])
            for start in range(0, len(pictures), at_once)
        ]
        vectors = np.concatenate(parts).astype(np.float32, copy=False)
        if vectors.size != len(pictures) * self.view_width:
            raise ModelError(
                f"The encoder's graph gave {vectors.shape} for {len(pictures)} pictures, and {self.view_width} numbers "
                "for each were expected. Use another --encoder."
            )
        return vectors.reshape(len(pictures), self.view_width)


class _Engine:
    """The bytes of a graph, and its session, which is created at the first use. Copies of an encoder share it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._lock = Lock()
        self._session: onnxruntime.InferenceSession | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Engine:
        return self

    def run(self, name: str, output: str, pictures: NDArray[Any]) -> NDArray[Any]:
        """The output of the graph for pictures in its own form.

        Raises:
            ModelError: onnxruntime refuses the graph or the pictures.
        """
        try:
            with self._lock:
                self._session = self._session or _session(self.content)
            result: NDArray[Any] = self._session.run([output], {name: pictures})[0]
        except (*_REFUSALS, ValueError) as error:
            shape = "x".join(map(str, pictures.shape))
            raise ModelError(
                f"onnxruntime cannot compute the encoder's graph for pictures of {shape}: {first_line(error)}."
            ) from None
        return result


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # the error says it
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _of_pixels_in_one(pixels: PixelRecord) -> tuple[list[float], list[float]]:
    """Mean and deviation, in the order of red, green and blue, of pixels from 0 to 1."""
    step = -1 if pixels.channels == "bgr" else 1
    mean, deviation = ([number / (255 * pixels.scale) for number in one] for one in (pixels.mean, pixels.deviation))
    return mean[::step], deviation[::step]
