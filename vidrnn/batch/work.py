"""The work of `vidrnn predict --out` on each film: read it, and write its answer in the forms asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vidrnn.batch.records import FilmReader, Row, Work
from vidrnn.data.films import content_hash
from vidrnn.errors import ModelError, UsageError
from vidrnn.model.header import OPENVINO_NAME, PORTABLE_NAME, find_portable, find_weights
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Answered, Output, prediction_json
from vidrnn.plain_json import json_text
from vidrnn.predict.predictor import Predictor, handling_of, open_model, usual_runtime
from vidrnn.registry import load_member
from vidrnn.tasks.base import task_named
from vidrnn.values import DecisionRule

ANSWERS_VERSION = 1
"""Goes up when the same model gives other answers for the same film: results of other versions are made again."""


@dataclass(frozen=True)
class PredictionRequest:
    """How films are to be read, and in which forms their answers are wanted."""

    model: Path
    formats: tuple[str, ...]
    rule: DecisionRule
    """How outputs become answers."""
    runtime: str | None = None
    device: str = "cpu"
    rate: float | None = None
    """Frames per second, in place of the films' own time stamps; None where each has its own."""
    threads: int = 1
    """That compute for one film."""
    rollout: int = 0
    """Frames to predict beyond a film's end."""
    normalised: bool = False
    """Whether to give the anomaly score that papers normalise within each film, too."""

    def work(self) -> Work:
        """The same for a batch of films.

        Raises:
            UsageError: there is no such form, or the package that it needs is not installed.
            ModelError: there is no such model.
        """
        outputs = [output_named(name) for name in self.formats]
        task = task_named(handling_of(self.model).answer.task)
        if self.runtime is None:
            usual_runtime(self.model, self.device)  # an error here costs no process
        settings = {**asdict(self), "model": str(self.model.absolute()), "called": str(self.model)}
        return Work(
            opener="vidrnn.batch.work:open_reader",
            settings=settings,
            identity=self._identity(),
            suffixes=tuple(output.suffix for output in outputs),
            columns=task.columns,
        )

    def remark(self) -> str:
        """A sentence where the model is not read as usual."""
        if self.runtime is None and self.device == "cpu" and find_portable(self.model) is None:
            remedy = f"Make one: vidrnn export {self.model}"
            return f"{self.model}: no {PORTABLE_NAME} in it, so torch reads it: processes start slowly. {remedy}"
        return ""

    def _identity(self) -> str:
        """A hash of all that decides about an answer."""
        kind_of_device = self.device.partition(":")[0]  # GPUs of one machine give the same answers
        parts = [ANSWERS_VERSION, model_hash(self.model), self.model.name, self.runtime, kind_of_device, self.rate]
        parts += [asdict(self.rule), self.rollout, self.normalised]
        return hashlib.blake2b(json_text(parts, ascii_only=True).encode(), digest_size=16).hexdigest()


def open_reader(settings: dict[str, Any]) -> FilmReader:
    """A function that reads a film and writes its answer, with the model loaded.

    Raises:
        ModelError: the model is damaged, foreign or newer than this vidrnn.
    """
    runtime, _ = open_model(Path(settings["model"]), settings["runtime"], settings["device"])
    predictor = Predictor(
        runtime,
        DecisionRule.of(settings["rule"]),
        rate=settings["rate"],
        threads=1,
        per_film=settings["threads"],
        rollout=settings["rollout"],
        normalised=settings["normalised"],
    )
    outputs = [output_named(name) for name in settings["formats"]]

    def read(film: Path, name: str, file_for: Callable[[str], Path]) -> Row:
        prediction = predictor.predict(film)
        answered = Answered(film, name, prediction, Path(settings["called"]).name, settings["rate"])
        for output in outputs:
            output.write(answered, file_for(output.suffix))
        return prediction_json(name, prediction)

    return read


def formats_named(text: str) -> tuple[str, ...]:
    """The forms of `--format jsonl,csv`, each once.

    Raises:
        UsageError: there is none of such a name.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or (wrong := [name for name in names if name not in OUTPUTS]):
        given = ", ".join(wrong) if names else text
        raise UsageError(f"--format {given}: there is none of that name. There are: {', '.join(OUTPUTS)}.")
    return names


def output_named(name: str) -> Output:
    """One form of an answer.

    Raises:
        UsageError: the package that it needs is not installed.
    """
    output: Output = load_member(OUTPUTS, "--format", name)()
    if output.needs and find_spec(output.needs) is None:
        raise UsageError(
            f"--format {name}: needs the package {output.needs}, which is not installed here. "
            f"Install it: pip install {output.needs}"
        )
    return output


def model_hash(model: Path) -> str:
    """A hash of each file that the model may be read from, whatever reads it.

    Raises:
        ModelError: there is none.
    """
    graph = find_portable(model, OPENVINO_NAME)
    files = [find_portable(model), graph, graph and graph.with_suffix(".bin")]
    found = [file for file in files if file is not None and file.is_file()]
    try:
        found.append(find_weights(model))
    except ModelError:
        if not found:
            raise
    return " ".join(content_hash(file) for file in found)
