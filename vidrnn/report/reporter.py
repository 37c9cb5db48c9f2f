"""A run becomes one page: gather, read the needed pictures, draw, write. It yields events and prints nothing."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Note, Progress, RunEvent
from vidrnn.model.header import find_weights
from vidrnn.report.anew import NO_GUESSES, answer_anew
from vidrnn.report.answers import ANSWERS_NAME, PAGE_NAME, Answers, folder_of
from vidrnn.report.evidence import Evidence, gather, stored_data
from vidrnn.report.page import Page, render
from vidrnn.report.reasons import with_curves
from vidrnn.report.sections.clips import clip_sections
from vidrnn.report.sections.forecasts import forecast_sections
from vidrnn.report.sections.frames import frame_sections
from vidrnn.report.sections.shared import SHOWN_SUSPECTS, stretch_of
from vidrnn.report.strips import Pictures, Stretch, read_strips
from vidrnn.report.suspect_files import write_suspects
from vidrnn.report.suspects import Suspect, find_suspects
from vidrnn.report.worst import Mistake, worst_clips, worst_scores, worst_stretches

MOST_BYTES = 5_000_000
"""Of a page."""


@dataclass(frozen=True)
class PageRequest:
    """The run, and what its page is drawn from."""

    run: Path
    """The folder of a run or of a model."""
    out: Path | None = None
    """The file to write; None: report.html in `files`."""
    files: Path | None = None
    """The folder of the events, the settings and the answers; None: the run itself."""
    data: Path | None = None
    """DATA, for the strips of frames and their curves; None: there are neither."""
    answers: Answers | None = None
    """In place of those of the run."""
    seconds: float | None = None
    """The longest time for reading films; None: no limit."""

    @property
    def file(self) -> Path:
        """The file that is written."""
        return self.out or (self.files or self.run) / PAGE_NAME


def write_page(request: PageRequest) -> Generator[RunEvent, None, Path]:
    """Write the page of a run. Events come first, the file comes last.

    Raises:
        ModelError: there is no model.
        RunError: the answers of the run are damaged.
        OutputError: the page cannot be written.
    """
    evidence = gather(request.run, request.files, request.answers)
    worst, suspects = _worst(evidence), find_suspects(evidence.answers) if evidence.answers else []
    stretches = [one.stretch for one in worst] + [stretch_of(one) for one in suspects[:SHOWN_SUSPECTS]]
    folder = None if request.data is None else folder_of(request.data)
    until = None if request.seconds is None else time.monotonic() + request.seconds
    pictures = yield from read_strips(stretches, folder, request.seconds)
    if folder is not None:
        worst = yield from with_curves(worst, request.run, folder, until)
    yield Progress("page", 0, 1)
    write_text(request.file, _drawn(evidence, worst, suspects, pictures))
    yield Progress("page", 1, 1)
    return request.file


def _worst(evidence: Evidence) -> list[Mistake]:
    answers, answer = evidence.answers, evidence.header.answer
    if answers is None:
        return []
    if answer.resolution == "clip":
        return worst_clips(answers)
    if answer.kind == "picture":
        return worst_scores(answers)
    return worst_stretches(answers, answer.background, several=answer.kind == "several")


def _drawn(evidence: Evidence, worst: list[Mistake], suspects: list[Suspect], pictures: dict[Stretch, Pictures]) -> str:
    """The page; with fewer pictures where it would be too large."""
    answer = evidence.header.answer
    kind = forecast_sections if answer.kind == "picture" else frame_sections
    sections = clip_sections if answer.resolution == "clip" else kind
    while True:
        text = render(Page(evidence, tuple(sections(evidence, worst, suspects, pictures))))
        if len(text.encode()) <= MOST_BYTES or not pictures:
            return text
        kept = list(pictures)[: len(pictures) // 2]
        pictures = {stretch: pictures[stretch] for stretch in kept}


@dataclass(frozen=True)
class ReportRequest:
    """What `vidrnn report` is asked for."""

    run: Path
    out: Path | None = None
    data: Path | None = None
    """None: where the run says DATA is."""
    suspects: bool = False
    """Whether to write the suspect labels as files, too."""


@dataclass(frozen=True)
class Reported:
    """The files that were written."""

    files: tuple[Path, ...]
    suspects: tuple[Suspect, ...] | None
    """None: they were not asked for."""


def report(request: ReportRequest) -> Generator[RunEvent, None, Reported]:
    """Write the page of a run, and its suspect labels if they are asked for. Events come first.

    Raises:
        UsageError: DATA does not exist.
        ModelError: there is no model.
        RunError: the answers of the run are damaged, or suspects are asked for and the run has none.
        OutputError: a file cannot be written.
    """
    run, data = request.run, request.data or stored_data(request.run)
    if request.data is not None and not request.data.exists():
        raise UsageError(f"--data {request.data}: there is no such file or folder. Name the videos of the run.")
    find_weights(run)
    folder = run if run.is_dir() else run.parent
    answers = Answers.read(folder / ANSWERS_NAME)
    if answers is None and request.data is not None:
        answers = yield from answer_anew(run, request.data)
    if answers is None:
        yield Note(
            f"{run}: holds no {ANSWERS_NAME}, so the page shows no mistakes. Say --data DATA to ask the model about "
            "videos.",
            warning=True,
        )
    if request.suspects and (answers is None or not answers.has_guesses):
        reason = answers.guessed_by if answers and answers.guessed_by else NO_GUESSES
        raise RunError(f"{run}: --suspects: {reason[:1].lower()}{reason[1:]}")
    page = yield from write_page(PageRequest(run, request.out, folder, data, answers))
    if not request.suspects or answers is None:
        return Reported((page,), None)
    found = find_suspects(answers)
    files = write_suspects(found, answers.classes, page.parent)
    return Reported((page, *files), tuple(found))
