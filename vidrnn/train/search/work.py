"""The work of a training, counted: multiplications and not seconds, so that it depends on data and settings alone."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from vidrnn.nets.encoders.base import Encoder
from vidrnn.train.learner import Learner
from vidrnn.values import Size

_GIGA = 1e9
_BACK_TOO = 3
"""A step of training multiplies about so many times as often as an answer."""


def training_work(learner: Learner, clips: int) -> float:
    """The thousand millions of multiplications of one epoch on so many clips."""
    encoder, head = learner.network.encoder, learner.head
    a_frame = 0.0 if learner.frozen else picture_work(encoder, learner.choice.size)
    a_step = learner.setting.config.members * head.units * (encoder.width + 6 * head.units) / _GIGA
    return _BACK_TOO * clips * learner.setting.sampling.frames * (a_frame + a_step)


def picture_work(encoder: Encoder, size: Size) -> float:
    """The thousand millions of multiplications of an encoder for one picture."""
    shape = copy.deepcopy(encoder).to("meta").eval()
    picture = torch.zeros(1, 1, size.height, size.width, 3, dtype=torch.uint8, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shape(picture, *(picture for _ in encoder.inputs))
    return float(counter.get_total_flops()) / 2 / _GIGA
