"""Whether the runtimes give the same answers: each shipped model on each film of sample_videos, and its accuracy.

python benchmarks/parity.py
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer

from vidrnn.errors import DataError
from vidrnn.evaluate.evaluator import evaluate
from vidrnn.export.exporter import Request, export_model
from vidrnn.model.header import find_portable
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.values import FilmFailure, FilmPrediction

ROOT = Path(__file__).resolve().parents[1]
FILMS = ROOT / "sample_videos"


def main(films: Path = FILMS, jobs: int = 2) -> None:
    """Read all films by each runtime and print a table."""
    paths = sorted(films.glob("**/*.webm"))
    others = ["onnx", *(["openvino"] if find_spec("openvino") else [])]
    print(
        "| model | runtime | films | labels alike | apart at most | along the film | accuracy, torch's |\n"
        "|---|---|---|---|---|---|---|"
    )
    with TemporaryDirectory() as folder:
        for model in sorted(path.parent for path in (ROOT / "models").glob("*/model.safetensors")):
            by_torch = Predictor(open_model(model, "torch")[0], threads=jobs)
            expected = list(by_torch.read_all(paths))
            accuracy = _accuracy(by_torch, model, films)
            for runtime in others:
                file = find_portable(model) if runtime == "onnx" else Path(folder) / f"{model.name}.xml"
                assert file is not None
                if runtime != "onnx":
                    _end(export_model(Request(model, runtime, out=file)))
                other = Predictor(open_model(file, runtime)[0], threads=jobs)
                alike, apart, along = 0, 0.0, 0.0
                for film, known in zip(other.read_all(paths), expected, strict=True):
                    assert not isinstance(film, FilmFailure) and not isinstance(known, FilmFailure)
                    mine, theirs = other.answer(film), by_torch.answer(known)
                    alike += (mine.label, _labels(mine)) == (theirs.label, _labels(theirs))
                    if film.clip is not None and known.clip is not None:
                        apart = max(apart, float(np.abs(film.clip - known.clip).max()))
                    steps = film.timeline.probabilities - known.timeline.probabilities
                    along = max(along, float(np.nan_to_num(np.abs(steps)).max()))
                print(
                    f"| {model.name} | {runtime} | {len(paths)} | {alike} | {apart:.1e} | {along:.1e} | "
                    f"{_accuracy(other, model, films)}, {accuracy} |",
                    flush=True,
                )


def _labels(film: FilmPrediction) -> list[str]:
    return [segment.label for segment in film.segments]


def _accuracy(predictor: Predictor, model: Path, films: Path) -> str:
    try:
        numbers = _end(evaluate(predictor, model, films, "all")).numbers
    except DataError:
        return "other classes"
    return f"{numbers['accuracy']:.4f}" if "accuracy" in numbers else "no classes"


def _end(events):  # type: ignore[no-untyped-def]
    """The result at the end of events."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    typer.run(main)
