"""A server of this machine for the tests: it serves the files of a folder by http, and counts what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


class Server(str):
    """The address of a server, without a slash at its end."""

    asked: list[str]
    """The paths that it was asked for."""


@contextmanager
def serving(folder: Path, redirects: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve the files of a folder until the block ends. `redirects`: addresses for paths that are not files."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            asked.append(self.path)
            target = (redirects or {}).get(self.path)
            if target is None:
                super().do_GET()
                return
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = Server(f"http://127.0.0.1:{server.server_port}")
    address.asked = asked
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
