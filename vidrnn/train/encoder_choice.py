"""The encoder of a training, and the size of the pictures that it sees."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from vidrnn.config import RunConfig
from vidrnn.errors import UsageError
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.learner import Choice
from vidrnn.values import PictureMotion, Size

_SMALL_AREA = 112 * 84
_WORLD_AREA = 160 * 214
_PICTURE_MOTION: tuple[PictureMotion, ...] = get_args(PictureMotion)


def choice_of(config: RunConfig, films: Size) -> Choice:
    """The encoder of the settings, and the size of its pictures.

    `films`: the median size of the films.

    Raises:
        UsageError: it would be frozen without weights, or does not fit `--grey`.
    """
    name = config.encoder
    weights = config.weights or ("none" if name in TRAINED_FROM_SCRATCH else "imagenet")
    frozen = name not in TRAINED_FROM_SCRATCH and not config.fine_tune
    if frozen and weights == "none":
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    if config.grey and name not in TRAINED_FROM_SCRATCH:
        raise UsageError(f"--grey: {name} knows coloured pictures only. Add --encoder small, or leave --grey out.")
    encoder = EncoderConfig(
        name=name,
        frozen=frozen,
        origin=Path(weights).name,
        grey=config.grey,
        motion=tuple(name for name in _PICTURE_MOTION if name in config.motion),
        motion_seconds=config.motion_seconds,
    )
    return Choice(encoder, config.size or picture_size(name, films), weights)


def picture_size(encoder: str, films: Size) -> Size:
    """The size of the encoder's pictures: the shape of the films, at an area that suits the encoder.

    A pretrained encoder knows things at the size that they have in photographs, so small films are enlarged for it. For
    an encoder trained from scratch they are not.
    """
    area = films.height * films.width
    ours = encoder in TRAINED_FROM_SCRATCH
    scale = min(1.0, (_SMALL_AREA / area) ** 0.5) if ours else (_WORLD_AREA / area) ** 0.5
    return Size(max(8, round(films.height * scale)), max(8, round(films.width * scale)))
