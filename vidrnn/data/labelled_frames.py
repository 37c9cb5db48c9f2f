"""Films with labels of their moments: label files of any format, and the films that they name. It decodes no film."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidrnn.data.annotations import in_frames, joined_bouts, joined_spans
from vidrnn.data.films import LabelledData, counted, folder_content
from vidrnn.data.label_text import beginning_of, listed, tidy
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.data.listing.film_finder import FilmFinder
from vidrnn.data.listing.labelled import alike_names, alike_note
from vidrnn.data.listing.own_results import has_result_name
from vidrnn.errors import DataError
from vidrnn.registry import load_attribute, load_member
from vidrnn.values import Annotation, Bout, FilmFailure, FilmScan, LabelledFilm, Misfit, Part, Span
from vidrnn.video.reader import is_film

if TYPE_CHECKING:
    from vidrnn.config import LabelsConfig
    from vidrnn.data.labels.base import LabelFile, LabelFormat, NamedLabels, Silence

EACH = "each"
"""The subject that stands for all: every pair of subject and behaviour is a class."""
_SURE_SECONDS = 1.0
_SURE_SHARE = 0.02
"""Lengths that differ by more than both are lengths of different films."""


def read_frame_labelled(data: Path, options: LabelsConfig) -> LabelledData:
    """The films of DATA with the behaviours at their moments. No film is opened.

    The first note says what was understood of the labels.

    Args:
        data: a label file of any format of LABEL_FORMATS, or a folder with one or more label files of one format.
        options: how the labels are to be read.

    Raises:
        DataError: no label file is recognised, the only one is damaged, or no film that it names is found.
        UsageError: `--labels-as` names no format, or `--films` no folder.
    """
    sources = _find_sources(data, options.labels_as)
    files, failures = _read_sources(sources, options)
    finder = FilmFinder(data, options.films, sources.paths)
    films, missing = _matched(_told_apart(data, files), finder)
    failures += missing
    if not films:
        first = f" First problem: {failures[0].path.name}: {failures[0].reason.rstrip('.')}." if failures else ""
        raise DataError(f"{data}: read as {sources.title}; none of its videos can be used.{first}")
    silence = options.unlabelled or sources.silence
    naming = _Naming(options, _subjects_of(films), data)
    labelled, empty, overlaps = _labelled_films(films, naming, silence, options)
    failures += empty
    if not labelled:
        raise DataError(f"{data}: read as {sources.title}; no moment of its videos has a label.")
    notes = [
        _understood(
            data,
            sources,
            files,
            labelled,
            {film.path for film in films} | {failure.path for failure in missing},
            silence,
        ),
        *dict.fromkeys(note for _, file in files for note in file.notes),
        *_notes(films, labelled, naming, overlaps),
        *_absent_notes(files, labelled),
        *finder.notes([*(film.path for film in labelled), *(failure.path for failure in failures)]),
    ]
    if options.label_rate is not None and all(named.unit == "seconds" for film in films for named in film.labels):
        notes.append("--label-rate has no effect: these labels are in seconds, not in frames")
    passed_over, warnings = _result_notes(data, sources)
    return LabelledData(tuple(labelled), tuple(failures), (*notes, *passed_over), warnings)


def holds_labels(data: Path, options: LabelsConfig) -> bool:
    """Whether a path is a label file of a known format, or a folder with one, or the options say so."""
    if options.labels_as is not None:
        return True
    formats: dict[str, LabelFormat] = {name: load_attribute(place)() for name, place in LABEL_FORMATS.items()}
    return data.exists() and not is_film(data) and bool(_by_format(data, formats))


# --- label files -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sources:
    """Label files of one format."""

    format: LabelFormat
    paths: tuple[Path, ...]

    @property
    def title(self) -> str:
        return self.format.title

    @property
    def silence(self) -> Silence:
        return self.format.silence


def _find_sources(data: Path, labels_as: str | None) -> _Sources:
    if not data.exists():
        raise DataError(f"{data}: there is no such label file or folder.")
    if is_film(data):
        raise DataError(f"{data}: is a video. Give the file of its labels, or a folder with both.")
    if labels_as is not None:
        return _named_sources(data, labels_as)
    formats: dict[str, LabelFormat] = {name: load_attribute(place)() for name, place in LABEL_FORMATS.items()}
    found = _by_format(data, formats)
    if not found:
        holds = "is no label file" if data.is_file() else "holds no label file"
        raise DataError(
            f"{data}: {holds} of a known format. Known are {', '.join(LABEL_FORMATS)}; --labels-as NAME reads it as "
            "one of them."
        )
    if len(found) > 1:
        kinds = [f"{name} ({paths[0].name})" for name, paths in found.items()]
        raise DataError(
            f"{data}: holds label files of {len(found)} formats: {', '.join(kinds)}. Name one, such as --labels-as "
            f"{next(iter(found))}."
        )
    name, paths = next(iter(found.items()))
    return _Sources(formats[name], tuple(paths))


def _named_sources(data: Path, name: str) -> _Sources:
    """The label files of a format that the user named. A file that is not recognised is read all the same."""
    format_: LabelFormat = load_member(LABEL_FORMATS, "--labels-as", name)()
    if data.is_file():
        return _Sources(format_, (data,))
    found = _by_format(data, {name: format_})
    if not found:
        raise DataError(f"{data}: no file in it is a {format_.title}. Without --labels-as the format is recognised.")
    return _Sources(format_, tuple(found[name]))


def _by_format(data: Path, formats: dict[str, LabelFormat]) -> dict[str, list[Path]]:
    """The label files of DATA by their format: DATA itself, or else the files below it.

    Results of vidrnn lie among films as label files do. They count only if there are no other label files.
    """
    below = sorted(folder_content(data)[1]) if data.is_dir() else []
    for paths in ([data], [path for path in below if not has_result_name(path)], [*filter(has_result_name, below)]):
        found: dict[str, list[Path]] = {}
        for path in paths:
            if name := _recognised(path, formats):
                found.setdefault(name, []).append(path)
        if found:
            return found
    return {}


def _result_notes(data: Path, sources: _Sources) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings on files whose names are those of results: passed over, or read as labels."""
    results = [path for path in folder_content(data)[1] if has_result_name(path)] if data.is_dir() else []
    if not results:
        return (), ()
    if set(sources.paths) <= set(results):
        warning = (
            "these files have the names that vidrnn gives to its own answers; a model learns nothing from answers that "
            "nobody has corrected"
        )
        return (), (warning,)
    shown = listed(path.name for path in results)
    return (f"passed over, since their names are those of answers of vidrnn: {shown}",), ()


def _recognised(path: Path, formats: dict[str, LabelFormat]) -> str | None:
    beginning = beginning_of(path)
    return next((name for name, each in formats.items() if each.recognises(path, beginning)), None)


def _read_sources(sources: _Sources, options: LabelsConfig) -> tuple[list[tuple[Path, LabelFile]], list[FilmFailure]]:
    """What each label file says. One damaged file of several is a failure."""
    files: list[tuple[Path, LabelFile]] = []
    failures: list[FilmFailure] = []
    problems: list[DataError] = []
    for path in sources.paths:
        try:
            files.append((path, sources.format.read(path, options)))
        except DataError as problem:
            problems.append(problem)
            failures.append(FilmFailure.of(path, problem))
    if not files:
        raise DataError(f"{problems[0]}{_other_format(sources)}" if options.labels_as else str(problems[0]))
    return files, failures


def _other_format(sources: _Sources) -> str:
    """A sentence on the format that a file seems to have, where it is not the one that the user named."""
    formats: dict[str, LabelFormat] = {name: load_attribute(place)() for name, place in LABEL_FORMATS.items()}
    name = _recognised(sources.paths[0], formats)
    return f" It looks like {name}: --labels-as {name}." if name and formats[name].title != sources.title else ""


# --- films -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Film:
    """A film that was found, and all that the label files say of it."""

    path: Path
    labels: list[NamedLabels] = field(default_factory=list)


def _told_apart(data: Path, files: Sequence[tuple[Path, LabelFile]]) -> list[tuple[Path, LabelFile]]:
    """The label files, where each of several is an annotator if it says by itself which moments it covers.

    Two files that each cover a film are two opinions. Files that only list bouts may complete each other.
    """
    if len(files) < 2:
        return list(files)
    apart = []
    for path, content in files:
        person = path.relative_to(data).as_posix()
        films = [
            replace(named, annotator=person) if named.known is not None and not named.annotator else named
            for named in content.films
        ]
        apart.append((path, replace(content, films=tuple(films))))
    return apart


def _matched(files: Sequence[tuple[Path, LabelFile]], finder: FilmFinder) -> tuple[list[_Film], list[FilmFailure]]:
    """The films that label files name, and a failure for each name that leads to none, or to one of another name."""
    films: dict[Path, _Film] = {}
    failures: dict[Path, FilmFailure] = {}
    names: dict[Path, dict[str, bool]] = {}
    found: list[tuple[NamedLabels, Path, Path]] = []
    unusable: list[tuple[Path, str, str]] = []
    for file, content in files:
        beside = file if file.is_dir() else file.parent
        unusable += ((beside, name, reason) for name, reason in content.failures)
        for named in content.films:
            result = finder.find(beside, (named.name, *named.aliases))
            if isinstance(result, str) and named.number is not None:
                result = finder.numbered(named.number)
            if isinstance(result, str):
                failures.setdefault(beside / named.name, FilmFailure(beside / named.name, result))
                continue
            path, exact = result
            key = path.resolve()
            names.setdefault(key, {})[named.name] = exact
            found.append((named, path, key))
    for beside, name, reason in unusable:
        place = finder.find(beside, (name,))
        path = beside / name if isinstance(place, str) else place[0]
        failures.setdefault(path, FilmFailure(path, reason))
    for named, path, key in found:
        alike = sorted(name for name in names[key] if name != named.name)
        if alike and not names[key][named.name]:
            reason = f"the labels name {named.name} and {alike[0]}, and both may be this video. Rename one of them"
            failures.setdefault(path / named.name, FilmFailure(path, reason))
        else:
            films.setdefault(key, _Film(path)).labels.append(named)
    return list(films.values()), list(failures.values())


# --- annotations -----------------------------------------------------------------------------------------------------


def _subjects_of(films: Sequence[_Film]) -> tuple[str, ...]:
    """The names of all subjects, sorted; without the empty one."""
    subjects = {bout.subject for film in films for named in film.labels for bout in named.bouts}
    return tuple(sorted({tidy(subject) for subject in subjects} - {""}))


class _Naming:
    """Which bouts count, and the class of each."""

    def __init__(self, options: LabelsConfig, subjects: tuple[str, ...], data: Path) -> None:
        self.subjects = subjects
        self.each = options.subject == EACH
        self.only = None if options.subject is None or self.each else tidy(options.subject)
        self._tidied: dict[str, str] = {}
        if options.subject is not None and not subjects:
            raise DataError(f"{data}: names no subjects, so that --subject {options.subject} chooses nothing.")
        if self.only is not None and self.only not in subjects:
            raise DataError(f"{data}: has no subject {self.only!r}. It has {listed(subjects)}.")

    def named(self, bout: Bout, scale: float, point: float) -> Bout | None:
        """The bout under the name of its class, times multiplied by `scale`; None if it does not count."""
        subject, label = self._tidy(bout.subject), self._tidy(bout.label)
        if not label or (self.only is not None and subject != self.only):
            return None
        start, end = bout.start * scale, bout.end * scale
        if self.each and subject:
            label = f"{subject}: {label}"
        return Bout(start, start + point if end == start else end, label, subject)

    def _tidy(self, name: str) -> str:
        if name not in self._tidied:
            self._tidied[name] = tidy(name)
        return self._tidied[name]


def _labelled_films(
    films: Sequence[_Film], naming: _Naming, silence: Silence, options: LabelsConfig
) -> tuple[list[LabelledFilm], list[FilmFailure], int]:
    """The films with their annotations, a failure for each film without a moment that is known, and the overlaps."""
    labelled: list[LabelledFilm] = []
    failures: list[FilmFailure] = []
    overlaps = 0
    for film in films:
        annotators: dict[str, list[NamedLabels]] = {}
        for named in film.labels:
            annotators.setdefault(named.annotator, []).append(named)
        try:
            results = [_annotation(annotators[name], naming, silence, options) for name in sorted(annotators)]
            part = _part(film)
        except ValueError as problem:
            failures.append(FilmFailure(film.path, str(problem)))
            continue
        annotations = [annotation for annotation, _ in results if annotation.known != ()]
        overlaps += sum(count for _, count in results)
        if not annotations:
            failures.append(FilmFailure(film.path, "no moment of it has a label"))
            continue
        labelled.append(
            LabelledFilm(
                film.path,
                group=next((named.group for named in film.labels if named.group), None),
                part=part,
                annotation=annotations[0],
                others=tuple(annotations[1:]),
                label_rate=next((rate for named in film.labels if (rate := _rate(named, options)) is not None), None),
                label_seconds=next((named.duration_seconds for named in film.labels if named.duration_seconds), None),
            )
        )
    return labelled, failures, overlaps


def _annotation(
    labels: Sequence[NamedLabels], naming: _Naming, silence: Silence, options: LabelsConfig
) -> tuple[Annotation, int]:
    """All that one annotator says of one film, and how many bouts overlap others of the same behaviour.

    Raises:
        ValueError: some labels are in frames and some in seconds.
    """
    bouts: list[Bout] = []
    known: list[Span] | None = []
    units: set[Literal["seconds", "frames"]] = set()
    for named in labels:
        rate = _rate(named, options) if named.unit == "frames" else None
        scale = 1.0 if rate is None else 1 / rate
        units.add("seconds" if rate is not None else named.unit)
        of_file = [
            bout
            for each in named.bouts
            if (bout := naming.named(each, scale, options.point_seconds or 0.0)) is not None
        ]
        bouts += of_file
        if named.known is not None:
            spans = [(start * scale, end * scale) for start, end in named.known]
        elif silence == "ignore":
            spans = [(bout.start, bout.end) for bout in of_file]
        else:
            known = None
        if known is not None:
            known += spans
    if len(units) > 1:
        raise ValueError(
            "some of its labels count frames, and some count seconds. --label-rate FPS makes seconds of all"
        )
    joined, overlaps = joined_bouts(bouts)
    return Annotation(joined, None if known is None else joined_spans(known), units.pop()), overlaps


def _rate(named: NamedLabels, options: LabelsConfig) -> float | None:
    """Frames per second of the film that the labels assume."""
    return options.label_rate if options.label_rate is not None and named.unit == "frames" else named.rate


def _part(film: _Film) -> Part | None:
    parts = sorted({named.part for named in film.labels if named.part is not None})
    if len(parts) > 1:
        raise ValueError(f"the labels list it for {' and for '.join(parts)}; keep one")
    return parts[0] if parts else None


# --- sentences -------------------------------------------------------------------------------------------------------


def _understood(
    data: Path,
    sources: _Sources,
    files: Sequence[tuple[Path, LabelFile]],
    films: Sequence[LabelledFilm],
    named: Collection[Path],
    silence: Silence,
) -> str:
    """One sentence: the format, unit and base, the films that were found, the behaviours, and the silence."""
    behaviours = _behaviours(films)
    bases = " and ".join(dict.fromkeys(file.base for _, file in files))
    told = [labels.known is not None for _, file in files for labels in file.films]
    quiet = {
        "none": "moments without a label count as no behaviour (--unlabelled ignore to change it)",
        "ignore": "moments without a label count as not known (--unlabelled none to change it)",
    }[silence]
    if all(told):
        quiet = "the file says which moments were annotated, and all others count as not known"
    several = f" ({len(files)} files)" if len(files) > 1 else ""
    return (
        f"{data.name}{several}: read as {sources.title}: {bases}; {len(films):,} of {counted(len(named), 'video')} "
        f"found; {counted(len(behaviours), 'behaviour')}: {listed(behaviours)}; {quiet}"
    )


def _behaviours(films: Iterable[LabelledFilm]) -> list[str]:
    annotations = [each for film in films for each in (film.annotation, *film.others) if each is not None]
    return sorted({bout.label for annotation in annotations for bout in annotation.bouts})


def _notes(films: Sequence[_Film], labelled: Sequence[LabelledFilm], naming: _Naming, overlaps: int) -> Iterator[str]:
    yield from (alike_note(alike, "behaviours") for alike in alike_names(_behaviours(labelled)))
    if len(naming.subjects) > 1 and naming.only is None and not naming.each:
        yield (
            f"labels of {len(naming.subjects)} subjects count together: {listed(naming.subjects)} (--subject NAME "
            "chooses one, --subject each tells them apart)"
        )
    if overlaps:
        verb = "overlaps" if overlaps == 1 else "overlap"
        yield f"{counted(overlaps, 'label')} {verb} another one of the same behaviour; such labels are joined"
    for film in films:
        if len(names := sorted({named.annotator for named in film.labels})) > 1:
            more = sum(len({named.annotator for named in each.labels}) > 1 for each in films) - 1
            yield (
                f"{film.path.name} has {len(names)} annotators: {listed(names)}. The first is the truth, the others "
                "serve to measure agreement" + (f"; so it is for {counted(more, 'more video')}" if more else "")
            )
            break


def _absent_notes(files: Sequence[tuple[Path, LabelFile]], labelled: Sequence[LabelledFilm]) -> Iterator[str]:
    """A note if the files declare behaviours that no film shows."""
    shown = {label.rpartition(": ")[2] for label in _behaviours(labelled)} | set(_behaviours(labelled))
    declared = {tidy(name) for _, file in files for name in file.behaviours}
    if absent := sorted(declared - shown):
        noun = "behaviour of the labels occurs" if len(absent) == 1 else "behaviours of the labels occur"
        yield f"{len(absent)} {noun} in no video: {listed(absent)}"


def check_against_films(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> tuple[str, ...]:
    """Sentences on how the labels fit the films that were scanned.

    They say how much of the films is annotated, how far labels reach beyond the end of a film, and which films have
    another rate or length than the labelling tool assumed.

    Args:
        films: with annotations.
        scans: of the films, in their order.
    """
    pairs = _pairs(films, scans)
    seconds = sum(scan.facts.duration_seconds for _, scan in pairs)
    if not seconds:
        return ()
    known = sum(_known_share(film, scan) * scan.facts.duration_seconds for film, scan in pairs)
    return (
        f"{100 * known / seconds:.0f} % of {seconds:,.0f} s of video are annotated",
        *(misfit.text for misfit in misfits(films, scans)),
    )


def misfits(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> tuple[Misfit, ...]:
    """How labels do not fit the films: they reach beyond the end, or were made on another rate or length.

    Args:
        films: with annotations; others fit.
        scans: of the films, in their order.
    """
    pairs = _pairs(films, scans)
    return tuple(filter(None, (_beyond(pairs), _other_rates(pairs), _other_lengths(pairs))))


def _pairs(films: Sequence[LabelledFilm], scans: Sequence[FilmScan]) -> _Pairs:
    return [
        (film, scan)
        for film, scan in zip(films, scans, strict=True)
        if film.annotation is not None and scan.facts.fps > 0
    ]


_Pairs = Sequence[tuple[LabelledFilm, FilmScan]]


def _end(scan: FilmScan) -> float:
    """The time at which a film ends, by its own clock."""
    return scan.facts.first_seconds + scan.facts.duration_seconds


def _known_share(film: LabelledFilm, scan: FilmScan) -> float:
    """The share of a film's frames that were annotated."""
    assert film.annotation is not None
    known = in_frames(film.annotation, scan.frame_seconds, _end(scan)).known
    if known is None:
        return 1.0
    return sum(end - start for start, end in joined_spans(known)) / len(scan.frame_seconds)


def _beyond(pairs: _Pairs) -> Misfit | None:
    """How many labels end after the film does, and by how much at most."""
    beyond: list[tuple[float, Path, int]] = []
    for film, scan in pairs:
        assert film.annotation is not None
        frame = 1 / scan.facts.fps
        in_seconds = film.annotation.unit == "seconds"
        end, unit, slack = (_end(scan), 1.0, frame / 2) if in_seconds else (scan.facts.frames, frame, 0.5)
        ends = [bout.end for bout in film.annotation.bouts]
        late = sum(each > end + slack for each in ends)
        last = max([*ends, *(span[1] for span in film.annotation.known or ())], default=0.0)
        if last > end + slack:
            beyond.append(((last - end) * unit, film.path, late))
    if not beyond:
        return None
    most, path, _ = max(beyond)
    late = sum(count for _, _, count in beyond)
    verb = "ends" if late == 1 else "end"
    text = (
        f"{counted(late, 'label')} of {counted(len(beyond), 'video')} {verb} after the video does, by {most:.2f} s "
        f"at most ({path.name}); they are cut there"
    )
    return Misfit("beyond-end", text, tuple(path for _, path, _ in beyond))


def _other_rates(pairs: _Pairs) -> Misfit | None:
    """Films that do not have the rate which the labelling tool assumed."""
    wrong: list[tuple[float, Path, float, float]] = []
    for film, scan in pairs:
        assert film.annotation is not None
        fps, rate = scan.facts.fps, film.label_rate
        last = max((bout.end for bout in film.annotation.bouts), default=0.0)
        if rate is not None and film.annotation.unit == "seconds" and last * abs(rate / fps - 1) > 1 / fps:
            wrong.append((last * abs(rate / fps - 1), film.path, rate, fps))
    if not wrong:
        return None
    error, path, rate, fps = max(wrong)
    text = (
        f"the labels of {counted(len(wrong), 'video')} assume another frame rate than the video has: {path.name} has "
        f"{fps:.5g} frames per second, the labels assume {rate:.5g}. If the labelling tool counted frames of the "
        f"video, its last label is {error:.2f} s off; --label-rate sets the rate"
    )
    return Misfit("other-rate", text, tuple(path for _, path, _, _ in wrong))


def _other_lengths(pairs: _Pairs) -> Misfit | None:
    """Films that do not have the length of the film that was labelled."""
    wrong = [
        (abs(film.label_seconds - scan.facts.duration_seconds), film.path, film.label_seconds, scan)
        for film, scan in pairs
        if film.label_seconds is not None
    ]
    wrong = [each for each in wrong if each[0] > max(_SURE_SECONDS, _SURE_SHARE * each[2])]
    if not wrong:
        return None
    _, path, seconds, scan = max(wrong, key=lambda each: each[0])
    text = (
        f"{counted(len(wrong), 'video')} may not be what was labelled: {path.name} lasts "
        f"{scan.facts.duration_seconds:.2f} s, and the labels were made on a video of {seconds:.2f} s"
    )
    return Misfit("other-length", text, tuple(path for _, path, _, _ in wrong))
