"""Whether the runtimes answer alike: every shipped model on every film of sample_videos, and evaluate's accuracy.

python benchmarks/parity.py
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer

from vidrnn.errors import DataError
from vidrnn.evaluate.evaluator import Evaluation, evaluate
from vidrnn.export.exporter import Request, export_model
from vidrnn.model.header import find_portable
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.timeline.segments import prediction, timeline
from vidrnn.values import FilmFailure

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
            expected = list(by_torch.score_all(paths))
            accuracy = _accuracy(by_torch, films)
            for runtime in others:
                file = find_portable(model) if runtime == "onnx" else Path(folder) / f"{model.name}.xml"
                assert file is not None
                if runtime != "onnx":
                    _end(export_model(Request(model, runtime, out=file)))
                other = Predictor(open_model(file, runtime)[0], threads=jobs)
                alike, apart, along = 0, 0.0, 0.0
                for film, known in zip(other.score_all(paths), expected, strict=True):
                    assert not isinstance(film, FilmFailure) and not isinstance(known, FilmFailure)
                    mine, theirs = prediction(film, other.reading()), prediction(known, other.reading())
                    alike += mine.label == theirs.label
                    pairs = zip(mine.top, theirs.top, strict=True)
                    apart = max(apart, *(abs(one.probability - two.probability) for one, two in pairs))
                    steps = timeline(film, other.reading()) - timeline(known, other.reading())
                    along = max(along, float(np.abs(steps).max()))
                print(
                    f"| {model.name} | {runtime} | {len(paths)} | {alike} | {apart:.1e} | {along:.1e} | "
                    f"{_accuracy(other, films)}, {accuracy} |",
                    flush=True,
                )


def _accuracy(predictor: Predictor, films: Path) -> str:
    try:
        found = _end(evaluate(predictor, films, "all"))
    except DataError:
        return "other classes"
    assert isinstance(found, Evaluation)
    return f"{found.scores.accuracy:.4f}"


def _end(journey):  # type: ignore[no-untyped-def]
    """Run a journey to its end and give what it returns."""
    while True:
        try:
            next(journey)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    typer.run(main)
