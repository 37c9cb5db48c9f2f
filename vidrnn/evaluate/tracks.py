"""Truth and answer of a film at each of its frames, whatever times the model looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.data.annotations import behaviour_tracks, class_track, in_frames
from vidrnn.values import Annotation, AnswerSpec, DecisionRule, FilmMoments, Floats, LabelledFilm

_CAUSAL_SLACK_SECONDS = 0.002
"""A step that is this much later than a frame still counts as a step at the frame, since times are rounded."""
_SLACK_SECONDS = 1e-6
"""The same for steps and borders of segments, which come from the same clock."""

Track = NDArray[Any]
"""(frames,) class indices, -1 where nothing is known or said; or (frames, classes) 0, 1 and NaN, or booleans."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FilmTracks:
    """One film at each of its frames."""

    truth: Track
    """(frames,) class indices, -1 where it is not known; or (frames, classes) 0, 1 or NaN if several may hold."""
    answer: Track
    """(frames,) class indices, -1 where the model says unknown; or (frames, classes) booleans if several may hold."""
    probabilities: Floats
    """(frames, classes); NaN where there is none."""
    seconds: Floats
    """(frames,) the time of each frame."""
    end_seconds: float
    """The end of the film."""
    others: tuple[Track, ...] = ()
    """The truth of other annotators, shaped as `truth`."""


def tracks_of(film: LabelledFilm, moments: FilmMoments, answer: AnswerSpec, rule: DecisionRule) -> FilmTracks:
    """The truth and the answer at each frame of a film.

    Truth of a class that the model does not know is not known, if classes exclude each other; if several may hold, it
    says nothing of the others. A frame takes the answer of the model's step that is nearest in time; that of a causal
    model is the last step at or before the frame. A step has the label of the segment that holds its time. Without a
    segment it is the background, and unknown if there is no background.

    Args:
        film: a film with an annotation.
        moments: what the model says of it, with the times of its frames.
        answer: what the model answers.
        rule: its direction decides how frames take steps.

    Raises:
        ValueError: the film has no annotation, or the times of its frames were not kept.
    """
    if film.annotation is None or moments.frame_seconds is None:
        raise ValueError(f"{film.path}: scores of frames need an annotation and the times of the frames")
    seconds, several = moments.frame_seconds, answer.kind == "several"

    def truth(annotation: Annotation) -> Track:
        framed, frames = in_frames(annotation, seconds, moments.end_seconds), np.arange(len(seconds))
        if several:
            return behaviour_tracks(framed, answer.classes, frames)
        return class_track(framed, answer.classes, frames, answer.background)

    steps = _steps_of_frames(seconds, moments.timeline.seconds, causal=rule.direction == "causal")
    labels = _labels_of_steps(moments, answer)
    probabilities = moments.timeline.probabilities.astype(np.float64)
    return FilmTracks(
        truth=truth(film.annotation),
        answer=_taken(labels, steps, _silence(answer)),
        probabilities=_taken(probabilities, steps, np.full(len(answer.classes), np.nan)),
        seconds=seconds,
        end_seconds=moments.end_seconds,
        others=tuple(truth(one) for one in film.others),
    )


def known_truth(track: Track) -> Mask:
    """Whether each number of a track of truth is known, in the shape of the track."""
    known: Mask = track >= 0 if track.ndim == 1 else ~np.isnan(track)
    return known


def _steps_of_frames(frames: Floats, steps: Floats, *, causal: bool) -> NDArray[np.int64]:
    """(frames,) the step that each frame takes; -1 where there is none."""
    if causal or not len(steps):
        return np.searchsorted(steps, frames + _CAUSAL_SLACK_SECONDS, side="right") - 1
    middles = (steps[1:] + steps[:-1]) / 2
    return np.searchsorted(middles, frames - _SLACK_SECONDS)


def _silence(answer: AnswerSpec) -> Track:
    """The answer where no segment is: a class index, or (classes,) booleans."""
    silent = [name == answer.background for name in answer.classes]
    if answer.kind == "several":
        return np.asarray(silent, dtype=np.bool_)
    return np.asarray(silent.index(True) if True in silent else -1)


def _labels_of_steps(moments: FilmMoments, answer: AnswerSpec) -> Track:
    """(steps,) class indices or (steps, classes) booleans: the segments at each step."""
    steps, silence = moments.timeline.seconds, _silence(answer)
    labels = np.repeat(silence[None], len(steps), axis=0)
    background = answer.classes.index(answer.background) if answer.background in answer.classes else None
    for segment in moments.segments:
        first, end = np.searchsorted(steps, np.array([segment.start_seconds, segment.end_seconds]) - _SLACK_SECONDS)
        if segment.end_seconds >= moments.end_seconds:
            end = len(steps)  # the last step may lie at the end itself
        place = answer.classes.index(segment.label) if segment.label in answer.classes else -1
        if labels.ndim == 1:
            labels[first:end] = place
        elif place >= 0:
            labels[first:end, place] = True
            if background not in (None, place):
                labels[first:end, background] = False
    return labels


def _taken(values: Track, places: NDArray[np.int64], missing: Track) -> Track:
    """The values at these places of the first axis, and `missing` where the place is -1."""
    return np.concatenate([values, missing[None]])[places]
