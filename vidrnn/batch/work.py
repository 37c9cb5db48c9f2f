"""A film and its answer in the files asked for: what `vidrnn predict --out` has done with each film."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vidrnn import __version__
from vidrnn.batch.records import FilmReader, Row, Work
from vidrnn.data.films import content_hash
from vidrnn.errors import ModelError, UsageError
from vidrnn.model.header import OPENVINO_NAME, PORTABLE_NAME, find_portable, find_weights
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import Answered, Output, answer_json
from vidrnn.predict.predictor import HYSTERESIS, SHORTEST_SECONDS, Predictor, open_model
from vidrnn.registry import load_member
from vidrnn.values import Reset

COLUMNS = ("label", "probability", "duration_seconds", "frames", "notes")
"""Of an answer, as far as the summary shows it."""


@dataclass(frozen=True)
class Asked:
    """How films are to be read, and in which forms their answers are wanted."""

    model: Path
    formats: tuple[str, ...]
    runtime: str | None = None
    device: str = "cpu"
    threshold: float = 0.0
    rate: float | None = None
    """Frames per second of films that are folders of pictures."""
    threads: int = 1
    """That compute for one film."""
    reset: Reset | None = None
    """When the state starts anew; None: as the model stores it."""
    hysteresis: float = HYSTERESIS
    shortest_seconds: float = SHORTEST_SECONDS
    """Of the timeline; see `Predictor`."""

    def work(self) -> Work:
        """The same for a batch of films.

        Raises:
            UsageError: there is no such form, or the package that it needs is not installed.
            ModelError: there is no such model.
        """
        outputs = [output_named(name) for name in self.formats]
        settings: dict[str, Any] = {
            "model": str(self.model.absolute()),
            "called": str(self.model),
            "formats": list(self.formats),
            "runtime": self.runtime,
            "device": self.device,
            "threshold": self.threshold,
            "rate": self.rate,
            "threads": self.threads,
            "reset": self.reset,
            "hysteresis": self.hysteresis,
            "shortest_seconds": self.shortest_seconds,
        }
        return Work(
            opener="vidrnn.batch.work:opened",
            settings=settings,
            identity=self._identity(),
            suffixes=tuple(output.suffix for output in outputs),
            columns=COLUMNS,
        )

    def remark(self) -> str:
        """A sentence where the model is not read as usual."""
        return portable_remark(self.model, self.runtime, self.device)

    def _identity(self) -> str:
        """Of all that decides about an answer."""
        parts = [__version__, model_hash(self.model), self.model.name, self.runtime, self.device, self.threshold]
        parts += [self.rate, self.reset, self.hysteresis, self.shortest_seconds]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def portable_remark(model: Path, runtime: str | None, device: str) -> str:
    """A sentence where a model has no file that starts at once, and nothing was said about what reads it."""
    if runtime is None and device == "cpu" and find_portable(model) is None:
        remedy = f"Make one: vidrnn export {model}"
        return f"{model}: no {PORTABLE_NAME} in it, so torch reads it: processes start slowly. {remedy}"
    return ""


def opened(settings: dict[str, Any]) -> FilmReader:
    """What reads a film and writes its answer, with the model loaded.

    Raises:
        ModelError: it is damaged, foreign or newer than this vidrnn.
    """
    runtime, _ = open_model(Path(settings["model"]), settings["runtime"], settings["device"])
    told = {name: settings[name] for name in ("rate", "reset", "hysteresis", "shortest_seconds")}
    predictor = Predictor(runtime, threads=1, per_film=settings["threads"], **told)
    outputs = [output_named(name) for name in settings["formats"]]

    def read(film: Path, name: str, file_for: Callable[[str], Path]) -> Row:
        found = predictor.predict(film, settings["threshold"])
        answered = Answered(film, name, found, Path(settings["called"]).name, settings["rate"])
        for output in outputs:
            output.write(answered, file_for(output.suffix))
        return answer_json(name, found)

    return read


def formats_named(text: str) -> tuple[str, ...]:
    """The forms of `--format jsonl,csv`, each once.

    Raises:
        UsageError: there is none of such a name.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or (wrong := [name for name in names if name not in OUTPUTS]):
        said = ", ".join(wrong) if names else text
        raise UsageError(f"--format {said}: there is none of that name. There are: {', '.join(OUTPUTS)}.")
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
    """Of each file that the model may be read from, whatever reads it.

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
