"""What a model said of the films of its run beside what their owner says: the file `answers.json` of a run.

The page of a run is drawn from it, so a page needs no film but for its strips of frames. Its size grows with the number
of films and bouts and not with the number of frames: of probabilities at frames it holds histograms.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from vidrnn.atomic import write_text
from vidrnn.errors import RunError
from vidrnn.values import Floats, Part

ANSWERS_NAME, PAGE_NAME = "answers.json", "report.html"
"""Files in the folder of a run: the answers, and the page that is drawn from them."""
BINS = 100
"""Of a histogram of probabilities, between 0 and 1."""
_DIGITS = 4

StoredBout = tuple[int, float, float]
"""The index of a class, the start and the end in seconds."""
Scored = Literal["val", "test", "folds", "data"]
"""What the answers of a model are of: a part, all films by models of folds that had not seen them, or other DATA."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class FilmAnswers(_Record):
    """One clip or film: where it is, what its owner says, and what was answered."""

    path: str
    """Below the folder of DATA, with slashes; it may begin with `..`."""
    part: Part
    group: str
    start_seconds: float
    end_seconds: float
    frames: int
    width: int = 0
    height: int = 0
    """Of its pictures; 0 where that is not known."""
    rate: float | None = None
    """Frames per second that its owner says."""
    excerpt: bool = False
    """Whether the clip is a part of its film."""
    truth: int | None = None
    """The class of a clip."""
    answer: tuple[float, ...] | None = None
    """(classes,) the probabilities of a clip by the model; None: it was not asked."""
    guess: tuple[float, ...] | None = None
    """The same by a model that learnt from clips of other groups only."""
    true_bouts: tuple[StoredBout, ...] | None = None
    """Of a film with labels at its frames; where its truth is not known, there is none."""
    answer_bouts: tuple[StoredBout, ...] | None = None
    guess_bouts: tuple[tuple[int, float, float, float], ...] | None = None
    """Each with its mean probability last."""
    marked: tuple[tuple[float, ...], ...] | None = None
    """For each of `true_bouts`, the mean probability of each class in it, by the model of `guess_bouts`."""
    known: tuple[tuple[float, float], ...] = ()
    """The parts of a film whose truth is known, in seconds."""
    curve_seconds: tuple[float, ...] = ()
    """Of a film without labels: the times of `curve`."""
    curve: tuple[float, ...] = ()
    """The anomaly score at each time, not smoothed."""


class Histograms(_Record):
    """How often a probability was said, where it was right and where it was wrong: counts of `BINS` bins each."""

    right: tuple[int, ...]
    wrong: tuple[int, ...]


class Answers(_Record):
    """What a model said of the films of its run."""

    version: Literal[1] = 1
    scored: Scored
    classes: tuple[str, ...]
    films: tuple[FilmAnswers, ...]
    """All films of the run."""
    several: bool = False
    """Whether several classes may hold at once."""
    shares: dict[str, Histograms] = {}
    """Labels at frames: for each class the probabilities of frames that show it, and of frames that do not."""
    sure: Histograms | None = None
    """Labels at frames: the probabilities of the answers, right and wrong."""
    guessed_by: str = ""
    """Which model the guesses are of, in a sentence; why there are none, where there are none."""

    @property
    def answered(self) -> list[FilmAnswers]:
        """The films that the model was asked about."""
        return [one for one in self.films if one.answer is not None or one.answer_bouts is not None or one.curve]

    @property
    def guessed_right(self) -> float | None:
        """The share of the clips, or of the marked time, in which the guess is the label; None where there is none."""
        guessed = [film for film in self.films if film.guess is not None and film.truth is not None]
        if guessed:
            return float(np.mean([int(np.argmax(film.guess or ())) == film.truth for film in guessed]))
        marked = both = 0.0
        for film in self.films:
            for place, start, end in film.true_bouts or () if film.guess_bouts is not None else ():
                marked += end - start
                both += sum(
                    max(0.0, min(end, last) - max(start, first))
                    for other, first, last, _ in film.guess_bouts or ()
                    if other == place
                )
        return both / marked if marked else None

    @property
    def has_guesses(self) -> bool:
        """Whether a model that had not seen them said something of the films."""
        return any(film.guess is not None or film.guess_bouts is not None for film in self.films)

    def write(self, file: Path) -> None:
        """Write the file.

        Raises:
            OutputError: it cannot be written.
        """
        write_text(file, self.model_dump_json(exclude_defaults=True) + "\n")

    @classmethod
    def read(cls, file: Path) -> Answers | None:
        """The answers in a file; None if there is no such file.

        Raises:
            RunError: the file is damaged, or of another version of vidrnn.
        """
        try:
            text = file.read_text(encoding="utf-8")
            answers = cls.model_validate_json(text)
            _check(answers)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, ValueError) as error:
            reason = f"{error.error_count()} of its values do not fit" if isinstance(error, ValidationError) else error
            raise RunError(
                f"{file}: cannot be read as the answers of a run ({reason}). Remove the file, and name the videos: "
                "vidrnn report RUN --data DATA."
            ) from None
        return answers


def _check(answers: Answers) -> None:
    """Refuse answers whose parts do not fit each other.

    Raises:
        ValueError: they do not.
    """
    count = len(answers.classes)
    for film in answers.films:
        rows = (film.answer, film.guess, *(film.marked or ()))
        bouts = (*(film.true_bouts or ()), *(film.answer_bouts or ()), *(film.guess_bouts or ()))
        places = [film.truth or 0, *(bout[0] for bout in bouts)]
        if any(row is not None and len(row) != count for row in rows) or not all(
            0 <= one < max(count, 1) for one in places
        ):
            raise ValueError("a film has answers of other classes")
        if len(film.curve) != len(film.curve_seconds) or len(film.marked or ()) not in (0, len(film.true_bouts or ())):
            raise ValueError("a film has numbers without times")
    histograms = [*answers.shares.values(), *((answers.sure,) if answers.sure else ())]
    if any(len(each) != BINS for one in histograms for each in (one.right, one.wrong)):
        raise ValueError("a histogram has another number of bins")


def stored_path(film: Path, folder: Path) -> str:
    """A film as the answers name it: its path from the folder of DATA, or its name alone on another disk."""
    try:
        return Path(os.path.relpath(film.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another disk of Windows
        return film.name


def folder_of(data: Path) -> Path:
    """The folder that paths of films are stored from."""
    return data if data.is_dir() else data.parent


def rounded(values: Sequence[float] | Floats) -> tuple[float, ...]:
    """Numbers with so many digits as a page shows; NaN becomes 0."""
    return tuple(round(float(value), _DIGITS) for value in np.nan_to_num(np.asarray(values, dtype=np.float64)))


def counted_shares(probabilities: Floats, right: Floats) -> Histograms:
    """The histograms of probabilities (count,), of the right and of the wrong ones; NaN is left out."""
    there = ~np.isnan(probabilities)
    places = np.clip((probabilities[there] * BINS).astype(np.int64), 0, BINS - 1)
    hits = right[there].astype(bool)
    return Histograms(
        right=tuple(np.bincount(places[hits], minlength=BINS).tolist()),
        wrong=tuple(np.bincount(places[~hits], minlength=BINS).tolist()),
    )


def summed(histograms: Mapping[str, Histograms]) -> Histograms:
    """The sum of histograms."""
    rights, wrongs = (
        np.sum([getattr(one, side) for one in histograms.values()], axis=0).astype(int) for side in ("right", "wrong")
    )
    return Histograms(right=tuple(rights.tolist()), wrong=tuple(wrongs.tolist()))
