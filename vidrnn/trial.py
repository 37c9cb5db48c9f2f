"""`--encoder auto`: two candidates get a short trial on the films at hand, and validation judges."""

from __future__ import annotations

from collections.abc import Generator

from vidrnn.config import EncoderConfig, RunConfig
from vidrnn.errors import UsageError
from vidrnn.learn import Choice, Learner, Setting
from vidrnn.records import Note, Record
from vidrnn.values import Size

_SMALL_AREA = 112 * 112
_WORLD_AREA = 160 * 214


def chosen(setting: Setting) -> Generator[Record, None, tuple[Learner, str]]:
    """The learner whose encoder was named, or the better of two after a trial, and what the trial found."""
    usual = setting.material.usual_size
    if setting.config.encoder != "auto":
        return Learner(setting, choice_of(setting.config, usual)), ""
    yield Note("trial")
    raise UsageError("not yet")


def choice_of(config: RunConfig, usual: Size) -> Choice:
    """The encoder that was named, and the size of its pictures for films of the `usual` size."""
    name = config.encoder
    if name == "small":
        origin = config.weights or "none"
        encoder = EncoderConfig(name=name, frozen=False, origin=origin)
        return Choice(encoder, config.size or picture_size(name, usual))
    origin = config.weights or "imagenet"
    if origin == "none" and not config.fine_tune:
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    encoder = EncoderConfig(name=name, frozen=not config.fine_tune, origin=origin)
    return Choice(encoder, config.size or picture_size(name, usual))


def picture_size(encoder: str, usual: Size) -> Size:
    """What the encoder is shown of films of the `usual` size: their own shape, at an area that suits the encoder.

    A pretrained encoder knows things at the size that they have in photographs, so small films are enlarged for it;
    `small` learns whatever size it is given, so they are not.
    """
    area = usual.height * usual.width
    scale = (_WORLD_AREA / area) ** 0.5 if encoder != "small" else min(1.0, (_SMALL_AREA / area) ** 0.5)
    return Size(max(8, round(usual.height * scale)), max(8, round(usual.width * scale)))
