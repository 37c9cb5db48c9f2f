"""Actors of a Ray cluster: each loads the model once; all must see the films and the folder of results."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from vidrnn.engines.base import Engine, Finished, Item, Job, Lost, Outcome, Worker, said_by, took_too_long
from vidrnn.errors import RunError, UsageError, VidrnnError

_READY = "ready"


@dataclass(frozen=True)
class Ray(Engine):
    """The cluster that RAY_ADDRESS names or that runs on this machine, else one that is started here."""

    name = "ray"

    def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
        """As the contract says."""
        ray = _joined()
        todo = deque(range(len(items)))
        jobs = self.jobs or int(ray.cluster_resources().get("CPU", 1))
        actors = [_Actor(ray, job) for _ in range(min(jobs, len(items)))]
        try:
            while todo or any(actor.index is not None for actor in actors):
                for place, actor in enumerate(actors):
                    if actor.ended and todo:
                        actors[place] = _Actor(ray, job)
                    elif actor.idle and todo:
                        actor.give(todo.popleft(), items, seconds)
                yield from _heard(ray, actors)
                yield from _overdue(actors, seconds)
        finally:
            for actor in actors:
                actor.end()


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
    return ray


def _heard(ray: Any, actors: Sequence[_Actor]) -> Iterator[Outcome]:
    """What the actors say, once one of them says something or has to be given up."""
    waited = {actor.said: actor for actor in actors if actor.said is not None}
    patience = min((actor.deadline for actor in waited.values()), default=time.monotonic()) - time.monotonic()
    done, _ = ray.wait(list(waited), timeout=max(0.0, patience) if patience < float("inf") else None)
    for said in done:
        outcome = waited[said].hear()
        if outcome is not None:
            yield outcome


def _overdue(actors: Sequence[_Actor], seconds: Sequence[float]) -> Iterator[Outcome]:
    for actor in actors:
        if actor.index is not None and time.monotonic() >= actor.deadline:
            actor.end()
            index, actor.index = actor.index, None
            yield Lost(index, took_too_long(seconds[index]))


class Remote:
    """What stands in a process of the cluster, with the job open."""

    _worker: Worker

    def open(self, job: Job) -> VidrnnError | str:
        """Be ready, or say why the work cannot go on."""
        try:
            self._worker = job.opened()
        except VidrnnError as error:
            return error
        return _READY

    def do(self, item: Item) -> dict[str, Any] | VidrnnError:
        """Do one item."""
        return said_by(self._worker, item)


@dataclass
class _Actor:
    """One actor, and what it was last asked."""

    ray: Any
    job: Job
    index: int | None = None
    """Of the item that it works on."""
    deadline: float = float("inf")
    ready: bool = False
    ended: bool = False
    said: Any = None
    """What is to come from it; None when it has nothing to say."""
    _remote: Any = field(init=False)

    def __post_init__(self) -> None:
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        make = self.ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, runtime_env=path)(Remote)
        self._remote = make.remote()
        self.said = self._remote.open.remote(self.job)

    @property
    def idle(self) -> bool:
        """Whether it can be given an item."""
        return self.ready and self.index is None and not self.ended

    def give(self, index: int, items: Sequence[Item], seconds: Sequence[float]) -> None:
        """Have it work on an item."""
        self.index, self.deadline = index, time.monotonic() + seconds[index]
        self.said = self._remote.do.remote(items[index])

    def hear(self) -> Outcome | None:
        """What it says: that it is ready, or what came of its item.

        Raises:
            VidrnnError: the work cannot go on.
        """
        index, self.index, self.deadline = self.index, None, float("inf")
        asked, self.said = self.said, None
        try:
            said: Any = self.ray.get(asked)
        except self.ray.exceptions.RayError as error:
            self.end()
            if index is None:
                raise RunError(f"An actor of the Ray cluster could not begin: {_first_line(error)}") from None
            return Lost(index, "the process that read it ended.")
        if isinstance(said, VidrnnError):
            raise said
        if index is None:
            self.ready = True
            return None
        return Finished(index, said)

    def end(self) -> None:
        """End the actor at once."""
        if not self.ended:
            self.ended, self.said, self.deadline = True, None, float("inf")
            self.ray.kill(self._remote)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
