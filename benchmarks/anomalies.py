"""How well methods without learning find the anomalies of a street: ped2, six test films, 128 x 128 pixels.

    python benchmarks/anomalies.py [--smoothing 1]

The report compares the methods as if the first one were the model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer

from vidrnn.data.frame_labels import read_frame_labels
from vidrnn.evaluate.anomaly_metrics import Detector, detection_report
from vidrnn.evaluate.baselines import SIGNS, signs_of
from vidrnn.values import Size
from vidrnn.video.reader import open_film

LABELS = Path(__file__).resolve().parents[2] / "shared" / "data" / "ped2" / "frames.csv"
SIZE = Size(128, 128)


def main(smoothing: int = 1, labels: Path = LABELS) -> None:
    """Print the table."""
    films = read_frame_labels(labels).films
    signs_of_films = [_signs(film.path) for film in films]
    detectors = [_detector(name, signs_of_films) for name in SIGNS]
    names = [film.path.name for film in films]
    report = detection_report(
        names, [film.anomalous for film in films], detectors[0], detectors[1:], smoothing_frames=smoothing
    )
    print("| | AUC | 95 % | EER | stretched per film | " + " | ".join(names) + " |")
    print("|---" * (5 + len(names)) + "|")
    for row in sorted((report.model, *report.baselines), key=lambda each: -each.auc):
        per_film = " | ".join("-" if area is None else f"{area:.2f}" for area in row.per_film)
        numbers = f"{row.auc:.3f} | {row.interval[0]:.2f} to {row.interval[1]:.2f} | {row.eer:.3f}"
        print(f"| {row.name} | {numbers} | {row.auc_normalised:.3f} | {per_film} |")
    print("\n".join(report.sentences[:2]))


def _signs(film: Path) -> dict[str, np.ndarray]:
    with open_film(film) as opened:
        return signs_of(frame.pixels[..., 1:2].astype(np.float32) / 255 for frame in opened.frames(size=SIZE))


def _detector(name: str, signs_of_films: list[dict[str, np.ndarray]]) -> Detector:
    scores = tuple(signs[name] for signs in signs_of_films)
    return Detector(name, scores, errors=None if name.startswith("flow magnitude") else scores)


if __name__ == "__main__":
    if not LABELS.is_file():
        raise SystemExit(f"{LABELS} is not there: this benchmark needs the real footage.")
    typer.run(main)
