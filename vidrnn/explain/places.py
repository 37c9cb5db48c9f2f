"""*Where*: parts of the most decisive frames are hidden, and shown alone, and the answer is asked for again.

A part is hidden by the mean colour of its frame, in all frames around a moment at once, and in the frame before each of
them too. So only these frames are encoded again, which any runtime can do. An empty square may itself look like another
class. So a part counts in two ways: how far the answer falls without it, and how far it rises with this part alone. An
empty square does not make the answer rise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from vidrnn.events import Progress
from vidrnn.explain.base import Box, Curve, Places
from vidrnn.explain.moments import Question
from vidrnn.explain.reading import SeenFrame
from vidrnn.runtimes.base import Features, Runtime
from vidrnn.values import Pixels, Size

_PARTS_OF_A_SIDE = (5, 3)
"""Parts are squares of two sizes, whose sides are these fractions of the shorter side of a picture: small ones say
exactly where, large ones hold what small ones cut through."""
MOST_FRAMES = 8
"""So many frames around a moment are hidden together at most."""
_NEARLY_ALL = 0.8
"""The frames of a moment decide at least this much of what `MOST_FRAMES` do."""
_LEAST_SHARE = 0.3
"""A moment is shown beside the most decisive one if it decides at least this much of what that one does."""
_NOTHING = 1e-6
"""Where no moment decides more than this, none is shown."""
STAGE = "where"
Patch: TypeAlias = tuple[slice, slice]
"""The rows and the columns of a part of a picture."""
_EVERYWHERE: Patch = (slice(None), slice(None))


def decisive_steps(curve: Curve, moments: int, reach: int) -> list[int]:
    """The steps of the highest peaks of a curve, the highest first; they are more than `reach` steps apart.

    There is none where no moment speaks for the answer.
    """
    values = np.where(np.isnan(curve.values), -np.inf, curve.values)
    least = max(_NOTHING, _LEAST_SHARE * float(values.max(initial=-np.inf)))
    chosen: list[int] = []
    for step in np.argsort(-values, kind="stable"):
        if len(chosen) == moments or values[step] < least:
            break
        if all(abs(int(step) - other) > reach for other in chosen):
            chosen.append(int(step))
    return chosen


@dataclass(frozen=True)
class Moment:
    """The steps of a question's film that a map is of."""

    step: int
    """The one that is shown."""
    together: range
    """Those whose frames are hidden together."""


def moment_of(question: Question, hidden: Features, step: int) -> Moment:
    """The frames around a step that decide together: the shortest run without which the answer falls nearly as far as
    without `MOST_FRAMES`.

    What is to be seen in several frames is not missed in one of them. So if a map hid too few of them, it would show
    what else changes, and not what decides.

    Args:
        question: what is asked.
        hidden: (width,) the features in place of those that are hidden.
        step: the step that the run holds.
    """
    film, steps = question.film, len(question.film.seconds)
    whole, falls = question.ask(film.features), dict[range, float]()
    for length in range(1, min(MOST_FRAMES, steps) + 1):
        for first in range(max(0, step - length + 1), min(step, steps - length) + 1):
            features = film.features.copy()
            features[first : first + length] = hidden
            falls[range(first, first + length)] = whole - question.ask(features)
    least = _NEARLY_ALL * max(falls.values())
    enough = [run for run, fall in falls.items() if fall >= least] or [range(step, step + 1)]
    return Moment(step, min(enough, key=lambda run: (len(run), -falls[run])))


def patches_of(size: Size) -> list[Patch]:
    """The rows and columns of the parts that are hidden. Those of one size overlap by half.

    Parts at the borders are cut, so that as many parts hold a pixel there as in the middle.
    """
    patches: list[Patch] = []
    for parts in _PARTS_OF_A_SIDE:
        side = max(2, round(min(size.height, size.width) / parts))
        patches += [(rows, columns) for rows in _spans(size.height, side) for columns in _spans(size.width, side)]
    return patches


def _spans(length: int, side: int) -> list[slice]:
    apart = side // 2
    starts = range(-apart, length, apart)
    return [slice(max(0, start), min(length, start + 2 * apart)) for start in starts]


def find_places(
    model: Runtime, question: Question, moment: Moment, frames: Mapping[int, SeenFrame]
) -> Generator[Progress, None, Places]:
    """The map of *where* of one moment. `frames` holds its frames, by the step of the whole film.

    The value of a part is the mean of two numbers: what the answer loses where the part is hidden, and what it gains
    where nothing but the part is shown.
    """
    film, step, together = question.film, moment.step, moment.together
    size, patches = model.handling.size, patches_of(model.handling.size)
    seen = [frames[question.first + each] for each in together]
    befores = [each.before for each in seen if each.before is not None]

    def ask(change: Callable[[Pixels], Pixels]) -> float:
        earlier = np.stack([change(before) for before in befores]) if befores else None
        features = film.features.copy()
        features[together.start : together.stop] = model.encode(
            np.stack([change(each.pixels) for each in seen]), earlier
        )
        return question.ask(features)

    whole, nothing = question.ask(film.features), ask(partial(hide, patch=_EVERYWHERE))
    values = np.zeros(len(patches))
    for number, patch in enumerate(patches):
        lost = whole - ask(partial(hide, patch=patch))
        gained = ask(partial(show_alone, patch=patch)) - nothing
        values[number] = (lost + gained) / 2
        yield Progress(STAGE, number + 1, len(patches))
    return Places(
        seconds=float(film.seconds[step]),
        first_seconds=float(film.seconds[together[0]]),
        last_seconds=float(film.seconds[together[-1]]),
        frame=film.indices[step],
        boxes=boxes_of(patches, size),
        values=values,
        picture=frames[question.first + step].shown,
    )


def hide(picture: Pixels, patch: Patch) -> Pixels:
    """The picture (height, width, 3) with its mean colour in the rows and columns of a patch."""
    hidden = picture.copy()
    hidden[patch] = np.rint(picture.reshape(-1, 3).mean(0)).astype(np.uint8)
    return hidden


def show_alone(picture: Pixels, patch: Patch) -> Pixels:
    """The picture (height, width, 3) with its mean colour everywhere but in a patch."""
    shown = hide(picture, _EVERYWHERE)
    shown[patch] = picture[patch]
    return shown


def boxes_of(patches: Sequence[Patch], size: Size) -> tuple[Box, ...]:
    """Patches of a picture as shares of its sides."""
    return tuple(
        Box(rows.start / size.height, columns.start / size.width, rows.stop / size.height, columns.stop / size.width)
        for rows, columns in patches
    )
