"""Actors of a Ray cluster: each loads the model once; all must see the films and the folder of results."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vidrnn.batch.engines.base import READY, Broken, Engine, Hand, Item, Job, Worker, said_by
from vidrnn.errors import UsageError, VidrnnError

_SECONDS_TO_END = 5.0
"""For an actor that was killed, before what it left is looked at."""


@dataclass(frozen=True)
class Ray(Engine):
    """The cluster that RAY_ADDRESS names or that runs on this machine, else one that is started here."""

    name = "ray"

    def places(self) -> int:
        """As the contract says."""
        return self.jobs or max(1, int(_joined().cluster_resources().get("CPU", 1)))

    def hired(self, job: Job) -> _Actor:
        """As the contract says."""
        return _Actor(_joined(), job)

    def spoken(self, lines: Sequence[Any], seconds: float) -> Sequence[Any]:
        """As the contract says."""
        done: Sequence[Any] = _joined().wait(list(lines), num_returns=1, timeout=seconds)[0]
        return done


def _joined() -> Any:
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
    worker.print_to_stdstream = _told_beside
    return ray


def _told_beside(data: dict[str, Any], *_: object, **__: object) -> None:
    """What Ray says of processes that broke down, and of a cluster that is too small."""
    sys.stderr.write("".join(f"(ray) {line}\n" for line in data["lines"]))


class Remote:
    """What stands in a process of the cluster, with the job open."""

    _worker: Worker

    def open(self, job: Job) -> VidrnnError | str:
        """Be ready, or say why the work cannot go on."""
        try:
            self._worker = job.opened()
        except VidrnnError as error:
            return error
        return READY

    def do(self, item: Item) -> dict[str, Any] | VidrnnError:
        """Do one item."""
        return said_by(self._worker, item)


class _Actor(Hand):
    """One actor, and what it was last asked."""

    def __init__(self, ray: Any, job: Job) -> None:
        super().__init__()
        self._ray = ray
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        make = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, runtime_env=path)(Remote)
        self._remote = make.remote()
        self.line = self._remote.open.remote(job)

    def ask(self, item: Item) -> None:
        """As the contract says."""
        self.line = self._remote.do.remote(item)

    def said(self) -> Any:
        """As the contract says."""
        asked, self.line = self.line, None
        try:
            return self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines()  # the first ones tell of Ray, the last one of what went wrong
            words = lines[-1].strip() if lines else type(error).__name__
            return Broken("was ended, as systems do when memory runs out or a library fails", f"Ray says: {words}")

    def kill(self) -> None:
        """As the contract says."""
        self._ray.kill(self._remote)
        if self.line is not None:
            self._ray.wait([self.line], timeout=_SECONDS_TO_END)
            self.line = None
