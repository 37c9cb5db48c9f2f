"""vidrnn: a folder of films and a laptop, and two commands later a model that understands what happens in them.

model = vidrnn.load("runs/clips-gru")
answer = model.predict("match.mp4")
print(answer.label, answer.segments)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidrnn.predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "cpu", threads: int = 1, runtime: str | None = None) -> Predictor:
    """A model from a run folder, a model folder or one of its files, ready to read films on `threads` cores.

    A model that comes with vidrnn is known by its name, such as `moves`. A path `hf:USER/NAME`, or one that ends with
    `@REVISION` too, names a model of the Hugging Face Hub, which is fetched first.
    `runtime` is `onnx` or `torch`; None: onnx on a processor where the model has a .onnx file, torch otherwise.

    Raises:
        vidrnn.errors.ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
    """
    from vidrnn.model.header import located_model
    from vidrnn.model.hub import local_model
    from vidrnn.predict.predictor import Predictor, open_model

    return Predictor(open_model(located_model(local_model(Path(path))), runtime, device)[0], threads=threads)
