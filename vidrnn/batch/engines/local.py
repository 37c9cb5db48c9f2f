"""Processes of this machine, which share nothing: one that breaks down costs the film it had, and is replaced."""

from __future__ import annotations

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

from typing_extensions import override

from vidrnn.batch.engines.base import READY, Breakdown, Engine, Item, Job, Worker, run_item
from vidrnn.errors import RunError, VidrnnError
from vidrnn.plain_json import json_text
from vidrnn.threads import available_cores

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from vidrnn.batch.engines.local import serve; serve({})"
)


@dataclass(frozen=True)
class Local(Engine):
    """As many processes as there are jobs."""

    name = "local"

    @override
    def count_workers(self) -> int:
        return self.jobs or available_cores()

    @override
    def start_worker(self, job: Job) -> _Process:
        return _Process(job)

    @override
    def wait_for(self, connections: Sequence[Any], seconds: float) -> Sequence[Any]:
        return wait(connections, seconds)


class _Process(Worker):
    """One process that works, and the connection to it."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        ours, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-c", _START.format(theirs.fileno()), json_text(sys.path, ascii_only=True)]
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,  # Ctrl-C is for the process that gives the work
            )
        except OSError as error:
            ours.close()
            self._output.close()
            raise RunError(
                f"The system starts no process to read videos: {error.strerror or error}. Use fewer: --jobs 1."
            ) from None
        finally:
            theirs.close()
        self.connection = Connection(ours.detach())
        with suppress(OSError):  # it has just ended; `receive` reports that next
            self.connection.send(job)

    @override
    def send(self, item: Item) -> None:
        with suppress(OSError):  # it has just ended; `receive` reports that next
            self.connection.send(item)

    @override
    def receive(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return Breakdown(_describe_exit(self._process.wait()), self._last_line())

    @override
    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.connection.close()
        self._output.close()

    def _last_line(self) -> str:
        """The last line that the process wrote, if any."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return f"It said: {lines[-1].strip()}" if lines else ""


def _describe_exit(code: int) -> str:
    """The clause for an exit code, after `the process`."""
    if code >= 0:
        return f"ended by itself with the code {code}"
    number = -code
    name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
    return f"was ended by {name}" + (", as systems do when memory runs out" if number == signal.SIGKILL else "")


# --- in the process that works ---------------------------------------------------------------------------------------


def serve(file_number: int) -> None:
    """Work on the items that come over the connection, until its other end is closed."""
    connection = Connection(file_number)
    items: SimpleQueue[Item] = SimpleQueue()
    job: Job = connection.recv()
    threading.Thread(target=_listen, args=(connection, items), daemon=True).start()
    try:
        worker = job.open()
    except VidrnnError as error:
        connection.send(error)
        return
    connection.send(READY)
    while True:
        connection.send(run_item(worker, items.get()))


def _listen(connection: Connection, items: SimpleQueue[Item]) -> None:
    """Receive items. If the process that sends them is killed, this one ends at once."""
    while True:
        try:
            items.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)
