"""The contract of a scorer: what a model gives for labelled films becomes a report."""

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
    """A film with its truth, and the moments that the model gives for it."""

    film: LabelledFilm
    moments: FilmMoments


class Scorer(ABC):
    """Scores one model on one set of films."""

    def __init__(self, model: Runtime, source: Path) -> None:
        """`source`: the path that the model was read from."""
        self.model, self.source = model, source

    @abstractmethod
    def usable(self, labelled: LabelledData, data: Path) -> LabelledData:
        """The films whose truth fits the model.

        Raises:
            DataError: there is no such film.
        """

    @abstractmethod
    def observer(self, films: Sequence[LabelledFilm]) -> Observe | None:
        """A function that sees the frames of each film while the model reads them; None if no score needs them."""

    @abstractmethod
    def check(self, film: LabelledFilm, moments: FilmMoments) -> None:
        """Check that the truth of a film fits the film.

        Raises:
            FilmError: it does not fit.
        """

    @abstractmethod
    def report(self, films: Sequence[ScoredFilm]) -> Generator[RunEvent, None, Report]:
        """Give events while scores are computed, and the report on films that were read in the end.

        Raises:
            DataError: there is nothing to score.
        """
