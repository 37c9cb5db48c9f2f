"""MLflow: the server that MLFLOW_TRACKING_URI names, else a SQLite file beside the run."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from vidrnn.tracking.base import Ending, Place, Tracker
from vidrnn.values import Pixels

STORE, ARTIFACTS = "mlflow.db", "mlflow_files"
"""Beside the run, where no server is named."""
_EXPERIMENT = "vidrnn"
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_LONGEST_VALUE = 500
"""Letters of a parameter's value that every store takes."""


class MlflowTracker(Tracker):
    """A run of the experiment `vidrnn`. It uses a client of its own, so the state that scripts share stays as it is."""

    package: ClassVar[str] = "mlflow"

    @override
    def open(self, place: Place) -> str:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would send what is used to its makers
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        self._metric = Metric
        home = place.folder.resolve().parent
        address = os.environ.get("MLFLOW_TRACKING_URI")
        files = None if address else (home / ARTIFACTS).as_uri()
        self._client = MlflowClient(address or f"sqlite:///{(home / STORE).as_posix()}")
        if place.identity is not None:
            self._run: str = place.identity
            self._client.update_run(self._run, status="RUNNING")
            return self._run
        known = self._client.get_experiment_by_name(_EXPERIMENT)
        number = known.experiment_id if known else self._client.create_experiment(_EXPERIMENT, files)
        self._run = self._client.create_run(number, run_name=place.folder.name).info.run_id
        return self._run

    @override
    def settings(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            self._client.log_param(self._run, name, str(value)[:_LONGEST_VALUE])

    @override
    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [self._metric(_allowed(name), number, now, step) for name, number in numbers.items()]
        self._client.log_batch(self._run, metrics=metrics)

    @override
    def picture(self, name: str, pixels: Pixels) -> None:
        self._client.log_image(self._run, pixels, f"{_allowed(name)}.png")

    @override
    def text(self, name: str, text: str) -> None:
        self._client.log_text(self._run, text, f"{_allowed(name)}.md")

    @override
    def close(self, ending: Ending) -> None:
        self._client.set_terminated(self._run, _STATUS[ending])


def _allowed(name: str) -> str:
    """A name with the letters that MLflow takes only: the names of classes may hold others."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)
