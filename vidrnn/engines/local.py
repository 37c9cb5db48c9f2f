"""Processes of this machine, which share nothing: one that breaks down costs the film it had, and is replaced."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import IO, Any

from vidrnn.engines.base import Engine, Finished, Item, Job, Lost, Outcome, said_by, took_too_long
from vidrnn.errors import RunError, VidrnnError
from vidrnn.parallel import available_cores

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from vidrnn.engines.local import serve; serve({})"
_READY = "ready"


@dataclass(frozen=True)
class Local(Engine):
    """As many processes as there are jobs."""

    name = "local"

    def run(self, job: Job, items: Sequence[Item], seconds: Sequence[float]) -> Generator[Outcome]:
        """As the contract says."""
        todo = deque(range(len(items)))
        workers = [_Process(job) for _ in range(min(self.jobs or available_cores(), len(items)))]
        try:
            while todo or any(worker.index is not None for worker in workers):
                for worker in workers:
                    if worker.ready and worker.index is None and todo:
                        worker.give(todo.popleft(), items, seconds)
                yield from _heard(workers)
                yield from _overdue(workers, seconds)
                _replaced(workers, job, len(todo))
        finally:
            for worker in workers:
                worker.end()


def _heard(workers: Sequence[_Process]) -> Iterator[Outcome]:
    """What the workers say, once one of them says something or has to be given up."""
    heard: dict[object, _Process] = {worker.line: worker for worker in workers if not worker.ended}
    lines = [worker.line for worker in heard.values()]
    patience = min((worker.deadline for worker in heard.values()), default=0.0) - time.monotonic()
    for line in wait(lines, max(0.0, patience) if patience < float("inf") else None):
        outcome = heard[line].hear()
        if outcome is not None:
            yield outcome


def _overdue(workers: Sequence[_Process], seconds: Sequence[float]) -> Iterator[Outcome]:
    for worker in workers:
        if worker.index is not None and time.monotonic() >= worker.deadline:
            worker.end()
            index, worker.index = worker.index, None
            yield Lost(index, took_too_long(seconds[index]))


def _replaced(workers: list[_Process], job: Job, waiting: int) -> None:
    """New processes for those that ended, as long as there is something to do."""
    for place, worker in enumerate(workers):
        if worker.ended and waiting:
            workers[place] = _Process(job)


@dataclass
class _Process:
    """One process that works, and the line to it."""

    job: Job
    index: int | None = None
    """Of the item that it works on."""
    deadline: float = float("inf")
    ready: bool = False
    ended: bool = False
    line: Connection = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)
    _words: IO[bytes] = field(init=False, default_factory=tempfile.TemporaryFile)

    def __post_init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-c", _START.format(theirs.fileno()), json.dumps(sys.path)]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            start_new_session=True,  # Ctrl-C is for the one who gives the work
        )
        theirs.close()
        self.line = Connection(ours.detach())
        self.line.send(self.job)

    def give(self, index: int, items: Sequence[Item], seconds: Sequence[float]) -> None:
        """Have it work on an item."""
        self.index, self.deadline = index, time.monotonic() + seconds[index]
        with suppress(OSError):  # it has just ended, which is heard next
            self.line.send(items[index])

    def hear(self) -> Outcome | None:
        """What it says: that it is ready, what came of its item, or by its silence that it has ended.

        Raises:
            VidrnnError: the work cannot go on.
        """
        try:
            said: Any = self.line.recv()
        except (EOFError, OSError):
            return self._lost()
        if isinstance(said, VidrnnError):
            raise said
        if said == _READY:
            self.ready = True
            return None
        index, self.index, self.deadline = self.index, None, float("inf")
        assert index is not None, "a worker that had nothing to do said something"
        return Finished(index, said)

    def _lost(self) -> Outcome | None:
        code, words, was_ready = self._process.wait(), self._last_words(), self.ready
        self.end()
        if not was_ready:
            raise RunError(f"A process that was to read films {_how_it_ended(code)} before it began. {words}".strip())
        if self.index is None:
            return None
        index, self.index = self.index, None
        return Lost(index, f"the process that read it {_how_it_ended(code)}.")

    def _last_words(self) -> str:
        """The last line that the process wrote, if any."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return f"It said: {lines[-1].strip()}" if lines else ""

    def end(self) -> None:
        """End the process at once."""
        self.ended, self.ready, self.deadline = True, False, float("inf")
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.line.close()
        self._words.close()


def _how_it_ended(code: int) -> str:
    """What an exit code means."""
    if code >= 0:
        return f"ended by itself with the code {code}"
    number = -code
    name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
    return f"was ended by {name}" + (", as systems do when memory runs out" if number == signal.SIGKILL else "")


# --- in the process that works ---------------------------------------------------------------------------------------


def serve(file_number: int) -> None:
    """Work on what comes over the line until nobody is at its other end."""
    line = Connection(file_number)
    items: SimpleQueue[Item] = SimpleQueue()
    job: Job = line.recv()
    threading.Thread(target=_listen, args=(line, items), daemon=True).start()
    try:
        worker = job.opened()
    except VidrnnError as error:
        line.send(error)
        return
    line.send(_READY)
    while True:
        line.send(said_by(worker, items.get()))


def _listen(line: Connection, items: SimpleQueue[Item]) -> None:
    """Take items in; who gives them may be killed, and then nobody waits for what is half done."""
    while True:
        try:
            items.put(line.recv())
        except (EOFError, OSError):
            os._exit(1)
