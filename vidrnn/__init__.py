"""vidrnn: a folder of films and a laptop, and two commands later a model that understands what happens in them.

model = vidrnn.load("runs/clips-gru")
answer = model.predict("match.mp4")
print(answer.label, answer.segments)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidrnn.predict import Predictor

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | Path, device: str = "cpu", threads: int = 1) -> Predictor:
    """A model from a run folder, a model folder or its weights file, ready to read films on `threads` cores.

    Raises:
        vidrnn.errors.ModelError: there is none, or it is damaged, foreign or newer than this vidrnn.
    """
    from vidrnn.checkpoint import load_model
    from vidrnn.predict import Predictor

    return Predictor(load_model(Path(path)).on(device), threads=threads)
