"""A decoder that warps the last picture by its motion.

Warping by a flow: Liu et al., "Video frame synthesis using deep voxel flow", ICCV 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from vidrnn.nets.decoders.base import PATCH, Decoder, Motion, zero_weights
from vidrnn.nets.flow import warped
from vidrnn.nets.state import State

_TRUST = 0.0
"""A logit, before training: the share of the newest flow in the running mean of flows."""
_LEAST_WEIGHT = 1e-3
"""Below this sum of weights the mean flow shrinks to 0."""


class FlowDecoder(Decoder):
    """The last picture, warped on by a running mean of its flow, plus a learnt correction.

    The flow between two frames is noisy. So the decoder keeps a weighted mean of past flows, which moves along with the
    picture. The network learns how much each new flow counts in it. Before training, a steady motion goes on.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__(width, channels)
        zero_weights(self.pixels[0])
        self.correction = nn.Conv2d(width, 4, 3, padding=1)
        """For each patch: trust in the newest flow (a logit), a factor of the mean flow, a shift down and across."""
        zero_weights(self.correction)

    @override
    def forward(self, maps: Tensor, last: Tensor, motion: Motion, state: State | None) -> tuple[Tensor, State]:
        """Predict the next pictures; the state is the sum of weighted flows and the sum of weights.

        The warp is bicubic: repeated bilinear warps blur the picture.
        """
        steps = maps.shape[:2]
        correction = self.correction(maps.flatten(0, 1))
        correction = nn.functional.interpolate(correction, scale_factor=PATCH, mode="bilinear", align_corners=False)
        trust = (correction[:, :1] + _TRUST).sigmoid().reshape(*steps, 1, *last.shape[-2:])
        mean, state = _mean_flows(motion, trust, state)
        flow = mean.flatten(0, 1) * (1 + correction[:, 1:2]) + correction[:, 2:]
        predicted = warped(last.flatten(0, 1), flow, "bicubic") + self.pixels(maps.flatten(0, 1))
        return predicted.view_as(last), state


def _mean_flows(motion: Motion, trust: Tensor, state: State | None) -> tuple[Tensor, State]:
    """The running mean of the flow at each step (batch, time, 2, height, width), weighted by trust, and the state.

    `trust` is (batch, time, 1, height, width) in [0, 1].
    """
    flows, known = motion.flow.unbind(1), motion.known.unbind(1)
    total = state["flow"] if state else torch.zeros_like(flows[0])
    weight = state["weight"] if state else torch.zeros_like(flows[0][:, :1])
    means = []
    for flow, real, share in zip(flows, known, trust.unbind(1), strict=True):
        before = warped(torch.cat([total, weight], 1), flow) * (1 - share)
        new = share * real.view(-1, 1, 1, 1)
        total, weight = before[:, :2] + new * flow, before[:, 2:] + new
        means.append(total / weight.clamp(min=_LEAST_WEIGHT))
    return torch.stack(means, 1), {"flow": total, "weight": weight}
