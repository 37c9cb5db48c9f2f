"""A portable file of a model is written, checked against the model, and kept only if it answers alike."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.atomic import write_files, write_text
from vidrnn.config import ModelSpec
from vidrnn.data.films import find_films, read_labelled
from vidrnn.errors import DataError, ExportError, FilmError, UsageError
from vidrnn.evaluate.evaluator import Evaluation, evaluate
from vidrnn.events import Note, Progress, Record
from vidrnn.export import EXPORTS
from vidrnn.export.base import Export, Precision
from vidrnn.export.frames_export import keep_and_tell
from vidrnn.model.card import with_portable
from vidrnn.model.checkpoint import CARD_NAME, LoadedModel, load_forecaster, load_model
from vidrnn.model.header import PORTABLE_NAME, foretells_frames
from vidrnn.predict.predictor import Predictor
from vidrnn.registry import load_member
from vidrnn.runtimes.base import Features, Runtime, State
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.threads import in_order
from vidrnn.values import Pixels, WindowScores
from vidrnn.video.reader import first_frames

TOLERANCE = 1e-4
"""The largest difference from the model with which an export in full precision is kept."""
CHUNKS = (1, 3, 4, 7, 20)
"""Numbers of frames in which a clip is handed over, and lengths of clips."""
_LENGTH = max(CHUNKS)
_CALIBRATION_FILMS = 32
"""Enough for ranges to settle; each gives its first window."""


@dataclass(frozen=True)
class Request:
    """Which portable file to make of which model."""

    model: Path
    to: str
    precision: Precision = "fp32"
    clips: Path | None = None
    """Films like those the model is to read: to calibrate by, to check with and, where they are labelled, to score."""
    out: Path | None = None
    """None: in the model's folder."""
    rate: float | None = None
    """Frames per second of films that are folders of pictures."""
    threads: int = 1


@dataclass(frozen=True)
class Scored:
    """What a portable file costs in accuracy."""

    before: Evaluation
    """Of the model."""
    after: Evaluation
    """Of the file, on the same clips."""
    seen: bool
    """Whether they are clips that the model learnt from or was chosen on, for want of others."""

    def __str__(self) -> str:
        which = "clips that the model learnt from or was chosen on" if self.seen else "clips"
        before, after = self.before.scores, self.after.scores
        return f"accuracy on {after.clips} {which} {after.accuracy:.3f}, {before.accuracy:.3f} before"


@dataclass(frozen=True)
class Portable:
    """A portable file that was made and kept."""

    file: Path
    size_bytes: int
    difference: float
    """The largest from the model's numbers."""
    scored: Scored | None
    """What model and file score on the clips, if they are labelled."""
    sentence: str


def export_model(request: Request) -> Generator[Record, None, Portable]:
    """Make a portable file of a model, check it, score it, and tell of it in the model's card.

    Raises:
        UsageError: there is no such form or precision, or it needs clips and was given none.
        ExportError: it cannot be made, or in full precision it does not answer as the model does.
    """
    if foretells_frames(request.model):
        return (yield from _of_next_frames(request))
    export, model = _export_named(request), load_model(request.model)
    torch.set_num_threads(1)  # tracing gains nothing by more, and clips are scored side by side
    file = request.out or model.folder / _file_name(export, request.precision)
    films = yield from _first_windows(request, model)
    yield Progress(f"writing {file.name}", 0, 1)
    difference = kept(export, model, file, request.precision, films)
    scored = None
    if request.clips and export.for_predict:
        scored = yield from _scored(TorchRuntime(model), export.read(file), request)
    sentence = told_of(model, request.precision, difference, scored)
    card = file.parent / CARD_NAME
    if file.parent == model.folder and card.is_file():
        write_text(card, with_portable(card.read_text(encoding="utf-8"), file.name, sentence))
    size = sum(part.stat().st_size for part in export.companions(file))
    return Portable(file, size, difference, scored, sentence)


def _of_next_frames(request: Request) -> Generator[Record, None, Portable]:
    """The portable file of a model of the next frames.

    Raises:
        UsageError: another form, precision or a calibration was asked for.
    """
    if (request.to, request.precision) != ("onnx", "fp32") or request.clips:
        raise UsageError(
            f"{request.model}: foretells frames, and such a model is written as onnx in fp32 only, which needs no "
            "films to calibrate by. Leave --to, --precision and --calibrate out."
        )
    model = load_forecaster(request.model)
    torch.set_num_threads(1)
    file = request.out or model.folder / PORTABLE_NAME
    yield Progress(f"writing {file.name}", 0, 1)
    difference, sentence = keep_and_tell(model, file)
    return Portable(file, file.stat().st_size, difference, None, sentence)


def _export_named(request: Request) -> Export:
    export: Export = load_member(EXPORTS, "--to", request.to)()
    if request.precision not in export.precisions:
        has = ", ".join(export.precisions)
        raise UsageError(f"--precision {request.precision}: {request.to} is not written so here, but as {has}.")
    if request.precision == "int8" and request.clips is None:
        raise UsageError(
            "--precision int8: the range of every layer has to be learnt from clips like those the model is to read. "
            "Name some, best labelled ones: --calibrate DATA."
        )
    return export


def _file_name(export: Export, precision: Precision) -> str:
    """model.onnx in full precision, model-int8.onnx otherwise."""
    stem, dot, suffix = export.file_name.rpartition(".")
    return export.file_name if precision == "fp32" else f"{stem}-{precision}{dot}{suffix}"


def _first_windows(request: Request, model: LoadedModel) -> Generator[Record, None, list[Pixels]]:
    """The first window of some of the clips, evenly chosen; films that cannot be read are passed over."""
    if request.clips is None:
        return []
    try:
        paths: Sequence[Path] = [film.path for film in read_labelled(request.clips, fewest_classes=1).films]
    except DataError:
        paths = find_films([str(request.clips)])
    places = np.unique(np.linspace(0, len(paths) - 1, _CALIBRATION_FILMS).astype(int))
    chosen = [paths[place] for place in places]

    def window(path: Path) -> Pixels | None:
        try:
            return first_frames(path, model.spec.sampling, model.spec.size, request.rate)
        except FilmError:
            return None

    windows = []
    for done, made in enumerate(in_order(window, chosen, request.threads), 1):
        yield Progress("calibration", done, len(chosen))
        if made is not None:
            windows.append(made)
    if not windows:
        raise DataError(f"{request.clips}: none of its films can be read, so there is nothing to calibrate by.")
    return windows


def _scored(model: Runtime, made: Runtime, request: Request) -> Generator[Record, None, Scored | None]:
    """The scores of both on labelled clips that the model has not seen, or on all if it has seen all of them.

    None, with a warning, if there is nothing labelled.
    """
    assert request.clips is not None
    runtimes = [Predictor(runtime, rate=request.rate, threads=request.threads) for runtime in (model, made)]
    for split in (None, "all"):
        try:
            before = yield from evaluate(runtimes[0], request.clips, split)
            after = yield from evaluate(runtimes[1], request.clips, split)
        except DataError as error:
            why = error
        else:
            return Scored(before, after, seen=split == "all")
    yield Note(f"accuracy cannot be measured: {why}", warning=True)
    return None


def kept(
    export: Export,
    model: LoadedModel,
    file: Path,
    precision: Precision = "fp32",
    films: Sequence[Pixels] = (),
) -> float:
    """Write a portable form, check it, and give it its name only then; the largest difference from the model.

    Args:
        export: a member of the family.
        model: on the processor.
        file: where it comes to stand; what stands there is replaced.
        precision: one of the member's.
        films: clips (time, height, width, 3) at the model's size, to check with beside random ones and calibrate by.

    Raises:
        ExportError: it cannot be made, or in full precision it does not answer as the model does.
        OutputError: the disk refuses.
    """
    with write_files(export.companions(file), advice="Choose another place with --out.") as (beside, *_):
        export.write(model, beside, precision, films)
        clips, made = _clips_for(model.spec, films), export.read(beside)
        found = largest_difference(TorchRuntime(model), made, clips, windows=export.for_predict)
        if precision == "fp32" and not found <= TOLERANCE:
            raise ExportError(
                f"{file}: not kept, since it does not answer as the model does: numbers differ by up to {found:.2g}, "
                f"and {TOLERANCE:g} is allowed. The model itself is whole: --runtime torch reads it."
            )
    return found


def told_of(model: LoadedModel, precision: Precision, difference: float, scored: Scored | None = None) -> str:
    """What a model card says of a portable file."""
    worth = f"; {scored}" if scored else ""
    if precision != "fp32" and not scored:
        worth = "; what that costs in accuracy was not measured, for want of labelled clips"
    how = "" if model.network.streams else "; it reads whole clips and does not stream, since its head reads both ways"
    return f"{precision}, its numbers at most {difference:.1e} from the model's{worth}{how}."


def largest_difference(model: Runtime, made: Runtime, clips: Sequence[Pixels], windows: bool = True) -> float:
    """How far what was made is from the model, at most, over all that it is asked.

    Clips (batch, `CHUNKS`' longest, height, width, 3) are read whole and in chunks, from a fresh start and from the
    model's own state; with `windows` their frames are also encoded and the features scored, as predict does. A
    difference is that of two numbers, or its share of the model's where that is more than 1: sums grow with a film.
    """
    found = [0.0]
    for clip in clips:
        found += _read_alike(model, made, clip) if model.streams else _whole_alike(model, made, clip)
        for frames in clip if windows else ():
            theirs = model.encode(frames)
            found.append(_apart(made.encode(frames), theirs))
            found += _followed_alike(model, made, theirs[None]) if model.streams else ()
            found += [_scores_apart(made.score([theirs[:n]] * 2), model.score([theirs[:n]] * 2)) for n in CHUNKS]
    return float(np.max(found))


def _read_alike(model: Runtime, made: Runtime, clip: Pixels) -> Iterator[float]:
    """The clip in chunks, each with the state of the one before; then the chunks, each with the model's state."""
    whole, end = model.read(clip)
    for chunk in CHUNKS:
        state: State | None = None
        theirs: State | None = None
        for start in range(0, clip.shape[1], chunk):
            piece = clip[:, start : start + chunk]
            scores, state = made.read(piece, state)
            yield _apart(scores.steps, whole.steps[:, start : start + chunk])
            if chunk == max(CHUNKS[1:-1]):
                given, theirs = model.read(piece, before := theirs)
                carried, after = made.read(piece, before)
                yield max(_scores_apart(carried, given), _states_apart(after, theirs))
        assert state is not None
        yield max(_apart(scores.clip, whole.clip), _states_apart(state, end))


def _followed_alike(model: Runtime, made: Runtime, features: Features) -> Iterator[float]:
    """The features (1, time, width) in chunks, each with the state of the one before."""
    whole, end = model.follow(features)
    for chunk in CHUNKS:
        state: State | None = None
        for start in range(0, features.shape[1], chunk):
            scores, state = made.follow(features[:, start : start + chunk], state)
            yield _apart(scores.steps, whole.steps[:, start : start + chunk])
        assert state is not None
        yield max(_apart(scores.clip, whole.clip), _states_apart(state, end))


def _whole_alike(model: Runtime, made: Runtime, clip: Pixels) -> Iterator[float]:
    """Whole clips of several lengths, for a model that takes no state."""
    for length in CHUNKS:
        yield _scores_apart(made.read(clip[:, :length])[0], model.read(clip[:, :length])[0])


def _scores_apart(one: WindowScores, other: WindowScores) -> float:
    return max(_apart(one.clip, other.clip), _apart(one.steps, other.steps))


def _states_apart(one: State, other: State) -> float:
    if set(one) != set(other):
        return np.inf
    return max((_apart(one[name], other[name]) for name in one), default=0.0)


def _apart(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    if one.shape != other.shape:
        return np.inf
    first, second = one.astype(np.float64), other.astype(np.float64)
    apart = np.abs(first - second) / np.maximum(1.0, np.abs(second))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))


def _clips_for(spec: ModelSpec, films: Sequence[Pixels]) -> list[Pixels]:
    """Random pixels, two clips at once, and one clip from the films, or painted where there is none."""
    random = np.random.default_rng(0).integers(0, 256, (2, _LENGTH, spec.height, spec.width, 3), dtype=np.uint8)
    real = films[0] if len(films) else _painted(spec)
    return [random, np.resize(real, (1, _LENGTH, *real.shape[1:]))]


def _painted(spec: ModelSpec) -> Pixels:
    """Pictures as smooth as real ones: coloured waves that move."""
    time, rows, columns = np.ogrid[:_LENGTH, : spec.height, : spec.width]
    waves = [np.sin(0.05 * (k + 1) * columns + 0.03 * rows + 0.4 * (k + 1) * time) for k in range(3)]
    return (127.5 * (1 + np.stack(waves, -1))).astype(np.uint8)
