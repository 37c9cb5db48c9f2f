"""One line of JSON for each film; `cat` joins the files of many."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from vidrnn.atomic import write_text
from vidrnn.outputs.base import Answered, Output, prediction_json
from vidrnn.text import json_line


class Jsonl(Output):
    """Holds the whole answer: label, candidates, measures, segments, notes."""

    suffix = ".jsonl"

    @override
    def write(self, answered: Answered, file: Path) -> None:
        write_text(file, json_line(prediction_json(answered.name, answered.prediction)) + "\n")
