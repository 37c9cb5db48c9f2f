"""A network of encoder, head and class scores. Opens no files and no films."""

from __future__ import annotations

import hashlib
import threading
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.config import HeadConfig, RunConfig
from vidrnn.nets.class_scores import ClassOutput
from vidrnn.nets.encoders import ENCODERS, FOREIGN_ENCODERS, TRAINED_FROM_SCRATCH, foreign_kind
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.base import Head
from vidrnn.nets.network import Network, Outputs, blank_frames
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.spec import EncoderConfig, ModelSpec
from vidrnn.nets.state import State, before_first, changes, join, last_of, part_of
from vidrnn.registry import load_member
from vidrnn.values import AnswerSpec, Size

_PICTURES_AT_ONCE, _GPU_PICTURES_AT_ONCE = 8, 256
"""Pictures in one call. On a processor 8 stay in the caches; with 32 a picture takes a third longer."""


class Encode(Protocol):
    """Successive pictures (count, height, width, 3) RGB -> features (count, width)."""

    def __call__(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """`before`: the picture before the first, None if there is none; only encoders of differences look at it."""


class SequenceModel(nn.Module):
    """Features -> scores: a head and class scores. Training changes only this part if the encoder is frozen.

    With `motion` the head sees each step's features and, after them, how they changed since the step before.
    """

    def __init__(self, head: Head, task: ClassOutput, motion: bool = False) -> None:
        super().__init__()
        self.head = head
        self.task = task
        self.motion = motion

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        return self.head.streams

    def forward(
        self, features: Tensor, state: State | None = None, mask: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Features (batch, time, width) -> scores, and the state to read on from, if the head streams."""
        if state and not self.streams:
            raise ValueError("a head that sees whole clips only takes no state")
        before, motion_state = part_of(state, "motion"), State()
        if self.motion:
            motion_state = last_of(features, before, mask) if self.streams else {}
            features = torch.cat([features, changes(features, before)], -1)
        sequence, head_state = self.head(features, part_of(state, "head"), mask)
        scores, task_state = self.task(sequence, part_of(state, "task"), mask)
        return scores, join(motion=motion_state, head=head_state, task=task_state)


class Model(Network):
    """Frames -> scores of classes, for the clip and at each step."""

    outputs = ("clip", "steps")

    @classmethod
    @override
    def build(cls, spec: ModelSpec, answer: AnswerSpec) -> Model:
        encoder = build_encoder(spec.encoder, spec.size)
        return cls(encoder, build_sequence(encoder.width, spec.head, spec.readout, len(answer.classes)))

    def __init__(self, encoder: Encoder, sequence: SequenceModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.sequence = sequence

    @property
    def streams(self) -> bool:
        """Whether a film can be read in pieces with the state handed on."""
        return self.sequence.streams

    @property
    @override
    def split(self) -> tuple[Encoder, SequenceModel]:
        return self.encoder, self.sequence

    @override
    def fresh_state(self, spec: ModelSpec) -> State:
        if not self.streams:
            return {}
        state: State = self(blank_frames(spec, 2), None, torch.zeros(1, 2, dtype=torch.bool))[1]
        return state

    @override
    def forward(self, frames: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Outputs, State]:
        before, encoder_state = part_of(state, "encoder"), State()
        if self.encoder.differences:
            encoder_state = last_of(frames, before, mask) if self.streams else {}
        features = self.encoder(frames, before_first(frames, before))
        scores, sequence_state = self.sequence(features, state, mask)
        return scores, join(encoder=encoder_state) | sequence_state


def build_encoder(config: EncoderConfig, size: Size) -> Encoder:
    """An encoder with fresh weights.

    Raises:
        UsageError: there is none of that name, or the package that it comes from is not installed.
    """
    if kind := foreign_kind(config.name):
        foreign: Encoder = load_member(FOREIGN_ENCODERS, "--encoder", kind)(config, size)
        return foreign
    encoder = load_member(ENCODERS, "--encoder", config.name)
    if config.name not in TRAINED_FROM_SCRATCH:
        known: Encoder = encoder(config.name)
        return known
    learnt: Encoder = encoder(size, grey=config.grey, differences=config.differences)
    return learnt


def build_sequence(width: int, head: HeadConfig, readout: str, classes: int) -> SequenceModel:
    """A head on features of `width` numbers and a readout for `classes`, with fresh weights.

    Raises:
        UsageError: there is no head or readout of that name.
    """
    built: Head = load_member(HEADS, "--head", head.name)(2 * width if head.motion else width, head)
    pooling = load_member(READOUTS, "--readout", readout)(built.size)
    return SequenceModel(built, ClassOutput(pooling, built.size, classes), head.motion)


def count_parameters(module: nn.Module) -> int:
    """How many numbers training could change."""
    return sum(parameter.numel() for parameter in module.parameters())


def seed_everything(*parts: int) -> None:
    """Seed torch from `parts` alone, so that a resumed run draws the numbers of an unbroken one."""
    mixed = 0
    for part in parts:
        mixed = (mixed * 1_000_003 + part + 1) % (2**63)
    torch.manual_seed(mixed)


def refuse_unknown(config: RunConfig) -> None:
    """Refuse a run early if a part that it asks for does not exist.

    Raises:
        UsageError: there is no encoder, head or readout of that name.
    """
    if config.encoder != "auto" and foreign_kind(config.encoder) is None:
        load_member(ENCODERS, "--encoder", config.encoder)
    load_member(HEADS, "--head", config.head.name)


def encoding_of(encoder: Encoder) -> Encode:
    """A function from pictures (count, height, width, 3) uint8 to features (count, width), without gradients.

    It holds a copy of the encoder's weights. Several threads may call it.
    """
    reader = encoder.folded()
    device = reader.mean.device
    at_once = _PICTURES_AT_ONCE if device.type == "cpu" else _GPU_PICTURES_AT_ONCE

    def encode(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        if threading.current_thread() is not threading.main_thread():
            torch.set_num_threads(1)  # of this thread: those beside it use the other cores
        starts = range(0, len(pixels), at_once)
        return np.concatenate(
            [some(pixels[start : start + at_once], pixels[start - 1] if start else before) for start in starts]
        )

    def some(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        with torch.inference_mode():
            features = reader(tensor_of(pixels), None if before is None else tensor_of(before))
        return np.asarray(features[0].float().cpu())

    def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
        owned = np.require(pixels, requirements=["C", "W"])  # a read-only map of a file cannot become a tensor
        return torch.from_numpy(owned).to(device).unsqueeze(0)

    return encode


def fingerprint(encoder: Encoder) -> str:
    """A name for the encoder's weights. Equal weights have equal names."""
    digest = hashlib.blake2b(encoder.identity.encode(), digest_size=16)
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"{type(encoder).__name__}-{digest.hexdigest()}"
