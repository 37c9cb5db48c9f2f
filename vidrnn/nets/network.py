"""The contract of a network: frames and state go in, named outputs and state come out. Opens no files and no films."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.spec import ModelSpec, NetworkName
from vidrnn.nets.state import State
from vidrnn.registry import load_member
from vidrnn.values import AnswerSpec, InputName

Outputs = dict[str, Tensor]
"""The outputs of a network by name: `clip` (batch, classes) and `steps` (batch, time, classes), both before softmax;
`next` (batch, time, height, width, channels) in [0, 1]."""

NETWORKS: dict[NetworkName, str] = {
    "scores": "vidrnn.nets.classifier:Model",
    "frames": "vidrnn.nets.frame_predictor:FramePredictor",
}
"""Networks by the name in a spec."""


class Network(nn.Module, ABC):
    """Law: cut the time axis anywhere, hand the state on, and nothing changes."""

    step_by_step: ClassVar[bool] = False
    """Whether an exported file takes one frame at a time."""

    @classmethod
    @abstractmethod
    def build(cls, spec: ModelSpec, answer: AnswerSpec) -> Network:
        """The network that `spec` describes, with fresh weights.

        Raises:
            UsageError: a part of that name does not exist, or the parts do not fit together.
        """

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs; an exported file has the same."""

    @property
    @abstractmethod
    def streams(self) -> bool:
        """Whether a video can be read in pieces with the state handed on."""

    @property
    def split(self) -> tuple[Encoder, nn.Module] | None:
        """The encoder, and the network from the features on; None where it cannot be split so."""
        return None

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """The inputs beside frames and state."""
        return ()

    @abstractmethod
    def forward(
        self,
        frames: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        *,
        before: Tensor | None = None,
        flow: Tensor | None = None,
    ) -> tuple[Outputs, State]:
        """Read on from `state`.

        Args:
            frames: (batch, time, height, width, 3) uint8 RGB at the model's size.
            state: what this returned for the frames before; None is a fresh start.
            mask: (batch, time) bool, True for real frames, which come before the padding; None if all are real.
            before: the frame before each frame, shaped as `frames`; only networks whose `inputs` name it look at it.
            flow: the flow picture of each frame, shaped as `frames`; likewise.

        Returns:
            the outputs, and the state to read on from.
        """

    @abstractmethod
    def fresh_state(self, spec: ModelSpec) -> State:
        """The state of one video before its first frame, every tensor (1, ...)."""


def build_network(spec: ModelSpec, answer: AnswerSpec) -> Network:
    """The network that `spec` describes, with fresh weights.

    Raises:
        UsageError: a part of that name does not exist, or the parts do not fit together.
    """
    family: type[Network] = load_member(NETWORKS, "network", spec.network)
    return family.build(spec, answer)


def blank_frames(spec: ModelSpec, time: int) -> Tensor:
    """Black frames of one video (1, time, height, width, 3) uint8, or features (1, time, width) of nothing but 0."""
    if spec.encoder.features:
        return torch.zeros(1, time, spec.encoder.features.width)
    return torch.zeros(1, time, spec.height, spec.width, 3, dtype=torch.uint8)
