"""The contract of a scorer: answers and truth become a report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrnn.data.films import LabelledData
from vidrnn.events import RunEvent
from vidrnn.predict.predictor import Observe
from vidrnn.runtimes.base import Runtime
from vidrnn.tables import Report
from vidrnn.values import FilmMoments, LabelledFilm


@dataclass(frozen=True)
class ScoredFilm:
    """A film with its truth, and the model's moments of it."""

    film: LabelledFilm
    found: FilmMoments


class Scorer(ABC):
    """Scores one model on one set of films."""

    def __init__(self, model: Runtime, source: Path) -> None:
        """`source`: where the model was read from."""
        self.model, self.source = model, source

    @abstractmethod
    def usable(self, labelled: LabelledData, data: Path) -> LabelledData:
        """The films whose truth the model can be held against.

        Raises:
            DataError: there is none.
        """

    @abstractmethod
    def observer(self, films: Sequence[LabelledFilm]) -> Observe | None:
        """What sees the frames of each film while the model reads them; None if nothing needs them."""

    @abstractmethod
    def check(self, film: LabelledFilm, found: FilmMoments) -> None:
        """See that the truth of a film fits the film.

        Raises:
            FilmError: it does not.
        """

    @abstractmethod
    def report(self, films: Sequence[ScoredFilm]) -> Generator[RunEvent, None, Report]:
        """The report on films that were read; events on the way.

        Raises:
            DataError: there is nothing to score.
        """
