"""An encoder in training on several cores: each takes a share of the minibatch, in a thread of its own.

torch's own threads wait for one another by spinning, and become many times slower than a single one as soon as anything
else runs on the machine; shares that never wait inside do not. The number of shares, not the load, decides the result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from vidrnn.nets.encoders.base import Encoder
from vidrnn.train.fit import half_precision

Prepare = Callable[[Tensor, int], Tensor]
"""Clips of a share, and the place of the first of them in the minibatch -> clips to encode."""


class Shards:
    """Copies of an encoder that share its weights; each has running statistics of its own, averaged after each step."""

    def __init__(self, encoder: Encoder, count: int) -> None:
        self.encoder = encoder
        shared = {id(weight): weight for weight in encoder.parameters()}
        self.copies = [copy.deepcopy(encoder, dict(shared)) for _ in range(count)]
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def __call__(self, frames: Tensor, mask: Tensor, prepare: Prepare) -> Tensor:
        """Frames (batch, time, height, width, 3) uint8 -> features (batch, time, width), ready for backward.

        An encoder of differences is given one frame more, the one before the first. Only frames that the mask
        (batch, time) calls real are encoded, since padding would change what batch normalisation learns; the others'
        features are 0.
        """
        features: Tensor = _Encode.apply(self, frames, mask, prepare, *self.encoder.parameters())
        return features

    def forward(self, frames: Tensor, mask: Tensor, prepare: Prepare) -> list[Tensor]:
        """The features of each share, with their history."""
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
                changed = prepare(part, first)
                seen = (
                    one.network_input(changed[:, 1:], changed[:, 0]) if one.differences else one.network_input(changed)
                )
                made = one.encode_pictures(seen[real]).float()
                whole: Tensor = made.new_zeros(*real.shape, made.shape[-1]).masked_scatter(real.unsqueeze(-1), made)
                return whole

        reals = torch.split(mask, [len(part) for part in parts])
        shares = list(self.pool.map(encode, zip(self.copies, parts, reals, firsts, strict=False)))
        self._average(before, len(parts))
        return shares

    def backward(self, shares: Sequence[Tensor], gradient: Tensor) -> list[Tensor | None]:
        """The gradient of each weight: the shares' gradients, summed in their order."""
        weights = [weight for weight in self.encoder.parameters() if weight.requires_grad]

        def back(job: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            return torch.autograd.grad(job[0], weights, job[1])

        found = self.pool.map(back, zip(shares, torch.split(gradient, [len(share) for share in shares]), strict=True))
        sums = iter([torch.stack(of_shares).sum(0) for of_shares in zip(*found, strict=True)])
        return [next(sums) if weight.requires_grad else None for weight in self.encoder.parameters()]

    def _average(self, buffers: dict[str, Tensor], used: int) -> None:
        with torch.no_grad():
            for name, buffer in buffers.items():
                theirs = torch.stack([one.get_buffer(name) for one in self.copies[:used]])
                buffer.copy_(theirs.double().mean(0) if buffer.is_floating_point() else theirs[0])


class _Encode(torch.autograd.Function):
    """The shards as one step of a computation, so that what follows need not know of them."""

    @staticmethod
    def forward(ctx: Any, shards: Shards, frames: Tensor, mask: Tensor, prepare: Prepare, *weights: Tensor) -> Tensor:
        ctx.shards, ctx.shares = shards, shards.forward(frames, mask, prepare)
        return torch.cat([share.detach() for share in ctx.shares])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, None, None, *ctx.shards.backward(ctx.shares, gradients[0]))
