"""Windows of long films: rare classes are in every minibatch, and what is not known stays not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidrnn.train.shares.minibatches import Clips, Drawn, Minibatch, MomentSampler

Truth = NDArray[Any]


def films(*truths: Truth, copies: int = 1) -> Clips:
    """Films whose steps say what they are: 10000 x film + 5000 x copy + step."""
    arrays = [
        np.stack([10_000.0 * film + 5000 * copy + np.arange(len(truth)) for copy in range(copies)])[..., None]
        for film, truth in enumerate(truths)
    ]
    return Clips(arrays, truths)


def rare(length: int, places: dict[int, list[int]]) -> Truth:
    """Class 0 throughout, but for some steps of other classes."""
    truth = np.zeros(length, dtype=np.int64)
    for label, steps in places.items():
        truth[steps] = label
    return truth


def several_of(truth: Truth, classes: int = 3) -> Truth:
    """The same truth as numbers of each class; NaN where it is not known."""
    numbers: Truth = (truth[:, None] == np.arange(classes)).astype(np.float64)
    numbers[truth < 0] = np.nan
    return numbers


def sampler(**how: Any) -> MomentSampler:
    return MomentSampler(**{"frames": 8, "minibatch": 8, "seed": 0, "steps_per_epoch": 12, **how})


def rows(batches: list[Minibatch]) -> list[tuple[NDArray[np.int64], Truth]]:
    """The steps and the truth of each window."""
    return [
        (inputs[mask, 0].numpy().astype(np.int64), target[mask].numpy())
        for batch in batches
        for inputs, target, mask in zip(batch.inputs, batch.target, batch.mask, strict=True)
    ]


def drawn(clips: Clips, draw: MomentSampler, epochs: int = 1) -> list[tuple[NDArray[np.int64], Truth]]:
    return rows([batch for epoch in range(epochs) for batch in map(Drawn.read, draw.epoch(clips, epoch))])


RARE = films(rare(400, {1: [7, 8], 2: [300]}), rare(200, {2: [150]}), rare(60, {}))


@pytest.mark.parametrize("kind", ["one", "several"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_minibatch_holds_every_rare_class(kind: str, shuffled: bool) -> None:
    clips = RARE if kind == "one" else films(*map(several_of, map(np.asarray, RARE.targets)))
    draw = sampler(shuffled=shuffled)
    batches = list(map(Drawn.read, draw.epoch(clips, 0)))
    assert len(batches) == draw.steps(clips) == 12
    for batch in batches:
        assert batch.mask.shape == (8, 8)
        seen = [(batch.target == 1).any(), (batch.target == 2).any()]
        if kind == "several":
            seen = [batch.target[..., place].nan_to_num().any() for place in (1, 2)]
        assert all(seen)


def test_rare_classes_have_their_turn_where_a_minibatch_holds_few_windows() -> None:
    batches = list(map(Drawn.read, sampler(minibatch=2, steps_per_epoch=30).epoch(RARE, 0)))
    for place in range(0, 30, 3):
        three = torch.stack([batch.target[1] for batch in batches[place : place + 3]])
        assert {1, 2} <= set(three.flatten().tolist())


@pytest.mark.parametrize("how", [{}, {"phases": 2}, {"stretch": 0.2}, {"phases": 2, "stretch": 0.2}], ids=str)
def test_a_window_lies_within_one_copy_of_one_film_and_brings_its_truth(how: dict[str, Any]) -> None:
    lengths = (90, 40, 33)
    truths = [np.arange(length, dtype=np.int64) for length in lengths]
    for steps, truth in drawn(films(*truths, copies=2), sampler(**how), epochs=3):
        film, copy = steps // 10_000, steps % 10_000 // 5000
        assert len(set(film)) == len(set(copy)) == 1
        np.testing.assert_array_equal(steps % 5000, truth)
        assert truth[0] >= 0 and truth[-1] < lengths[film[0]] and len(steps) == 8
        pace = how.get("phases", 1)
        strides = np.diff(truth)
        if "stretch" not in how:
            assert (strides == pace).all()
        else:
            assert (strides >= pace - 1).all() and (strides <= pace + 1).all()


def test_windows_are_drawn_from_everywhere_and_from_every_copy() -> None:
    truth = np.zeros(30, dtype=np.int64)
    found = [steps for steps, _ in drawn(films(truth, truth, copies=2), sampler(), epochs=8)]
    assert {int(steps[0]) % 5000 for steps in found} == set(range(23)), "each start, the film's first and last too"
    assert {int(steps[0]) // 5000 for steps in found} == {0, 1, 2, 3}


def test_without_stretch_a_window_that_was_drawn_for_a_step_holds_it() -> None:
    only = np.full(200, -1, dtype=np.int64)
    only[77] = 0
    assert all(77 in steps for steps, _ in drawn(films(only), sampler()))


def test_a_short_film_is_padded_with_unknown_truth() -> None:
    for truth in (rare(5, {1: [3]}), several_of(rare(5, {1: [3]}))):
        for batch in map(Drawn.read, sampler(late_loss=True).epoch(films(truth), 0)):
            assert torch.equal(batch.mask, torch.arange(8).expand(8, 8) < 5)
            assert not batch.inputs[~batch.mask].any()
            np.testing.assert_array_equal(batch.target[0, :5].numpy(), truth)
            padding = batch.target[~batch.mask]
            assert (padding == -1).all() if truth.ndim == 1 else padding.isnan().all()


@pytest.mark.parametrize("kind", ["one", "several"])
def test_only_the_later_half_counts_unless_a_window_begins_with_its_film(kind: str) -> None:
    truth = rare(30, {1: list(range(10, 20))})
    clips = films(truth if kind == "one" else several_of(truth))
    begins = set()
    for steps, given in drawn(clips, sampler(late_loss=True), epochs=4):
        unknown = given < 0 if kind == "one" else np.isnan(given).all(1)
        begins.add(int(steps[0]))
        assert unknown.tolist() == ([False] * 8 if steps[0] == 0 else [True] * 4 + [False] * 4)
    assert {0, 1} <= begins
    assert (truth >= 0).all(), "the truth itself is not changed"
    assert not np.isnan(np.asarray(clips.targets[0])).any()


@pytest.mark.parametrize("kind", ["one", "several"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_what_is_not_known_stays_so(kind: str, shuffled: bool) -> None:
    truth = rare(100, {1: [50]})
    truth[20:48] = -1
    clips = films(truth if kind == "one" else several_of(truth))
    for steps, given in drawn(clips, sampler(shuffled=shuffled), epochs=3):
        expected = truth[steps] if kind == "one" else several_of(truth[steps])
        np.testing.assert_array_equal(given, expected)
        assert (truth[steps] >= 0).any(), "a window without truth teaches nothing"


def test_a_shuffled_window_permutes_frames_and_truth_alike() -> None:
    truth = np.arange(300, dtype=np.int64)
    plain = films(truth)
    clips = replace(plain, before=[-array for array in plain.arrays])
    found = []
    for batch in map(Drawn.read, sampler(shuffled=True).epoch(clips, 0)):
        assert batch.before is not None and torch.equal(batch.before, -batch.inputs)
        found += rows([batch])
    for steps, given in found:
        np.testing.assert_array_equal(steps, given)
        assert np.ptp(steps) == 7 and len(set(steps)) == 8
    assert sum((np.diff(steps) == 1).all() for steps, _ in found) <= 1


def test_the_same_seed_and_epoch_draw_the_same_windows_and_others_draw_others() -> None:
    def all_of(seed: int, epoch: int) -> bytes:
        return b"".join(
            batch.inputs.numpy().tobytes() for batch in map(Drawn.read, sampler(seed=seed).epoch(RARE, epoch))
        )

    assert all_of(0, 3) == all_of(0, 3)
    assert len({all_of(0, 3), all_of(0, 4), all_of(1, 3)}) == 3


def test_a_minibatch_shares_no_memory_with_the_films() -> None:
    clips = films(rare(20, {1: [4]}))
    for batch in map(Drawn.read, sampler(steps_per_epoch=2).epoch(clips, 0)):
        batch.inputs.zero_()
        batch.target.fill_(5)
    assert clips.arrays[0].max() == 19 and np.asarray(clips.targets[0]).max() == 1
