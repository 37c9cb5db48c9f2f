"""Training of an encoder on several cores gives the numbers of one core, and the same numbers each time."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from vidrnn.nets.classifier import build_encoder
from vidrnn.nets.encoders.base import Encoder
from vidrnn.nets.spec import EncoderConfig
from vidrnn.train.augment import draw_augmentation
from vidrnn.train.sharded_encoder import Shards
from vidrnn.values import PictureMotion, Size
from vidrnn.video.motion import flow_pictures

SIDE, TIME = 16, 3
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding to bfloat16 would hide small mistakes."""
    monkeypatch.setattr("vidrnn.train.sharded_encoder.half_precision", lambda _: nullcontext())


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


def weighing(features: Tensor) -> Tensor:
    """Something to go back from that treats each number differently."""
    return (features * torch.linspace(-1, 1, features.numel()).view_as(features)).sum()


def gradients(encoder: Encoder) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in encoder.named_parameters() if weight.grad is not None}


def statistics(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in encoder.named_buffers() if "running" in name}


def learn(shares: int, frames: Tensor) -> tuple[Encoder, Tensor]:
    """One step there and back through so many shares: the encoder, with its gradients, and the features."""
    encoder = make_encoder()
    features = Shards(encoder, shares)(frames, all_real(frames), as_they_are)
    weighing(features).backward()
    return encoder, features


def test_one_share_is_the_plain_encoder() -> None:
    plain, frames = make_encoder(), films(4)
    expected = plain(frames)
    weighing(expected).backward()
    encoder, features = learn(1, frames)
    torch.testing.assert_close(features, expected, **CLOSE)
    torch.testing.assert_close(gradients(encoder), gradients(plain), **CLOSE)
    torch.testing.assert_close(statistics(encoder), statistics(plain), **CLOSE)
    assert gradients(encoder).keys() == dict(encoder.named_parameters()).keys()


@pytest.mark.parametrize(("clips", "cut"), [(4, 2), (5, 3)])
def test_two_shares_sum_the_gradients_and_average_the_statistics_of_their_halves(clips: int, cut: int) -> None:
    frames = films(clips)
    encoder, features = learn(2, frames)
    halves = [make_encoder(), make_encoder()]
    expected = [half(part) for half, part in zip(halves, (frames[:cut], frames[cut:]), strict=True)]
    weighing(torch.cat(expected)).backward()
    torch.testing.assert_close(features, torch.cat(expected), **CLOSE)
    for name, gradient in gradients(encoder).items():
        torch.testing.assert_close(gradient, gradients(halves[0])[name] + gradients(halves[1])[name], **CLOSE)
    for name, mean in statistics(encoder).items():
        torch.testing.assert_close(mean, (statistics(halves[0])[name] + statistics(halves[1])[name]) / 2, **CLOSE)


def test_the_same_work_gives_the_same_numbers_twice_to_the_last_bit() -> None:
    once, again = learn(2, films(5)), learn(2, films(5))
    assert torch.equal(once[1], again[1])
    assert all(torch.equal(gradients(once[0])[name], gradient) for name, gradient in gradients(again[0]).items())
    assert all(torch.equal(statistics(once[0])[name], found) for name, found in statistics(again[0]).items())


def test_more_shares_than_clips_do_no_harm() -> None:
    encoder, features = learn(4, films(2))
    assert features.shape[:2] == (2, TIME) and all(grad.isfinite().all() for grad in gradients(encoder).values())


def test_each_clip_is_changed_by_its_place_in_the_minibatch() -> None:
    frames = films(5)
    found: dict[int, Tensor] = {}

    def prepare(clips: Tensor, first: int) -> Tensor:
        found[first] = clips
        return 1 - clips

    features = Shards(make_encoder(), 2)(frames, all_real(frames), prepare)
    assert sorted(found) == list(range(5))
    assert all(torch.equal((255 * clip[0]).round().byte(), frames[place]) for place, clip in found.items())
    torch.testing.assert_close(
        features, Shards(make_encoder(), 2)(255 - frames, all_real(frames), as_they_are), **CLOSE
    )


def test_a_frozen_weight_gets_no_gradient() -> None:
    encoder = make_encoder()
    first = next(encoder.parameters()).requires_grad_(False)
    weighing(Shards(encoder, 2)(films(4), all_real(films(4)), as_they_are)).backward()
    assert first.grad is None
    assert len(gradients(encoder)) == len(list(encoder.parameters())) - 1


def test_in_evaluation_the_statistics_stay() -> None:
    encoder, frames = make_encoder(), films(4)
    shards, before = Shards(encoder, 2), copy.deepcopy(statistics(encoder))
    encoder.eval()
    features = shards(frames, all_real(frames), as_they_are)
    assert all(torch.equal(tensor, before[name]) for name, tensor in statistics(encoder).items())
    torch.testing.assert_close(features, encoder(frames), **CLOSE)


def test_an_error_in_a_share_is_raised() -> None:
    def prepare(clips: Tensor, first: int) -> Tensor:
        raise RuntimeError(f"share at {first}")

    with pytest.raises(RuntimeError, match="share at"):
        Shards(make_encoder(), 2)(films(4), all_real(films(4)), prepare)


def test_a_classifier_learns_through_shares() -> None:
    encoder = make_encoder()
    shards, classifier = Shards(encoder, 2), nn.Linear(encoder.width, 2)
    frames, truth = films(8), torch.arange(8) % 2
    optimiser = torch.optim.AdamW([*encoder.parameters(), *classifier.parameters()], lr=3e-3)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(classifier(shards(frames, all_real(frames), as_they_are).mean(1)), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_padding_does_not_change_the_statistics_of_batch_normalisation() -> None:
    frames = films(2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    told = []
    for garbage in (0, 255):
        encoder, padded = make_encoder(), frames.clone()
        padded[~mask] = garbage
        features = Shards(encoder, 1)(padded, mask, as_they_are)
        weighing(features).backward()
        told.append((features.detach(), gradients(encoder), statistics(encoder)))
    torch.testing.assert_close(told[0], told[1], rtol=0, atol=0)
    assert not told[0][0][~mask].any()
    alone = make_encoder()
    torch.testing.assert_close(told[0][0][mask], alone(frames[mask].unsqueeze(1))[:, 0], **CLOSE)


@pytest.mark.parametrize("shares", [1, 2])
@pytest.mark.parametrize(("name", "motion"), [("small", ("difference",)), ("resnet18", ("difference", "flow"))])
def test_an_encoder_of_motion_is_given_the_frame_before_each(
    shares: int, name: str, motion: tuple[PictureMotion, ...]
) -> None:
    torch.manual_seed(0)
    config = EncoderConfig(name=name, frozen=False, origin="none", motion=motion)
    encoder = build_encoder(config, Size(SIDE, SIDE)).eval()
    frames, before = films(4), films(4).flip(1)
    mask = torch.tensor([[True] * 3, [True, True, False], [True, False, False], [True] * 3])
    features = Shards(encoder, shares)(frames, mask, as_they_are, before)
    flow = torch.from_numpy(flow_pictures(frames.numpy(), before.numpy()))
    expected = encoder(frames, before, flow)
    scale = expected.abs().max()
    torch.testing.assert_close(features[mask] / scale, expected[mask] / scale, **CLOSE)
    assert (encoder(frames, frames, flow) - expected).abs().max() > 1e-2 * scale, "the frames before are seen"
    assert not features[~mask].any()


def test_frames_and_the_frames_before_them_change_alike() -> None:
    seen: list[Tensor] = []
    frames, before = films(4), films(4).flip(1)
    change = draw_augmentation(4, flip=True)

    def prepare(clips: Tensor, first: int) -> Tensor:
        seen.append(change(clips, first))
        return seen[-1]

    torch.manual_seed(0)
    config = EncoderConfig(name="small", frozen=False, origin="none", motion=("difference",))
    Shards(build_encoder(config, Size(SIDE, SIDE)), 1)(frames, all_real(frames), prepare, before)
    assert len(seen) == 4
    for place, both in enumerate(seen):
        for part, given in ((both[:, :TIME], frames), (both[:, TIME:], before)):
            assert torch.equal(part, change(given[place : place + 1].float() / 255, place))
