"""Actors of a Ray cluster: each loads the model once; all must see the films and the folder of results."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from vidrnn.batch.engines.base import READY, Breakdown, Engine, Item, ItemFunction, Job, Worker, run_item
from vidrnn.errors import UsageError, VidrnnError

_SECONDS_TO_END = 5.0
"""How long a killed actor may take to end, before its unfinished files are removed."""


@dataclass(frozen=True)
class Ray(Engine):
    """The cluster that RAY_ADDRESS names or that runs on this machine, else one that is started here."""

    name = "ray"

    @override
    def count_workers(self) -> int:
        return self.jobs or max(1, int(_connect().cluster_resources().get("CPU", 1)))

    @override
    def start_worker(self, job: Job) -> _Actor:
        return _Actor(_connect(), job)

    @override
    def wait_for(self, connections: Sequence[Any], seconds: float) -> Sequence[Any]:
        done: Sequence[Any] = _connect().wait(list(connections), num_returns=1, timeout=seconds)[0]
        return done


def _connect() -> Any:
    """Ray, connected to its cluster.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--engine ray: needs the package ray, which is not installed here. Install it: pip install ray"
        ) from None
    if not ray.is_initialized():
        # else actors, which ask for a processor only, would see no GPU
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(log_to_driver=False, configure_logging=False)
    from ray._private import worker

    # else it goes to standard output, which is for results, and no setting keeps it off
    worker.print_to_stdstream = _print_to_stderr
    return ray


def _print_to_stderr(data: dict[str, Any], *_: object, **__: object) -> None:
    """Print messages of Ray, about processes that broke down or a cluster that is too small, to standard error."""
    sys.stderr.write("".join(f"(ray) {line}\n" for line in data["lines"]))


class Remote:
    """The object in a process of the cluster that holds the open job."""

    _worker: ItemFunction

    def open(self, job: Job) -> VidrnnError | str:
        """Open the job; READY, or the error that ends the run."""
        try:
            self._worker = job.open()
        except VidrnnError as error:
            return error
        return READY

    def do(self, item: Item) -> dict[str, Any] | VidrnnError:
        """Do one item."""
        return run_item(self._worker, item)


class _Actor(Worker):
    """One actor, and the reference to its next result."""

    def __init__(self, ray: Any, job: Job) -> None:
        super().__init__()
        self._ray = ray
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        make = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, runtime_env=path)(Remote)
        self._remote = make.remote()
        self.connection = self._remote.open.remote(job)

    @override
    def send(self, item: Item) -> None:
        self.connection = self._remote.do.remote(item)

    @override
    def receive(self) -> Any:
        reference, self.connection = self.connection, None
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines()  # the first ones are about Ray, the last one gives the reason
            message = lines[-1].strip() if lines else type(error).__name__
            return Breakdown("was ended, as systems do when memory runs out or a library fails", f"Ray says: {message}")

    @override
    def kill(self) -> None:
        self._ray.kill(self._remote)
        if self.connection is not None:
            self._ray.wait([self.connection], timeout=_SECONDS_TO_END)
            self.connection = None
