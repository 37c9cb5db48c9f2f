"""Minibatches: every clip once per epoch, a random window of each with its truth, padding under a mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidrnn.train.shares.minibatches import Clips, ClipSampler, Drawn, FrameSampler, Minibatch, minibatch
from vidrnn.video.sampling import HALVES


def make_clips(*lengths: int, copies: int = 1) -> Clips:
    """Clips whose fine steps say what they are: 10000 x clip + 1000 x copy + step."""
    arrays = [
        np.stack([10_000 * clip + 1000 * copy + np.arange(length) for copy in range(copies)])[..., None].astype(float)
        for clip, length in enumerate(lengths)
    ]
    return Clips(arrays, np.arange(len(lengths), dtype=np.int64) % 3)


def windows(batch: Minibatch) -> list[NDArray[np.int64]]:
    """The steps of each clip that the mask shows."""
    return [one[mask, 0].numpy().astype(np.int64) for one, mask in zip(batch.inputs, batch.mask, strict=True)]


def draw_windows(clips: Clips, draw: ClipSampler, epochs: int = 1) -> list[NDArray[np.int64]]:
    return [
        window
        for epoch in range(epochs)
        for batch in map(Drawn.read, draw.epoch(clips, epoch))
        for window in windows(batch)
    ]


@pytest.mark.parametrize("size", [2, 3, 16])
def test_every_clip_is_seen_once_an_epoch_with_its_own_class(size: int) -> None:
    clips = make_clips(*[20] * 11)
    batches = list(map(Drawn.read, ClipSampler(4, size, seed=0).epoch(clips, 0)))
    seen = [int(window[0]) // 10_000 for batch in batches for window in windows(batch)]
    assert sorted(seen) == list(range(11)) and seen != sorted(seen)
    assert torch.cat([batch.target for batch in batches]).tolist() == [clips.labels[clip] for clip in seen]
    assert len(batches) == ClipSampler(4, size, seed=0).steps(clips)


def test_a_window_is_every_other_fine_step_of_one_copy_of_one_clip() -> None:
    for window in draw_windows(make_clips(*[30] * 8, copies=2), ClipSampler(6, 4, seed=1), epochs=5):
        assert 3 <= len(window) <= 6
        assert (np.diff(window) == HALVES).all()
        assert window[-1] % 1000 < 30


def test_windows_begin_at_every_step_and_show_every_copy_in_time() -> None:
    results = draw_windows(make_clips(12, 12, copies=2), ClipSampler(4, 2, seed=0), epochs=150)
    assert {int(window[0]) % 1000 for window in results} >= set(range(6))
    assert {int(window[0]) // 1000 for window in results} == {0, 1, 10, 11}


def test_a_short_clip_is_padded_with_zeros_under_a_mask() -> None:
    [batch] = map(Drawn.read, ClipSampler(8, 4, seed=0).epoch(make_clips(5, 30, 1), 0))
    assert batch.inputs.shape == (3, 8, 1) and batch.mask.shape == (3, 8)
    lengths = batch.mask.sum(1)
    assert torch.equal(batch.mask, torch.arange(8) < lengths[:, None]), "real steps come first"
    assert not batch.inputs[~batch.mask].any()
    by_clip = {int(window[0]) // 10_000: len(window) for window in windows(batch)}
    assert by_clip[0] <= 3 and 4 <= by_clip[1] <= 8 and by_clip[2] == 1


def test_the_same_seed_and_epoch_draw_the_same_and_others_draw_others() -> None:
    clips = make_clips(*[40] * 6, copies=2)

    def all_of(seed: int, epoch: int) -> bytes:
        return b"".join(
            batch.inputs.numpy().tobytes()
            for batch in map(Drawn.read, ClipSampler(4, 3, seed=seed).epoch(clips, epoch))
        )

    assert all_of(0, 3) == all_of(0, 3)
    assert len({all_of(0, 3), all_of(0, 4), all_of(1, 3)}) == 3


def test_a_shuffled_window_holds_the_frames_of_an_ordered_one_in_another_order() -> None:
    results = draw_windows(make_clips(*[40] * 6), ClipSampler(8, 3, seed=0, shuffled=True), epochs=4)
    assert all((np.diff(np.sort(window)) == HALVES).all() and 4 <= len(window) <= 8 for window in results)
    assert sum((np.diff(window) == HALVES).all() for window in results) <= 1
    assert len({tuple(np.argsort(window)) for window in results}) > len(results) // 2, "a new order each time"


@pytest.mark.parametrize("size", [2, 3, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 9, 17])
def test_no_clip_is_alone_in_a_minibatch_unless_it_is_alone_in_the_set(count: int, size: int) -> None:
    draw, clips = ClipSampler(2, size, seed=0), make_clips(*[4] * count)
    sizes = [len(batch.target) for batch in map(Drawn.read, draw.epoch(clips, 0))]
    assert sum(sizes) == count and len(sizes) == draw.steps(clips)
    assert min(sizes) >= min(2, count)
    assert max(sizes) < 2 * size


def test_frames_stay_bytes() -> None:
    frames = [np.full((3, 4, 5, 3), 200, dtype=np.uint8), np.full((2, 4, 5, 3), 7, dtype=np.uint8)]
    batch = minibatch(frames, np.array([1, 0]), 3)
    assert batch.inputs.dtype == torch.uint8 and batch.inputs.shape == (2, 3, 4, 5, 3)
    assert batch.target.tolist() == [1, 0] and batch.target.dtype == torch.int64
    assert (batch.inputs[0] == 200).all() and not batch.inputs[1, 2].any()


def test_a_minibatch_shares_no_memory_with_its_arrays() -> None:
    clips = make_clips(4, 4)
    [batch] = map(Drawn.read, ClipSampler(2, 2, seed=0).epoch(clips, 0))
    batch.inputs.zero_()
    batch.target.zero_()
    assert clips.arrays[1].min() == 10_000 and clips.labels.tolist() == [0, 1]


def test_clips_without_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="2 clips with 1 targets"):
        Clips([np.zeros((1, 2, 3))] * 2, np.zeros(1, dtype=np.int64))


def test_all_tensors_of_a_minibatch_move_to_a_device() -> None:
    batch = minibatch([np.zeros((2, 3))], np.array([0]), 2).on(torch.device("meta"))
    assert {tensor.device.type for tensor in (batch.inputs, batch.mask, batch.target)} == {"meta"}


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_frame_of_a_window_comes_with_the_frame_before_it(shuffled: bool) -> None:
    plain = make_clips(12, 3, 30, copies=2)
    clips = replace(plain, before=[-array for array in plain.arrays])
    for batch in map(Drawn.read, ClipSampler(4, 3, seed=0, shuffled=shuffled).epoch(clips, 0)):
        assert batch.before is not None and torch.equal(batch.before, -batch.inputs)
        moved = batch.on(torch.device("meta"))
        assert moved.before is not None and moved.before.device.type == "meta"
    assert all(batch.before is None for batch in map(Drawn.read, ClipSampler(4, 3, seed=0).epoch(plain, 0)))


def test_windows_can_have_one_length() -> None:
    assert {
        len(window) for window in draw_windows(make_clips(*[30] * 8), ClipSampler(6, 4, seed=1, cut=False), epochs=5)
    } == {6}


def targets_at_steps(*lengths: int, kind: str) -> list[NDArray[np.generic]]:
    """The truth at each step of `make_clips`: the step itself as a class, or several numbers of it for each step."""
    steps = [10_000 * clip + np.arange(length) for clip, length in enumerate(lengths)]
    if kind == "classes":
        return [one.astype(np.int64) for one in steps]
    return [np.stack([one, -one, one / 2], 1).astype(np.float32) for one in steps]


@pytest.mark.parametrize("how", [{}, {"shuffled": True}, {"cut": False}], ids=str)
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_truth_of_steps_travels_with_their_window(kind: str, how: dict[str, bool]) -> None:
    lengths = (40, 5, 1, 30)
    clips = Clips(make_clips(*lengths).arrays, targets_at_steps(*lengths, kind=kind))
    for epoch in range(5):
        [batch] = map(Drawn.read, ClipSampler(6, 4, seed=0, **how).epoch(clips, epoch))
        real, padding = batch.target[batch.mask], batch.target[~batch.mask]
        steps = batch.inputs[..., 0][batch.mask]
        assert batch.target.shape[:2] == batch.mask.shape and len(padding) > 0
        if kind == "classes":
            assert torch.equal(real, steps.long()) and batch.target.dtype == torch.int64
            assert (padding == -1).all()
        else:
            torch.testing.assert_close(real.double(), torch.stack([steps, -steps, steps / 2], 1))
            assert batch.target.dtype == torch.float32 and padding.isnan().all()


def test_an_unknown_truth_inside_a_clip_stays_unknown() -> None:
    clips = Clips(make_clips(8, 8).arrays, [np.full(8, -1), np.full(8, -1)])
    [batch] = map(Drawn.read, ClipSampler(4, 2, seed=0).epoch(clips, 0))
    assert (batch.target == -1).all()
    numbers = minibatch([np.zeros((2, 3))], [np.array([[1.0, np.nan], [np.nan, 2.0]])], 3)
    assert numbers.target.isnan().tolist() == [[[False, True], [True, False], [True, True]]]


@pytest.mark.parametrize(
    ("targets", "shape"),
    [
        ([np.asarray(1), np.asarray(0)], (2,)),
        ([np.zeros(2, np.int64)] * 2, (2, 4)),
        ([np.zeros((2, 5))] * 2, (2, 4, 5)),
    ],
    ids=["clip", "steps", "several at each step"],
)
def test_targets_are_stacked_by_their_kind(targets: list[NDArray[np.generic]], shape: tuple[int, ...]) -> None:
    assert minibatch([np.zeros((2, 3))] * 2, targets, 4).target.shape == shape


def numbered_films(*lengths: int, height: int = 6, width: int = 9) -> list[NDArray[np.uint8]]:
    """Films whose pixels say where they are: the first colour the film, the second the frame, the third the column."""
    films = []
    for number, length in enumerate(lengths):
        film = np.zeros((length, height, width, 3), dtype=np.uint8)
        film[..., 0] = number
        film[..., 1] = np.arange(length)[:, None, None]
        film[..., 2] = np.arange(width)
        films.append(film)
    return films


def stretches(draw: FrameSampler, films: list[NDArray[np.uint8]], epoch: int = 0) -> list[NDArray[np.uint8]]:
    return [stretch for batch in map(Drawn.read, draw.epoch(films, epoch)) for stretch in batch.inputs.numpy()]


def test_a_stretch_is_successive_frames_of_one_film_from_anywhere_in_it() -> None:
    films = numbered_films(5, 40)
    results = stretches(FrameSampler(5, 4, 40, seed=0, mirror=False), films)
    assert len(results) == 160 and all(one.shape == (5, 6, 9, 3) for one in results)
    for one in results:
        assert len(np.unique(one[..., 0])) == 1 and (np.diff(one[:, 0, 0, 1].astype(int)) == 1).all()
    begins = {int(one[0, 0, 0, 1]) for one in results if one[0, 0, 0, 0] == 1}
    assert {0, 35} <= begins and len(begins) > 25
    short = sum(int(one[0, 0, 0, 0]) == 0 for one in results)
    assert 0 < short < 20, "a video with one beginning of 37 is seen as often"


def test_half_of_the_stretches_are_mirrored_on_request() -> None:
    films = numbered_films(12)
    mirrored = [one[0, 0, 0, 2] == 8 for one in stretches(FrameSampler(5, 4, 25, seed=0), films)]
    assert 0.3 < np.mean(mirrored) < 0.7
    assert all(one[0, 0, 0, 2] == 0 for one in stretches(FrameSampler(5, 4, 25, seed=0, mirror=False), films))


def test_a_stretch_of_large_pictures_is_a_part_of_them_the_same_in_each_frame() -> None:
    films = numbered_films(12, height=6, width=9)
    results = stretches(FrameSampler(5, 4, 25, seed=0, mirror=False, crop=7), films)
    assert all(one.shape == (5, 6, 7, 3) for one in results)
    assert {int(one[0, 0, 0, 2]) for one in results} == {0, 1, 2}
    assert all((one[:, 0, 0, 2] == one[0, 0, 0, 2]).all() for one in results)


def test_stretches_are_the_same_for_the_same_seed_and_epoch_only() -> None:
    films = numbered_films(30, 30)

    def bytes_of(seed: int, epoch: int) -> bytes:
        return b"".join(one.tobytes() for one in stretches(FrameSampler(5, 2, 8, seed=seed), films, epoch))

    assert bytes_of(0, 3) == bytes_of(0, 3)
    assert len({bytes_of(0, 3), bytes_of(0, 4), bytes_of(1, 3)}) == 3
