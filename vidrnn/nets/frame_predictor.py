"""A network of encoder, head and decoder that predicts the next frame. Opens no films."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.config import HeadConfig
from vidrnn.errors import UsageError
from vidrnn.nets.classifier import build_encoder
from vidrnn.nets.decoders import DECODERS
from vidrnn.nets.decoders.base import Decoder, Motion
from vidrnn.nets.encoders.base import Encoder, luma
from vidrnn.nets.encoders.pyramid import SHRINKS, Pyramid
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.nets.heads.base import Head, PictureHead
from vidrnn.nets.network import Network, Outputs, blank_frames
from vidrnn.nets.spec import ModelSpec
from vidrnn.nets.state import State, before_first, join, last_of, part_of
from vidrnn.registry import load_member
from vidrnn.values import AnswerSpec, Size

_FINE_WIDTH = 48
_VECTOR_MAP_WIDTH = 64


class PictureBody(nn.Module):
    """Encoder and head that keep the picture. The fine map bypasses the head."""

    def __init__(self, channels: int, head: HeadConfig) -> None:
        super().__init__()
        self.encoder = Pyramid(channels, _FINE_WIDTH, head.units)
        self.head: PictureHead = load_member(PICTURE_HEADS, "--head", head.name)(head.units, head)
        self.width = _FINE_WIDTH
        self.up = nn.Sequential(
            nn.Conv2d(head.units, 4 * self.width, 3, padding=1), nn.PixelShuffle(2), nn.LeakyReLU(0.1)
        )
        self.refine = _convolutions(2 * self.width, self.width)

    def look(self, pictures: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The input of the head, the features that bypass it, and the flow to the picture before."""
        fine, coarse, flow = self.encoder(pictures, before)
        return coarse, fine, flow

    def imagine(self, sequence: Tensor, past: Tensor) -> Tensor:
        """Steps of the sequence -> the decoder's map."""
        imagined: Tensor = self.refine(torch.cat([self.up(sequence), past], 1))
        return imagined


class VectorBody(nn.Module):
    """Encoder, feature vector, any recurrent head, and layers that unfold its vector into a map."""

    def __init__(self, encoder: Encoder, head: HeadConfig, size: Size) -> None:
        super().__init__()
        self.encoder = encoder
        self.head: Head = load_member(HEADS, "--head", head.name)(encoder.width, head)
        if not self.head.streams:
            raise UsageError("--bidirectional: a head that reads both ways would see the frame that it is to predict.")
        self.width = _FINE_WIDTH
        self.rows, self.columns = size.height // SHRINKS, size.width // SHRINKS
        self.unfold = nn.Linear(self.head.size, _VECTOR_MAP_WIDTH * self.rows * self.columns)
        self.up = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(_VECTOR_MAP_WIDTH, 4 * self.width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(0.1),
        )
        self.refine = _convolutions(self.width, self.width)

    def look(self, pictures: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The feature vectors. Nothing bypasses the head, and the flow is zero."""
        features = self.encoder.encode_pictures(self.encoder.normalised(pictures, before))
        nothing = features.new_zeros(features.shape[0], 0)
        return features, nothing, torch.zeros_like(pictures[:, :1]).expand(-1, 2, -1, -1)

    def imagine(self, sequence: Tensor, past: Tensor) -> Tensor:
        """Steps of the sequence -> the decoder's map."""
        maps = self.unfold(sequence).view(-1, _VECTOR_MAP_WIDTH, self.rows, self.columns)
        imagined: Tensor = self.refine(self.up(maps))
        return imagined


class FramePredictor(Network):
    """Frames -> the frame after each. A prediction depends only on the frames before it."""

    outputs = ("next",)
    step_by_step = True

    @classmethod
    @override
    def build(cls, spec: ModelSpec, answer: AnswerSpec) -> FramePredictor:
        assert spec.forecast is not None
        forecast, head, size = spec.forecast, spec.head, padded_size(spec.size)
        body: PictureBody | VectorBody
        if head.name in PICTURE_HEADS:
            body = PictureBody(forecast.channels, head)
        else:
            body = VectorBody(build_encoder(spec.encoder, size), head, size)
        decoder = load_member(DECODERS, "--decoder", forecast.decoder)(body.width, forecast.channels)
        return cls(body, decoder, spec.size, forecast.faint)

    def __init__(self, body: PictureBody | VectorBody, decoder: Decoder, size: Size, faint: float = 0.0) -> None:
        super().__init__()
        self.body = body
        self.decoder = decoder
        self.faint = faint
        self.mean_image: Tensor
        self.register_buffer("mean_image", torch.zeros(decoder.channels, size.height, size.width))
        """Of the training films, (channels, height, width), for a baseline; the prediction does not use it."""

    @property
    def known_encoder(self) -> Encoder:
        """The encoder of a model with a vector head."""
        assert isinstance(self.body, VectorBody)
        return self.body.encoder

    @property
    def any_size(self) -> bool:
        """Whether it reads pictures of other sizes than the model's, such as crops in training."""
        return isinstance(self.body, PictureBody)

    @property
    def channels(self) -> int:
        """Of a picture: 1 if it is grey, else 3."""
        return self.decoder.channels

    @property
    @override
    def streams(self) -> bool:
        return True

    @override
    def fresh_state(self, spec: ModelSpec) -> State:
        state = {name: torch.zeros_like(tensor) for name, tensor in self(blank_frames(spec, 1))[1].items()}
        if isinstance(self.body, VectorBody):
            nothing = torch.zeros(1, 1, self.body.encoder.width)
            state |= join(head=self.body.head(nothing, None, torch.zeros(1, 1, dtype=torch.bool))[1])
        return state

    @override
    def forward(
        self,
        frames: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        *,
        before: Tensor | None = None,
        flow: Tensor | None = None,
    ) -> tuple[Outputs, State]:
        if mask is not None:
            raise ValueError("a network that predicts frames reads no padding")
        predicted, state = self.read(self.pictures_of(frames), state)
        return {"next": self.shown(predicted).permute(0, 1, 3, 4, 2)}, state

    def shown(self, predicted: Tensor) -> Tensor:
        """Predictions clamped to [0, 1]; in models of mostly black films, faint pixels become black."""
        held = predicted.clamp(0, 1)
        return torch.where(held < self.faint, torch.zeros_like(held), held) if self.faint else held

    def pictures_of(self, frames: Tensor) -> Tensor:
        """(batch, time, height, width, 3) uint8 -> (batch, time, channels, height, width) in [0, 1]."""
        if self.channels == 1:
            return luma(frames).unsqueeze(2)
        return frames.permute(0, 1, 4, 2, 3).float() / 255

    def read(self, pictures: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As `forward`, from pictures (batch, time, channels, height, width) to pictures that are not clamped yet."""
        known = part_of(state, "picture")
        before = torch.cat([before_first(pictures, known).unsqueeze(1), pictures[:, :-1]], 1)
        wide, wide_before = self._padded(pictures.flatten(0, 1)), self._padded(before.flatten(0, 1))
        through, past, flow = self.body.look(wide, wide_before)
        steps = pictures.shape[:2]
        sequence, head_state = self.body.head(_apart(through, steps), part_of(state, "head"))
        imagined = _apart(self.body.imagine(sequence.flatten(0, 1), past), steps)
        motion = Motion(_apart(flow, steps), _known(pictures, known))
        predicted, decoder_state = self.decoder(imagined, _apart(wide, steps), motion, part_of(state, "decoder"))
        after = join(picture=last_of(pictures, known, None), head=head_state, decoder=decoder_state)
        return predicted[..., : pictures.shape[-2], : pictures.shape[-1]], after

    def rollout(
        self, pictures: Tensor, horizon: int, truth: Tensor | None = None, shown: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Predict on and on after pictures (batch, time, ...): each prediction is the next input.

        In training, the `truth` (batch, horizon, ...) replaces the predictions that are fed back where `shown`
        (batch, horizon) is True:
        Bengio et al., "Scheduled sampling for sequence prediction with recurrent neural networks", NeurIPS 2015.

        Returns:
            the frame after each picture (batch, time, ...), and the horizon (batch, horizon, ...), whose first is the
            last of those.
        """
        near, state = self.read(pictures)
        ahead = [near[:, -1:]]
        for step in range(horizon - 1):
            fed = self.shown(ahead[-1])
            if truth is not None and shown is not None:
                fed = torch.where(shown[:, step].view(-1, 1, 1, 1, 1), truth[:, step : step + 1], fed)
            following, state = self.read(fed, state)
            ahead.append(following)
        return near, torch.cat(ahead, 1)

    def _padded(self, pictures: Tensor) -> Tensor:
        """Pictures with sides that are multiples of the encoder's shrinking; the padding repeats the edge."""
        rows, columns = pictures.shape[-2:]
        if rows % SHRINKS == 0 and columns % SHRINKS == 0:
            return pictures
        return nn.functional.pad(pictures, (0, -columns % SHRINKS, 0, -rows % SHRINKS), mode="replicate")


def padded_size(size: Size) -> Size:
    """The size with sides rounded up to multiples of the encoder's shrinking."""
    return Size(-(-size.height // SHRINKS) * SHRINKS, -(-size.width // SHRINKS) * SHRINKS)


def _convolutions(entering: int, width: int) -> nn.Sequential:
    """Two convolutions of 3x3, each with a leaky rectifier."""
    layers = [
        layer
        for channels in (entering, width)
        for layer in (nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.1))
    ]
    return nn.Sequential(*layers)


def _apart(steps: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(batch * time, ...) -> (batch, time, ...)."""
    return steps.reshape(*shape, *steps.shape[1:])


def _known(pictures: Tensor, state: State | None) -> Tensor:
    """(batch, time): 1 where a picture comes before, 0 where none does."""
    first = state["seen"] if state else torch.zeros_like(pictures[:, :1, 0, 0, 0])
    return torch.cat([first, torch.ones_like(pictures[:, 1:, 0, 0, 0])], 1)
