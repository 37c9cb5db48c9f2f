"""The laws of an encoder, over every member of the family; what `small` costs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vidrnn.errors import UsageError
from vidrnn.nets.classifier import build_encoder, count_parameters, encoding_of, fingerprint
from vidrnn.nets.encoders import ENCODERS, TRAINED_FROM_SCRATCH
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.encoders.pretrained import TorchvisionEncoder
from vidrnn.nets.encoders.small import SmallEncoder
from vidrnn.nets.spec import EncoderConfig
from vidrnn.values import PictureMotion, Size
from vidrnn.video.motion import flow_pictures

SIZE = Size(48, 40)
WIDTHS = {"small": 128, "mobilenet_v2": 1280, "resnet18": 512, "convnext_tiny": 768}
QUICK = ("small", "mobilenet_v2", "resnet18", "convnext_tiny")
"""Built in every run; the others of the table in a slow one."""

every_encoder = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ENCODERS]
)


def films(batch: int = 2, time: int = 3, size: Size = SIZE) -> Tensor:
    shape = (batch, time, size.height, size.width, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def make_encoder(
    name: str, size: Size = SIZE, *, grey: bool = False, motion: tuple[PictureMotion, ...] = ()
) -> Encoder:
    """One whose batch normalisation has seen something, as after training, so that what differs is not lost in it."""
    torch.manual_seed(0)
    config = EncoderConfig(name=name, frozen=False, origin="none", grey=grey, motion=motion)
    encoder = build_encoder(config, size)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        encoder.train()(films(4, 2, size), films(4, 2, size).flip(1), films(4, 2, size).flip(0))
    return encoder.eval()


def assert_alike(found: Tensor, expected: Tensor) -> None:
    """To rounding, which an untrained network blows up to some 1e-4 of the largest number."""
    assert (found - expected).abs().max() <= 3e-4 * expected.abs().max()


@every_encoder
@torch.no_grad()
def test_each_frame_alone_gives_features_of_the_stated_width(name: str) -> None:
    encoder, frames = make_encoder(name), films()
    features = encoder(frames)
    assert features.shape == (2, 3, encoder.width)
    assert encoder.width == WIDTHS.get(name, encoder.width)
    assert_alike(encoder(frames[1:, 2:]), features[1:, 2:])
    assert_alike(encoder(frames.flip(1)), features.flip(1))
    assert (features[0, 0] - features[0, 1]).abs().max() > 0.01 * features.abs().max()


@every_encoder
@torch.no_grad()
def test_folding_changes_no_feature_and_leaves_the_original_alone(name: str) -> None:
    encoder, frames = make_encoder(name).train(), films()
    before = copy.deepcopy(encoder.state_dict())
    reader = encoder.folded()
    read = reader(frames)
    assert encoder.training and all(weight.requires_grad for weight in encoder.parameters())
    assert encoder.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in reader.modules())
    assert_alike(read, encoder.eval()(frames))


@every_encoder
@torch.no_grad()
def test_pixels_are_normalised_inside(name: str) -> None:
    encoder, frames = make_encoder(name), films(1, 1)
    before = encoder(frames)
    pixels = frames[0].permute(0, 3, 1, 2).float() / 255
    assert_alike(encoder.encode_pictures((pixels - encoder.mean) / encoder.deviation), before[0])
    encoder.mean += 0.5
    assert (encoder(frames) - before).abs().max() > 0.01 * before.abs().max()


@every_encoder
@torch.no_grad()
def test_black_and_white_frames_give_different_features(name: str) -> None:
    encoder = make_encoder(name)
    black = torch.zeros(1, 1, SIZE.height, SIZE.width, 3, dtype=torch.uint8)
    features = encoder(torch.cat([black, ~black], 1))[0]
    assert features.isfinite().all()
    assert (features[0] - features[1]).abs().max() > 0.01 * features.abs().max()


@pytest.mark.parametrize("size", [Size(112, 112), Size(97, 61), Size(8, 8), Size(33, 250)], ids=str)
@torch.no_grad()
def test_small_is_small_at_any_size(size: Size) -> None:
    encoder = make_encoder("small", size)
    counter = FlopCounterMode(display=False)
    with counter:
        features = encoder(films(1, 1, size))
    multiplications = counter.get_total_flops() / 2
    assert features.shape == (1, 1, 128) and features.isfinite().all()
    assert count_parameters(encoder) <= 500_000
    assert 0 < multiplications <= 40e6 * max(1.0, size.height * size.width / 112**2)


@torch.no_grad()
def test_small_encodes_positions() -> None:
    encoder = make_encoder("small")
    frames = torch.zeros(1, 2, SIZE.height, SIZE.width, 3, dtype=torch.uint8)
    frames[0, 0, 4:16, 4:16] = 255
    frames[0, 1] = frames[0, 0].flip(1)
    left, right = encoder(frames)[0]
    assert (left - right).abs().max() > 0.05


@pytest.mark.parametrize(("length", "cells"), [(8, 4), (7, 4), (1, 4), (13, 4)])
def test_a_grid_of_means_covers_every_pixel_alike(length: int, cells: int) -> None:
    rows = SmallEncoder(Size(16 * length, 16 * length)).rows
    torch.testing.assert_close(rows.sum(1), torch.ones(cells))
    torch.testing.assert_close(rows.mean(0), torch.full((length,), 1 / length))


def test_pretrained_networks_use_the_normalisation_of_imagenet() -> None:
    encoder = TorchvisionEncoder("resnet18")
    torch.testing.assert_close(encoder.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(encoder.deviation.flatten(), torch.tensor([0.229, 0.224, 0.225]))
    assert isinstance(encoder.network.fc, nn.Identity)


def test_an_unknown_encoder_is_refused_with_a_list_of_the_encoders() -> None:
    with pytest.raises(UsageError, match=r"--encoder vgg99.*small, tiny, mobilenet_v2"):
        build_encoder(EncoderConfig(name="vgg99", frozen=False, origin="none"), SIZE)


def test_encoding_pictures_agrees_with_the_network() -> None:
    encoder, pixels = make_encoder("small"), films(1, 4)[0].numpy()
    pixels.flags.writeable = False  # as the pixels of a file on disk
    features = encoding_of(encoder)(pixels)
    with torch.no_grad():
        assert_alike(torch.from_numpy(features), encoder(films(1, 4))[0])


def test_fingerprints_are_equal_exactly_for_equal_weights() -> None:
    encoder = make_encoder("small")
    name = fingerprint(encoder)
    assert fingerprint(copy.deepcopy(encoder)) == name
    with torch.no_grad():
        next(encoder.parameters())[0, 0, 0, 0] += 1e-3
    assert fingerprint(encoder) != name


def test_the_contract_cannot_be_created() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Encoder((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("motion", [(), ("difference",)])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("name", TRAINED_FROM_SCRATCH)
@torch.no_grad()
def test_an_encoder_sees_colours_and_changes_only_if_configured(
    name: str, grey: bool, motion: tuple[PictureMotion, ...]
) -> None:
    encoder, frames = make_encoder(name, grey=grey, motion=motion), films()
    assert encoder.inputs == (("before",) if motion else ())
    features = encoder(frames, frames)
    luma = (frames.float() @ torch.tensor([0.299, 0.587, 0.114])).round().to(torch.uint8)
    without_colour = luma[..., None].expand_as(frames)
    assert torch.allclose(encoder(without_colour, without_colour), features, atol=0.1 * features.std().item()) == grey
    changed = encoder(frames, frames.flip(1))
    assert torch.allclose(changed, features, atol=1e-4) == (not motion)
    assert_alike(encoder(frames[1:, 2:], frames.flip(1)[1:, 2:]), changed[1:, 2:])


@pytest.mark.parametrize("name", TRAINED_FROM_SCRATCH)
def test_an_encoder_trained_from_scratch_sees_no_flow(name: str) -> None:
    with pytest.raises(UsageError, match=rf"--motion flow: the encoder {name} sees no flow\. .*--encoder mobilenet_v2"):
        make_encoder(name, motion=("flow",))


@torch.no_grad()
def test_a_pretrained_encoder_sees_differences_and_flow_as_pictures_like_any_other() -> None:
    encoder, plain = make_encoder("resnet18", motion=("difference", "flow")), make_encoder("resnet18")
    plain.load_state_dict(encoder.state_dict())
    frames, before, flow = films(), films().flip(1), films().flip(0)
    features = encoder(frames, before, flow)
    assert encoder.width == 3 * plain.width == features.shape[-1] and encoder.inputs == ("before", "flow")
    difference = (128 + frames.int() - before.int()).clamp(0, 255).to(torch.uint8)
    views = zip(encoder.views, (frames, difference, flow), features.chunk(3, -1), strict=True)
    for view, pictures, part in views:
        assert_alike(part, plain(pictures))
        assert_alike(part, encoder.of_view(view)(frames, before, flow))
    assert encoder.views == ("appearance", "difference", "flow")
    still = encoder(frames, frames, flow)
    grey = torch.full_like(frames, 128)
    assert_alike(still.chunk(3, -1)[1], plain(grey))


@torch.no_grad()
def test_views_keep_the_weights_of_the_encoder() -> None:
    encoder = make_encoder("resnet18", motion=("difference",))
    single = encoder.of_view("difference")
    assert fingerprint(single) == fingerprint(encoder) == fingerprint(make_encoder("resnet18", motion=("difference",)))
    assert (single.views, single.inputs, single.width) == (("difference",), ("before",), 512)
    assert encoder.of_view("appearance").inputs == ()


@pytest.mark.parametrize(("name", "motion"), [("tiny", ("difference",)), ("resnet18", ("difference", "flow"))])
@torch.no_grad()
def test_portions_of_any_size_see_the_frame_before_each_picture(
    monkeypatch: pytest.MonkeyPatch, name: str, motion: tuple[PictureMotion, ...]
) -> None:
    encoder = make_encoder(name, motion=motion)
    pixels, before = (films(1, 11, size=SIZE)[0].numpy(), films(1, 11, size=SIZE).flip(1)[0].numpy())
    flow = torch.from_numpy(flow_pictures(pixels, before))[None]
    whole = encoder(torch.from_numpy(pixels)[None], torch.from_numpy(before.copy())[None], flow)[0]
    for at_once in (1, 4, 8):
        monkeypatch.setattr("vidrnn.nets.classifier._PICTURES_AT_ONCE", at_once)
        encode = encoding_of(encoder)
        assert_alike(torch.from_numpy(encode(pixels, before)), whole)
        assert_alike(torch.from_numpy(encode(pixels[5:], before[5:])), whole[5:])
