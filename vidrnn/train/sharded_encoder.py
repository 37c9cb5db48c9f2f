"""Training of an encoder on several cores. Each core encodes a share of the minibatch, in its own thread.

The threads of torch wait for each other in busy loops. As soon as another program runs, they are many times slower than
one thread. Shares do not wait for each other. The result depends on the number of shares, and not on the load.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidrnn.nets.encoders.base import Encoder
from vidrnn.train.fit import half_precision
from vidrnn.video.motion import motion_inputs

Prepare = Callable[[Tensor, int], Tensor]
"""Clips of a share, and the place of the first one in the minibatch -> the clips to encode, shaped alike."""


class Shards:
    """Copies of an encoder with shared weights. Each has its own running statistics, which a step averages."""

    def __init__(self, encoder: Encoder, count: int) -> None:
        self.encoder = encoder
        shared = {id(weight): weight for weight in encoder.parameters()}
        self.copies = [copy.deepcopy(encoder, dict(shared)) for _ in range(count)]
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def __call__(self, frames: Tensor, mask: Tensor, prepare: Prepare, before: Tensor | None = None) -> Tensor:
        """Features (batch, time, width), with a gradient.

        Only real frames are encoded, because padding would change the statistics of batch normalisation. The features
        of padding are 0.

        Args:
            frames: (batch, time, height, width, 3) uint8.
            mask: (batch, time) bool, True for real frames.
            prepare: the change of the clips before they are encoded.
            before: the frame before each frame, shaped as `frames`, for an encoder that sees motion.
        """
        both = frames if before is None else torch.cat([frames, before], 1)  # so that both change alike
        features: Tensor = _Encode.apply(self, both, mask, prepare, *self.encoder.parameters())
        return features

    def forward(self, frames: Tensor, mask: Tensor, prepare: Prepare) -> list[Tensor]:
        """The features of each share, (clips, time, width), with their graphs.

        Arguments are as in the call; `frames` may have twice the time of `mask`, since those before come after them.
        """
        parts = [part for part in frames.tensor_split(len(self.copies)) if len(part)]
        firsts = [0, *torch.tensor([len(part) for part in parts]).cumsum(0).tolist()]
        before = dict(self.encoder.named_buffers())
        for one in self.copies:
            one.train(self.encoder.training)
            for name, buffer in one.named_buffers():
                buffer.copy_(before[name])

        def encode(job: tuple[Encoder, Tensor, Tensor, int]) -> Tensor:
            one, part, real, first = job
            with torch.enable_grad(), half_precision(part.device):
                make = _input_of_pixels if one.reads_pixels else _input_of_pictures
                features = one.encode_input(make(one, part, real, prepare, first)).float()
                size = (*real.shape, features.shape[-1])
                whole: Tensor = features.new_zeros(size).masked_scatter(real.unsqueeze(-1), features)
                return whole

        reals = torch.split(mask, [len(part) for part in parts])
        shares = list(self.pool.map(encode, zip(self.copies, parts, reals, firsts, strict=False)))
        self._average(before, len(parts))
        return shares

    def backward(self, shares: Sequence[Tensor], gradient: Tensor) -> list[Tensor | None]:
        """The gradient of each weight: the sum over the shares, in their order; None for a frozen weight."""
        weights = [weight for weight in self.encoder.parameters() if weight.requires_grad]

        def back(job: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            return torch.autograd.grad(job[0], weights, job[1])

        parts = torch.split(gradient, [len(share) for share in shares])
        gradients = self.pool.map(back, zip(shares, parts, strict=True))
        sums = iter([torch.stack(of_shares).sum(0) for of_shares in zip(*gradients, strict=True)])
        return [next(sums) if weight.requires_grad else None for weight in self.encoder.parameters()]

    def _average(self, buffers: dict[str, Tensor], used: int) -> None:
        with torch.no_grad():
            for name, buffer in buffers.items():
                theirs = torch.stack([one.get_buffer(name) for one in self.copies[:used]])
                buffer.copy_(theirs.double().mean(0) if buffer.is_floating_point() else theirs[0])


def _input_of_pixels(encoder: Encoder, frames: Tensor, real: Tensor, prepare: Prepare, first: int) -> Tensor:
    """The input (count, views, channels, height, width) of the real frames of a share.

    Their pixels are changed as numbers, of brightness alone if the encoder sees no colour: that is the cheapest.
    """
    time, inputs = real.shape[1], []
    for row, (clip, length) in enumerate(zip(frames, real.sum(1).tolist(), strict=True)):
        shown = torch.cat([clip[:length], clip[time : time + length]])
        pixels = prepare(encoder.pixels_of(shown).movedim(-3, -1).unsqueeze(0), first + row)[0].movedim(-1, -3)
        inputs.append(encoder.normalised(pixels[:length], pixels[length:] if len(pixels) > length else None))
    return torch.cat(inputs).unsqueeze(1)


def _input_of_pictures(encoder: Encoder, frames: Tensor, real: Tensor, prepare: Prepare, first: int) -> Tensor:
    """The same for an encoder whose views are made of pictures of 8 bits."""
    changed, time = prepare(frames, first), real.shape[1]
    further = _further_inputs(encoder, changed[:, :time], changed[:, time:], real)
    return encoder.network_input(changed[:, :time], **further)[real]


def _further_inputs(encoder: Encoder, frames: Tensor, before: Tensor, real: Tensor) -> dict[str, Tensor]:
    """The inputs of the encoder beside frames, each shaped as `frames`. Only those of real frames are computed."""
    if not encoder.inputs:
        return {}
    shown, earlier = (np.asarray(each[real].cpu()) for each in (frames, before))
    inputs: dict[str, Tensor] = {}
    for name, pictures in motion_inputs(encoder.inputs, shown, earlier).items():
        inputs[name] = torch.zeros_like(frames)
        inputs[name][real] = torch.from_numpy(pictures).to(frames.device)
    return inputs


class _Encode(torch.autograd.Function):
    """The shards as one autograd function, so that later layers do not depend on them."""

    @staticmethod
    def forward(ctx: Any, shards: Shards, frames: Tensor, mask: Tensor, prepare: Prepare, *weights: Tensor) -> Tensor:
        ctx.shards, ctx.shares = shards, shards.forward(frames, mask, prepare)
        return torch.cat([share.detach() for share in ctx.shares])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, None, None, *ctx.shards.backward(ctx.shares, gradients[0]))
