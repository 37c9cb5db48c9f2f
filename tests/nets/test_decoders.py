"""Decoders before training, and with weights set by hand. The laws are tested with whole models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidrnn.nets.decoders import DECODERS
from vidrnn.nets.decoders.base import PATCH, Decoder, Motion, StatelessDecoder
from vidrnn.nets.decoders.direct import DirectDecoder
from vidrnn.nets.decoders.flow import FlowDecoder
from vidrnn.nets.decoders.kernel import KernelDecoder
from vidrnn.nets.flow import backward_flow
from vidrnn.registry import load_member

WIDTH, ROWS, COLUMNS = 6, 24, 32
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def moving(time: int, across: float = 1.5, down: float = 0.5, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    """(1, time, 1, rows, columns): smooth waves that move by a fixed number of pixels per frame."""
    t = torch.arange(time).view(-1, 1, 1)
    y = torch.arange(rows).view(1, -1, 1) - down * t
    x = torch.arange(columns).view(1, 1, -1) - across * t
    waves = torch.sin(0.5 * x + 0.2 * y) + torch.sin(0.45 * y - 0.25 * x + 1)
    return (0.5 + waves / 5).view(1, time, 1, rows, columns)


def motion_of(pictures: Tensor) -> Motion:
    """The motion that led to each picture, as an encoder computes it."""
    before = torch.cat([pictures[:, :1], pictures[:, :-1]], 1)
    flow = backward_flow(pictures.flatten(0, 1), before.flatten(0, 1)).unflatten(0, pictures.shape[:2])
    known = torch.ones(pictures.shape[:2])
    known[:, 0] = 0
    return Motion(flow, known)


def random_maps(time: int, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, time, WIDTH, rows // PATCH, columns // PATCH, generator=random)


def decoder_of(kind: type[Decoder], channels: int = 1) -> Decoder:
    torch.manual_seed(0)
    return kind(WIDTH, channels).eval()


def error(predicted: Tensor, true: Tensor) -> float:
    """Mean squared error of a pixel, without the edges, where new content enters the picture."""
    return float((predicted - true)[..., 6:-6, 6:-6].square().mean())


@torch.no_grad()
def test_an_untrained_flow_continues_a_steady_motion() -> None:
    film, decoder = moving(8), decoder_of(FlowDecoder)
    predicted, _ = decoder(random_maps(7), film[:, :7], motion_of(film[:, :7]), None)
    assert error(predicted[:, 2:], film[:, 3:]) < error(film[:, 2:7], film[:, 3:]) / 20


@torch.no_grad()
def test_the_flow_of_a_first_picture_leaves_the_picture_unchanged() -> None:
    film, decoder = moving(1), decoder_of(FlowDecoder)
    predicted, _ = decoder(random_maps(1), film, motion_of(film), None)
    torch.testing.assert_close(predicted, film, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_mean_flow_survives_a_repeated_frame() -> None:
    film = moving(6)
    repeated = torch.cat([film, film[:, -1:]], 1)
    _, state = decoder_of(FlowDecoder)(random_maps(7), repeated, motion_of(repeated), None)
    mean = state["flow"] / state["weight"]
    assert mean[0, 1, 8:-8, 8:-8].mean() < -0.3, "the picture moved to the right before"


@torch.no_grad()
def test_an_untrained_kernel_leaves_the_picture_nearly_unchanged() -> None:
    film, decoder = moving(3), decoder_of(KernelDecoder)
    nn.init.zeros_(decoder.kernels.weight)  # type: ignore[arg-type]
    predicted, state = decoder(random_maps(3), film, motion_of(film), None)
    assert error(predicted, film) < 0.01 and not state


@pytest.mark.parametrize(("down", "across"), [(0, 0), (2, 0), (0, -3), (-5, 5)])
@torch.no_grad()
def test_kernels_set_by_hand_move_patches(down: int, across: int) -> None:
    decoder, film = decoder_of(KernelDecoder, channels=3), torch.rand(1, 2, 3, ROWS, COLUMNS)
    assert isinstance(decoder, KernelDecoder) and decoder.kernels.bias is not None
    nn.init.zeros_(decoder.kernels.weight)
    nn.init.zeros_(decoder.kernels.bias)
    taps = len(decoder.kernels.bias) // 2
    middle = taps // 2
    decoder.kernels.bias[middle - down] = 50.0  # a patch that has moved down comes from above
    decoder.kernels.bias[taps + middle - across] = 50.0
    predicted, _ = decoder(random_maps(2), film, motion_of(film), None)
    expected = torch.roll(film, (down, across), (3, 4))
    torch.testing.assert_close(predicted[..., 6:-6, 6:-6], expected[..., 6:-6, 6:-6], **CLOSE)


@torch.no_grad()
def test_each_patch_has_kernels_of_its_own() -> None:
    decoder, film = decoder_of(KernelDecoder), torch.rand(1, 1, 1, ROWS, COLUMNS)
    assert isinstance(decoder, KernelDecoder) and decoder.kernels.bias is not None
    nn.init.zeros_(decoder.kernels.weight)
    nn.init.zeros_(decoder.kernels.bias)
    taps = len(decoder.kernels.bias) // 2
    decoder.kernels.bias[[taps // 2, taps + taps // 2]] = 50.0
    decoder.kernels.weight[taps // 2 + 1, 0] = 100.0  # the first channel of the map asks for a pixel below
    maps = torch.zeros(1, 1, WIDTH, ROWS // PATCH, COLUMNS // PATCH)
    maps[0, 0, 0, 2, 3] = 1.0
    predicted, _ = decoder(maps, film, motion_of(film), None)
    expected = film.clone()
    rows, columns = slice(2 * PATCH, 3 * PATCH), slice(3 * PATCH, 4 * PATCH)
    expected[0, 0, 0, rows, columns] = film[0, 0, 0, 2 * PATCH + 1 : 3 * PATCH + 1, columns]
    torch.testing.assert_close(predicted, expected, **CLOSE)


@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_direct_pictures_stay_in_range_and_ignore_the_last_picture(channels: int) -> None:
    decoder = decoder_of(DirectDecoder, channels)
    film = torch.rand(1, 3, channels, ROWS, COLUMNS)
    predicted, _ = decoder(100 * random_maps(3), film, motion_of(film), None)
    assert predicted.shape == film.shape and predicted.min() >= 0 and predicted.max() <= 1
    assert predicted.std() > 0.1
    torch.testing.assert_close(decoder(100 * random_maps(3), 1 - film, motion_of(film), None)[0], predicted)
    assert decoder(0 * random_maps(3), film, motion_of(film), None)[0].max() < 0.2, "dark before training"


@pytest.mark.parametrize("name", DECODERS)
def test_every_weight_of_every_decoder_gets_a_gradient(name: str) -> None:
    decoder = load_member(DECODERS, "--decoder", name)(WIDTH, 1)
    film = moving(4)
    predicted, _ = decoder(random_maps(3), film[:, :3], motion_of(film[:, :3]), None)
    (predicted - film[:, 1:]).square().mean().backward()
    for parameter, weight in decoder.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, f"{parameter} has no gradient"


@pytest.mark.parametrize("contract", [Decoder, StatelessDecoder])
def test_a_decoder_without_a_prediction_cannot_be_created(contract: type[Decoder]) -> None:
    with pytest.raises(TypeError, match="abstract"):
        contract(WIDTH, 1)
