"""Processes of this machine, which share nothing: one that breaks down costs the film it had, and is replaced.

A process gets its items through its standard input and answers through its standard output, which every system has.
A thread of this process waits for each of them. Nothing is inherited, so the processes start in the same way on Linux,
macOS and Windows.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Condition, Thread
from typing import IO, Any

from typing_extensions import override

from vidrnn.batch.engines.base import READY, Breakdown, Engine, Item, Job, Worker, run_item
from vidrnn.errors import RunError, VidrnnError
from vidrnn.plain_json import json_text
from vidrnn.threads import available_cores

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from vidrnn.batch.engines.local import serve; serve()"
)
_NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""Of Windows: Ctrl-C does not reach the process. On the other systems a session of its own does the same."""
_END_SECONDS = 5.0
"""How long a process that has closed its output may take to end."""
_OUT_OF_MEMORY = ", as systems do when memory runs out"
_WINDOWS_ENDS = {
    3: "called abort",
    0xC0000005: "broke down at a wrong address in memory (access violation)",
    0xC0000006: "could not read a file that it had mapped into memory",
    0xC0000017: f"was ended by Windows{_OUT_OF_MEMORY}",
    0xC000001D: "used an instruction that this processor does not have",
    0xC000009A: f"was ended by Windows{_OUT_OF_MEMORY}",
    0xC00000FD: "ran out of stack",
    0xC000012D: f"was ended by Windows{_OUT_OF_MEMORY}",
    0xC0000135: "found a library of Windows missing",
    0xC000013A: "was ended by Ctrl-C",
    0xC0000374: "broke down, since its memory was damaged",
    0xC0000409: "broke down, since it found a fault in itself",
}
"""What exit codes of Windows mean, as far as processes that read videos have them; after `the process`."""


@dataclass(frozen=True)
class Local(Engine):
    """As many processes as there are jobs."""

    name = "local"
    _news: Condition = field(default_factory=Condition, init=False, repr=False, compare=False)
    """Notified when a process has sent a message."""

    @override
    def count_workers(self) -> int:
        return self.jobs or available_cores()

    @override
    def start_worker(self, job: Job) -> _Process:
        return _Process(job, self._news)

    @override
    def wait_for(self, connections: Sequence[Any], seconds: float) -> Sequence[Any]:
        with self._news:
            self._news.wait_for(lambda: any(connection.messages for connection in connections), seconds)
            return [connection for connection in connections if connection.messages]


@dataclass(eq=False)
class _Answers:
    """The messages of a process that nobody has taken yet; the last one is None, once the process has ended."""

    messages: deque[Any] = field(default_factory=deque)

    def listen(self, stream: IO[bytes], news: Condition) -> None:
        """Receive messages until there are no more; in a thread of its own."""
        message: Any = READY
        while message is not None:
            try:
                message = pickle.load(stream)
            except Exception:  # it has ended, in the middle of a message or before one
                message = None
            with news:
                self.messages.append(message)
                news.notify_all()
        stream.close()


class _Process(Worker):
    """One process that works, and the streams to and from it."""

    def __init__(self, job: Job, news: Condition) -> None:
        super().__init__()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, json_text(sys.path, ascii_only=True)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for the process that gives the work
                creationflags=_NEW_GROUP,
            )
        except OSError as error:
            self._errors.close()
            raise RunError(
                f"The system starts no process to read videos: {error.strerror or error}. Use fewer: --jobs 1."
            ) from None
        self.connection = _Answers()
        self._listener = Thread(target=self.connection.listen, args=(self._process.stdout, news), daemon=True)
        self._listener.start()
        self._tell(job)

    @override
    def send(self, item: Item) -> None:
        self._tell(item)

    @override
    def receive(self) -> Any:
        message = self.connection.messages.popleft()
        if message is not None:
            return message
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return Breakdown("closed its output", self._last_line())
        return Breakdown(_describe_exit(code), self._last_line())

    @override
    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with suppress(OSError):  # there may be something that it did not take any more
            _stream(self._process.stdin).close()
        self._listener.join(_END_SECONDS)
        self._errors.close()

    def _tell(self, message: Job | Item) -> None:
        with suppress(OSError):  # it has just ended; `receive` reports that next
            _send(_stream(self._process.stdin), message)

    def _last_line(self) -> str:
        """The last line that the process wrote, if any."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"It said: {lines[-1].strip()}" if lines else ""


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "it was opened as a pipe"
    return stream


def _send(stream: IO[bytes], message: Any) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _describe_exit(code: int, system: str = os.name) -> str:
    """The clause for an exit code, after `the process`. Codes of signals are negative; those of Windows are large."""
    if code in _WINDOWS_ENDS and system == "nt":
        return _WINDOWS_ENDS[code]
    if code >= 0:
        return f"ended by itself with the code {code:#x}" if code > 0xFFFF else f"ended by itself with the code {code}"
    number = -code
    name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
    return f"was ended by {name}" + (_OUT_OF_MEMORY if name == "SIGKILL" else "")


# --- in the process that works ---------------------------------------------------------------------------------------


def serve() -> None:
    """Work on the items that come through the standard input, until its other end is closed."""
    for name in ("SIGINT", "SIGBREAK"):  # Windows has the second, and sends it to all processes of a window
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    given, answers = _own_streams()
    job: Job = pickle.load(given)
    items: SimpleQueue[Item] = SimpleQueue()
    Thread(target=_listen, args=(given, items), daemon=True).start()
    try:
        worker = job.open()
    except VidrnnError as error:
        _send(answers, error)
        return
    _send(answers, READY)
    while True:
        _send(answers, run_item(worker, items.get()))


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The standard input and output, for messages alone. What others read here is empty, and what they write is kept.

    Libraries may write to the standard output by their own means, so its number is given to the standard error.
    """
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return streams


def _listen(given: IO[bytes], items: SimpleQueue[Item]) -> None:
    """Receive items. If the process that sends them is killed, this one ends at once."""
    while True:
        try:
            items.put(pickle.load(given))
        except Exception:
            os._exit(1)
