"""The cache decodes and encodes each film once, and its entries depend on the right facts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import frame_number, make_film, make_pictures

from vidrnn.data import cache as cache_module
from vidrnn.data import store as store_module
from vidrnn.data.cache import Array, Cache, Encoding, Rendering, Steps
from vidrnn.data.scan import scan_film
from vidrnn.data.stored import mapped
from vidrnn.data.stored.mapped import MappedArray, OpenMaps
from vidrnn.errors import OutputError
from vidrnn.values import FilmFailure, FilmScan, Pixels, Size

GRID = Rendering(spacing_seconds=0.08, size=Size(24, 32))


class Counting:
    """An encoder that gives the number painted on each frame and the mean of the left half. It counts its frames.

    Where it gets the frames before, it encodes those.
    """

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, pixels: Pixels, before: Pixels | None = None) -> Array:
        if before is not None:
            return self(before)
        self.frames += len(pixels)
        left = pixels[:, :, : pixels.shape[2] // 2].mean(axis=(1, 2, 3))
        return np.stack([[frame_number(one) for one in pixels], left], axis=1).astype(np.float32)


@dataclass
class Desk:
    """A film, a cache and an encoder that counts."""

    film: Path
    cache: Cache
    encode: Counting

    def features(
        self,
        scan: FilmScan | None = None,
        grid: Rendering = GRID,
        name: str = "a",
        mirrored: bool = False,
        pictures: int = 64,
    ) -> Array:
        encodings = [Encoding(self.encode, name, 2, pictures=pictures)]
        (steps,) = self.cache.features([scan or scan_film(self.film)], grid, encodings, mirrored)
        assert isinstance(steps, Steps)
        return steps.array

    def steps(self, scan: FilmScan | None = None, grid: Rendering = GRID) -> Steps:
        (steps,) = self.cache.frames([scan or scan_film(self.film)], grid)
        assert isinstance(steps, Steps)
        return steps

    def frames(self, scan: FilmScan | None = None, grid: Rendering = GRID) -> Array:
        return self.steps(scan, grid).array

    def newly_encoded(self, make: Callable[[], object]) -> int:
        """The number of frames that `make` encodes."""
        before = self.encode.frames
        make()
        return self.encode.frames - before


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    film = make_film(tmp_path / "film.mkv", frames=25, fps=25.0)
    return Desk(film, Cache(tmp_path / "cache"), Counting())


def entries(cache: Cache) -> Sequence[Path]:
    return sorted(cache.folder.rglob("*.npy"))


def test_frames_lie_on_the_grid_and_have_the_size_of_the_rendering(desk: Desk) -> None:
    frames = desk.frames()
    assert frames.shape == (13, 24, 32, 3)
    assert frames.dtype == np.uint8
    assert [frame_number(one) for one in frames] == list(range(0, 25, 2))


@pytest.mark.parametrize("mirrored", [False, True])
def test_each_step_has_the_index_of_its_frame_in_the_film(desk: Desk, mirrored: bool) -> None:
    scan, coarse = scan_film(desk.film), replace(GRID, spacing_seconds=0.12)
    for _ in ("computed", "read from the cache"):
        steps = desk.steps(scan, coarse)
        assert steps.indices.tolist() == list(range(0, 25, 3)) == [frame_number(one) for one in steps.array]
        (encoded,) = desk.cache.features([scan], coarse, [Encoding(desk.encode, "a", 2)], mirrored)
        assert isinstance(encoded, Steps) and encoded.indices.tolist() == list(range(0, 25, 3))


def test_features_are_computed_once_and_then_read(desk: Desk) -> None:
    first = desk.features()
    assert first.shape == (1, 13, 2)
    assert first[0, :, 0].tolist() == list(range(0, 25, 2))
    assert desk.newly_encoded(desk.features) == 0
    assert np.array_equal(desk.features(), first)


def test_frames_are_decoded_once_and_then_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scan_film(desk.film)
    first = np.array(desk.frames(scan))
    monkeypatch.setattr("vidrnn.data.cache.open_film", lambda *_, **__: pytest.fail("the video was read again"))
    assert np.array_equal(desk.frames(scan), first)


def test_another_process_reads_the_same_entries(desk: Desk) -> None:
    desk.features()
    again = replace(desk, cache=Cache(desk.cache.folder, threads=2))
    assert again.newly_encoded(again.features) == 0


def test_a_renamed_film_has_the_same_entry_and_a_changed_one_has_not(desk: Desk, tmp_path: Path) -> None:
    desk.features()
    moved = tmp_path / "elsewhere" / "renamed.mkv"
    moved.parent.mkdir()
    shutil.copy(desk.film, moved)
    assert desk.newly_encoded(lambda: desk.features(scan_film(moved))) == 0
    make_film(desk.film, frames=24, fps=25.0)
    assert desk.newly_encoded(desk.features) == 12


@pytest.mark.parametrize(
    "other",
    [
        {"grid": replace(GRID, size=Size(24, 48))},
        {"grid": replace(GRID, spacing_seconds=0.16)},
        {"name": "other weights"},
    ],
    ids=["size", "spacing", "weights"],
)
def test_another_size_spacing_or_encoder_has_entries_of_its_own(desk: Desk, other: dict[str, Any]) -> None:
    desk.features()
    assert desk.newly_encoded(lambda: desk.features(**other)) > 0
    assert desk.newly_encoded(desk.features) == 0, "the older entry must still stand"


def test_a_folder_of_pictures_is_read_at_the_given_rate(desk: Desk, tmp_path: Path) -> None:
    pictures = scan_film(make_pictures(tmp_path / "pictures", frames=12), rate=10.0)
    slow = replace(GRID, spacing_seconds=0.2, rate=10.0)
    assert [frame_number(one) for one in desk.frames(pictures, slow)] == [0, 2, 4, 6, 8, 10]
    assert [frame_number(one) for one in desk.frames(pictures, replace(slow, rate=20.0))] == [0, 4, 8]


def test_mirrored_features_are_those_of_the_mirrored_pictures(desk: Desk) -> None:
    both = desk.features(mirrored=True)
    pixels = np.asarray(desk.frames())
    assert both.shape == (2, 13, 2)
    assert np.array_equal(both[0], Counting()(pixels))
    assert np.array_equal(both[1], Counting()(pixels[:, :, ::-1]))
    assert not np.array_equal(both[0], both[1])


def test_mirrored_features_are_computed_if_only_plain_ones_are_cached(desk: Desk) -> None:
    plain = desk.features()
    both = desk.features(mirrored=True)
    assert both.shape[0] == 2
    assert np.array_equal(both[:1], plain)


@pytest.mark.parametrize("chunk", [2, 3, 7])
def test_long_films_are_encoded_piece_by_piece_with_the_same_result(desk: Desk, chunk: int) -> None:
    whole = desk.features(name="whole", mirrored=True)
    assert np.array_equal(desk.features(name="in pieces", mirrored=True, pictures=chunk), whole)


@pytest.mark.parametrize("damage", [b"", b"not numpy at all", None], ids=["empty", "foreign", "cut"])
@pytest.mark.parametrize("which", [0, 1], ids=["indices", "array"])
def test_a_damaged_entry_is_computed_again(desk: Desk, damage: bytes | None, which: int) -> None:
    whole = desk.features()
    entry = entries(desk.cache)[which]
    entry.write_bytes(entry.read_bytes()[:-20] if damage is None else damage)
    assert np.array_equal(desk.features(), whole)
    assert desk.newly_encoded(desk.features) == 0


def test_films_come_in_order_and_a_vanished_one_costs_a_row(desk: Desk, tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{number}.mkv", frames=number) for number in (2, 4, 6)]
    scans = [scan_film(film) for film in films]
    films[1].unlink()
    cache = Cache(tmp_path / "cache", threads=2)
    first, lost, last = cache.features(scans, GRID, [Encoding(desk.encode, "a", 2)], mirrored=False)
    assert isinstance(first, Steps) and first.array.shape[1] == 1
    assert isinstance(last, Steps) and last.array.shape[1] == 3
    assert isinstance(lost, FilmFailure)
    assert lost.path == films[1]
    assert "no such file" in lost.reason


def test_two_requests_for_one_film_at_the_same_time_both_succeed(desk: Desk) -> None:
    scan = scan_film(desk.film)
    cache = Cache(desk.cache.folder, threads=8)
    for number in range(5):
        grid = replace(GRID, size=Size(24, 32 + number))
        arrays = [steps.array for steps in cache.frames([scan] * 8, grid) if isinstance(steps, Steps)]
        assert len(arrays) == 8 and all(np.array_equal(array, arrays[0]) for array in arrays)


def test_no_incomplete_file_has_a_final_name(desk: Desk) -> None:
    def failing(pixels: Pixels, before: Pixels | None) -> Array:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(desk.cache.features([scan_film(desk.film)], GRID, [Encoding(failing, "a", 2)], mirrored=False))
    assert not entries(desk.cache)
    assert desk.features().shape == (1, 13, 2)


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(desk: Desk, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    with pytest.raises(OutputError, match=r"could not be written: .*a file is a file.*VIDRNN_CACHE"):
        list(Cache(blocked).frames([scan_film(desk.film)], GRID))


# --- motion ----------------------------------------------------------------------------------------------------------


def motion(desk: Desk, name: str, seconds: float | None = 0.08) -> Encoding:
    return Encoding(desk.encode, name, 2, seconds)


def views(desk: Desk, *encodings: Encoding, mirrored: bool = False) -> tuple[Steps, ...]:
    (found,) = desk.cache.views([scan_film(desk.film)], GRID, encodings, mirrored)
    assert isinstance(found, tuple)
    return found


def opened_times(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The films that the cache opens from now on."""
    seen: list[Path] = []
    open_film = cache_module.open_film
    monkeypatch.setattr(cache_module, "open_film", lambda path, **how: seen.append(path) or open_film(path, **how))
    return seen


@pytest.mark.parametrize("mirrored", [False, True])
def test_each_view_is_encoded_once_and_a_film_is_decoded_once_for_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mirrored: bool
) -> None:
    opened, copies = opened_times(monkeypatch), 2 if mirrored else 1
    appearance, difference = views(desk, motion(desk, "a", None), motion(desk, "a-difference"), mirrored=mirrored)
    assert len(opened) == 1 and desk.encode.frames == 2 * copies * 13
    assert appearance.array[0, :, 0].tolist() == list(range(0, 25, 2))
    assert difference.array[0, :, 0].tolist() == [0, 0, *range(2, 23, 2)]
    assert desk.newly_encoded(lambda: views(desk, motion(desk, "a-difference"), mirrored=mirrored)) == 0
    flow = motion(desk, "a-flow")
    assert desk.newly_encoded(lambda: views(desk, motion(desk, "a", None), flow, mirrored=mirrored)) == 13 * copies
    assert len(opened) == 2


def test_features_of_several_views_stand_one_after_the_other(desk: Desk) -> None:
    encodings = [motion(desk, "a", None), motion(desk, "a-difference")]
    (joined,) = desk.cache.features([scan_film(desk.film)], GRID, encodings, mirrored=True)
    assert isinstance(joined, Steps) and joined.array.shape == (2, 13, 4)
    apart = views(desk, *encodings, mirrored=True)
    assert np.array_equal(joined.array, np.concatenate([view.array for view in apart], -1))
    assert joined.indices.tolist() == apart[1].indices.tolist()


def test_another_motion_has_entries_of_its_own(desk: Desk) -> None:
    first, again = (views(desk, motion(desk, "a-difference", seconds))[0] for seconds in (0.08, 0.16))
    assert first.array[0, :, 0].tolist() == [0, 0, *range(2, 23, 2)]
    assert again.array[0, 4:, 0].tolist() == [*range(4, 21, 2)]
    with pytest.raises(ValueError, match="one time"):
        views(desk, motion(desk, "b", 0.08), motion(desk, "c", 0.16))


def test_frames_come_with_the_frames_before_and_keep_their_entry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, opened = desk.steps(), opened_times(monkeypatch)
    assert plain.before is None
    for _ in ("computed", "read from the cache"):
        (steps,) = desk.cache.frames([scan_film(desk.film)], GRID, motion_seconds=0.08)
        assert isinstance(steps, Steps) and steps.before is not None
        assert np.array_equal(steps.array, plain.array)
        assert [frame_number(one) for one in steps.before] == [0, 0, *range(2, 23, 2)]
    assert len(opened) == 1 and len(entries(desk.cache)) == 4


# --- damage ----------------------------------------------------------------------------------------------------------


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process, which has verified nothing yet."""
    monkeypatch.setattr(store_module, "_STORES", {})


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit of the numbers": lambda file: flip(file, -100),
    "a bit of the header": lambda file: flip(file, 30),
    "a bit of the sum": lambda file: flip(file, -1),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-50]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "empty": lambda file: file.write_bytes(b""),
    "another type": lambda file: np.save(file, np.load(file).astype(np.float64)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("index", [False, True], ids=["array", "indices"])
def test_a_damaged_entry_is_made_anew_and_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, damage: str, index: bool
) -> None:
    scan = scan_film(desk.film)
    frames, features = np.array(desk.frames(scan)), desk.features(scan)
    for file in entries(desk.cache):
        if file.name.endswith(".index.npy") == index:
            DAMAGES[damage](file)
    forget(monkeypatch)
    np.testing.assert_array_equal(desk.frames(scan), frames)
    np.testing.assert_array_equal(desk.features(scan), features)
    assert desk.steps(scan).indices.tolist() == list(range(0, 25, 2))
    (note,) = desk.cache.store.take_notes()
    assert "2 entries were damaged and made again" in note
    forget(monkeypatch)
    assert desk.newly_encoded(lambda: desk.features(scan)) == 0 and not desk.cache.store.take_notes()


def test_an_entry_under_the_name_of_another_one_is_not_taken_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = scan_film(desk.film)
    desk.features(scan, name="a")
    (one,) = [file for file in entries(desk.cache) if not file.name.endswith(".index.npy")]
    expected = desk.features(scan, name="b") + 0
    other = next(file for file in entries(desk.cache) if file.name[:32] not in one.name and "index" not in file.name)
    shutil.copy(one, other)
    forget(monkeypatch)
    assert desk.newly_encoded(lambda: np.testing.assert_array_equal(desk.features(scan, name="b"), expected)) > 0


def test_a_sum_is_verified_once_in_a_process(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, verified = scan_film(desk.film), []
    desk.frames(scan)
    forget(monkeypatch)
    has_right_sum = cache_module._has_right_sum
    monkeypatch.setattr(cache_module, "_has_right_sum", lambda file: verified.append(file) or has_right_sum(file))
    for _ in range(3):
        desk.frames(scan)
    assert len(verified) == 1, "the array; its indices are small and verified each time"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry stays open, and nothing is kept in memory, as with very many films."""
    monkeypatch.setattr(store_module, "KEPT_OPEN", 0)
    monkeypatch.setattr(store_module, "memory_to_spend", lambda: 0)
    monkeypatch.setattr(mapped, "OPEN_MAPS", OpenMaps(2))


@pytest.mark.usefixtures("late")
def test_entries_beyond_those_that_stay_open_are_opened_when_they_are_read(tmp_path: Path) -> None:
    films = [make_film(tmp_path / f"{number}.mkv", frames=20 + number) for number in range(5)]
    scans = [scan_film(film) for film in films]
    first, second = (list(Cache(tmp_path / "cache").frames(scans, GRID, motion_seconds=0.08)) for _ in range(2))
    for steps, again in zip(first, second, strict=True):
        assert isinstance(steps, Steps) and isinstance(again, Steps) and again.before is not None
        assert isinstance(steps.array, MappedArray) and isinstance(again.array, MappedArray)
        assert [frame_number(one) for one in again.array] == again.indices.tolist() == steps.indices.tolist()
        assert frame_number(np.asarray(again.before[3:5])[1]) == 6
    assert len(mapped.OPEN_MAPS) == 2


@pytest.mark.usefixtures("late")
def test_features_beyond_the_memory_stay_in_their_files(desk: Desk) -> None:
    for _ in ("encoded", "read from the cache"):
        found = desk.features(mirrored=True)
        assert isinstance(found, MappedArray) and found.shape == (2, 13, 2)
        assert np.asarray(found[0])[:, 0].tolist() == list(range(0, 25, 2))
    assert desk.encode.frames == 26


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_an_entry_that_is_lost_while_a_training_runs_is_made_again(
    desk: Desk, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.frames()
    forget(monkeypatch)
    found = desk.frames()
    file = next(file for file in entries(desk.cache) if not file.name.endswith(".index.npy"))
    if damage == "gone":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[500] ^= 1
        file.write_bytes(content)
    assert [frame_number(one) for one in found] == list(range(0, 25, 2))


@pytest.mark.usefixtures("late")
def test_films_that_are_opened_late_are_only_looked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scan_film(desk.film)
    wanted = [np.array(each) for each in (desk.frames(scan), desk.features(scan))]
    forget(monkeypatch)
    with monkeypatch.context() as patch:
        for name in ("memmap", "load", "frombuffer"):
            patch.setattr(cache_module.np, name, lambda *_, **__: pytest.fail("an entry was opened"))
        frames, features = desk.frames(scan), desk.features(scan)
        assert (frames.shape, features.shape) == tuple(each.shape for each in wanted)
    assert np.array_equal(frames, wanted[0]) and np.array_equal(features, wanted[1])


@pytest.mark.usefixtures("late")
def test_a_film_that_is_opened_late_is_made_again_if_its_entry_is_cut_short(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = np.array(desk.frames())
    forget(monkeypatch)
    for file in entries(desk.cache):
        file.write_bytes(file.read_bytes()[:-7])
    found = desk.steps(scan_film(desk.film), GRID)
    assert np.array_equal(found.array, wanted) and found.indices.tolist() == list(range(0, 25, 2))


@pytest.mark.usefixtures("late")
def test_features_that_are_opened_late_stay_in_memory_once_they_are_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = np.array(desk.features())
    monkeypatch.setattr(store_module, "_STORES", {})
    monkeypatch.setattr(store_module, "memory_to_spend", lambda: 10_000)
    found = desk.features()
    assert np.array_equal(found, wanted)
    for file in entries(desk.cache):
        file.unlink()
    monkeypatch.setattr(mapped, "OPEN_MAPS", OpenMaps(2))
    assert np.array_equal(found, wanted) and desk.newly_encoded(lambda: found[0]) == 0


def test_features_stay_in_memory_as_long_as_there_is_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_STORES", {})
    monkeypatch.setattr(store_module, "memory_to_spend", lambda: 13 * 2 * 4 + 50)
    assert [type(desk.features(name=name)) for name in "ab"] == [np.ndarray, np.memmap]
