"""One line of JSON a film, so that the files of many can be joined by `cat`."""

from __future__ import annotations

import json
from pathlib import Path

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, prediction_json


class Jsonl(Output):
    """All of the answer: label, candidates, segments, notes."""

    suffix = ".jsonl"

    def write(self, answered: Answered, file: Path) -> None:
        """As the contract says."""
        write_text(file, json.dumps(prediction_json(answered.name, answered.prediction), ensure_ascii=False) + "\n")
