"""The dataset of a training: the films that can be read, with content, class and group in one order."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import followed, frame_number, make_film, make_squares, paint_number

from vidrnn.data.cache import Cache, Rendering, Steps
from vidrnn.data.dataset import Dataset, read_dataset
from vidrnn.data.films import content_hash
from vidrnn.data.listing.labelled import read_films, read_labelled
from vidrnn.errors import DataError
from vidrnn.events import LeftOut, Note, Progress, RunEvent
from vidrnn.values import Size
from vidrnn.video.reader import open_film


def read(data: Path, cache: Path | None = None) -> tuple[Dataset, list[RunEvent]]:
    return followed(read_dataset(read_labelled(data), data, cache, jobs=2))


@pytest.fixture
def films(class_folders: Path, tmp_path: Path) -> Path:
    return shutil.copytree(class_folders, tmp_path / "films")


def test_films_scans_groups_and_labels_stand_in_one_order(class_folders: Path) -> None:
    dataset, _ = read(class_folders)
    assert len(dataset.films) == len(dataset.scans) == len(dataset.groups) == len(dataset.labels) == 12
    assert dataset.classes == ("fall", "rise")
    assert dataset.labels is dataset.labels, "computed once"
    for film, scan, group, label in zip(dataset.films, dataset.scans, dataset.groups, dataset.labels, strict=True):
        assert scan.facts.path == film.path
        assert scan.content_hash == content_hash(film.path)
        assert dataset.classes[label] == film.label
        assert f"_{group}_" in film.path.name


def test_a_film_without_a_class_of_its_own_has_an_unknown_label(class_folders: Path) -> None:
    dataset, _ = read(class_folders)
    films = (replace(dataset.films[0], label="", frames=("fall", "rise")), *dataset.films[1:])
    labels = replace(dataset, films=films).labels
    assert labels[0] == -1 and (labels[1:] == dataset.labels[1:]).all()


def test_frames_and_durations_are_measured(class_folders: Path) -> None:
    dataset, _ = read(class_folders)
    assert dataset.frames == 2 * sum(range(12, 18))
    first = sorted(range(12), key=lambda place: dataset.films[place].path.name)[:2]
    assert dataset.durations_seconds(first) == pytest.approx([1.2, 1.3])


def test_the_median_size_is_the_median_after_rotation(tmp_path: Path) -> None:
    for number, size in enumerate([Size(48, 64), Size(48, 64), Size(480, 640)]):
        label = "ab"[number % 2]
        make_film(
            tmp_path / label / f"{number}.avi",
            frames=4,
            size=size,
            paint=lambda i, size, number=number: paint_number(i + 500 * number, size),
        )
    assert read(tmp_path)[0].median_size == Size(48, 64)


def test_events_report_each_film_and_a_summary(class_folders: Path) -> None:
    _, events = read(class_folders)
    steps = [event for event in events if isinstance(event, Progress)]
    done = [step.done for step in steps]
    assert done == sorted(set(done)) and done[-1] == 12, "the last one is always shown"
    assert {step.total for step in steps} == {12}
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(note.startswith("12 clips, 2 classes, 174 frames; 3 groups (from names") for note in notes)


def test_a_copy_of_a_film_is_left_out_with_a_note(films: Path) -> None:
    shutil.copy(films / "rise" / "rise_g01_c01.avi", films / "rise" / "rise_g01_c01 (copy).avi")
    dataset, events = read(films)
    hashes = [scan.content_hash for scan in dataset.scans]
    assert len(hashes) == len(set(hashes)) == 12
    assert any("exact copies of others: 1 video" in event.text for event in events if isinstance(event, Note))


def test_films_without_labels_are_counted_as_films(tmp_path: Path) -> None:
    data = make_squares(tmp_path / "films", 3)
    dataset, events = followed(read_dataset(read_films(data), data, None, jobs=2, labelled=False))
    assert dataset.classes == ("",) and len(dataset.films) == 3
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(note.startswith("3 videos, 63 frames;") for note in notes)


def test_some_films_of_a_dataset_have_their_scans_groups_and_labels(class_folders: Path) -> None:
    whole, _ = read(class_folders)
    some = whole.at([7, 2])
    assert some.films == (whole.films[7], whole.films[2]) and some.scans == (whole.scans[7], whole.scans[2])
    assert some.groups == (whole.groups[7], whole.groups[2])
    assert some.labels.tolist() == [whole.labels[7], whole.labels[2]] and some.classes == whole.classes


def test_an_unreadable_film_is_left_out_and_does_not_shift_the_rest(films: Path) -> None:
    bad = films / "fall" / "fall_g01_c01.avi"
    bad.write_bytes(b"")
    dataset, events = read(films)
    (left_out,) = [event for event in events if isinstance(event, LeftOut)]
    assert [failure.path for failure in left_out.failures] == [bad]
    assert dataset.failures == left_out.failures
    assert np.bincount(dataset.labels).tolist() == [5, 6]
    assert all(film.path == scan.facts.path for film, scan in zip(dataset.films, dataset.scans, strict=True))


def test_a_class_without_a_readable_film_is_an_error(films: Path) -> None:
    for film in (films / "fall").iterdir():
        film.write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match=r"no video of the class fall can be read"):
        read(films)


def test_a_second_reading_reads_no_film(class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = read(class_folders, tmp_path)
    monkeypatch.setattr("vidrnn.data.scan.open_film", lambda *_, **__: pytest.fail("a video was read again"))
    again, _ = read(class_folders, tmp_path)
    assert [scan.content_hash for scan in again.scans] == [scan.content_hash for scan in first.scans]


def excerpts(folder: Path, *rows: str, columns: str = "start,end") -> Path:
    """Two films of 40 numbered frames at 10 a second, and a manifest of parts of them."""
    for number in range(2):
        make_film(folder / f"{number}.mkv", frames=40, fps=10.0, size=Size(48, 64 + 16 * number))
    path = folder / "clips.csv"
    path.write_text("\n".join([f"path,label,{columns}", *rows]))
    return path


class TestExcerpts:
    ROWS = ("0.mkv,a,0,1", "0.mkv,b,1.95,2.45", "1.mkv,a,3.5,4", "1.mkv,b,0,1")

    def test_a_film_is_read_once_and_its_parts_are_clips_of_one_group(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[Path] = []
        from vidrnn.data import scan as scan_module

        def count(path: Path, **how: object) -> object:
            opened.append(path)
            return open_film(path, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(scan_module, "open_film", count)
        dataset, events = read(excerpts(tmp_path, *self.ROWS))
        assert len(opened) == 2
        assert [scan.facts.frames for scan in dataset.scans] == [10, 5, 5, 10]
        assert len(dataset.films) == 4 and dataset.frames == 30
        assert dataset.groups[0] == dataset.groups[1] != dataset.groups[2] == dataset.groups[3]
        assert any(
            isinstance(event, Note) and "4 clips, 2 classes, 30 frames; 2 groups" in event.text for event in events
        )

    def test_a_scan_of_a_part_is_what_reading_the_part_finds(self, tmp_path: Path) -> None:
        dataset, _ = read(excerpts(tmp_path, *self.ROWS))
        for scan in dataset.scans:
            with open_film(scan.facts.path, excerpt=scan.excerpt) as film:
                facts = film.facts()
                assert film.frame_seconds == pytest.approx(scan.frame_seconds)
            assert facts.frames == scan.facts.frames
            assert facts.duration_seconds == pytest.approx(scan.facts.duration_seconds, abs=0.002)

    def test_the_cache_holds_the_frames_of_each_part(self, tmp_path: Path) -> None:
        dataset, _ = read(excerpts(tmp_path, *self.ROWS))
        cache = Cache(tmp_path / "cache")
        for _ in range(2):
            steps = list(cache.frames(dataset.scans, Rendering(0.1, Size(48, 64))))
            numbers = [[frame_number(pixels) for pixels in each.array] for each in steps if isinstance(each, Steps)]
            assert numbers == [[*range(10)], [*range(20, 25)], [*range(35, 40)], [*range(10)]]

    def test_parts_that_differ_by_little_have_entries_of_their_own(self, tmp_path: Path) -> None:
        dataset, _ = read(excerpts(tmp_path, "0.mkv,a,0.1234567890123,1", "0.mkv,a,0.1234567890124,1", "1.mkv,b,0,1"))
        cache = Cache(tmp_path / "cache")
        list(cache.frames(dataset.scans, Rendering(0.1, Size(48, 64))))
        assert len([*cache.folder.rglob("*.index.npy")]) == len(dataset.films) == 3

    def test_a_part_behind_the_end_costs_its_row_and_a_late_end_is_told(self, tmp_path: Path) -> None:
        rows = (*self.ROWS, "0.mkv,a,9,10", "1.mkv,a,2,40")
        dataset, events = read(excerpts(tmp_path, *rows))
        assert len(dataset.films) == 5
        assert "no frame lies in its part from 9 to 10 seconds; it has 40 frames" in dataset.failures[0].reason
        warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
        assert "videos that are missing or cannot be read: a 1 of 4" in warnings
        assert any("end after the video does, by 36.0 s at most" in text and "start_frame" in text for text in warnings)


def test_a_class_of_which_some_films_are_missing_is_told_with_counts(films: Path) -> None:
    broken = next((films / "rise").iterdir())
    broken.write_bytes(b"no film")
    (films / "rise" / "away.avi").symlink_to("../.git/annex/objects/xx/away.avi")
    _, events = read(films)
    warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert "videos that are missing or cannot be read: rise 2 of 7" in warnings


def test_a_rate_that_the_owner_knows_counts_in_place_of_the_times_of_the_film(tmp_path: Path) -> None:
    rows = ("0.mkv,a,20,1,2", "0.mkv,b,20,0,0.5", "1.mkv,a,,1,2", "1.mkv,b,,0,1")
    dataset, events = read(excerpts(tmp_path, *rows, columns="fps,start,end"))
    assert [scan.facts.frames for scan in dataset.scans] == [20, 10, 10, 10]
    assert any(isinstance(event, Note) and "times are counted by the column fps" in event.text for event in events)
    cache = Cache(tmp_path / "cache")
    steps = list(cache.frames(dataset.scans, Rendering(0.25, Size(48, 64))))
    numbers = [[frame_number(pixels) for pixels in each.array] for each in steps if isinstance(each, Steps)]
    assert numbers == [[20, 25, 30, 35], [0, 5], [10, 13, 15, 18], [0, 3, 5, 8]]
