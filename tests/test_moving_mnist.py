"""The generator of moving digits keeps the published rules, one seed gives one set, and its films lose nothing."""

from __future__ import annotations

import gzip
import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vidrnn.video.reader import open_film

FREE = 36  # pixels that a digit of 28 has to move in, in a frame of 64


@pytest.fixture(scope="module")
def mnist() -> ModuleType:
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "moving_mnist.py"
    spec = importlib.util.spec_from_file_location("moving_mnist", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def idx(path: Path, pictures: np.ndarray) -> Path:
    raw = np.array([0x0803, *pictures.shape], ">u4").tobytes() + pictures.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def blocks(*brightness: int) -> np.ndarray:
    """Digits that are full squares, so that the corner of one is seen."""
    return np.stack([np.full((28, 28), each, np.uint8) for each in brightness])


def corners(clip: np.ndarray, brightness: int) -> np.ndarray:
    """Top left of what shines in each frame (frames, 2)."""
    return np.array([np.argwhere(frame == brightness).min(0) for frame in clip])


def test_digits_are_read_from_idx_files_gzipped_or_not(mnist: ModuleType, tmp_path: Path) -> None:
    given = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    for name in ("digits-idx3-ubyte", "digits-idx3-ubyte.gz"):
        assert (mnist.read_digits(idx(tmp_path / name, given)) == given).all()


def test_a_file_that_is_cut_or_has_no_digits_for_a_part_is_refused(mnist: ModuleType, tmp_path: Path) -> None:
    file = idx(tmp_path / "few", blocks(1, 2, 3))
    with pytest.raises(SystemExit, match=r"few: 3 pictures leave none for val\. Use --part all\."):
        mnist.read_digits(file, "val")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SystemExit, match="not a whole idx file"):
        mnist.read_digits(file)


@pytest.mark.footage
def test_training_and_validation_share_no_digit(mnist: ModuleType, footage: Path) -> None:
    file = footage / "mnist" / "train-images-idx3-ubyte.gz"
    train, val = mnist.read_digits(file, "train"), mnist.read_digits(file, "val")
    assert (len(train), len(val)) == (50_000, 10_000)
    assert not {one.tobytes() for one in train} & {one.tobytes() for one in val}


def test_one_seed_is_one_set_and_a_larger_set_begins_with_the_smaller(mnist: ModuleType) -> None:
    digits = blocks(60, 120, 180)
    few, many, other = (mnist.moving_digits(digits, n, seed=seed) for n, seed in ((3, 1), (5, 1), (3, 2)))
    assert few.shape == (3, 20, 64, 64) and few.dtype == np.uint8
    assert (many[:3] == few).all()
    assert (other != few).any((1, 2, 3)).all()


def test_a_digit_goes_straight_by_a_tenth_of_its_range_and_turns_back_at_the_borders(mnist: ModuleType) -> None:
    for path in mnist._paths([np.random.default_rng(seed) for seed in range(50)], 40)[:, :, 0]:
        assert path.min() >= 0 and path.max() <= 1
        steps = np.diff(path, axis=0)
        free = [i for i, (a, b) in enumerate(pairwise(path)) if min(*a, *b) > 0 and max(*a, *b) < 1]
        assert np.hypot(*steps[free].T) == pytest.approx(0.1)
        assert np.abs(steps[free]) == pytest.approx(np.broadcast_to(np.abs(steps[free[0]]), (len(free), 2)))
        for axis in range(2):
            for i in np.flatnonzero((path[1:-1, axis] == 0) | (path[1:-1, axis] == 1)) + 1:
                assert steps[i, axis] * steps[i - 1, axis] <= 0, "it turns back where it touches"


def test_digits_are_whole_and_the_brighter_pixel_wins(mnist: ModuleType) -> None:
    clips = mnist.moving_digits(blocks(100, 200), 12, seed=3)
    mixed = [clip for clip in clips if {100, 200} <= set(np.unique(clip))]
    assert mixed and all(set(np.unique(clip)) <= {0, 100, 200} for clip in clips), "nothing is added up"
    for clip in mixed:
        found = corners(clip, 200)
        assert found.min() >= 0 and found.max() <= FREE
        assert ((clip == 200).sum((1, 2)) == 28 * 28).all(), "the brighter one hides the other"


def test_films_are_read_back_exactly(mnist: ModuleType, tmp_path: Path) -> None:
    clips = mnist.moving_digits(np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8), 2, frames=6, seed=4)
    paths = mnist.write_films(clips, tmp_path / "films")
    assert sorted((tmp_path / "films").iterdir()) == paths
    for path, clip in zip(paths, clips, strict=True):
        with open_film(path) as film:
            frames = list(film.frames())
        assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
        assert all((frame.pixels == grey[..., None]).all() for frame, grey in zip(frames, clip, strict=True))


def test_a_network_learns_digits_that_move_and_is_scored_beside_baselines(mnist: ModuleType, tmp_path: Path) -> None:
    digits = blocks(200, 255)
    training = mnist.Training(head="convgru", decoder="direct", epochs=1, steps=1, minibatch=2, validated=1)
    fit = training.fit(digits, digits)
    [epoch] = fit.run()
    assert epoch.number == 1 and epoch.validation.finite
    model = mnist.model_of(fit.lesson.network, training, tmp_path)
    numbers = mnist.scores_of(model, digits, mnist.moving_digits(digits, 1), "blocks", averaged=2).numbers
    assert numbers["mse_sum"] > 0 and "the last frame" in " ".join(numbers["baselines"])
