"""Labels that are probably wrong, by answers of models that had not seen them: confident learning.

Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021. A clip
counts for a class if its probability of that class is at least the mean probability of the clips that are labelled so.
The clips of one label that count for another class tell how many labels are wrong; so many clips, those whose
probabilities speak most against the label, are suspects. Probabilities are taken beyond what is usual for their class,
so that a class which the model seldom knows makes few of them. This module knows no films and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidrnn.report.answers import Answers, FilmAnswers
from vidrnn.values import Floats

BORDER_SECONDS = 0.5
"""A border that is further off is a suspect."""
_SURE, _UNSEEN = 0.6, 0.2
"""The least mean probability of a bout that nobody marked, and the most of a marked bout that the model misses."""
_UNMARKED = 0.1
"""A bout of which less is marked is one that nobody marked."""
_OVERLAP = 0.5
"""The share of the shorter of two bouts that they have in common if their borders are compared."""
_LEAST_AHEAD = 0.1
"""How much more than is usual for its class another class must be ahead of the label."""
_FEWEST = 2
"""Clips of a class that are needed for a threshold of it."""

Fault = Literal["wrong class", "nobody marked", "not seen", "start", "end"]


@dataclass(frozen=True)
class Suspect:
    """One label that is probably wrong."""

    film: FilmAnswers
    fault: Fault
    start_seconds: float
    end_seconds: float
    given: str
    """What the owner says."""
    proposed: str
    """What the model says instead."""
    doubt: float
    """From 0 to 1; the list is ranked by it."""

    def as_json(self) -> dict[str, Any]:
        """The suspect as plain values, as the CSV file has them, too."""
        return {
            "path": self.film.path,
            "fault": self.fault,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
            "given": self.given,
            "proposed": self.proposed,
            "doubt": self.doubt,
        }

    @property
    def sentence(self) -> str:
        """What is doubtful, and where in the film."""
        if self.fault == "wrong class":
            return self.claim
        return f"{self.start_seconds:.1f} to {self.end_seconds:.1f} s: {self.claim}"

    @property
    def claim(self) -> str:
        """What is doubtful."""
        if self.fault == "wrong class":
            return f"is labelled {self.given}, and looks like {self.proposed}"
        if self.fault == "nobody marked":
            return f"looks like {self.proposed}, and nobody marked it"
        if self.fault == "not seen":
            other = f", and looks like {self.proposed}" if self.proposed else ", and the model does not see it"
            return f"is marked {self.given}{other}"
        off = self.end_seconds - self.start_seconds
        return f"the {self.fault} of {self.given} is marked {off:.1f} s off"


def find_suspects(answers: Answers) -> list[Suspect]:
    """The labels that are probably wrong, the most doubtful first."""
    unseen = [] if answers.several else list(_of_bouts(answers))
    found = [*_of_clips(answers), *unseen]
    for film in answers.films:
        found += _of_film(film, answers.classes, [one for one in unseen if one.film is film], several=answers.several)
    return sorted(found, key=lambda one: -one.doubt)


def _of_clips(answers: Answers) -> Iterator[Suspect]:
    films = [film for film in answers.films if film.guess is not None and film.truth is not None]
    if not films:
        return
    rows, labels = np.asarray([film.guess for film in films]), np.asarray([film.truth for film in films])
    for place, other, doubt in confident_suspects(rows, labels):
        film = films[place]
        given = answers.classes[labels[place]]
        yield Suspect(film, "wrong class", film.start_seconds, film.end_seconds, given, answers.classes[other], doubt)


def _of_bouts(answers: Answers) -> Iterator[Suspect]:
    """Marked bouts that look like another behaviour, where behaviours exclude each other: each counts as a clip."""
    bouts = [
        (film, bout, shares)
        for film in answers.films
        for bout, shares in zip(film.true_bouts or (), film.marked or (), strict=False)
        if bout[2] - bout[1] >= BORDER_SECONDS
    ]
    if not bouts:
        return
    rows, labels = np.asarray([shares for _, _, shares in bouts]), np.asarray([bout[0] for _, bout, _ in bouts])
    for place, other, doubt in confident_suspects(rows, labels):
        film, (given, start, end), _ = bouts[place]
        names, weighed = answers.classes, _by_length(doubt, end - start)
        yield Suspect(film, "not seen", start, end, names[given], names[other], weighed)


def confident_suspects(rows: Floats, labels: NDArray[np.int64]) -> list[tuple[int, int, float]]:
    """The clips whose label is probably wrong: place, the class that fits better, and the doubt from 0 to 1.

    Args:
        rows: (clips, classes) probabilities by models that had not seen the clip.
        labels: (clips,) class indices.
    """
    number, everyone = rows.shape[1], np.arange(len(rows))
    of_class = [labels == place for place in range(number)]
    enough = [int(mine.sum()) >= _FEWEST for mine in of_class]
    thresholds = np.asarray(
        [rows[mine, place].mean() if enough[place] else np.inf for place, mine in enumerate(of_class)]
    )
    fits = np.where(rows >= thresholds, rows, -1.0)
    counted = fits.max(1) >= 0
    beyond = rows - np.where(np.isfinite(thresholds), thresholds, 0.0)  # how much more than is usual for the class
    found: dict[int, tuple[int, float]] = {}
    for given, mine in enumerate(of_class):
        shares = np.bincount(fits.argmax(1)[mine & counted], minlength=number)
        for other in np.flatnonzero(shares).tolist():
            ahead = beyond[:, other] - beyond[everyone, labels]
            may_be = mine & (ahead > _LEAST_AHEAD) & (rows[:, other] > rows[everyone, labels])
            wrong = min(round(float(shares[other] / shares.sum() * mine.sum())), int(may_be.sum()))
            if other == given or not wrong:
                continue
            for place in np.argsort(np.where(may_be, -ahead, np.inf), kind="stable")[:wrong].tolist():
                doubt = round(min(1.0, (float(ahead[place]) + 1) / 2), 4)
                if doubt > found.get(place, (0, 0.0))[1]:
                    found[place] = other, doubt
    order = sorted(found, key=lambda place: -found[place][1])
    return [(place, *found[place]) for place in order]


def _of_film(
    film: FilmAnswers, classes: Sequence[str], doubted: Sequence[Suspect], *, several: bool
) -> Iterator[Suspect]:
    """Marked bouts that the model does not see, borders that are off, and bouts that nobody marked.

    `doubted`: the bouts of the film that look like another behaviour.
    """
    if film.guess_bouts is None or film.true_bouts is None or film.marked is None:
        return
    guesses, marks, unseen = film.guess_bouts, film.true_bouts, list[Suspect]()
    for (place, start, end), shares in zip(marks, film.marked, strict=True):
        beside = [one for one in guesses if one[0] == place and _overlap(start, end, one[1], one[2]) > 0]
        if several and not beside and shares[place] <= _UNSEEN:
            unseen.append(
                Suspect(film, "not seen", start, end, classes[place], "", _by_length(1 - shares[place], end - start))
            )
        elif len(beside) == 1:
            yield from _borders(film, classes[place], (start, end), beside[0])
    yield from unseen
    for place, start, end, share in guesses:
        length = end - start
        covered = sum(_overlap(start, end, one[1], one[2]) for one in marks if one[0] == place)
        known = sum(_overlap(start, end, *span) for span in film.known)
        said = sum(_overlap(start, end, one.start_seconds, one.end_seconds) for one in doubted)
        if share >= _SURE and covered < _UNMARKED * length and known > 0.5 * length and said < 0.5 * length:
            there = [classes[one[0]] for one in marks if _overlap(start, end, one[1], one[2]) > 0.5 * length]
            doubt = _by_length(share, length)
            yield Suspect(film, "nobody marked", start, end, ", ".join(there), classes[place], doubt)


def _borders(
    film: FilmAnswers, label: str, marked: tuple[float, float], guess: tuple[int, float, float, float]
) -> Iterator[Suspect]:
    """The borders of a marked bout that lie elsewhere in the guess, where the two are plainly the same bout."""
    (start, end), (_, other_start, other_end, share) = marked, guess
    shorter = min(end - start, other_end - other_start)
    if _overlap(start, end, other_start, other_end) < _OVERLAP * shorter or share < _SURE:
        return
    pairs: tuple[tuple[Fault, float, float], ...] = (("start", start, other_start), ("end", end, other_end))
    for fault, mine, its in pairs:
        off = abs(mine - its)
        if off > BORDER_SECONDS:
            doubt = round(0.5 * share * off / (off + 2.0), 4)  # whole bouts that are wrong come first
            yield Suspect(film, fault, min(mine, its), max(mine, its), label, label, doubt)


def _by_length(doubt: float, seconds: float) -> float:
    """Short stretches are wrong more often in the guess itself, so they come later."""
    return round(float(doubt * seconds / (seconds + 0.5)), 4)


def _overlap(start: float, end: float, other_start: float, other_end: float) -> float:
    return max(0.0, min(end, other_end) - max(start, other_start))
