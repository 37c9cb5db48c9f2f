"""Random changes of clips: equal for all frames of a clip, different between clips, and the same in any thread."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vidrnn.train.augment import Augmentation, draw_augmentation

HEIGHT, WIDTH = 20, 30


def still_films(clips: int, time: int = 3) -> Tensor:
    """The same picture in every frame of every clip: a bright block to the left of the middle."""
    films = torch.full((clips, time, HEIGHT, WIDTH, 3), 60, dtype=torch.uint8)
    films[:, :, 8:12, 8:12] = 180
    return films


def change(
    *, down: float = 0, right: float = 0, scale: float = 0, light: float = 0, mirror: float = -1
) -> Augmentation:
    return Augmentation(np.array([[right, down, scale, 0.0, light, light, light, mirror]]), flip=True)


def block(films: Tensor) -> tuple[float, float]:
    """Where the middle of the bright block stands: its row and column."""
    rows, columns = (films[0, 0, ..., 0] > 120).nonzero(as_tuple=True)
    return float(rows.float().mean()), float(columns.float().mean())


def drawn(count: int, *, flip: bool, strength: float = 1.0, seed: int = 5) -> Augmentation:
    return draw_augmentation(count, flip, strength, torch.Generator().manual_seed(seed))


def test_all_frames_of_a_clip_change_alike_and_clips_change_differently() -> None:
    changed = drawn(6, flip=True)(still_films(6), 0)
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    assert len({clip.numpy().tobytes() for clip in changed}) == 6


def test_shape_and_type_stay() -> None:
    films = still_films(2)
    changed = drawn(2, flip=False)(films, 0)
    assert changed.shape == films.shape and changed.dtype == torch.uint8 and changed.is_contiguous()
    assert torch.equal(films, still_films(2)), "the clips that were given are left alone"


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_parts_of_a_share_change_like_the_whole(cut: int) -> None:
    films, changes = still_films(6), drawn(6, flip=True)
    parts = [changes(films[:cut], 0), changes(films[cut:], cut)]
    assert torch.equal(torch.cat(parts), changes(films, 0))


def test_the_random_numbers_follow_the_generator() -> None:
    first = drawn(4, flip=False, seed=1).amounts
    assert np.array_equal(drawn(4, flip=False, seed=1).amounts, first)
    assert not np.array_equal(drawn(4, flip=False, seed=2).amounts, first)


def test_amounts_of_zero_change_nothing() -> None:
    films = still_films(1)
    assert torch.equal(change()(films, 0), films)


def test_half_of_the_clips_are_mirrored_if_allowed_and_none_otherwise() -> None:
    films = still_films(1)
    assert torch.equal(change(mirror=0.5)(films, 0), films.flip(3))
    assert torch.equal(change(mirror=-0.5)(films, 0), films)
    forbidden = Augmentation(change(mirror=0.5).amounts, flip=False)
    assert torch.equal(forbidden(films, 0), films)
    assert 60 <= (drawn(128, flip=True).amounts[:, -1] > 0).sum() <= 90


def test_shifts_follow_their_amounts() -> None:
    row, column = block(still_films(1))
    down = block(change(down=1.0)(still_films(1), 0))
    right = block(change(right=1.0)(still_films(1), 0))
    assert down == pytest.approx((row + 0.06 * HEIGHT, column), abs=0.6) and down[0] > row
    assert right == pytest.approx((row, column + 0.1 * WIDTH), abs=0.6) and right[1] > column


def test_scale_and_brightness_follow_their_amounts() -> None:
    films = still_films(1)

    def area(of: Tensor) -> int:
        return int((of[0, 0, ..., 0] > 120).sum())

    assert area(change(scale=1.0)(films, 0)) >= area(films) >= area(change(scale=-1.0)(films, 0))
    assert area(change(scale=1.0)(films, 0)) > area(change(scale=-1.0)(films, 0))
    plain = float(films.float().mean())
    for sign, share in ((1.0, 1.25), (-1.0, 0.75)):
        lit = float(change(light=sign)(films, 0).float().mean())
        assert lit == pytest.approx(share * plain, rel=0.02)


def test_each_colour_has_a_brightness_of_its_own() -> None:
    films = still_films(1)
    red = Augmentation(np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0]]), flip=False)(films, 0)
    assert float(red[..., 0].float().mean()) == pytest.approx(1.25 * float(films[..., 0].float().mean()), rel=0.02)
    assert torch.equal(red[..., 1:], films[..., 1:])


def test_without_strength_only_mirroring_changes_clips() -> None:
    films = still_films(6)
    for before, after in zip(films, drawn(6, flip=True, strength=0.0)(films, 0), strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(2))
