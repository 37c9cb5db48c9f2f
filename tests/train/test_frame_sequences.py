"""Films without labels: parts, stretches, and the settings that follow from their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import FRAMES_SIZE, paint_square

from vidrnn.train.frame_sequences import (
    FrameSequence,
    FrameSequences,
    baseline_costs,
    choose_decoder,
    copy_error,
    default_size,
    is_colourless,
    split_sequence,
)
from vidrnn.values import Part, Pixels, Size


def frames_of(count: int, seed: int = 0, *, size: Size = FRAMES_SIZE) -> Pixels:
    paint = paint_square(seed)
    return np.stack([paint(index, size) for index in range(count)])


def sequences_of(*films: Pixels, grey: bool = False) -> FrameSequences:
    parts = [Part.TRAIN, *[Part.VAL] * (len(films) - 1)]
    return FrameSequences(
        tuple(FrameSequence(film, part) for film, part in zip(films, parts, strict=True)), FRAMES_SIZE, 0.1, grey
    )


def test_the_end_of_a_film_is_for_validation_and_a_short_film_is_for_training_only() -> None:
    first, second = split_sequence(frames_of(50), 7)
    assert (len(first.frames), first.part, len(second.frames), second.part) == (40, Part.TRAIN, 10, Part.VAL)
    first, second = split_sequence(frames_of(15), 7)
    assert (len(first.frames), len(second.frames)) == (8, 7)
    [only] = split_sequence(frames_of(13), 7)
    assert only.part is Part.TRAIN and len(only.frames) == 13


def test_sparse_films_choose_kernels_and_natural_ones_choose_flow() -> None:
    leaping = np.stack([paint_square(glide=8)(index, FRAMES_SIZE) for index in range(20)])
    sparse = baseline_costs(sequences_of(leaping), context=4, window=7)
    assert choose_decoder(sparse)[0] == "kernel" and "sparse" in choose_decoder(sparse)[1]
    scene = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    still = np.stack([scene] * 9 + [255 - scene] * 11)  # two scenes, in which nothing moves
    natural = baseline_costs(sequences_of(still), context=4, window=7)
    assert min(natural, key=natural.__getitem__) == "the last frame"
    assert choose_decoder(natural)[0] == "flow" and "warps the last frame by its flow" in choose_decoder(natural)[1]


def test_the_unit_of_the_loss_is_the_error_of_a_copy_one_step_ahead() -> None:
    still = np.full((20, 24, 32, 3), 7, dtype=np.uint8)
    assert copy_error(sequences_of(still), 7) == pytest.approx(1e-5)
    blinking = np.zeros((20, 24, 32, 3), dtype=np.uint8)
    blinking[::2] = 255
    assert copy_error(sequences_of(blinking), 7) == pytest.approx(1.0)
    assert copy_error(sequences_of(blinking, grey=True), 7) == pytest.approx(1.0)


def test_only_films_with_equal_red_green_and_blue_are_colourless() -> None:
    assert is_colourless(np.full((9, 8, 8, 3), 90, dtype=np.uint8))
    assert not is_colourless(frames_of(9))


@pytest.mark.parametrize(
    ("films", "model"),
    [(Size(240, 320), Size(64, 85)), (Size(24, 32), Size(24, 32)), (Size(10, 100), Size(16, 100))],
)
def test_the_default_size_has_a_short_side_of_64_at_most(films: Size, model: Size) -> None:
    assert default_size(films) == model


def test_stretches_do_not_overlap_and_are_evenly_chosen() -> None:
    film = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    sequences = sequences_of(film, film)
    assert [int(one[0, 0, 0, 0]) for one in sequences.stretches(Part.TRAIN, 7, 9)] == [0, 7, 14, 21, 28]
    assert [int(one[0, 0, 0, 0]) for one in sequences.stretches(Part.TRAIN, 7, 3)] == [0, 14, 28]
    assert sequences.stretches(Part.TEST, 7, 3) == []
