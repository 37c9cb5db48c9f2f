"""DATA that a training refuses, each in its own way: the maker, and the settings of the training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from conftest import FRAMES_SIZE, make_film, make_squares, paint_square

Maker = Callable[[Path], Path]


def make_classes(folder: Path, counts: dict[str, int], *, frames: int = 8) -> Path:
    """Class folders of short films that all differ; each film is a group of its own."""
    number = 0
    for label, count in counts.items():
        for place in range(count):
            paint = paint_square(7 * number, glide=1 + number % 5)
            make_film(folder / label / f"{label}{place}.mkv", frames=frames, fps=10.0, size=FRAMES_SIZE, paint=paint)
            number += 1
    return folder


def make_uneven_features(folder: Path) -> Path:
    """Class folders of files of features of three widths."""
    for first, label in enumerate(("walk", "run")):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            rows = np.random.default_rng(10 * first + number).random((9, 4 + number), np.float32)
            np.save(folder / label / f"{number}.npy", rows)
    return folder


def _absent(folder: Path) -> Path:
    return folder / "nowhere"


def _empty(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _one_class(folder: Path) -> Path:
    return make_classes(folder, {"walk": 2})


def _few_groups(folder: Path) -> Path:
    return make_classes(folder, {"walk": 3, "run": 2})


def _unreadable_class(folder: Path) -> Path:
    make_classes(folder, {"walk": 3, "run": 1})
    (folder / "run" / "run0.mkv").write_bytes(b"no video at all")
    return folder


def _two_labels(folder: Path) -> Path:
    make_classes(folder, {"walk": 4, "run": 3})
    shutil.copy(folder / "walk" / "walk0.mkv", folder / "run" / "copy.mkv")
    return folder


def _row_with_two_labels(folder: Path) -> Path:
    make_classes(folder, {"walk": 1})
    return _table(folder, "path,label", "walk/walk0.mkv,walk", "walk/walk0.mkv,run")


def _no_train(folder: Path) -> Path:
    make_classes(folder, {"walk": 1, "run": 1})
    return _table(folder, "path,label,split", "walk/walk0.mkv,walk,val", "run/run0.mkv,run,test")


def _class_not_in_train(folder: Path) -> Path:
    make_classes(folder, {"walk": 3, "run": 1})
    rows = [f"walk/walk{number}.mkv,walk,{part}" for number, part in enumerate(("train", "train", "val"))]
    return _table(folder, "path,label,split", *rows, "run/run0.mkv,run,val")


def _folds(folder: Path) -> Path:
    return make_classes(folder, {"walk": 3, "run": 3})


def _one_group(folder: Path) -> Path:
    return make_classes(folder, {"walk": 3, "run": 1})


def _one_behaviour(folder: Path) -> Path:
    make_classes(folder, {"walk": 3})
    return _table(folder, "path,start,end,label", *(f"walk/walk{number}.mkv,0.1,0.4,dig" for number in range(3)))


def _one_short_film(folder: Path) -> Path:
    make_classes(folder, {"walk": 1})
    return _table(folder, "path,start,end,label", "walk/walk0.mkv,0,0.4,dig", "walk/walk0.mkv,0.4,0.8,rear")


def _short_films(folder: Path) -> Path:
    return make_squares(folder, 3, frames=8)


def _nothing_to_validate_on(folder: Path) -> Path:
    return make_squares(folder, 1, frames=25)


def _table(folder: Path, *lines: str) -> Path:
    table = folder / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


REFUSED: dict[str, tuple[Maker, dict[str, Any]]] = {
    "no such DATA": (_absent, {}),
    "an empty folder": (_empty, {}),
    "one class": (_one_class, {}),
    "a class with too few groups": (_few_groups, {}),
    "a class without a video that can be read": (_unreadable_class, {}),
    "one video with two labels": (_two_labels, {}),
    "one row with two labels": (_row_with_two_labels, {}),
    "a given split without train": (_no_train, {}),
    "a given split with a class that is not in train": (_class_not_in_train, {}),
    "more folds than groups": (_folds, {"folds": 9}),
    "folds, and a class with one group": (_one_group, {"folds": 2}),
    "a subject that no label names": (_one_behaviour, {"task": "label", "labels": {"subject": "A"}}),
    "one behaviour": (_one_behaviour, {"task": "label"}),
    "one short video": (_one_short_film, {"task": "label"}),
    "folds of one video": (_one_short_film, {"task": "label", "folds": 3}),
    "videos that are too short": (_short_films, {"task": "next-frame"}),
    "a video too short to validate on": (_nothing_to_validate_on, {"task": "next-frame"}),
}
