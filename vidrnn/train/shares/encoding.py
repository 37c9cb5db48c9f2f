"""An encoder in training: the features of a share of a minibatch, whose clips are changed at random first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vidrnn.nets.encoders.base import Encoder
from vidrnn.train.shares.device import half_precision
from vidrnn.train.shares.minibatches import Minibatch
from vidrnn.video.motion import motion_inputs

Change = Callable[[Tensor, int], Tensor]
"""Some clips of a share, and the place of the first one in it -> the clips to encode, shaped alike."""


def encode_share(encoder: Encoder, share: Minibatch, change: Change) -> Tensor:
    """The features (batch, time, width) of a share of frames, with a gradient.

    Only real frames are encoded, because padding would change the statistics of batch normalisation. The features of
    padding are 0.
    """
    frames, real = share.inputs, share.mask
    both = frames if share.before is None else torch.cat([frames, share.before], 1)  # so that both change alike
    make = _input_of_pixels if encoder.reads_pixels else _input_of_pictures
    pictures = make(encoder, both, real, change)  # in full precision: bfloat16 is too coarse for places in a picture
    with half_precision(frames.device):
        features = encoder.encode_input(pictures).float()
    size = (*real.shape, features.shape[-1])
    whole: Tensor = features.new_zeros(size).masked_scatter(real.unsqueeze(-1), features)
    return whole


def _input_of_pixels(encoder: Encoder, frames: Tensor, real: Tensor, change: Change) -> Tensor:
    """The input (count, views, channels, height, width) of the real frames of a share.

    Their pixels are changed as numbers, of brightness alone if the encoder sees no colour: that is the cheapest.
    """
    time, inputs = real.shape[1], []
    for row, (clip, length) in enumerate(zip(frames, real.sum(1).tolist(), strict=True)):
        shown = torch.cat([clip[:length], clip[time : time + length]])
        pixels = change(encoder.pixels_of(shown).movedim(-3, -1).unsqueeze(0), row)[0].movedim(-1, -3)
        inputs.append(encoder.normalised(pixels[:length], pixels[length:] if len(pixels) > length else None))
    return torch.cat(inputs).unsqueeze(1)


def _input_of_pictures(encoder: Encoder, frames: Tensor, real: Tensor, change: Change) -> Tensor:
    """The same for an encoder whose views are made of pictures of 8 bits."""
    changed, time = change(frames, 0), real.shape[1]
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
