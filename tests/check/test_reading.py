"""DATA is read as a training reads it: what one refuses the other one refuses, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from broken_data import REFUSED, Maker, make_classes, make_uneven_features
from conftest import followed, make_acts

from vidrnn.check.reading import CheckRequest, Understood, understand
from vidrnn.config import RunConfig
from vidrnn.errors import VidrnnError
from vidrnn.events import Note
from vidrnn.tasks.base import task_named


def config_of(settings: dict[str, Any]) -> RunConfig:
    return RunConfig.of(settings, source="test")


def understood(data: Path, cache: Path, **settings: Any) -> Understood:
    config = config_of(settings)
    task = task_named(config.task)
    request = CheckRequest(data, task, config.with_defaults(task.defaults), cache, 1)
    return followed(understand(request))[0]


def events_of_training(data: Path, out: Path, **settings: Any) -> list[Any]:
    """What a training says until it has split DATA, or the error that it ends with."""
    from vidrnn.train.run import Request
    from vidrnn.train.trainer import train

    events: list[Any] = []
    request = Request(data=data, config=config_of(settings), out=out, cache=out.parent / "cache", jobs=1, command="")
    try:
        for event in train(request):
            events.append(event)
            if isinstance(event, Note) and event.text.startswith("train "):
                break
    except VidrnnError as error:
        events.append(error)
    return events


@pytest.mark.parametrize(("maker", "settings"), REFUSED.values(), ids=REFUSED)
def test_a_check_refuses_what_a_training_refuses_in_the_same_words(
    maker: Maker, settings: dict[str, Any], tmp_path: Path
) -> None:
    data = maker(tmp_path / "data")
    *_, error = events_of_training(data, tmp_path / "run", **settings)
    assert isinstance(error, VidrnnError)
    assert understood(data, tmp_path / "cache", **settings).refusals[0] == str(error)


def test_features_of_several_widths_are_refused_in_the_same_words(tmp_path: Path) -> None:
    data = make_uneven_features(tmp_path / "data")
    settings = {"features": str(data), "rate": 10.0}
    *_, error = events_of_training(data, tmp_path / "run", **settings)
    assert "All features of a training have the same width" in str(error)
    assert understood(data, tmp_path / "cache", **settings).refusals == [str(error)]


def test_a_check_makes_the_split_of_the_training_and_hears_the_same_notes(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 4, "run": 5})
    (data / "walk" / "broken.mkv").write_bytes(b"no video at all")
    *before, split = events_of_training(data, tmp_path / "run")
    read = understood(data, tmp_path / "cache")
    assert read.refusals == []
    assert str(read.split) == split.text
    assert read.notes == [each for each in before if isinstance(each, Note)]
    assert [failure.path.name for failure in read.left_out] == ["broken.mkv"]


def test_labels_at_each_frame_are_understood_as_a_training_understands_them(tmp_path: Path) -> None:
    data = make_acts(tmp_path / "data", 4)
    *before, split = events_of_training(data, tmp_path / "run", task="label")
    read = understood(data, tmp_path / "cache", task="label")
    assert (read.refusals, str(read.split)) == ([], split.text)
    assert [note for note in read.notes if note in before] == [each for each in before if isinstance(each, Note)]


def test_after_a_refusal_the_rest_is_read_and_the_next_refusal_is_told(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", {"walk": 2})
    read = understood(data, tmp_path / "cache")
    assert len(read.refusals) == 2
    assert "a classifier needs 2 classes" in read.refusals[0]
    assert "'walk' has 2 groups" in read.refusals[1]
    assert read.dataset is not None and len(read.dataset.films) == 2


def test_where_one_video_has_two_labels_the_others_are_read(tmp_path: Path) -> None:
    maker, _ = REFUSED["one video with two labels"]
    read = understood(maker(tmp_path / "data"), tmp_path / "cache")
    assert "the same video with different labels" in read.refusals[0]
    assert read.dataset is not None
    assert sorted(film.path.name for film in read.dataset.films) == [
        *("run0.mkv", "run1.mkv", "run2.mkv"),
        *("walk1.mkv", "walk2.mkv", "walk3.mkv"),
    ]
