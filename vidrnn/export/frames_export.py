"""A model of the next frames as a portable file, which is written, checked, and kept only if it paints alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx

from vidrnn.atomic import write_file, write_text
from vidrnn.errors import ExportError
from vidrnn.export.graphs import fresh_frames_state, step_as_onnx
from vidrnn.model.card import with_portable
from vidrnn.model.checkpoint import CARD_NAME, LoadedForecaster
from vidrnn.model.header import HEADER_KEY
from vidrnn.runtimes.base import STATE_KEY, FrameRuntime, State
from vidrnn.runtimes.onnx import OnnxFrames
from vidrnn.runtimes.torch import TorchFrames
from vidrnn.values import Pixels

TOLERANCE = 1e-3
"""The largest difference of a pixel, in [0, 1], with which a file is kept: a quarter of a step of 8 bits."""
_STEPS = 12


def keep_portable(model: LoadedForecaster, file: Path, films: Sequence[Pixels] = ()) -> float:
    """Write the .onnx, check it, and give it its name only then; the largest difference of a pixel from the model's.

    `films` are clips (time, height, width, 3) at the model's size, to check with beside random ones.

    Raises:
        ExportError: it cannot be made, or does not paint as the model does.
        OutputError: the disk refuses.
    """
    tensors = fresh_frames_state(model)
    graph = step_as_onnx(model, tensors)
    told = {name: asdict(tensor) for name, tensor in tensors.items()}
    onnx.helper.set_model_props(graph, {HEADER_KEY: model.header.to_json(), STATE_KEY: json.dumps(told)})
    with write_file(file, advice="Choose another place with --out.") as beside:
        beside.write_bytes(graph.SerializeToString())
        found = largest_difference(TorchFrames(model), OnnxFrames.open(beside), films)
        if not found <= TOLERANCE:
            raise ExportError(
                f"{file}: not kept, since it does not paint as the model does: pixels differ by up to {found:.2g}, "
                f"and {TOLERANCE:g} is allowed. The model itself is whole: --runtime torch reads it."
            )
    return found


def keep_and_tell(model: LoadedForecaster, file: Path, films: Sequence[Pixels] = ()) -> tuple[float, str]:
    """Keep the .onnx as `keep_portable` does; the same difference, and what is to be known of the file in a sentence,
    which the model's card tells if the file stands beside it.
    """
    apart = keep_portable(model, file, films)
    sentence = f"fp32, one frame and the state at a time, its pixels at most {apart:.1e} from the model's."
    card = file.parent / CARD_NAME
    if file.parent == model.folder and card.is_file():
        write_text(card, with_portable(card.read_text(encoding="utf-8"), file.name, sentence))
    return apart, sentence


def largest_difference(model: FrameRuntime, made: FrameRuntime, films: Sequence[Pixels] = ()) -> float:
    """How far what was made paints from the model, at most: one film and three side by side, frame after frame, each
    with its own state; the state is compared too, as far as it goes into what comes next.
    """
    size, rng = model.handling.size, np.random.default_rng(0)
    random = rng.integers(0, 256, (3, _STEPS, size.height, size.width, 3), dtype=np.uint8)
    clips = [random, *(np.resize(film, (1, _STEPS, *film.shape[1:])) for film in films)]
    return max(_apart(model, made, clip) for clip in clips)


def _apart(model: FrameRuntime, made: FrameRuntime, clip: Pixels) -> float:
    theirs: State | None = None
    ours: State | None = None
    apart = 0.0
    for step in range(clip.shape[1]):
        painted, theirs = model.foretell(clip[:, step], theirs)
        other, ours = made.foretell(clip[:, step], ours)
        if painted.shape != other.shape or not np.isfinite(other).all():
            return float("inf")
        apart = max(apart, float(np.abs(painted - other).max()))
    return apart
