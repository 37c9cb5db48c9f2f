"""The encoder of a training, and the size of the pictures that it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from vidrnn.config import RunConfig
from vidrnn.errors import UsageError
from vidrnn.model.picture_graph import PictureGraph, hash_of, read_picture_graph
from vidrnn.model.weights import PRETRAINED
from vidrnn.nets.encoders import TRAINED_FROM_SCRATCH, foreign_kind
from vidrnn.nets.encoders.pretrained import TORCHVISION_WEIGHTS
from vidrnn.nets.encoders.timm_network import TimmFacts, timm_facts
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.learner import Choice
from vidrnn.values import FeatureSpec, PictureMotion, Size

_SMALL_AREA = 112 * 84
_WORLD_AREA = 160 * 214
_PICTURE_MOTION: tuple[PictureMotion, ...] = get_args(PictureMotion)


def choice_of(config: RunConfig, films: Size) -> Choice:
    """The encoder of the settings, and the size of its pictures.

    `films`: the median size of the films.

    Raises:
        UsageError: it would be frozen without weights, or does not fit `--grey`.
    """
    if config.features:
        assert config.rate is not None  # `refuse_unfit_encoder` has seen to it
        spec = FeatureSpec(films.width, config.rate)
        return Choice(EncoderConfig(name="features", frozen=True, origin="none", features=spec), Size(1, 1), "none")
    name = config.encoder
    if foreign_kind(name) == "onnx":
        return _choice_of_graph(config, films)
    if foreign_kind(name) == "timm":
        return _choice_of_timm(config)
    weights = config.weights or ("none" if name in TRAINED_FROM_SCRATCH else "imagenet")
    frozen = name not in TRAINED_FROM_SCRATCH and not config.fine_tune
    if frozen and weights == "none":
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    if config.grey and name not in TRAINED_FROM_SCRATCH:
        raise UsageError(f"--grey: {name} knows coloured pictures only. Add --encoder small, or leave --grey out.")
    origin = Path(weights).name
    encoder = EncoderConfig(
        name=name, frozen=frozen, origin=origin, grey=config.grey, grid=config.grid, **_motion_of(config)
    )
    return Choice(encoder, config.size or picture_size(name, films), weights)


def _motion_of(config: RunConfig) -> dict[str, Any]:
    """The fields of an encoder that say what it sees of motion."""
    return {"motion": _picture_motion(config), "motion_seconds": config.motion_seconds}


def _picture_motion(config: RunConfig) -> tuple[PictureMotion, ...]:
    return tuple(name for name in _PICTURE_MOTION if name in config.motion)


def _choice_of_graph(config: RunConfig, films: Size) -> Choice:
    graph = _graph_of(config)
    size = config.size or graph.size or picture_size(config.encoder, films)
    return Choice(graph.config(size).model_copy(update=_motion_of(config)), size, config.encoder)


def _choice_of_timm(config: RunConfig) -> Choice:
    facts, weights = _timm_of(config), config.weights or PRETRAINED
    encoder = EncoderConfig(
        name=config.encoder,
        frozen=not config.fine_tune,
        origin=Path(weights).name,
        pixels=facts.pixels,
        **_motion_of(config),
    )
    return Choice(encoder, config.size or facts.size, weights)


def _timm_of(config: RunConfig) -> TimmFacts:
    """The facts of `--encoder timm:NAME`.

    Raises:
        UsageError: there is no such network, or other settings do not fit it.
    """
    name = config.encoder
    if config.weights == "none" and not config.fine_tune:
        raise UsageError(
            f"--encoder {name} --weights none: a frozen encoder without weights sees nothing. Add --fine-tune."
        )
    if config.weights in TORCHVISION_WEIGHTS:
        raise UsageError(f"--weights {config.weights}: is of torchvision. Leave it out: timm has weights of its own.")
    if config.grey:
        raise UsageError(f"--grey: {name} knows coloured pictures only. Add --encoder small, or leave --grey out.")
    facts = timm_facts(name)
    if facts.fixed and config.size not in (None, facts.size):
        raise UsageError(f"--size {config.size}: {name} takes pictures of {facts.size} pixels only. Leave --size out.")
    return facts


def _graph_of(config: RunConfig) -> PictureGraph:
    """The graph of `--encoder FILE.onnx`.

    Raises:
        UsageError: it cannot be an encoder, or other settings do not fit it.
    """
    name = Path(config.encoder).name
    if config.fine_tune:
        raise UsageError(f"--fine-tune: {name} stays as it is, since vidrnn cannot train a graph. Leave it out.")
    if config.weights:
        raise UsageError(f"--weights {config.weights}: {name} holds its own weights. Leave --weights out.")
    if config.grey:
        raise UsageError(f"--grey: {name} itself says which channels it takes. Leave --grey out.")
    return read_picture_graph(Path(config.encoder))


def encoder_hash(config: RunConfig) -> str:
    """The hash of the encoder's file; empty where the encoder is no file."""
    return "" if config.encoder_file is None else hash_of(config.encoder_file.read_bytes())


def refuse_unfit_encoder(config: RunConfig) -> None:
    """Refuse an encoder from elsewhere before any film is read.

    Raises:
        UsageError: it cannot be used, or other settings do not fit it.
    """
    if config.features:
        _refuse_beside_features(config)
    elif foreign_kind(config.encoder) == "features":
        raise UsageError(f"--encoder {config.encoder}: names no encoder. Say --features DIR --rate R.")
    elif foreign_kind(config.encoder) == "onnx":
        graph = _graph_of(config)
        if size := config.size or graph.size:
            graph.config(size)
    elif foreign_kind(config.encoder) == "timm":
        _timm_of(config)


def _refuse_beside_features(config: RunConfig) -> None:
    given = {
        f"--encoder {config.encoder}": config.encoder != "auto",
        f"--weights {config.weights}": config.weights is not None,
        "--fine-tune": config.fine_tune,
        "--grey": config.grey,
        f"--size {config.size}": config.size is not None,
        "--flip": config.flip is True,
        "--search": config.search,
    }
    if foreign := [flag for flag, is_given in given.items() if is_given]:
        raise UsageError(f"{', '.join(foreign)}: --features is read in place of pictures and an encoder. Leave it out.")
    if motion := _picture_motion(config):
        raise UsageError(
            f"--motion {','.join(motion)}: is seen in pictures, and --features is read in place of them. Say --motion "
            "change, or leave it out."
        )
    folder = Path(config.features or "")
    if not folder.is_dir():
        raise UsageError(f"--features {folder}: there is no such folder.")
    if config.rate is None:
        raise UsageError(f"--features {folder}: how many per second is not stated. Give it: --rate R.")


def picture_size(encoder: str, films: Size) -> Size:
    """The size of the encoder's pictures: the shape of the films, at an area that suits the encoder.

    A pretrained encoder knows things at the size that they have in photographs, so small films are enlarged for it. For
    an encoder trained from scratch they are not.
    """
    area = films.height * films.width
    ours = encoder in TRAINED_FROM_SCRATCH
    scale = min(1.0, (_SMALL_AREA / area) ** 0.5) if ours else (_WORLD_AREA / area) ** 0.5
    return Size(max(8, round(films.height * scale)), max(8, round(films.width * scale)))
