"""The command line: flags in, one library call, result shown, exit code out. Importing it loads no network and no film.

Exit codes: 0 all well; 1 some of the work failed; 2 wrong use; 130 stopped by Ctrl-C with all that was finished kept.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated

import typer

from vidrnn import __version__
from vidrnn.errors import UsageError, VidrnnError

_RUBBISH = 50_000
"""Objects between two searches for rubbish: imports make none, and searching them is a tenth of a short command."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_LIBRARIES = "On Debian and Ubuntu OpenCV needs: apt-get install libgl1 libglib2.0-0."

COMMANDS = ("train", "predict", "evaluate", "compare", "export", "info")
"""In the order of `--help`; each is the function of that name in the file of that name."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"vidrnn {__version__}")
        raise typer.Exit


def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A folder of films becomes a model that understands what happens in them over time."""


def _app(arguments: Sequence[str]) -> typer.Typer:
    """The command that is asked for, or all where none is: making the flags of all takes longer than many a command."""
    app = typer.Typer(
        name="vidrnn",
        help=main.__doc__,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # [defaults] in square brackets are no markup
    )
    app.callback()(main)
    asked = arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS
    for name in asked:
        app.command()(getattr(import_module(f"vidrnn.cli.{name}"), name))
    return app


def run() -> None:
    """The entry point: errors become a panel and an exit code, never a traceback."""
    try:
        _run()
    except SystemExit as end:
        _leave(end.code)
        raise


def _leave(code: int | str | None) -> None:
    """End at once where a thread still waits for a stream: one that wakes up while Python ends makes it crash."""
    if threading.active_count() == 1:
        return
    from vidrnn.live.addresses import READER

    if any(thread.name == READER for thread in threading.enumerate()):
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _run() -> None:
    gc.set_threshold(_RUBBISH)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need be no text
    try:
        try:
            _app(sys.argv[1:])(prog_name="vidrnn")
        finally:
            sys.stdout.flush()
    except VidrnnError as error:
        from vidrnn.cli.views.base import show_error

        show_error(error)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("vidrnn"):
            raise
        from vidrnn.cli.views.base import show_error

        missing = (
            f"The package {error.name} is not installed here, and this needs it. Install it: pip install {error.name}"
        )
        show_error(VidrnnError(missing))
        sys.exit(1)
    except ImportError as error:
        if "cannot open shared object" not in str(error):
            raise
        from vidrnn.cli.views.base import show_error

        show_error(VidrnnError(f"A library of this system is missing ({error}). {_LIBRARIES}"))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _hush()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        from vidrnn.cli.views.base import show_error

        _hush()
        show_error(VidrnnError(f"What was found could not be written: {error.strerror}."))
        sys.exit(1)


def _hush() -> None:
    """Nobody takes what is said; let it go nowhere, or Python would try again while it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
