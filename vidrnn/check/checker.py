"""A check of DATA, from reading it to the report. It yields progress and prints nothing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

from vidrnn.check.doubles import double_findings
from vidrnn.check.enough import LearningCurve, learning_curve, sentences
from vidrnn.check.files import file_findings
from vidrnn.check.finding import LEVELS, Finding, sentence
from vidrnn.check.overview import (
    class_table,
    file_table,
    kinds_of_files,
    numbers_of,
    shortcut_table,
    split_sentence,
)
from vidrnn.check.pictures import picture_findings
from vidrnn.check.reading import CheckRequest, Understood, understand
from vidrnn.check.repair import Repair, refuse_place, write_repaired
from vidrnn.check.shortcuts import Shortcut, find_shortcuts, shortcut_findings
from vidrnn.check.truth import truth_findings
from vidrnn.data.films import counted
from vidrnn.events import RunEvent
from vidrnn.tables import Report


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    findings: tuple[Finding, ...]
    """Refusals first, then warnings, then notes."""
    report: Report
    """What was understood. Its numbers hold the findings too."""
    repair: Repair | None = None

    @property
    def refused(self) -> bool:
        """Whether a training would refuse DATA."""
        return any(finding.level == "refusal" for finding in self.findings)


def check_data(request: CheckRequest, fix: Path | None = None) -> Generator[RunEvent, None, Checked]:
    """Check DATA. Progress is yielded, and the findings are returned.

    Args:
        request: DATA, and how it is read.
        fix: the folder for a manifest without what can be mended; None writes none.

    Raises:
        UsageError: a setting has a value that it cannot have.
        OutputError: the manifest is there already, or cannot be written.
    """
    if fix is not None:
        refuse_place(fix, request.config.features)
    read = yield from understand(request)
    clips = read.best
    shortcuts = () if clips is None else (yield from find_shortcuts(clips))
    curve = None if clips is None else (yield from learning_curve(clips))
    films = [] if request.config.features else read.scans  # features have no pictures and no container
    findings = [
        *truth_findings(read),
        *file_findings(read.left_out, films, read.notes),
        *picture_findings(films),
        *(double_findings(read) if films else ()),
        *shortcut_findings(shortcuts),
    ]
    findings.sort(key=lambda finding: (LEVELS.index(finding.level), finding.kind == "training"))
    repair = None if fix is None else write_repaired(read, fix)
    fixed = "" if fix is None else f"Nothing was written to {fix}: no video of {request.data} can be used."
    fixed = repair.sentence if repair else fixed
    return Checked(tuple(findings), _report(read, findings, shortcuts, curve, repair, fixed), repair)


def _report(
    read: Understood,
    findings: list[Finding],
    shortcuts: tuple[Shortcut, ...],
    curve: LearningCurve | None,
    repair: Repair | None,
    fixed: str,
) -> Report:
    """The report: what was understood, and at its end what follows; `fixed`: what was written, in a sentence."""
    dataset = read.best
    tables = [
        None if dataset is None else class_table(dataset, read.split),
        file_table(read),
        shortcut_table(shortcuts),
    ]
    found = {finding.text for finding in findings}
    notes = [note.text for note in read.notes if not note.warning and sentence(note.text) not in found]
    split = split_sentence(read)
    return Report(
        title="What was understood",
        tables=tuple(table for table in tables if table is not None),
        notes=(*map(sentence, notes), *map(sentence, kinds_of_files(read)), *([split] if split else [])),
        sentences=(*sentences(curve), *((fixed,) if fixed else ()), _verdict(findings)),
        numbers={
            "data": str(read.request.data),
            **numbers_of(read),
            "findings": [finding.as_json() for finding in findings],
            "shortcuts": [asdict(each) for each in shortcuts],
            "learning_curve": None if curve is None else asdict(curve),
            "fix": None if repair is None else repair.as_json(),
        },
    )


def _verdict(findings: list[Finding]) -> str:
    """The last sentence: whether a training takes DATA."""
    warnings = sum(finding.level == "warning" for finding in findings)
    after = f", after {counted(warnings, 'warning')}" if warnings else ", and nothing speaks against it"
    if any(finding.level == "refusal" for finding in findings):
        return "vidrnn train would refuse this DATA. The first sentence above says why."
    return f"vidrnn train takes this DATA{after}."
