"""An encoder in training sees the real frames of a share, changed at random, and the frames before them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from vidrnn.nets.classifier import build_encoder
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.augment import draw_augmentation
from vidrnn.train.shares.encoding import encode_share
from vidrnn.train.shares.minibatches import Minibatch
from vidrnn.values import PictureMotion, Size
from vidrnn.video.motion import flow_pictures

SIDE, TIME = 16, 3
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding to bfloat16 would hide small mistakes."""
    monkeypatch.setattr("vidrnn.train.shares.encoding.half_precision", lambda _: nullcontext())


def films(clips: int) -> Tensor:
    shape = (clips, TIME, SIDE, SIDE, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def make_encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder(EncoderConfig(name="small", frozen=False, origin="none"), Size(SIDE, SIDE)).train()


def as_they_are(clips: Tensor, _: int) -> Tensor:
    return clips


def all_real(frames: Tensor) -> Tensor:
    return torch.ones(frames.shape[:2], dtype=torch.bool)


def test_clips_are_changed_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 the places of an affine change are wrong by whole pixels."""
    monkeypatch.setattr("vidrnn.train.shares.encoding.half_precision", lambda _: torch.autocast("cpu", torch.bfloat16))
    halved, dtypes = [], []

    def noting(clips: Tensor, _: int) -> Tensor:
        halved.append(torch.is_autocast_enabled("cpu"))
        return clips

    encoder = make_encoder()
    encoder.network[0].register_forward_hook(lambda _, __, maps: dtypes.append(maps.dtype))
    encode_share(encoder, share_of(films(2)), noting)
    assert not any(halved) and dtypes == [torch.bfloat16]


def weighing(features: Tensor) -> Tensor:
    """Something to go back from that treats each number differently."""
    return (features * torch.linspace(-1, 1, features.numel()).view_as(features)).sum()


def gradients(encoder: Encoder) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in encoder.named_parameters() if weight.grad is not None}


def statistics(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in encoder.named_buffers() if "running" in name}


def share_of(frames: Tensor, mask: Tensor | None = None, before: Tensor | None = None) -> Minibatch:
    return Minibatch(frames, all_real(frames) if mask is None else mask, torch.zeros(len(frames)), before)


def test_a_share_is_encoded_as_the_encoder_alone_does() -> None:
    plain, encoder, frames = make_encoder(), make_encoder(), films(4)
    expected, features = plain(frames), encode_share(encoder, share_of(frames), as_they_are)
    weighing(expected).backward()
    weighing(features).backward()
    torch.testing.assert_close(features, expected, **CLOSE)
    torch.testing.assert_close(gradients(encoder), gradients(plain), **CLOSE)
    torch.testing.assert_close(statistics(encoder), statistics(plain), **CLOSE)
    assert gradients(encoder).keys() == dict(encoder.named_parameters()).keys()


def test_each_clip_is_changed_by_its_place_in_the_share() -> None:
    frames = films(5)
    found: dict[int, Tensor] = {}

    def change(clips: Tensor, first: int) -> Tensor:
        found[first] = clips
        return 1 - clips

    features = encode_share(make_encoder(), share_of(frames), change)
    assert sorted(found) == list(range(5))
    assert all(torch.equal((255 * clip[0]).round().byte(), frames[place]) for place, clip in found.items())
    torch.testing.assert_close(features, encode_share(make_encoder(), share_of(255 - frames), as_they_are), **CLOSE)


def test_padding_does_not_change_the_statistics_of_batch_normalisation() -> None:
    frames = films(2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    told = []
    for garbage in (0, 255):
        encoder, padded = make_encoder(), frames.clone()
        padded[~mask] = garbage
        features = encode_share(encoder, share_of(padded, mask), as_they_are)
        weighing(features).backward()
        told.append((features.detach(), gradients(encoder), statistics(encoder)))
    torch.testing.assert_close(told[0], told[1], rtol=0, atol=0)
    assert not told[0][0][~mask].any()
    alone = make_encoder()
    torch.testing.assert_close(told[0][0][mask], alone(frames[mask].unsqueeze(1))[:, 0], **CLOSE)


@pytest.mark.parametrize(("name", "motion"), [("small", ("difference",)), ("resnet18", ("difference", "flow"))])
def test_an_encoder_of_motion_is_given_the_frame_before_each(name: str, motion: tuple[PictureMotion, ...]) -> None:
    torch.manual_seed(0)
    config = EncoderConfig(name=name, frozen=False, origin="none", motion=motion)
    encoder = build_encoder(config, Size(SIDE, SIDE)).eval()
    frames, before = films(4), films(4).flip(1)
    mask = torch.tensor([[True] * 3, [True, True, False], [True, False, False], [True] * 3])
    features = encode_share(encoder, share_of(frames, mask, before), as_they_are)
    flow = torch.from_numpy(flow_pictures(frames.numpy(), before.numpy()))
    expected = encoder(frames, before, flow)
    scale = expected.abs().max()
    torch.testing.assert_close(features[mask] / scale, expected[mask] / scale, **CLOSE)
    assert (encoder(frames, frames, flow) - expected).abs().max() > 1e-2 * scale, "the frames before are seen"
    assert not features[~mask].any()


def test_frames_and_the_frames_before_them_change_alike() -> None:
    seen: list[Tensor] = []
    frames, before = films(4), films(4).flip(1)
    change = draw_augmentation(4, True, 1.0, torch.Generator().manual_seed(0))

    def prepare(clips: Tensor, first: int) -> Tensor:
        seen.append(change(clips, first))
        return seen[-1]

    torch.manual_seed(0)
    config = EncoderConfig(name="small", frozen=False, origin="none", motion=("difference",))
    encode_share(build_encoder(config, Size(SIDE, SIDE)), share_of(frames, before=before), prepare)
    assert len(seen) == 4
    for place, both in enumerate(seen):
        for part, given in ((both[:, :TIME], frames), (both[:, TIME:], before)):
            assert torch.equal(part, change(given[place : place + 1].float() / 255, place))
