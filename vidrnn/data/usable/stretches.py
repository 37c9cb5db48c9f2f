"""Films without labels: those that are long enough for a training of next frames, and their split."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from statistics import median

from vidrnn.config import RunConfig
from vidrnn.data.dataset import Dataset
from vidrnn.data.films import counted
from vidrnn.data.splits import Split, split_films
from vidrnn.errors import DataError
from vidrnn.events import LeftOut, RunEvent
from vidrnn.values import FilmFailure, FilmScan, Part


def usable_stretches(dataset: Dataset, config: RunConfig, data: Path) -> Generator[RunEvent, None, Dataset]:
    """The films that are long enough for a stretch: a context and a horizon.

    Raises:
        DataError: none is, or no frames remain to validate on.
    """
    spacing, window = frame_spacing(dataset, config), config.context + config.horizon
    steps = [_steps_of(scan, spacing) for scan in dataset.scans]
    short = tuple(
        FilmFailure(scan.facts.path, f"{counted(count, 'frame')} {spacing:g} s apart, and {window} are needed")
        for scan, count in zip(dataset.scans, steps, strict=True)
        if count < window
    )
    if len(short) == len(steps):
        raise DataError(
            f"{data}: wanted videos of {window} frames (--context {config.context} and "
            f"--horizon {config.horizon}) {spacing:g} s apart; the longest has {max(steps)}. "
            "Use a smaller --context, --horizon or --spacing."
        )
    if short:
        yield LeftOut(short)
        places = [place for place, count in enumerate(steps) if count >= window]
        dataset, steps = dataset.at(places), [steps[place] for place in places]
    if is_one_group(dataset) and not any(held_out(count, window) for count in steps):
        raise no_validation(data, window, max(steps))
    return dataset


def split_stretches(dataset: Dataset, config: RunConfig, *, test: bool) -> Split:
    """The split of films without labels: by group, or in time where all films are of one group.

    Raises:
        DataError: a given split cannot be used, or there are too few groups.
    """
    if not is_one_group(dataset):
        return split_films(dataset.films, dataset.grouping, test=test, seed=config.seed)
    remark = (
        "All videos belong together, so the last fifth of each is held out for validation, and there is no test: "
        "the scores are of videos that were trained on."
    )
    return Split(tuple(Part.TRAIN for _ in dataset.films), notes=(remark,))


def held_out(frames: int, window: int) -> int:
    """How many frames at the end of a film of so many validate; 0 for a film that is too short for both."""
    held = max(window, frames // 5)
    return held if frames >= held + window else 0


def no_validation(data: Path, window: int, longest: int) -> DataError:
    """The error for films without a part for training or for validation; `longest`: frames of the longest film."""
    return DataError(
        f"{data}: wanted {window} frames to learn from and {window} more to "
        f"validate on; the longest video has {longest}. Add videos, or use a smaller --context or --horizon."
    )


def is_one_group(dataset: Dataset) -> bool:
    """Whether all films are of one group without a given split. Then only the end of each film can be held out."""
    return len(set(dataset.groups)) == 1 and not any(film.part for film in dataset.films)


def frame_spacing(dataset: Dataset, config: RunConfig) -> float:
    """Seconds between two frames of a stretch: as the settings say, else the median over films."""
    return config.spacing_seconds or _median_spacing(dataset.scans)


def _median_spacing(scans: Sequence[FilmScan]) -> float:
    spacings = [1 / scan.facts.fps for scan in scans if scan.facts.frames > 1 and scan.facts.fps > 0]
    return round(median(spacings), 6) if spacings else 0.04


def _steps_of(scan: FilmScan, spacing_seconds: float) -> int:
    """The number of frames of a film on the grid."""
    facts = scan.facts
    return int((facts.last_seconds - facts.first_seconds) / spacing_seconds + 0.5) + 1
