"""The contract of label formats, held to every member of the family by an example of the same truth."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from examples import Example, Truth
from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import class_track, in_frames
from vidrnn.data.label_text import beginning_of
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels
from vidrnn.errors import DataError
from vidrnn.registry import load_attribute
from vidrnn.values import Annotation, LabelledFilm

EXAMPLES: dict[str, Example] = {
    name: example
    for file in sorted(Path(__file__).parent.glob("examples*.py"))
    for name, example in import_module(file.stem).EXAMPLES.items()
}
FORMATS: dict[str, LabelFormat] = {name: load_attribute(place)() for name, place in LABEL_FORMATS.items()}
TRUTH = Truth()
OPTIONS = LabelsConfig()
UTF8_MARK = b"\xef\xbb\xbf"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file with the name of the film; nothing opens it."""
    path = tmp_path / TRUTH.film
    path.write_bytes(b"")
    return path


def example(name: str, folder: Path, truth: Truth = TRUTH) -> Path:
    return EXAMPLES[name](folder, truth)


def read(name: str, path: Path) -> LabelFile:
    return FORMATS[name].read(path, OPTIONS)


def track(labels: NamedLabels | Annotation, truth: Truth = TRUTH) -> list[str]:
    """The behaviour of the truth that labels give at each frame of its film, empty where there is none."""
    scale = 1.0
    if isinstance(labels, NamedLabels) and labels.unit == "frames" and labels.rate is not None:
        scale = labels.rate
    bouts = tuple(replace(one, start=one.start / scale, end=one.end / scale) for one in labels.bouts)
    unit = labels.unit if scale == 1.0 else "seconds"
    times = np.arange(truth.frames) / truth.rate
    behaviours = sorted({one.label for one in truth.bouts})
    known = tuple(one for one in bouts if one.label in behaviours)
    annotation = in_frames(Annotation(known, None, unit), times, truth.seconds)
    names = ["", *behaviours]
    return [names[place] for place in class_track(annotation, names, np.arange(truth.frames), "")]


def only(labelled: tuple[LabelledFilm, ...]) -> LabelledFilm:
    assert len(labelled) == 1
    return labelled[0]


def test_every_format_has_an_example() -> None:
    assert set(EXAMPLES) == set(LABEL_FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_frames_and_behaviours_of_the_truth(name: str, tmp_path: Path) -> None:
    file = read(name, example(name, tmp_path))
    labels = next(one for one in file.films if one.bouts)
    assert track(labels) == TRUTH.labels
    assert file.base and FORMATS[name].title and FORMATS[name].silence in ("none", "ignore")
    assert labels.rate is None or labels.rate == pytest.approx(TRUTH.rate)
    assert labels.duration_seconds is None or labels.duration_seconds == pytest.approx(TRUTH.seconds)
    assert {one.subject for one in labels.bouts} <= {"", *(one.subject for one in TRUTH.bouts)}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_recognised_by_its_content_and_by_no_other_format(name: str, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    beginning = beginning_of(path)
    assert [other for other, each in FORMATS.items() if each.recognises(path, beginning)] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_the_film_of_an_example_is_found_beside_it(name: str, tmp_path: Path, film: Path) -> None:
    labelled = read_frame_labelled(example(name, tmp_path), LabelsConfig(films=str(tmp_path)))
    found = only(labelled.films)
    assert found.path == film and not labelled.failures
    assert found.annotation is not None
    assert track(found.annotation) == TRUTH.labels
    assert "1 of 1 video found" in labelled.notes[0] and "dig" in labelled.notes[0]


@pytest.mark.parametrize("name", FORMATS)
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(name: str, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    plain = read(name, path)
    files = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
    for file in files:
        raw = file.read_bytes()
        if b"\0" not in raw:
            file.write_bytes(UTF8_MARK + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert read(name, path) == plain
    assert FORMATS[name].recognises(path, beginning_of(path))


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_is_an_error_in_words(name: str, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    for file in [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]:
        file.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        read(name, path)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9, 0.97])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_cut_is_read_or_is_an_error_in_words(name: str, share: float, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    file = path if path.is_file() else max(path.rglob("*.txt"), key=lambda each: each.stat().st_size)
    raw = file.read_bytes()
    file.write_bytes(raw[: round(share * len(raw))])
    FORMATS[name].recognises(path, beginning_of(path))
    try:
        read(name, path)
    except DataError as problem:
        assert str(path.parent) in str(problem)
    else:
        assert raw[:1] not in b"{[<P", "half of a file of one piece was read"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "raw", [b"PK\x03\x04 no zip", b'{"a": ', b"<a><b></a>", b"\xff\xfe\x00", b"x\n" * 9, b"\x80" * 99]
)
def test_a_damaged_file_is_an_error_in_words(name: str, raw: bytes, tmp_path: Path) -> None:
    path = example(name, tmp_path)
    file = path if path.is_file() else max(path.rglob("*.txt"), key=lambda each: each.stat().st_size)
    file.write_bytes(raw)
    FORMATS[name].recognises(path, beginning_of(path))
    try:
        film = next(iter(read(name, path).films))
    except DataError as problem:
        assert str(path.parent) in str(problem)
    else:
        assert path.is_dir() or not film.bouts


def test_reading_labels_loads_no_package_of_formats_before_it_needs_one() -> None:
    program = (
        "import sys; from importlib import import_module; import vidrnn.data.labelled_frames; "
        f"[import_module(place.partition(':')[0]) for place in {tuple(LABEL_FORMATS.values())!r}]; "
        "print(*sorted(set(sys.modules) & {'pydantic', 'openpyxl', 'defusedxml', 'scipy', 'torch'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stdout.split()
