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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

from vidrnn.batch.engines.base import READY, Broken, Engine, Hand, Item, Job, said_by
from vidrnn.errors import VidrnnError
from vidrnn.threads import available_cores

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from vidrnn.batch.engines.local import serve; serve({})"
)


@dataclass(frozen=True)
class Local(Engine):
    """As many processes as there are jobs."""

    name = "local"

    def places(self) -> int:
        """As the contract says."""
        return self.jobs or available_cores()

    def hired(self, job: Job) -> _Process:
        """As the contract says."""
        return _Process(job)

    def spoken(self, lines: Sequence[Any], seconds: float) -> Sequence[Any]:
        """As the contract says."""
        return wait(lines, seconds)


class _Process(Hand):
    """One process that works, and the line to it."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        ours, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
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
        self.line.send(job)

    def ask(self, item: Item) -> None:
        """As the contract says."""
        with suppress(OSError):  # it has just ended, which is heard next
            self.line.send(item)

    def said(self) -> Any:
        """As the contract says."""
        try:
            return self.line.recv()
        except (EOFError, OSError):
            return Broken(_how_it_ended(self._process.wait()), self._last_words())

    def kill(self) -> None:
        """As the contract says."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.line.close()
        self._words.close()

    def _last_words(self) -> str:
        """The last line that the process wrote, if any."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return f"It said: {lines[-1].strip()}" if lines else ""


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
    line.send(READY)
    while True:
        line.send(said_by(worker, items.get()))


def _listen(line: Connection, items: SimpleQueue[Item]) -> None:
    """Take items in; who gives them may be killed, and then nobody waits for what is half done."""
    while True:
        try:
            items.put(line.recv())
        except (EOFError, OSError):
            os._exit(1)
