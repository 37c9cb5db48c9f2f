"""Labels of frames: correct manifests, and an error for each wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from vidrnn.data.frame_labels import FrameLabels, is_frame_manifest, read_frame_labels
from vidrnn.errors import DataError, FilmError
from vidrnn.video.reader import open_film

Rows = Iterable[tuple[object, object, object]]


def manifest(folder: Path, rows: Rows, *, header: str = "path,frame,label") -> Path:
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"")
    file = folder / "frames.csv"
    file.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return file


def labelled(name: str, labels: str, first: int = 0) -> Rows:
    """A letter for each frame: n for normal, a for anomaly."""
    words = {"n": "normal", "a": "anomaly"}
    return [(name, number, words[letter]) for number, letter in enumerate(labels, first)]


def test_each_film_has_its_labels_in_order(tmp_path: Path) -> None:
    rows = [*labelled("a.mp4", "nna"), *labelled("b.mp4", "an")]
    found = read_frame_labels(manifest(tmp_path, reversed(rows)))
    assert {film.path.name: film.anomalous.tolist() for film in found.films} == {
        "a.mp4": [False, False, True],
        "b.mp4": [True, False],
    }
    assert not found.failures and not found.notes
    found.check_two_kinds(tmp_path)


def test_one_film_spelled_in_two_ways_is_one(tmp_path: Path) -> None:
    found = read_frame_labels(manifest(tmp_path, [("a.mp4", 0, "normal"), ("./a.mp4", 1, "anomaly")]))
    assert [film.labels for film in found.films] == [("normal", "anomaly")]


def test_frame_numbers_start_at_one_if_no_film_has_a_frame_zero(tmp_path: Path) -> None:
    found = read_frame_labels(manifest(tmp_path, [*labelled("a.mp4", "na", 1), *labelled("b.mp4", "an", 1)]))
    assert [film.labels for film in found.films] == [("normal", "anomaly"), ("anomaly", "normal")]
    assert found.notes == ("frame numbers start at 1: no frame has the number 0",)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [("gone.mp4", 0, "normal"), ("gone.mp4", 1, "normal")],
            "line 4 of the manifest names a file that is not there",
        ),
        (labelled("b.mp4", "na", 1), "1 of its frames 0 to 2 have no label (the first is 0)"),
        ([*labelled("b.mp4", "na"), ("b.mp4", 9, "anomaly")], "7 of its frames 0 to 9 have no label (the first is 2)"),
        ([*labelled("b.mp4", "na"), ("b.mp4", 1, "normal")], "frame 1 is labelled twice, 'anomaly' and 'normal'"),
        ([("b.mp4", 0, "")], "line 4 of the manifest has no label"),
        ([("b.mp4", 10**8, "normal")], "100,000,000 of its frames"),
    ],
)
def test_a_film_with_missing_labels_is_a_failure(tmp_path: Path, rows: Rows, reason: str) -> None:
    found = read_frame_labels(manifest(tmp_path, [*labelled("a.mp4", "na"), *rows]))
    assert [film.path.name for film in found.films] == ["a.mp4"]
    (failure,) = found.failures
    assert reason in failure.reason


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        ("path,frame,label", [("a.mp4", "2.5", "normal")], "line 2 has the frame '2.5'; frame numbers are whole"),
        ("path,frame,label", [("a.mp4", "", "normal")], "line 2 has the frame ''"),
        ("path,frame,label", [("a.mp4", -1, "normal")], "line 2 has the frame '-1'"),
        ("path,label", [("a.mp4", "normal", "")], "needs the columns path, frame and label; frame is missing"),
        (
            "path,frame,label",
            [("gone.mp4", 0, "normal")],
            "found no video with a label for each frame in 1 row.*gone.mp4",
        ),
        ("path,frame,label", [], "has a header and no row below it"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_an_error(tmp_path: Path, header: str, rows: Rows, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_frame_labels(manifest(tmp_path, rows, header=header))


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such CSV file"):
        read_frame_labels(tmp_path / "gone.csv")


def test_labels_of_anomalies_need_two_kinds(tmp_path: Path) -> None:
    odd = read_frame_labels(manifest(tmp_path, [("a.mp4", 0, "walk"), ("a.mp4", 1, "normal"), ("a.mp4", 2, "bike")]))
    with pytest.raises(DataError, match=r"frames are labelled 'bike', 'walk'\. To score anomalies"):
        odd.check_two_kinds(tmp_path)
    for letters in ("nnn", "aaa"):
        alone = read_frame_labels(manifest(tmp_path, labelled("a.mp4", letters)))
        with pytest.raises(DataError, match="every frame is labelled"):
            alone.check_two_kinds(tmp_path)


def test_words_for_the_two_kinds(tmp_path: Path) -> None:
    rows = [("a.mp4", number, word) for number, word in enumerate(["0", "1", "Usual", "UNUSUAL", "abnormal"])]
    found = read_frame_labels(manifest(tmp_path, rows))
    found.check_two_kinds(tmp_path)
    assert found.films[0].anomalous.tolist() == [False, True, False, True, True]


def test_labels_are_compared_with_the_length_of_the_film(tmp_path: Path) -> None:
    film = FrameLabels(tmp_path / "a.mp4", ("normal",) * 3)
    film.check_length(3)
    for frames in (2, 4):
        with pytest.raises(FilmError, match=rf"a.mp4: {frames} frames could be read, but 3 are labelled"):
            film.check_length(frames)


def test_which_manifests_label_frames(tmp_path: Path) -> None:
    assert is_frame_manifest(manifest(tmp_path, [], header="Path;Frame;Label"))
    assert not is_frame_manifest(manifest(tmp_path, [], header="path,label"))
    assert not is_frame_manifest(tmp_path)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\xff\xd8 no text at all")
    assert not is_frame_manifest(film)


@pytest.mark.footage
def test_every_frame_of_a_real_manifest_has_its_label(footage: Path) -> None:
    found = read_frame_labels(footage / "ped2" / "frames.csv")
    found.check_two_kinds(footage)
    assert len(found.films) == 6 and not found.failures
    assert sum(int(film.anomalous.sum()) for film in found.films) == 863
    with open_film(found.films[0].path) as film:
        found.films[0].check_length(film.facts().frames)


def test_all_wrong_numbers_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    path = tmp_path / "frames.csv"
    path.write_text(f"path,frame,label\na.mp4,x,normal\na.mp4,-1,normal\na.mp4,{'9' * 5000},normal\n")
    with pytest.raises(
        DataError, match=r"(?s)3 faults:.*line 2 has the frame 'x'.*line 3 .*line 4 has the frame '9999"
    ):
        read_frame_labels(path)


def test_a_table_of_json_lines_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    path = tmp_path / "frames.jsonl"
    path.write_text('{"video": "a.mp4", "frame": 0, "label": "normal"}\n{"video": "a.mp4", "frame": 1, "label": 1}\n')
    assert is_frame_manifest(path)
    assert [film.labels for film in read_frame_labels(path).films] == [("normal", "1")]
