"""Shortcuts: whether facts of the files alone, such as their length, tell the class.

A model may then learn the fact in place of what happens. A small decision tree sees one kind of fact at a time, and is
scored on groups that it has not seen. scikit-learn is loaded only here and in `enough`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrnn.check.finding import Finding
from vidrnn.data.dataset import Dataset
from vidrnn.data.splits import hold_out_groups
from vidrnn.events import Progress, RunEvent
from vidrnn.values import Floats

FOLDS = 5
TOGETHER = "all of these"
"""The name of all facts together."""
FEWEST_CLIPS, FEWEST_GROUPS = 20, 5
"""With fewer, no number is honest."""
_DRAWS = 2000
_TELLS, _SURELY = 0.3, 0.15
"""A fact tells the class if a tree closes this share of the gap between always guessing the most frequent class and
always being right, and surely the second one."""
_MOST_LEAVES, _LEAVES_PER_CLASS, _FEWEST_IN_LEAF = 40, 3, 3
_ADVICE = (
    "A model may learn this in place of what happens. Record, cut and convert all classes in the same way. Where the "
    "fact belongs to what happens, as the length of a clip may, this is no fault."
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one kind of fact tells the class."""

    fact: str
    accuracy: float
    majority: float
    """The accuracy of always guessing the most frequent class of the other groups."""
    gain: Interval
    """Of the accuracy over the majority, over groups."""

    @property
    def tells(self) -> bool:
        """Whether the fact alone tells the class, to a degree that misleads."""
        room = max(1e-9, 1 - self.majority)
        return self.gain.value / room >= _TELLS and self.gain.low / room >= _SURELY


def find_shortcuts(dataset: Dataset) -> Generator[RunEvent, None, tuple[Shortcut, ...]]:
    """How well each kind of fact tells the class of a clip; none where the clips are too few for an honest number."""
    if not is_enough(dataset):
        return ()
    facts = {name: values for name, values in _facts(dataset).items() if (values != values[0]).any()}
    if len(facts) > 1:
        facts[TOGETHER] = np.concatenate([*facts.values()], axis=1)
    folds = hold_out_groups(dataset.films, dataset.groups, FOLDS)
    guesses = held_out_majority(dataset.labels, folds)
    found = []
    for done, (name, values) in enumerate(facts.items(), 1):
        hits = _tree_hits(values, dataset.labels, folds)
        gain = gain_interval(hits, guesses, dataset.groups)
        found.append(Shortcut(name, float(hits.mean()), float(guesses.mean()), gain))
        yield Progress("facts of the files", done, len(facts))
    return tuple(found)


def shortcut_findings(shortcuts: Sequence[Shortcut]) -> Iterator[Finding]:
    """A warning with each kind of fact that alone tells the class; with all together, if only together they do."""
    told = [each for each in shortcuts if each.tells]
    telling = [each for each in told if each.fact != TOGETHER] or told
    if not telling:
        return
    alone = "together" if telling[0].fact == TOGETHER else "alone"
    shares = [f"{each.accuracy:.2f} by {_words(each)}" for each in telling]
    yield Finding(
        "shortcut",
        "warning",
        f"Facts of the files {alone} tell the class: of the clips of other groups, a small decision tree is right on "
        f"{', '.join(shares)}. The most frequent class is {telling[0].majority:.2f} of them.",
        _ADVICE,
    )


def _words(shortcut: Shortcut) -> str:
    """The fact with the interval of the accuracy, by that of its gain over the majority."""
    gain = shortcut.gain
    low, high = (shortcut.accuracy + end - gain.value for end in (gain.low, gain.high))
    fact = "all of them" if shortcut.fact == TOGETHER else f"the {shortcut.fact}"
    return f"{fact} ({max(low, 0):.2f} to {min(high, 1):.2f})"


def is_enough(dataset: Dataset) -> bool:
    """Whether clips have classes, and are enough for scores by folds."""
    return (
        len(dataset.classes) > 1
        and all(film.annotation is None for film in dataset.films)
        and len(dataset.films) >= FEWEST_CLIPS
        and len(set(dataset.groups)) >= FEWEST_GROUPS
    )


def held_out_majority(labels: NDArray[np.int64], folds: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """(clips,): whether the most frequent class of the other folds is right."""
    hits = np.zeros(len(labels), dtype=np.bool_)
    for held in folds:
        hits[held] = labels[held] == np.bincount(labels[~held]).argmax()
    return hits


def gain_interval(hits: NDArray[Any], others: NDArray[Any], groups: Sequence[str]) -> Interval:
    """How many more of the clips the first are right on, with a bootstrap over groups, since clips of one are alike."""
    names, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, hits.astype(np.float64) - others, len(names))
    counts = np.bincount(places, minlength=len(names)).astype(np.float64)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), _DRAWS)
    gains = (draws @ sums) / (draws @ counts)
    low, high = np.quantile(gains, (0.025, 0.975))
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def _tree_hits(values: Floats, labels: NDArray[np.int64], folds: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    from sklearn.tree import DecisionTreeClassifier

    leaves = min(_MOST_LEAVES, _LEAVES_PER_CLASS * len(np.unique(labels)))
    hits = np.zeros(len(labels), dtype=np.bool_)
    for held in folds:
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=_FEWEST_IN_LEAF, random_state=0)
        tree.fit(values[~held], labels[~held])
        hits[held] = tree.predict(values[held]) == labels[held]
    return hits


def _facts(dataset: Dataset) -> dict[str, Floats]:
    """(clips, numbers) of each kind of fact, by its name in a sentence."""
    facts = [scan.facts for scan in dataset.scans]
    bytes_ = np.array([_size(scan.facts.path) for scan in dataset.scans])
    seconds = np.array([each.duration_seconds for each in facts])
    whole = np.array(
        [max(scan.facts.duration_seconds, 1e-3) if scan.excerpt is None else np.nan for scan in dataset.scans]
    )
    kinds = sorted({_kind(scan.facts.codec, scan.facts.path.suffix) for scan in dataset.scans})
    found: dict[str, Floats] = {
        "length": seconds[:, None],
        "picture size": np.array([(each.size.width, each.size.height) for each in facts], dtype=np.float64),
        "frame rate": np.array([round(each.fps, 2) for each in facts])[:, None],
        "codec or file type": np.array(
            [[_kind(each.codec, each.path.suffix) == kind for kind in kinds] for each in facts], dtype=np.float64
        ),
    }
    if not np.isnan(whole).any():
        found["size of the file"] = np.stack([bytes_, bytes_ / whole], axis=1)
    else:
        starts = [0.0 if scan.excerpt is None else scan.facts.first_seconds for scan in dataset.scans]
        found["place in the video"] = np.array(starts)[:, None]
    return found


def _kind(codec: str, suffix: str) -> str:
    return f"{codec} {suffix.lower()}"


def _size(path: Path) -> float:
    """The bytes of a film; of a folder of pictures those of its files."""
    try:
        return float(sum(each.stat().st_size for each in path.iterdir()) if path.is_dir() else path.stat().st_size)
    except OSError:  # it is gone by now, and its other facts are known
        return 0.0
