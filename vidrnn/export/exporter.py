"""Write a portable file of a model, check it against the model, and keep it only if the answers agree."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vidrnn.atomic import write_files, write_text
from vidrnn.data.films import counted, find_films
from vidrnn.errors import DataError, ExportError, FilmError, UsageError
from vidrnn.evaluate.evaluator import Evaluation, evaluate
from vidrnn.events import Note, Progress, RunEvent, through
from vidrnn.export import EXPORTS
from vidrnn.export.base import Export, Precision
from vidrnn.model.card import with_portable
from vidrnn.model.checkpoint import CARD_NAME, LoadedModel, load_model
from vidrnn.nets.spec import ModelSpec
from vidrnn.predict.predictor import Predictor
from vidrnn.registry import load_attribute
from vidrnn.runtimes.base import Features, Outputs, Runtime, State
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tasks.base import task_named
from vidrnn.threads import map_in_order
from vidrnn.values import InputName, Pixels, Window
from vidrnn.video.reader import first_window

TOLERANCE = 1e-4
"""The largest difference from the model that an export in full precision may have."""
CHUNKS = (1, 3, 4, 7, 20)
"""The numbers of frames in a chunk, and the lengths of clips, of the check."""
_LENGTH = max(CHUNKS)
_CALIBRATION_FILMS = 32
"""This many films settle the ranges; each gives its first window."""


@dataclass(frozen=True)
class Request:
    """The model, and the portable file that is wanted."""

    model: Path
    to: str
    precision: Precision = "fp32"
    clips: Path | None = None
    """Films like those that the model will read. They calibrate and check; labelled films are scored, too."""
    out: Path | None = None
    """None: in the model's folder."""
    rate: float | None = None
    """Frames per second, in place of the films' own time stamps; None where each has its own."""
    threads: int = 1


_HEADLINES = ("accuracy", "macro_f1", "auc", "mse")
"""The first of these numbers in a report shows the cost of a lower precision."""


@dataclass(frozen=True)
class Scored:
    """The cost of a portable file in accuracy."""

    before: Evaluation
    """Of the model."""
    after: Evaluation
    """Of the file, on the same clips."""
    seen: bool
    """Whether the model learnt from these clips or was chosen on them, because there were no others."""

    def __str__(self) -> str:
        which = " that the model learnt from or was chosen on" if self.seen else ""
        before, after = self.before.report.numbers, self.after.report.numbers
        name = next(name for name in _HEADLINES if name in after)
        films = counted(self.after.films, "video")
        return f"{name.replace('_', ' ')} on {films}{which} {_shown(before[name])} before, {_shown(after[name])} after"


def _shown(number: float) -> str:
    """Three digits after the point; three significant ones of a small number."""
    return f"{number:.3f}" if number >= 0.1 or number == 0 else f"{number:.3g}"


@dataclass(frozen=True)
class Portable:
    """A portable file that passed its check."""

    file: Path
    size_bytes: int
    difference: float
    """The largest difference from the model's numbers."""
    scored: Scored | None
    """The scores of model and file on the clips, if they are labelled."""
    sentence: str


def export_model(request: Request) -> Generator[RunEvent, None, Portable]:
    """Write a portable file of a model, check it, score it, and describe it in the model's card.

    Raises:
        UsageError: there is no such form or precision, or it needs clips and was given none.
        ExportError: it cannot be written, or in full precision it does not answer as the model does.
    """
    export, model = _export_named(request), load_model(request.model)
    torch.set_num_threads(1)  # tracing gains nothing by more, and clips are scored side by side
    file = request.out or model.folder / _file_name(export, request.precision)
    films = yield from _first_windows(request, model)
    yield Progress(f"writing {file.name}", 0, 1)
    difference = write_checked(export, model, file, request.precision, films)
    scored, ours = None, TorchRuntime(model)
    if request.clips and (portable := export.read(file)).splits == ours.splits:
        scored = yield from _scored(ours, portable, request)
    sentence = describe(model, request.precision, difference, scored)
    card = file.parent / CARD_NAME
    if file.parent == model.folder and card.is_file():
        write_text(card, with_portable(card.read_text(encoding="utf-8"), file.name, sentence))
    size = sum(part.stat().st_size for part in export.companions(file))
    return Portable(file, size, difference, scored, sentence)


def _export_named(request: Request) -> Export:
    if request.to not in EXPORTS:
        raise UsageError(f"--to {request.to}: there is no such form. There are: {', '.join(EXPORTS)}.")
    export: Export = load_attribute(EXPORTS[request.to])()
    if request.precision not in export.precisions:
        has = ", ".join(export.precisions)
        raise UsageError(f"--precision {request.precision}: {request.to} is not written so here, but as {has}.")
    suffix = Path(export.file_name).suffix
    if request.out is not None and request.out.suffix != suffix:
        raise UsageError(
            f"--out {request.out}: {request.to} writes a {suffix} file. Name one, such as {request.out}{suffix}."
        )
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


def _first_windows(request: Request, model: LoadedModel) -> Generator[RunEvent, None, list[Window]]:
    """The first window of some of the clips, evenly chosen; films that cannot be read are passed over."""
    if request.clips is None:
        return []
    clips, features, rate = request.clips, None, request.rate
    if (known := model.spec.encoder.features) is not None:
        features, rate = (clips if clips.is_dir() else clips.parent), rate or known.rate
    try:
        task = task_named(model.header.answer.task)
        films = task.read(request.clips, to_train=False, features=features).films
        paths: Sequence[Path] = [film.path for film in films]
    except DataError:
        paths = find_films([str(request.clips)])
    places = np.unique(np.linspace(0, len(paths) - 1, _CALIBRATION_FILMS).astype(int))
    chosen = [paths[place] for place in places]

    spec = model.spec

    def window(path: Path) -> Window | None:
        try:
            return first_window(path, spec.sampling, spec.size, rate, spec.motion_seconds)
        except FilmError:
            return None

    windows = []
    for done, clip in enumerate(map_in_order(window, chosen, request.threads), 1):
        yield Progress("calibration", done, len(chosen))
        if clip is not None:
            windows.append(clip)
    if not windows:
        raise DataError(f"{request.clips}: none of its videos can be read, so there is nothing to calibrate by.")
    return windows


def _scored(model: Runtime, portable: Runtime, request: Request) -> Generator[RunEvent, None, Scored | None]:
    """The scores of both on labelled clips that the model has not seen, or on all if it has seen all of them.

    None, with a warning, if there is nothing labelled.
    """
    assert request.clips is not None
    said: set[Note] = set()
    predictors = [Predictor(runtime, rate=request.rate, threads=request.threads) for runtime in (model, portable)]
    for split in (None, "all"):
        try:
            before = yield from _once(evaluate(predictors[0], request.model, request.clips, split), said)
            after = yield from _once(evaluate(predictors[1], request.model, request.clips, split), said)
        except DataError as error:
            why = error
        else:
            return Scored(before, after, seen=split == "all")
    yield Note(f"accuracy cannot be measured: {why}", warning=True)
    return None


def _once(events: Generator[RunEvent, None, Evaluation], said: set[Note]) -> Generator[RunEvent, None, Evaluation]:
    """The same events and answer, but no note a second time, since the same films are read again."""

    def passed(event: RunEvent) -> list[RunEvent]:
        again = isinstance(event, Note) and event in said
        if isinstance(event, Note):
            said.add(event)
        return [] if again else [event]

    return through(events, passed)


def write_checked(
    export: Export,
    model: LoadedModel,
    file: Path,
    precision: Precision = "fp32",
    films: Sequence[Window] = (),
) -> float:
    """Write a portable form, check it, and only then give it its name. Returns the largest difference from the model.

    Args:
        export: a member of the family.
        model: on the processor.
        file: its place; an older file there is replaced.
        precision: one of the member's.
        films: windows of films at the model's size. They calibrate, and check beside random clips.

    Raises:
        ExportError: it cannot be written, or in full precision it does not answer as the model does.
        OutputError: the disk refuses.
    """
    with write_files(export.companions(file), advice="Choose another place with --out.") as (beside, *_):
        export.write(model, beside, precision, films)
        clips, portable = _clips_for(model.spec, films), export.read(beside)
        difference = largest_difference(TorchRuntime(model), portable, clips)
        if precision == "fp32" and not difference <= TOLERANCE:
            raise ExportError(
                f"{file}: not kept, since it does not answer as the model does: numbers differ by up to "
                f"{difference:.2g}, and {TOLERANCE:g} is allowed. The model itself is whole: --runtime torch reads it."
            )
    return difference


_INPUTS: dict[InputName, str] = {
    "before": "the input `before`, the frame before each frame",
    "flow": "the input `flow`, the optical flow of each frame",
}


def describe(model: LoadedModel, precision: Precision, difference: float, scored: Scored | None = None) -> str:
    """The sentence of a model card on a portable file."""
    worth = f"; {scored}" if scored else ""
    if precision != "fp32" and not scored:
        worth = "; its cost was not measured; --calibrate DATA measures it"
    whole = "; it reads whole windows and carries no state, since its head reads both ways"
    how = "" if model.network.streams else whole
    if model.spec.inputs:
        further = " and ".join(_INPUTS[name] for name in model.spec.inputs)
        how = f"{how}; beside `frames` it takes {further}: see docs/deploy.md"
    return f"{precision}, its numbers at most {difference:.1e} from the model's{worth}{how}."


def largest_difference(model: Runtime, portable: Runtime, clips: Sequence[Window]) -> float:
    """The largest difference between the outputs of a portable file and those of the model.

    Both read clips (batch, time, height, width, 3) whole and in chunks, from a fresh start and from the model's own
    state. Where both split, they also encode the frames and follow the features, as predict does. A difference is that
    of two numbers, divided by the model's number where that is above 1, because sums grow with a film.
    """
    differences = [0.0]
    for clip in clips:
        compare = _compare_reading if model.streams else _compare_whole
        differences += compare(model, portable, clip)
        for row in range(len(clip.frames) if model.splits and portable.splits else 0):
            frames, before = clip.frames[row], None if clip.before is None else clip.before[row]
            features = model.encode(frames, before)
            differences.append(_difference(portable.encode(frames, before), features))
            differences += _compare_following(model, portable, features[None]) if model.streams else ()
            for length in CHUNKS:
                windows = np.stack([features[:length]] * 2)
                differences.append(_outputs_difference(portable.follow(windows)[0], model.follow(windows)[0]))
    return float(np.max(differences))


def _piece(clip: Window, start: int, length: int) -> tuple[Pixels, Pixels | None]:
    """Some frames of a clip, and the frame before each if it is known."""
    steps = slice(start, start + length)
    return clip.frames[:, steps], None if clip.before is None else clip.before[:, steps]


def _compare_reading(model: Runtime, portable: Runtime, clip: Window) -> Iterator[float]:
    """The clip in chunks, each with the state of the one before; in one length, also with the model's state."""
    whole, end = model.read(clip.frames, None, clip.before)
    for chunk in CHUNKS:
        state: State | None = None
        theirs: State | None = None
        for start in range(0, clip.frames.shape[1], chunk):
            frames, before = _piece(clip, start, chunk)
            outputs, state = portable.read(frames, state, before)
            yield _steps_difference(outputs, whole, slice(start, start + chunk))
            if chunk == max(CHUNKS[1:-1]):
                last = theirs
                given, theirs = model.read(frames, last, before)
                carried, after = portable.read(frames, last, before)
                yield max(_outputs_difference(carried, given), _states_difference(after, theirs))
        assert state is not None
        yield max(_ends_difference(outputs, whole), _states_difference(state, end))


def _compare_following(model: Runtime, portable: Runtime, features: Features) -> Iterator[float]:
    """The features (1, time, width) in chunks, each with the state of the one before."""
    whole, end = model.follow(features)
    for chunk in CHUNKS:
        state: State | None = None
        for start in range(0, features.shape[1], chunk):
            outputs, state = portable.follow(features[:, start : start + chunk], state)
            yield _steps_difference(outputs, whole, slice(start, start + chunk))
        assert state is not None
        yield max(_ends_difference(outputs, whole), _states_difference(state, end))


def _compare_whole(model: Runtime, portable: Runtime, clip: Window) -> Iterator[float]:
    """Whole clips of several lengths, for a model that takes no state."""
    for length in CHUNKS:
        frames, before = _piece(clip, 0, length)
        yield _outputs_difference(portable.read(frames, None, before)[0], model.read(frames, None, before)[0])


_OF_CLIP = "clip"
"""The output that has no time axis."""


def _steps_difference(piece: Outputs, whole: Outputs, steps: slice) -> float:
    return max((_difference(piece[name], whole[name][:, steps]) for name in whole if name != _OF_CLIP), default=0.0)


def _ends_difference(last: Outputs, whole: Outputs) -> float:
    return _difference(last[_OF_CLIP], whole[_OF_CLIP]) if _OF_CLIP in whole else 0.0


def _outputs_difference(one: Outputs, other: Outputs) -> float:
    return max(_difference(one[name], other[name]) for name in other)


def _states_difference(one: State, other: State) -> float:
    if set(one) != set(other):
        return np.inf
    return max((_difference(one[name], other[name]) for name in one), default=0.0)


def _difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    if one.shape != other.shape:
        return np.inf
    first, second = one.astype(np.float64), other.astype(np.float64)
    difference = np.abs(first - second) / np.maximum(1.0, np.abs(second))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def _clips_for(spec: ModelSpec, films: Sequence[Window]) -> list[Window]:
    """Two clips of random pixels or features at once, and one clip of the films, or of waves where there is none.

    Where no film says what was before the frames, it is the frame one step before, or its own for the first.
    """
    if spec.encoder.features:
        width = spec.encoder.features.width
        numbers: NDArray[Any] = np.random.default_rng(0).normal(size=(2, _LENGTH, width)).astype(np.float32)
        one: NDArray[Any] = np.resize(films[0].frames, (1, _LENGTH, width)) if films else numbers[:1] / 10
        return [Window(numbers), Window(one)]
    noise = np.random.default_rng(0).integers(0, 256, (2, _LENGTH, spec.height, spec.width, 3), dtype=np.uint8)
    real = films[0] if films else Window(_waves(spec))
    shape = (1, _LENGTH, *real.frames.shape[1:])
    film = Window(np.resize(real.frames, shape), None if real.before is None else np.resize(real.before, shape))
    return [_with_before(clip) if spec.inputs else clip for clip in (Window(noise), film)]


def _with_before(clip: Window) -> Window:
    if clip.before is not None:
        return clip
    return Window(clip.frames, np.concatenate([clip.frames[:, :1], clip.frames[:, :-1]], 1))


def _waves(spec: ModelSpec) -> Pixels:
    """Pictures as smooth as real ones: coloured waves that move."""
    time, rows, columns = np.ogrid[:_LENGTH, : spec.height, : spec.width]
    waves = [np.sin(0.05 * (k + 1) * columns + 0.03 * rows + 0.4 * (k + 1) * time) for k in range(3)]
    return (127.5 * (1 + np.stack(waves, -1))).astype(np.uint8)
