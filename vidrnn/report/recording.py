"""Tracks and scores of films become the records of `answers.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrnn.evaluate.bouts import TrackBout, bouts_of
from vidrnn.evaluate.tracks import FilmTracks, Track, known_truth
from vidrnn.report.answers import BINS, FilmAnswers, Histograms, StoredBout, counted_shares, rounded, stored_path
from vidrnn.values import AnswerSpec, FilmScan, Floats, LabelledFilm, Part

_MOST_POINTS = 400
"""Of the anomaly scores of one film. Of neighbours the highest is stored."""


def film_record(film: LabelledFilm, scan: FilmScan, part: Part, group: str, folder: Path) -> FilmAnswers:
    """A film of a run before anything was said of it; `folder`: that of DATA."""
    facts = scan.facts
    return FilmAnswers(
        path=stored_path(film.path, folder),
        part=part,
        group=group,
        start_seconds=round(facts.first_seconds, 4),
        end_seconds=round(facts.first_seconds + facts.duration_seconds, 4),
        frames=facts.frames,
        width=facts.size.width,
        height=facts.size.height,
        rate=film.rate,
        excerpt=film.excerpt is not None,
    )


def with_answer(record: FilmAnswers, tracks: FilmTracks, answer: AnswerSpec) -> FilmAnswers:
    """The record of a film with labels at its frames, with what its owner and the model say of it."""
    update = {
        "true_bouts": stored_bouts(tracks, tracks.truth, answer),
        "answer_bouts": stored_bouts(tracks, tracks.answer, answer),
        "known": known_spans(tracks),
    }
    return record.model_copy(update=update)


def with_guess(record: FilmAnswers, tracks: FilmTracks, answer: AnswerSpec) -> FilmAnswers:
    """The record of a film with labels at its frames, with what a model says that has not seen its group."""
    true, guessed = (list(_bouts(track, answer)) for track in (tracks.truth, tracks.answer))
    borders = _borders(tracks)
    update = {
        "true_bouts": stored_bouts(tracks, tracks.truth, answer),
        "known": known_spans(tracks),
        "marked": tuple(rounded(_mean_shares(tracks, bout)) for bout in true),
        "guess_bouts": tuple(
            (bout.label, *rounded([borders[bout.first], borders[bout.end], _mean_shares(tracks, bout)[bout.label]]))
            for bout in guessed
        ),
    }
    return record.model_copy(update=update)


def with_curve(record: FilmAnswers, seconds: Floats, scores: Floats) -> FilmAnswers:
    """The record of a film without labels, with the anomaly score of each frame; NaN is left out."""
    there = ~np.isnan(scores)
    seconds, scores = seconds[there], scores[there]
    pieces = np.array_split(np.arange(len(scores)), min(_MOST_POINTS, len(scores)) or 1)
    places = [int(piece[scores[piece].argmax()]) for piece in pieces if len(piece)]
    return record.model_copy(
        update={"curve_seconds": rounded(seconds[places]), "curve": rounded(scores[places])},
    )


def stored_bouts(tracks: FilmTracks, track: Track, answer: AnswerSpec) -> tuple[StoredBout, ...]:
    """The bouts of a track in seconds; the background has none."""
    borders = _borders(tracks)
    return tuple(
        (bout.label, *(round(float(borders[place]), 4) for place in (bout.first, bout.end)))  # type: ignore[misc]
        for bout in _bouts(track, answer)
    )


def known_spans(tracks: FilmTracks) -> tuple[tuple[float, float], ...]:
    """The parts of a film, in seconds, in which the truth of any class is known."""
    known = known_truth(tracks.truth)
    where = np.asarray(known.any(1) if known.ndim == 2 else known)
    borders = _borders(tracks)
    return tuple(
        (round(float(borders[one.first]), 4), round(float(borders[one.end]), 4))
        for one in bouts_of(where.astype(np.int64) - 1)
    )


def histograms_of(films: Sequence[FilmTracks], answer: AnswerSpec) -> tuple[dict[str, Histograms], Histograms | None]:
    """The probabilities of each class where it is shown and where not, and those of the answers, right and wrong.

    The second is None where several classes may hold, and so there is no one answer.
    """
    empty = np.zeros((len(answer.classes), 2, BINS), dtype=np.int64)
    sure = np.zeros((2, BINS), dtype=np.int64)
    several = answer.kind == "several"
    for film in films:
        for place in range(len(answer.classes)):
            truth = film.truth[:, place] if several else np.where(film.truth < 0, np.nan, film.truth == place)
            known = ~np.isnan(truth)
            empty[place] += _sides(counted_shares(film.probabilities[known, place], truth[known]))
        if not several and len(film.truth):
            said = film.truth >= 0
            top = film.probabilities[said]
            there = ~np.isnan(top).all(1)
            best = np.where(np.isnan(top[there]), -1, top[there])
            right = (best.argmax(1) == film.truth[said][there]).astype(np.float64)
            sure += _sides(counted_shares(best.max(1) if len(best) else np.zeros(0), right))
    shares = {
        name: Histograms(right=tuple(right.tolist()), wrong=tuple(wrong.tolist()))
        for name, (right, wrong) in zip(answer.classes, empty, strict=True)
    }
    if several:
        return shares, None
    return shares, Histograms(right=tuple(sure[0].tolist()), wrong=tuple(sure[1].tolist()))


def _sides(counts: Histograms) -> NDArray[np.int64]:
    return np.asarray([counts.right, counts.wrong], dtype=np.int64)


def _bouts(track: Track, answer: AnswerSpec) -> Iterator[TrackBout]:
    """The bouts of a track in order of classes and time, without the background."""
    silent = [answer.classes.index(answer.background)] if answer.background in answer.classes else []
    if track.ndim == 1:
        yield from bouts_of(track.astype(np.int64), left_out=silent)
        return
    for place in range(len(answer.classes)):
        if place not in silent:
            shown = np.nan_to_num(track[:, place].astype(np.float64)) == 1
            for bout in bouts_of(shown.astype(np.int64) - 1):
                yield TrackBout(place, bout.first, bout.end)


def _borders(tracks: FilmTracks) -> Floats:
    """(frames + 1,) the time at which each frame begins, and the end of the film."""
    last = float(tracks.seconds[-1]) if len(tracks.seconds) else 0.0
    return np.append(tracks.seconds, max(tracks.end_seconds, last))


def _mean_shares(tracks: FilmTracks, bout: TrackBout) -> Floats:
    """(classes,) the mean probability of each class in a bout."""
    shares = tracks.probabilities[bout.first : bout.end]
    shares = shares[~np.isnan(shares).any(1)]
    return np.asarray(shares.mean(0)) if len(shares) else np.zeros(tracks.probabilities.shape[1])
