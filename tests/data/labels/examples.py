"""A small example file of each label format, written from one truth. The contract tests read them back.

A new format joins with one function here: it writes the truth as the labelling tool would, and gives the path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidrnn.values import Bout


@dataclass(frozen=True)
class Truth:
    """Two behaviours in one film. All times are whole frames at 25 frames per second."""

    film: str = "a.mp4"
    rate: float = 25.0
    frames: int = 100
    bouts: tuple[Bout, ...] = (Bout(0.4, 1.2, "dig", "one"), Bout(2.0, 3.0, "rear", "one"))
    """In seconds, half open: frames 10 to 29, and frames 50 to 74."""

    @property
    def seconds(self) -> float:
        """The length of the film."""
        return self.frames / self.rate

    @property
    def in_frames(self) -> tuple[tuple[int, int, str], ...]:
        """The first frame, the frame after the last one, and the behaviour of each bout."""
        return tuple((round(one.start * self.rate), round(one.end * self.rate), one.label) for one in self.bouts)

    @property
    def labels(self) -> list[str]:
        """The behaviour at each frame, empty where there is none."""
        labels = [""] * self.frames
        for first, end, label in self.in_frames:
            labels[first:end] = [label] * (end - first)
        return labels


BORIS_COLUMNS = (
    "Observation id,Observation date,Description,Observation duration,Observation type,Source,Time offset (s),"
    "Media duration (s),FPS,weather,Subject,Behavior,Behavioral category,Modifier #1,Behavior type,Time,"
    "Media file name,Image index,Image file path,Comment"
)
Example = Callable[[Path, Truth], Path]
"""Writes the truth into a folder, and gives the path that is to be read."""


def written(file: Path, *lines: str) -> Path:
    """The lines as a text file."""
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


def frames(folder: Path, truth: Truth) -> Path:
    """path,frame,label"""
    rows = [f"{truth.film},{number},{label}" for number, label in enumerate(truth.labels)]
    return written(folder / "frames.csv", "path,frame,label", *rows)


def intervals(folder: Path, truth: Truth) -> Path:
    """path,start,end,label"""
    rows = [f"{truth.film},{one.start},{one.end},{one.label},{one.subject}" for one in truth.bouts]
    return written(folder / "labels.csv", "path,start,end,label,subject", *rows)


def boris_project(folder: Path, truth: Truth, **changes: object) -> Path:
    """A project of one observation; `changes` are of the observation."""
    events = [[seconds, one.subject, one.label, "", ""] for one in truth.bouts for seconds in (one.start, one.end)]
    observation = {
        "file": {"1": [truth.film], "2": []},
        "type": "MEDIA",
        "time offset": 0.0,
        "events": events,
        "media_info": {"length": {truth.film: truth.seconds}, "fps": {truth.film: truth.rate}, "offset": {"1": 0.0}},
    }
    types = {"dig": "State event", "rear": "State event", "bark": "Point event"}
    project = {
        "time_format": "hh:mm:ss",
        "project_format_version": "7.0",
        "behaviors_conf": {
            str(place): {"code": code, "type": kind} for place, (code, kind) in enumerate(types.items())
        },
        "subjects_conf": {"0": {"name": "one"}},
        "observations": {"o1": observation | changes},
    }
    file = folder / "project.boris"
    file.write_text(json.dumps(project), encoding="utf-8")
    return file


def boris_rows(truth: Truth, offset: float = 0.0) -> list[list[str]]:
    """The tabular events of the new layout, the header first."""
    header = BORIS_COLUMNS.split(",")
    source, seconds, fps = f"player #1:{truth.film}", f"{truth.seconds:.3f}", f"{truth.rate:.3f}"
    left = ["o1", "2024-05-06 07:08:09", "", "4.0", "Media file(s)", source, f"{offset}", seconds, fps, "dry"]
    rows = [
        [*left, one.subject, one.label, "", "", kind, f"{time + offset:.3f}", truth.film, "NA", "NA", ""]
        for one in truth.bouts
        for kind, time in (("START", one.start), ("STOP", one.end))
    ]
    return [header, *rows]


def boris_table(folder: Path, truth: Truth) -> Path:
    """Tabular events of the new layout."""
    return written(folder / "events.csv", *(",".join(row) for row in boris_rows(truth)))


def deepethogram(folder: Path, truth: Truth) -> Path:
    """FILM_labels.csv"""
    names = ("dig", "rear")
    rows = [
        ",".join(map(str, [number, int(not label), *(int(label == name) for name in names)]))
        for number, label in enumerate(truth.labels)
    ]
    return written(folder / f"{Path(truth.film).stem}_labels.csv", ",background,dig,rear", *rows)


def feral(folder: Path, truth: Truth) -> Path:
    """JSON of classes."""
    names = ["other", "dig", "rear"]
    content = {
        "is_multilabel": False,
        "class_names": {str(place): name for place, name in enumerate(names)},
        "labels": {truth.film: [names.index(label or "other") for label in truth.labels]},
        "splits": {"train": [truth.film], "val": [], "test": [], "inference": []},
    }
    file = folder / "labels.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def bento(folder: Path, truth: Truth) -> Path:
    """.annot"""
    tables = [
        f">{one.label}\nStart\t Stop\t Duration \n"
        f"{one.start:.12g}\t{one.end - 1 / truth.rate:.12g}\t{one.end - one.start:.12g}\n"
        for one in truth.bouts
    ]
    return written(
        folder / "anno.annot",
        "Bento annotation file",
        f"Movie file(s):  {truth.film}",
        "",
        "Stimulus name: ",
        "Annotation start frame: 1",
        f"Annotation stop frame: {truth.frames}",
        f"Annotation framerate: {truth.rate:f}",
        "",
        "List of channels:\nCh1\n",
        "List of annotations:\ndig\nrear\n",
        "Ch1----------",
        *tables,
    )


def solomon(folder: Path, truth: Truth) -> Path:
    """Time and a column of behaviours."""
    rows = [f"{number / truth.rate:g},on,{label}" for number, label in enumerate(truth.labels)]
    return written(folder / f"{Path(truth.film).stem}.csv", "Time,Light,Behaviour", *rows)


def groundtruth(folder: Path, truth: Truth) -> Path:
    """groundTruth/FILM.txt, mapping.txt and splits/"""
    data = folder / "set"
    (data / "groundTruth").mkdir(parents=True)
    (data / "splits").mkdir()
    written(data / "groundTruth" / f"{Path(truth.film).stem}.txt", *(label or "none" for label in truth.labels))
    written(data / "mapping.txt", "0 none", "1 dig", "2 rear")
    written(data / "splits" / "train.split1.bundle", f"{Path(truth.film).stem}.txt")
    written(data / "splits" / "test.split1.bundle", "other.txt")
    return data


EXAMPLES: dict[str, Example] = {
    "frames": frames,
    "csv": intervals,
    "boris": boris_project,
    "deepethogram": deepethogram,
    "feral": feral,
    "bento": bento,
    "solomon": solomon,
    "groundtruth": groundtruth,
}
"""By the name of the format, as in LABEL_FORMATS."""
