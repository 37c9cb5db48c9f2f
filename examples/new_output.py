"""A new output format: a time budget. How long does a video show each behaviour, and how often?

    python examples/new_output.py [VIDEO] [MODEL]

An output takes one answer and writes one file. It knows nothing about networks. The file must be complete as soon as it
has its name, so it is written beside its place and then renamed: `write_text` does that.

To keep a format in vidrnn, put its class into a file of its own in vidrnn/outputs/ and add one line to the table in
vidrnn/outputs/__init__.py. Then `vidrnn predict FOLDER --out results/ --format NAME` writes it for every video. vidrnn
has a time budget with more columns: `--format budget`.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import vidrnn
from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output

ROOT = Path(__file__).resolve().parent.parent


class Budget(Output):
    """A row for each behaviour: how many bouts, how many seconds, and which share of the video."""

    suffix = ".budget.csv"

    def write(self, answered: Answered, file: Path) -> None:
        """Write the budget of one video as CSV."""
        segments, duration = answered.prediction.segments, answered.prediction.duration_seconds
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["behaviour", "bouts", "seconds", "share"])
        for behaviour in sorted({segment.label for segment in segments}):
            bouts = [one.end_seconds - one.start_seconds for one in segments if one.label == behaviour]
            table.writerow([behaviour, len(bouts), f"{sum(bouts):.2f}", f"{sum(bouts) / duration:.3f}"])
        write_text(file, text.getvalue())


def main(video: Path, model: Path, folder: Path) -> None:
    """Read a video, write its budget into `folder` and show it."""
    prediction = vidrnn.load(model).predict(video)
    file = folder / f"{video.name}{Budget.suffix}"
    Budget().write(Answered(film=video, name=video.name, prediction=prediction, model=model.name), file)
    print(f"{file}:\n{file.read_text(encoding='utf-8')}", end="")


if __name__ == "__main__":
    defaults = [str(ROOT / "sample_videos" / "a_day.webm"), str(ROOT / "models" / "moves")]
    chosen = [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]]
    main(Path(chosen[0]), Path(chosen[1]), Path.cwd())
